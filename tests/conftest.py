"""What all tests share: where real data lies, and records to feed methods with."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real data and weights, or skip."""
    folder = os.environ.get("NCSELECT_DATA")
    if not folder:
        pytest.skip("NCSELECT_DATA names no folder of real data and weights")
    return Path(folder)


@pytest.fixture(scope="session")
def small_network(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that saves a convolutional network of a given width as ``.keras``.

    It has what makes resuming hard: batch norms, and dropout with a seed state of its own.
    """
    folder = tmp_path_factory.mktemp("networks")

    def saved(width: int, dropout: float = 0.2) -> Path:
        import keras

        path = folder / f"{dropout}" / f"small-{width}.keras"
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            keras.utils.set_random_seed(width)
            images = x = keras.Input((32, 32, 3))
            x = keras.layers.Rescaling(1 / 127.5, -1.0)(x)
            for filters in (width, 2 * width):
                x = keras.layers.Conv2D(filters, 3, strides=2, use_bias=False)(x)
                x = keras.layers.BatchNormalization()(x)
                x = keras.layers.ReLU()(x)
                x = keras.layers.Dropout(dropout)(x)
            keras.Model(images, x).save(path)
        return path

    return saved
