"""A VGG for images of 32 px.

Source: K. Simonyan, A. Zisserman, "Very deep convolutional networks for large-scale image
recognition", ICLR 2015, with the seven convolutions and the two dense layers that give the
graphs of "Convolutional Neural Network Dynamics: A Graph Perspective" the sizes of its Table 5
(which calls it VGG, and its appendix VGG13).
"""

from __future__ import annotations

from typing import Any


def vgg(images: Any, *, dropout: float = 0.0, width: float = 1.0) -> Any:
    """Return the headless VGG for small images: seven 3 × 3 convolutions, two dense layers.

    Parameters
    ----------
    images
        Symbolic images (n, height, width, 3), at least 16 px a side.
    dropout, width
        See :mod:`zoo.small`.

    Returns
    -------
    keras.Model
        From the inputs that ``images`` were computed from to features (n, 128 · width).

    Raises
    ------
    InputError
        If ``dropout`` or ``width`` is out of its range.
    """
    import keras

    from zoo.small.scaled import Scaled

    scaled = Scaled(width, dropout)
    x = images
    for block, convolutions in enumerate(((64,), (128, 128), (256, 256), (256, 256)), start=1):
        for number, channels in enumerate(convolutions, start=1):
            name = f"conv{block}_{number}"
            x = scaled.convolution(x, channels, 3, name, padding="same", activation="relu")
        x = keras.layers.MaxPooling2D(name=f"pool{block}")(x)
    x = scaled.dense(keras.layers.Flatten(name="flatten")(x), (128, 128))
    return keras.Model(keras.utils.get_source_inputs(images)[0], x, name="vgg_small")
