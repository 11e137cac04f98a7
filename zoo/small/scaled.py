"""Layers of a network whose width and dropout are its arguments. Importing this imports Keras."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras

from zoo.errors import InputError


class Scaled:
    """Makes layers of a multiple of their usual width.

    Parameters
    ----------
    width
        The factor, above 0.
    dropout
        Rate of the dropout layers, in [0, 1).

    Raises
    ------
    InputError
        If one of them is out of its range.
    """

    def __init__(self, width: float, dropout: float) -> None:
        if not (math.isfinite(width) and width > 0):
            raise InputError(f"width is {width}. Give a factor above 0, such as 0.5.")
        if not 0 <= dropout < 1:
            raise InputError(f"dropout is {dropout}. Give a rate in [0, 1).")
        self._width = width
        self._dropout = dropout

    def __call__(self, channels: int) -> int:
        """Return a number of channels or units times the width, rounded half up, at least 1."""
        return max(1, math.floor(channels * self._width + 0.5))

    def convolution(self, x: Any, channels: int, size: int, name: str, **options: Any) -> Any:
        """Put a convolution with He's initial kernels on a tensor; the activation is an option."""
        layer = keras.layers.Conv2D(
            self(channels), size, kernel_initializer="he_normal", name=name, **options
        )
        return layer(x)

    def dense(self, x: Any, units: Sequence[int]) -> Any:
        """Put dense layers of rectified units on features, dropout before each and at the end."""
        for number, count in enumerate(units, start=1):
            x = self.dropped(x, f"drop{number}")
            x = keras.layers.Dense(
                self(count), "relu", kernel_initializer="he_normal", name=f"dense{number}"
            )(x)
        return self.dropped(x, f"drop{len(units) + 1}")

    def dropped(self, x: Any, name: str) -> Any:
        """Put a dropout layer on a tensor, of rate 0 too."""
        return keras.layers.Dropout(self._dropout, name=name)(x)
