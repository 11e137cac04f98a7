"""A fine-tuned network in other formats: TensorFlow's SavedModel, and ONNX.

``python -m ncselect.exporting FORMAT FILE FOLDER`` does it in a process of its own, with Keras on
TensorFlow, whatever the network was trained with: both formats are written by way of it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ncselect.pretrained import PretrainedNetwork, card_file, facts_file, stored_network
from ncselect.processes import with_this_package
from ncselect.run import replace_text
from ncselect.store import check_writable
from zoo.errors import InputError, UnknownNameError
from zoo.standalone import CLASSES

FORMATS: dict[str, tuple[str, ...]] = {"saved-model": (), "onnx": ("tf2onnx", "onnx")}
"""Format → the packages it needs beside TensorFlow."""
ONNX_FILE = "model.onnx"


class ExportError(RuntimeError):
    """A network cannot be exported; the text says why."""


@dataclass(frozen=True)
class Export:
    """A network's other format.

    Attributes
    ----------
    format
        Of ``FORMATS``.
    folder
        What gets the network, and ``classes.json`` with the names of its classes.
    """

    format: str
    folder: Path

    def write(self, network: PretrainedNetwork) -> None:
        """Export a network; nothing, if that has been done.

        Raises
        ------
        InputError
            If something else is in the folder.
        ExportError
            If the format cannot hold the network.
        """
        if self.is_made(network):
            return
        draft = self.folder.with_name(f".{self.folder.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        done = subprocess.run(
            [sys.executable, "-P", "-m", "ncselect.exporting", self.format, network.file, draft],
            env=with_this_package(
                {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            shutil.rmtree(draft)
            *_, last = done.stderr.strip().splitlines() or ["its process was killed"]
            raise ExportError(f"{network.file.name} cannot be exported to {self.format}: {last}")
        replace_text(draft / CLASSES, json.dumps(self._said_of(network), indent=1))
        if self.folder.exists():
            self.folder.rmdir()  # it is empty
        draft.rename(self.folder)

    def is_made(self, network: PretrainedNetwork | None) -> bool:
        """Tell whether a network, or None that is yet to be trained, has been exported there.

        Raises
        ------
        InputError
            If something else is in the folder.
        """
        if not self.folder.exists() or (self.folder.is_dir() and not any(self.folder.iterdir())):
            return False
        said = self.folder / CLASSES
        if network is not None and said.is_file():
            try:
                if json.loads(said.read_text()) == self._said_of(network):
                    return True
            except ValueError:  # it is not ours
                pass
        raise InputError(
            f"export: '{self.folder}' is there and is not this network's; name a folder that is "
            "not there, or delete it"
        )

    def _said_of(self, network: PretrainedNetwork) -> dict[str, Any]:
        return {
            "format": self.format,
            "network": network.digest,
            "classes": list(network.classes),
        }


def asked_export(format: str, folder: str | Path, file: Path) -> Export:
    """Return an export that can be made, before anything is trained for it.

    Parameters
    ----------
    format
        ``saved-model`` or ``onnx``.
    folder
        Where to: one that is not there or is empty, or has this very export.
    file
        The network that is, or will be, saved.

    Raises
    ------
    InputError
        If it cannot be made.
    """
    if format not in FORMATS:
        raise UnknownNameError("export", format, FORMATS)
    absent = [package for package in FORMATS[format] if find_spec(package) is None]
    if absent:
        raise InputError(
            f"export: {format} needs {' and '.join(absent)}; pip install 'ncselect[onnx]'"
        )
    place = Path(folder).expanduser().absolute()
    written = (file, facts_file(file), card_file(file))
    if place.resolve() in [*file.resolve().parents, *(one.resolve() for one in written)]:
        raise InputError(
            f"export: '{place}' is where '{file.name}' goes, or above it; name another folder"
        )
    try:
        check_writable(place.parent)
    except OSError as error:
        raise InputError(
            f"export: cannot write '{place}' ({error}); name another folder"
        ) from error
    export = Export(format, place)
    export.is_made(stored_network(file))
    return export


def main() -> None:
    """Export a file: the process of one export."""
    format, file, folder = sys.argv[1:]
    from zoo.saved import load_safely

    network = load_safely(Path(file), Path(file).stem)
    if format == "onnx":
        import keras

        facts = stored_network(Path(file))
        assert facts is not None  # a file that was fine-tuned
        whole = of_one_size(network, tuple(facts.spec.data["image_shape"]))
        whole(keras.ops.zeros((1, *whole.input_shape[1:])))  # Keras exports what has been called
        whole.export(str(Path(folder, ONNX_FILE)), format="onnx", verbose=False)
    else:
        network.export(folder, format="tf_saved_model", verbose=False)


def of_one_size(network: Any, image_shape: tuple[int, int, int]) -> Any:
    """Return a network for images of one size, where ONNX can hold it.

    ONNX has nothing that resizes as Keras does where pixels are averaged. Images of the size that
    a network was trained on need not be resized, or are enlarged, where nothing is averaged.

    Parameters
    ----------
    network
        One that stands alone.
    image_shape
        Height, width and channels.
    """
    import keras

    def fitting(step: Any, images: Any, *args: Any, **kwargs: Any) -> Any:
        if type(step).__name__ != "Resize":
            return step(images, *args, **kwargs)
        if tuple(images.shape[1:3]) == tuple(step.size):
            return images
        grows = all(new >= old for new, old in zip(step.size, images.shape[1:3], strict=True))
        return keras.ops.image.resize(
            images, step.size, interpolation=step.interpolation, antialias=not grows
        )

    images = keras.Input(image_shape, name="images")
    return keras.models.clone_model(
        network, input_tensors=images, clone_function=lambda layer: layer, call_function=fitting
    )


if __name__ == "__main__":
    main()
