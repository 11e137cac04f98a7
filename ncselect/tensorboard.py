"""TensorBoard's event files of stored runs: a folder per run, a step per epoch.

A file is made from the run's stored observations alone, so what stands there after an epoch begins
with what stood there before it. It is only ever continued: however often a run stops, goes on or
is exported, every epoch is there once.
"""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ncselect.lock import locked
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


def event_folder(path: str | Path) -> Path:
    """Return a folder for event files, which need not be there yet.

    Raises
    ------
    InputError
        If it cannot be written, or TensorBoard is not installed.
    """
    folder = Path(path).expanduser().absolute()
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


def export_run(run: Run, folder: Path) -> None:
    """Bring a run's event file to the run's last stored epoch; none where nothing was observed.

    A run that was trained anew has its file written anew.

    Parameters
    ----------
    run
        What is read.
    folder
        Where the run gets a folder of its name.
    """
    if not run.record().observations:
        return
    place = folder / run.folder.name
    place.mkdir(parents=True, exist_ok=True)
    file = place / FILE
    with locked(place, patience=math.inf):  # another export of it may be under way
        events = _events(run.record().observations, (run.folder / "spec.json").stat().st_mtime)
        there = file.read_bytes() if file.exists() else b""
        if not events.startswith(there):
            file.unlink()
            there = b""
        with file.open("ab") as added:
            added.write(events[len(there) :])


@contextmanager
def exported(
    folder: Path | None, jobs: Sequence[Job], store: RunStore, watch: Watch
) -> Iterator[Watch]:
    """Keep jobs' event files up to date while they are done.

    Parameters
    ----------
    folder
        As for :func:`export_run`; None for no event files.
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
    specs = {job.spec.model: job.spec for job in jobs}
    runs: dict[str, Run] = {}

    def export(model: str) -> None:
        run = runs.get(model) or store.find(specs[model])
        if run is not None:
            runs[model] = run
            export_run(run, folder)

    def told(model: str, event: Mapping[str, Any]) -> None:
        watch(model, event)
        if event["event"] in _AFTER:
            export(model)

    try:
        yield told
    finally:  # what a stopped process has stored, or another machine has told late
        for model in specs:
            export(model)


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

    now = began
    events = [_record(Event(wall_time=began, file_version="brain.Event:2").SerializeToString())]
    for one in observations:
        now += one.seconds + one.measuring_seconds
        events.append(_scalars(one.epoch, now, tuple(sorted(one.signals.items()))))
    return b"".join(events)


@functools.lru_cache(maxsize=1 << 14)
def _scalars(epoch: int, now: float, signals: tuple[tuple[str, float], ...]) -> bytes:
    """Return the event of an epoch; remembered, as a run's first epochs are asked for again."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    values = [Summary.Value(tag=tag, simple_value=value) for tag, value in map(_tagged, signals)]
    return _record(
        Event(wall_time=now, step=epoch, summary=Summary(value=values)).SerializeToString()
    )


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
