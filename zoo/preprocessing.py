"""What networks expect of their pixels, as layers in front of them."""

from __future__ import annotations

from typing import Any

from zoo.cards import Preprocessing

# Mean and standard deviation of ImageNet's channels, RGB in [0, 1] for ``torch`` and BGR in
# [0, 255] for ``caffe``: keras.applications.imagenet_utils.preprocess_input.
_TORCH_MEAN = (0.485, 0.456, 0.406)
_TORCH_DEVIATION = (0.229, 0.224, 0.225)
_CAFFE_MEAN = (103.939, 116.779, 123.68)


def preprocessed(images: Any, mode: Preprocessing) -> Any:
    """Return what a network trained with that preprocessing expects.

    Made of Keras's own layers and operations, so that a saved network loads without this code.

    Parameters
    ----------
    images
        Symbolic RGB images, values 0 to 255, shape (n, height, width, 3).
    mode
        As in :class:`zoo.cards.Card`; ``included`` leaves them as they are.

    Returns
    -------
    keras.KerasTensor
        Shape as ``images``.
    """
    import keras

    if mode == "tf":
        return keras.layers.Rescaling(1 / 127.5, -1.0, name="preprocessing")(images)
    if mode == "torch":
        scale = [1 / (255 * deviation) for deviation in _TORCH_DEVIATION]
        offset = [
            -mean / deviation for mean, deviation in zip(_TORCH_MEAN, _TORCH_DEVIATION, strict=True)
        ]
        return keras.layers.Rescaling(scale, offset, name="preprocessing")(images)
    if mode == "caffe":
        offset = [-mean for mean in _CAFFE_MEAN]
        reversed_channels = keras.ops.flip(images, axis=-1)
        return keras.layers.Rescaling(1.0, offset, name="preprocessing")(reversed_channels)
    return images
