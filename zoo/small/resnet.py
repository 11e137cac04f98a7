"""Residual networks for images of 32 px.

Source: K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR
2016: section 4.2 for :func:`cifar_resnet`; Table 1 for :func:`resnet34` and :func:`resnet50`,
whose stem is one 3 × 3 convolution without pooling here, as section 4.2 has it for 32 px.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def cifar_resnet(images: Any, *, blocks: int, dropout: float = 0.0, width: float = 1.0) -> Any:
    """Return the headless ResNet of 6 · ``blocks`` + 2 layers: 16, 32 and 64 channels.

    Shortcuts have no weights: to more channels they are padded with zeros (section 4.2, "option
    A").

    Parameters
    ----------
    images
        Symbolic images (n, height, width, 3), at least 4 px a side.
    blocks
        Of two convolutions, in each of the three stages: 5 for ResNet-32, 7 for ResNet-44.
    dropout, width
        See :mod:`zoo.small`.

    Returns
    -------
    keras.Model
        From the inputs that ``images`` were computed from to features (n, 64 · width).

    Raises
    ------
    InputError
        If ``dropout`` or ``width`` is out of its range.
    """
    network = _Residual(images, dropout, width, stem=16, projections=False)
    for channels in (16, 32, 64):
        network.stage([(channels, 3), (channels, 3)], blocks)
    return network.model(f"resnet{6 * blocks + 2}")


def resnet34(images: Any, *, dropout: float = 0.0, width: float = 1.0) -> Any:
    """Return the headless ResNet-34 for small images; features (n, 512 · width).

    Arguments and errors as for :func:`cifar_resnet`; at least 8 px a side. A shortcut to more
    channels is a 1 × 1 convolution ("option B"), as in :func:`resnet50`.
    """
    network = _Residual(images, dropout, width, stem=64, projections=True)
    for channels, blocks in zip((64, 128, 256, 512), (3, 4, 6, 3), strict=True):
        network.stage([(channels, 3), (channels, 3)], blocks)
    return network.model("resnet34")


def resnet50(images: Any, *, dropout: float = 0.0, width: float = 1.0) -> Any:
    """Return the headless ResNet-50 for small images; features (n, 2048 · width).

    Arguments and errors as for :func:`cifar_resnet`; at least 8 px a side. The 3 × 3 convolution
    of a bottleneck carries the stride.
    """
    network = _Residual(images, dropout, width, stem=64, projections=True)
    for channels, blocks in zip((64, 128, 256, 512), (3, 4, 6, 3), strict=True):
        network.stage([(channels, 1), (channels, 3), (4 * channels, 1)], blocks)
    return network.model("resnet50_small")


class _Residual:
    """A residual network as it grows from its images."""

    def __init__(
        self, images: Any, dropout: float, width: float, *, stem: int, projections: bool
    ) -> None:
        from zoo.small.scaled import Scaled

        self._images = images
        self._scaled = Scaled(width, dropout)
        self._projections = projections
        self._stages = 0
        self._x = self._activated(self._normalised(images, stem, 3, 1, "conv0"), "relu0")

    def stage(self, convolutions: Sequence[tuple[int, int]], blocks: int) -> None:
        """Add blocks of convolutions (channels, size); all stages but the first halve the size."""
        import keras

        self._stages += 1
        for block in range(1, blocks + 1):
            stride = 2 if block == 1 and self._stages > 1 else 1
            # The first convolution that sees positions at all, of 3 × 3, carries the stride.
            strided = next(place for place, (_, size) in enumerate(convolutions) if size > 1)
            name = f"stage{self._stages}_block{block}"
            x = self._x
            for place, (channels, size) in enumerate(convolutions):
                if place:
                    x = self._activated(x, f"{name}_relu{place}")
                step = stride if place == strided else 1
                x = self._normalised(x, channels, size, step, f"{name}_conv{place + 1}")
            shortcut = self._shortcut(convolutions[-1][0], stride, name)
            x = keras.layers.Add(name=f"{name}_add")([shortcut, x])
            self._x = self._activated(x, f"{name}_relu")

    def model(self, name: str) -> Any:
        """Pool the last stage to features and return the whole network."""
        import keras

        x = keras.layers.GlobalAveragePooling2D(name="pool")(self._x)
        x = self._scaled.dropped(x, "drop1")
        return keras.Model(keras.utils.get_source_inputs(self._images)[0], x, name=name)

    def _shortcut(self, channels: int, stride: int, name: str) -> Any:
        import keras

        x = self._x
        missing = self._scaled(channels) - x.shape[-1]
        if stride == 1 and missing == 0:
            return x
        if self._projections:
            return self._normalised(x, channels, 1, stride, f"{name}_shortcut")
        x = keras.layers.MaxPooling2D(1, stride, name=f"{name}_every_other")(x)
        return keras.ops.pad(x, [[0, 0]] * 3 + [[0, missing]]) if missing else x

    def _normalised(self, x: Any, channels: int, size: int, stride: int, name: str) -> Any:
        import keras

        options = {"strides": stride, "padding": "same", "use_bias": False}
        x = self._scaled.convolution(x, channels, size, name, **options)
        return keras.layers.BatchNormalization(name=f"{name}_norm")(x)

    def _activated(self, x: Any, name: str) -> Any:
        import keras

        return keras.layers.ReLU(name=name)(x)
