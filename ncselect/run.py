"""One run on disk: a JSON line per epoch and the latest checkpoint only, one writer at a time.

A run's folder is named after model, dataset, seed and key, and holds

- ``spec.json``: what is run; ``facts.json``: what happened to the candidate;
- ``observations.jsonl``: one line per epoch, epoch 0 first;
- ``checkpoint.npz``: every variable after the latest epoch, with that epoch's observation;
- ``best.npz``: the model's own variables after the best epoch, where the settings ask for it;
- ``truth.json``: test accuracy by epoch; ``outcome.json``: how the run ended, once it has;
- ``connections/epoch-0007.npz``: the connections of a sparse network after some of its epochs;
- ``lock``: held by the one process that writes.

The checkpoint is replaced before the line is appended and carries the line's text, so a process
that is killed between the two loses nothing. A run may be deleted while it is read.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from ncselect.lock import RunBusyError, locked
from ncselect.sparse.connections import Connections
from ncselect.sparse.connections_file import write_connections
from ncselect.spec import RunSpec, Settings
from ncselect.types import Observation, RunRecord, best_epoch, has_ended_early
from zoo.errors import InputError

CONNECTIONS = "connections"
_DELETE = "delete the run with 'ncselect runs --delete'"
Variables = Sequence[NDArray[Any]]


@dataclasses.dataclass(frozen=True)
class Run:
    """One run's folder."""

    folder: Path

    @property
    def spec(self) -> RunSpec:
        """What is run."""
        return RunSpec.from_json(json.loads((self.folder / "spec.json").read_text()))

    @property
    def key(self) -> str:
        """The spec's key; empty where the spec cannot be read, or was deleted meanwhile."""
        try:
            return self.spec.key
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return ""

    @property
    def is_readable(self) -> bool:
        """Whether the spec can be read."""
        return bool(self.key)

    def record(self) -> RunRecord:
        """Return the run as far as it has come; one that is damaged is failed and says so.

        Raises
        ------
        FileNotFoundError
            If it was deleted meanwhile.
        """
        try:
            return self._record()
        except (ValueError, KeyError, TypeError) as error:
            reason = f"its files in '{self.folder}' are damaged ({error}); {_DELETE}"
            return RunRecord(spec=self.spec, status="failed", error=reason)

    def _record(self) -> RunRecord:
        outcome = _read_json(self.folder / "outcome.json", {"status": "partial", "error": None})
        truth = _read_json(self.folder / "truth.json", {})
        return RunRecord(
            spec=self.spec,
            observations=tuple(_read_observations(self.folder / "observations.jsonl")),
            status=outcome["status"],
            error=outcome["error"],
            facts=_read_json(self.folder / "facts.json", {}),
            truth={int(epoch): float(accuracy) for epoch, accuracy in truth.items()},
        )

    @property
    def can_continue(self) -> bool:
        """Whether more epochs can be added: nothing done yet, or a checkpoint is there."""
        if (self.folder / "checkpoint.npz").exists():
            return True
        return not (self.folder / "observations.jsonl").exists()

    @property
    def megabytes(self) -> float:
        """Space on disk."""
        return space(self.folder)

    @property
    def connections(self) -> dict[int, Path]:
        """Epoch → the file of its connections, see ``ncselect.sparse.connections_file``."""
        files = sorted((self.folder / CONNECTIONS).glob("epoch-*.npz"))
        return {int(file.stem.removeprefix("epoch-")): file for file in files}

    def delete(self) -> None:
        """Remove the run and free its space.

        Raises
        ------
        RunBusyError
            If a process is writing it.
        """
        with locked(self.folder):
            shutil.rmtree(self.folder)

    def note_failure(self, reason: str) -> None:
        """Keep why the run did not go on, until it does; nothing if another process writes it."""
        with suppress(RunBusyError), locked(self.folder):
            text = json.dumps({"status": "partial", "error": reason})
            replace_text(self.folder / "outcome.json", text)

    @contextmanager
    def writer(self, *, patience: float = 0.0, until: int | None = None) -> Iterator[RunWriter]:
        """Hold the run for writing.

        Parameters
        ----------
        patience
            Seconds to wait while another process holds it.
        until
            The epoch that it goes to, for who asks.

        Raises
        ------
        RunBusyError
            If another process holds it.
        InputError
            If its checkpoint and its lines cannot belong together.
        """
        with locked(self.folder, patience=patience, until=until):
            yield RunWriter(self.folder)


class RunWriter:
    """The one writer of a run; got from :meth:`Run.writer`.

    Attributes
    ----------
    observations
        Those so far, epoch 0 first.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines = folder / "observations.jsonl"
        self._checkpoint = folder / "checkpoint.npz"
        self._best = folder / "best.npz"
        self.observations = self._mend()

    @property
    def epochs(self) -> int:
        """Number of observations so far: the next one to append is of this epoch."""
        return len(self.observations)

    def has_ended(self, horizon: int | None, settings: Settings) -> bool:
        """Tell whether there is nothing more to train: at the horizon, or ended early."""
        return self.epochs - 1 == horizon or has_ended_early(self.observations, settings)

    def _mend(self) -> list[Observation]:
        """Drop a torn last line; add the line that a killed process owed to its checkpoint."""
        seen = list(_read_observations(self._lines))
        replace_text(self._lines, "".join(_line(observation) for observation in seen))
        if self._checkpoint.exists():
            try:
                with stored_arrays(self._checkpoint) as stored:
                    owed = _observation(str(stored["observation"]))
            except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
                raise InputError(
                    f"store: the checkpoint in '{self._folder}' is damaged ({error}); {_DELETE}"
                ) from error
            if owed.epoch == len(seen):
                seen.append(owed)
                _append_line(self._lines, _line(owed))
            elif owed.epoch != len(seen) - 1:
                raise InputError(
                    f"store: the checkpoint in '{self._folder}' is of epoch {owed.epoch}, but "
                    f"{len(seen)} epochs are recorded; {_DELETE}"
                )
        if not seen:
            self._lines.unlink()
        return seen

    def variables(self) -> list[NDArray[Any]] | None:
        """Return the checkpoint's variables by index, or None if there is no checkpoint."""
        if not self._checkpoint.exists():
            return None
        with stored_arrays(self._checkpoint) as stored:
            return [stored[f"v{index}"] for index in range(len(stored.files) - 1)]

    def best_variables(self) -> list[NDArray[Any]]:
        """Return the model's own variables after the best epoch, by index.

        Raises
        ------
        InputError
            If those that were kept are of another epoch.
        """
        with stored_arrays(self._best) as stored:
            kept, best = int(stored["epoch"]), best_epoch(self.observations)
            if kept != best:
                raise InputError(
                    f"store: '{self._best}' is of epoch {kept}, but the best is {best}; {_DELETE}"
                )
            return [stored[f"v{index}"] for index in range(len(stored.files) - 1)]

    def keep_best(self, epoch: int, variables: Variables) -> None:
        """Keep the model's own variables after the best epoch, before the epoch itself is kept.

        A run that is killed in between comes to the same epoch with the same variables.
        """
        arrays = {f"v{i}": np.asarray(v) for i, v in enumerate(variables)}
        replace_arrays(self._best, {"epoch": np.array(epoch), **arrays})

    def append(self, observation: Observation, variables: Variables) -> None:
        """Keep an epoch: first the checkpoint, replaced atomically, then its line.

        Raises
        ------
        ValueError
            If the observation is not of the next epoch.
        """
        if observation.epoch != self.epochs:
            raise ValueError(f"epoch {observation.epoch} came where {self.epochs} was due")
        line = _line(observation)
        arrays = {f"v{i}": np.asarray(v) for i, v in enumerate(variables)}
        replace_arrays(self._checkpoint, {"observation": np.array(line), **arrays})
        (self._folder / "outcome.json").unlink(missing_ok=True)  # a kept run that goes on
        _append_line(self._lines, line)
        self.observations.append(observation)

    def keep_connections(self, epoch: int, connections: Sequence[Connections]) -> None:
        """Keep the connections of a sparse network after an epoch."""
        folder = self._folder / CONNECTIONS
        folder.mkdir(exist_ok=True)
        write_connections(folder / f"epoch-{epoch:04d}.npz", connections)

    def add_facts(self, facts: Mapping[str, Any]) -> None:
        """Keep what happened to the candidate when it was built, and what came of it."""
        path = self._folder / "facts.json"
        known = {**_read_json(path, {}), **facts}
        replace_text(path, json.dumps(known, indent=1, sort_keys=True))

    def keep_truth(self, epoch: int, accuracy: float) -> None:
        """Keep the test accuracy after an epoch."""
        truth = _read_json(self._folder / "truth.json", {})
        truth[str(epoch)] = accuracy
        replace_text(self._folder / "truth.json", json.dumps(truth))

    def complete(self, *, keep_checkpoint: bool) -> None:
        """End the run: its horizon is reached, or it ended early.

        The checkpoint goes unless it is kept.
        """
        self._end("complete", None)
        if not keep_checkpoint:
            self._drop_variables()

    def fail(self, error: str) -> None:
        """End the run for a reason that training it again would repeat, such as divergence."""
        self._end("failed", error)
        self._drop_variables()

    def _drop_variables(self) -> None:
        self._checkpoint.unlink(missing_ok=True)
        self._best.unlink(missing_ok=True)

    def _end(self, status: str, error: str | None) -> None:
        replace_text(self._folder / "outcome.json", json.dumps({"status": status, "error": error}))


def space(folder: Path) -> float:
    """Return the megabytes that a folder's files take on disk; what goes meanwhile takes none."""
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                size += os.stat(os.path.join(place, name)).st_size
    return size / 2**20


def replace_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new one, never a part."""
    with _replaced(path, path.with_name(f"{path.name}.{os.getpid()}.fresh")) as file:
        file.write(text.encode())


def replace_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an ``npz`` file likewise; for the holder of the folder's lock.

    What a killed writer leaves is overwritten by the next one: arrays may be large.
    """
    with _replaced(path, path.with_name(f"{path.name}.fresh")) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # it has options beside the arrays


@contextmanager
def stored_arrays(path: Path) -> Iterator[NpzFile]:
    """Open an ``npz`` file; numpy itself leaves it open where it is damaged."""
    with path.open("rb") as file, np.load(file) as stored:
        yield stored


@contextmanager
def _replaced(path: Path, fresh: Path) -> Iterator[IO[bytes]]:
    with fresh.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)


def _line(observation: Observation) -> str:
    return json.dumps(dataclasses.asdict(observation), sort_keys=True) + "\n"


def _observation(line: str) -> Observation:
    return Observation(**json.loads(line))


def _append_line(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def _read_observations(path: Path) -> Iterator[Observation]:
    try:
        text = path.read_text()
    except FileNotFoundError:
        return
    for line in text.splitlines(keepends=True):
        if line.endswith("\n"):  # a killed writer may leave a torn last line
            yield _observation(line)


def _read_json(path: Path, missing: Any) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:  # it never was there, or who writes the run has just removed it
        return missing
