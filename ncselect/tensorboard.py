"""TensorBoard's event files of stored runs: a folder per run, a step per epoch.

A file is made from the run's stored observations alone, so what stands there after an epoch begins
with what stood there before it. It is only ever continued: however often a run stops, goes on or
is exported, every epoch is there once.
"""

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ncselect.lock import RunBusyError, locked
from ncselect.run import Run
from ncselect.store import RunStore, check_writable
from ncselect.task import Job, Watch
from ncselect.types import Observation
from zoo.errors import InputError

FILE = "events.out.tfevents.ncselect"
TAGS: Mapping[str, str] = {
    "validation-accuracy": "accuracy/validation",
    "validation-balanced-accuracy": "accuracy/validation-balanced",
    "training-error": "accuracy/training",
    "validation-loss": "loss/validation",
    "training-loss": "loss/training",
}
"""Signal → tag, of those that TensorBoard shows beside each other; the others keep their names."""

_AFTER = ("stored", "observation", "finished", "failed")  # events after which a run is exported
_PATIENCE = 1.0  # seconds that another export of the same run may take; this one is left out then
_TIME = struct.Struct("<12x c d")  # length and its checksum, then an event: tag 1, wall_time
_Stamp = tuple[int, int] | None  # when a file was written, and its bytes; None where it is not


def event_folder(path: str | Path, store: RunStore) -> Path:
    """Return a folder for event files, which need not be there yet.

    Parameters
    ----------
    path
        Where it is to be, apart from the store: a run's folder has a lock, and so has that of its
        event file.
    store
        Where the runs are.

    Raises
    ------
    InputError
        If it is in the way of the store, it cannot be written, or TensorBoard is not installed.
    """
    folder, runs = Path(path).expanduser().absolute(), store.folder.resolve()
    place = folder.resolve()
    if place == runs:
        raise InputError(f"tensorboard: '{path}' is the store; name another folder")
    if runs in place.parents:
        raise InputError(f"tensorboard: '{path}' lies in the store '{runs}'; name one outside it")
    if place in runs.parents:
        raise InputError(
            f"tensorboard: '{path}' contains the store '{runs}'; name a folder beside it"
        )
    try:
        import tensorboard  # noqa: F401  the events' format is its own

        check_writable(folder)
    except ImportError as error:
        raise InputError(
            f"tensorboard: TensorBoard is not installed ({error}); pip install "
            "'ncselect[tensorboard]'"
        ) from error
    except OSError as error:
        raise InputError(
            f"tensorboard: cannot write in '{path}' ({error}); name a folder that can be written"
        ) from error
    return folder


class EventFiles:
    """Event files of runs, each in a folder of its run's name.

    Parameters
    ----------
    folder
        Where these folders lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._done: dict[Path, tuple[_Stamp, _Stamp]] = {}  # a run's lines, its event file

    def export(self, run: Run) -> None:
        """Bring a run's event file to the run's last stored epoch; none where nothing was observed.

        A run that was trained anew has its file written anew. Where another process is exporting
        the run nothing is done: a later export catches up. Nor is it of a run that was deleted.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        lines, file = run.folder / "observations.jsonl", self._folder / run.folder.name / FILE
        stamp = _stamp(lines)
        if stamp is None or self._done.get(file) == (stamp, _stamp(file)):
            return
        there = _content(file)
        wanted = _continued(there, run)
        if wanted not in (b"", there):
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                with locked(file.parent, patience=_PATIENCE):
                    if (now := _content(file)) != there:  # another process has written meanwhile
                        there, wanted = now, _continued(now, run)
                    if wanted:
                        _write(file, there, wanted)
            except RunBusyError:
                return
        if wanted:
            self._done[file] = (stamp, _stamp(file))


@contextmanager
def exported(
    folder: Path | None, jobs: Sequence[Job], store: RunStore, watch: Watch
) -> Iterator[Watch]:
    """Keep jobs' event files up to date while they are done.

    Where that cannot be done it is said once on standard error; the jobs go on.

    Parameters
    ----------
    folder
        Where event files go, see :class:`EventFiles`; None for no event files.
    jobs
        What is done.
    store
        Where their runs are.
    watch
        Who is to be told of every event.

    Yields
    ------
    callable
        A watch that tells ``watch`` and exports the run.
    """
    if folder is None:
        yield watch
        return
    files, specs = EventFiles(folder), {job.spec.model: job.spec for job in jobs}
    runs: dict[str, Run] = {}
    failures: list[OSError] = []

    def export(model: str) -> None:
        try:
            run = runs.get(model) or store.find(specs[model])
            if run is not None:
                runs[model] = run
                files.export(run)
        except OSError as error:
            if not failures:
                sys.stderr.write(
                    f"tensorboard: cannot write in '{folder}' ({error}); what is not written there "
                    f"comes later with 'ncselect runs --store {store.folder} --tensorboard "
                    "FOLDER'\n"
                )
            failures.append(error)

    def told(model: str, event: Mapping[str, Any]) -> None:
        watch(model, event)
        if event["event"] in _AFTER:
            export(model)

    try:
        yield told
    finally:  # what a stopped process has stored, or another machine has told late
        for model in specs:
            export(model)


def _write(file: Path, there: bytes, wanted: bytes) -> None:
    """Continue a file, or write it anew where what is there cannot be continued."""
    if not wanted.startswith(there):
        file.unlink()
        there = b""
    with file.open("ab") as added:
        added.write(wanted[len(there) :])


def _stamp(path: Path) -> _Stamp:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def _continued(there: bytes, run: Run) -> bytes:
    """Return a run's whole file, which goes on from what is there if it can.

    Empty where there is nothing to show: the run was not observed, or was deleted meanwhile.
    """
    try:
        observations = run.record().observations
        began = (run.folder / "spec.json").stat().st_mtime
    except FileNotFoundError:
        return b""
    first = _first_time(there)
    if first is not None and observations:
        going_on = _events(observations, first)
        if going_on.startswith(there):
            return going_on
    return _events(observations, began) if observations else b""


def _events(observations: Sequence[Observation], began: float) -> bytes:
    """Return a whole file: its version, then an event per observation.

    Parameters
    ----------
    observations
        Epoch 0, 1, 2, ….
    began
        When the run began, seconds since 1970. Times of events are as if it had never paused:
        TensorBoard's "relative" axis shows the time spent.
    """
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    now = began
    events = [_record(Event(wall_time=began, file_version="brain.Event:2").SerializeToString())]
    for one in observations:
        now += one.seconds + one.measuring_seconds
        values = [
            Summary.Value(tag=tag, simple_value=value)
            for tag, value in map(_tagged, sorted(one.signals.items()))
        ]
        event = Event(wall_time=now, step=one.epoch, summary=Summary(value=values))
        events.append(_record(event.SerializeToString()))
    return b"".join(events)


def _first_time(events: bytes) -> float | None:
    """Return the time of a file's first event; None where there is none yet."""
    if len(events) < _TIME.size:
        return None
    *_, time = _TIME.unpack_from(events)
    return float(time)


def _tagged(signal: tuple[str, float]) -> tuple[str, float]:
    """Return a signal's tag and value; an error of training becomes an accuracy."""
    (name, at, subset), value = signal[0].partition("@"), signal[1]
    return TAGS.get(name, name) + at + subset, 1 - value if name == "training-error" else value


def _record(event: bytes) -> bytes:
    """Return an event framed by its length and checksums."""
    from tensorboard.summary.writer.record_writer import RecordWriter

    framed = io.BytesIO()
    RecordWriter(framed).write(event)
    return framed.getvalue()
