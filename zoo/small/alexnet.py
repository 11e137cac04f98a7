"""AlexNet for images of 32 px.

Source: A. Krizhevsky, I. Sutskever, G. E. Hinton, "ImageNet classification with deep
convolutional neural networks", NIPS 2012, cut down so that the rolled and the unrolled graph
have the sizes of Table 5 of "Convolutional Neural Network Dynamics: A Graph Perspective":
a 7 × 7 convolution of stride 2 first, no third pooling, dense layers of 1024 and 512, no
response normalisation.
"""

from __future__ import annotations

from typing import Any


def alexnet(images: Any, *, dropout: float = 0.0, width: float = 1.0) -> Any:
    """Return the headless AlexNet for small images: five convolutions, two dense layers.

    Parameters
    ----------
    images
        Symbolic images (n, height, width, 3), at least 15 px a side.
    dropout, width
        See :mod:`zoo.small`.

    Returns
    -------
    keras.Model
        From the inputs that ``images`` were computed from to features (n, 512 · width).

    Raises
    ------
    InputError
        If ``dropout`` or ``width`` is out of its range.
    """
    import keras

    from zoo.small.scaled import Scaled

    scaled = Scaled(width, dropout)

    def same(x: Any, channels: int, size: int, name: str) -> Any:
        return scaled.convolution(x, channels, size, name, padding="same", activation="relu")

    x = keras.layers.ZeroPadding2D(2, name="pad1")(images)
    x = scaled.convolution(x, 96, 7, "conv1", strides=2, activation="relu")
    x = keras.layers.MaxPooling2D(3, 2, name="pool1")(x)
    x = keras.layers.MaxPooling2D(3, 2, name="pool2")(same(x, 256, 5, "conv2"))
    x = same(x, 384, 3, "conv3")
    x = same(x, 384, 3, "conv4")
    x = same(x, 256, 3, "conv5")
    x = scaled.dense(keras.layers.Flatten(name="flatten")(x), (1024, 512))
    return keras.Model(keras.utils.get_source_inputs(images)[0], x, name="alexnet_small")
