"""A trained network that was saved: a ``.keras`` file, and a JSON of facts beside it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ncselect.numerics.proportion import wilson_interval
from ncselect.run import Run, replace_text
from ncselect.spec import RunSpec
from zoo.candidate import content_digest
from zoo.errors import InputError

FORMAT = 1
_DERIVED = ("test_images", "test_interval")  # told to readers of the JSON
_MOVED = "move it away, or give another place with --out"


@dataclass(frozen=True)
class PretrainedNetwork:
    """A network that was trained on a dataset, saved with its classifier.

    Attributes
    ----------
    file
        The ``.keras`` file: images (n, height, width, 3), values 0 to 255, to probabilities of
        the dataset's classes.
    spec
        What was trained: model, dataset, seed and protocol.
    epochs
        For how long.
    classes
        Names of the dataset's classes, in the order of the outputs.
    weights
        What training began from: ``random``, ``imagenet``, a file.
    parameters
        Of the base, without the classifier.
    input_shape
        Height, width and channels that the file takes; None where any will do.
    validation_accuracy, test_accuracy
        On the dataset, in [0, 1], with the weights that were saved.
    digest
        Of the file's content.
    smallest_size
        Pixels a side below which images are to be enlarged for it; None where that is not known,
        or the file does what is needed itself.
    best_epoch
        The epoch whose weights were saved; None: the last.
    has_stopped
        Whether early stopping ended the training.
    ranking
        How the network was ranked before, JSON values, see ``ncselect.finetuning``; empty where
        it was not.
    notes
        What a person should know of the images.
    """

    file: Path
    spec: RunSpec
    epochs: int
    classes: tuple[str, ...]
    weights: str
    parameters: int
    input_shape: tuple[int | None, ...]
    validation_accuracy: float
    test_accuracy: float
    digest: str
    smallest_size: int | None = None
    best_epoch: int | None = None
    has_stopped: bool = False
    ranking: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def test_images(self) -> int:
        """Number of images that the test accuracy was measured on."""
        return int(self.spec.data["counts"]["test"])

    @property
    def test_interval(self) -> tuple[float, float]:
        """The 95% interval of the test accuracy (Wilson): other images would move it as much."""
        return wilson_interval(self.test_accuracy, self.test_images)

    def keep(self) -> None:
        """Write the facts beside the file."""
        names = [one.name for one in dataclasses.fields(self) if one.name not in ("file", "spec")]
        document = {
            "format": FORMAT,
            **{name: getattr(self, name) for name in names},
            **{name: getattr(self, name) for name in _DERIVED},
            "spec": self.spec.to_json(),
        }
        replace_text(facts_file(self.file), json.dumps(document, indent=1) + "\n")

    def row(self) -> dict[str, Any]:
        """Return what a table says of it, JSON values."""
        return {
            "model": self.spec.model,
            "weights": self.weights,
            "epochs": self.epochs,
            "validation": self.validation_accuracy,
            "test": self.test_accuracy,
            "parameters": self.parameters,
            "file": str(self.file),
        }

    def check(self, spec: RunSpec, epochs: int, run: Run | None) -> None:
        """Raise InputError unless this is what training a spec for so many epochs gives.

        Backend, versions and threads may differ: what has been trained is not trained again.

        Parameters
        ----------
        spec, epochs
            What is wanted.
        run
            What the store has of it: where it has ended without a checkpoint, it has to go before
            it can be trained anew.
        """
        has_enough = self.has_stopped and self.epochs <= epochs
        here = {"epochs": epochs if has_enough else self.epochs, **self.spec.flat()}
        wanted = {"epochs": epochs, **spec.flat()}
        differing = [
            f"{name.removeprefix('settings.')} {here.get(name)} (wanted: {wanted.get(name)})"
            for name in sorted(here | wanted)
            if not name.startswith("environment.") and here.get(name) != wanted.get(name)
        ]
        if differing:
            raise InputError(
                f"out: '{self.file}' is of another training: {', '.join(differing[:3])}; "
                f"{self._anew(run)}"
            )
        if content_digest(self.file) != self.digest:
            raise InputError(
                f"out: '{self.file}' is not as it was saved: damaged or changed; {self._anew(run)}"
            )

    def _anew(self, run: Run | None) -> str:
        """Say what must go before the file can be made again: all that is there."""
        beside = (facts_file(self.file), card_file(self.file))
        *names, last = (
            f"'{one.name}'" for one in (self.file, *beside) if one == self.file or one.exists()
        )
        files = f"{', '.join(names)} and {last} there"
        if run is not None and not run.can_continue:
            files += f" and the run with '{deleting(run)}'"
        return f"give another place with --out, or delete {files} to train it anew"


def network_file(folder: Path, model: str) -> Path:
    """Return the file that gets a model's network: in the folder itself, whatever its name."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", model).strip("-.")[:80]
    if plain != model or not plain:  # two names shall never share a file
        digest = hashlib.sha256(model.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        plain = f"{plain or 'model'}-{digest}"
    return folder / f"{plain}.keras"


def facts_file(file: Path) -> Path:
    """Return where a network's facts lie."""
    return file.with_suffix(".json")


def card_file(file: Path) -> Path:
    """Return where the model card of a network lies, if it has one."""
    return file.with_suffix(".md")


def deleting(run: Run) -> str:
    """Return the command that deletes a run."""
    return f"ncselect runs --store {shlex.quote(str(run.folder.parent))} --delete {run.key}"


def stored_network(file: Path) -> PretrainedNetwork | None:
    """Return the network in a file, or None if there is no such file.

    Raises
    ------
    InputError
        If the file, or one in the place of its facts, was not written by this package.
    """
    facts = facts_file(file)
    if not facts.exists():
        if file.exists():
            raise InputError(
                f"out: '{file}' is there without '{facts.name}', which would say how it was "
                f"trained; {_MOVED}"
            )
        return None
    try:
        document = json.loads(facts.read_text())
        if document.pop("format") != FORMAT:
            raise ValueError("another format")
        for name in _DERIVED:
            document.pop(name, None)
        network = PretrainedNetwork(
            **{
                **document,
                "file": file,
                "spec": RunSpec.from_json(document["spec"]),
                "classes": tuple(document["classes"]),
                "input_shape": tuple(document["input_shape"]),
                "notes": tuple(document.get("notes", ())),
            }
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"out: '{facts}' is none of the files that ncselect writes ({error}); {_MOVED}"
        ) from error
    return network if file.exists() else None
