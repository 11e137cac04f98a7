"""What all tests share: where real data lies, and records to feed methods with."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
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


@pytest.fixture(scope="session")
def in_this_process() -> Callable[[], AbstractContextManager[None]]:
    """Return a context within which runs are made in this process, one after the other.

    For tests of what runs come to: importing Keras in a process for each costs more than they do.
    """
    from in_this_process import InThisProcess

    @contextmanager
    def here() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ncselect.execute.LocalProcesses", InThisProcess)
            yield

    return here


@pytest.fixture
def command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the command line in this process, and ends as a process does.

    It runs in the test's own folder, and prepares images there.
    """
    from ncselect.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NCSELECT_CACHE", str(tmp_path / "cache"))

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["ncselect", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return subprocess.CompletedProcess(sys.argv, end.value.code, said.out, said.err)

    return run
