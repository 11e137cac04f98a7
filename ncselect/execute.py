"""Complete runs and scores: read what is stored, make what is missing.

One process per candidate: first its scores, from features that are extracted once, then its
training.
"""

from __future__ import annotations

import dataclasses
import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ncselect.environment import process_variables
from ncselect.features import StoredFeatures
from ncselect.run import Run
from ncselect.scores import SCORES
from ncselect.spec import RunSpec
from ncselect.store import RunStore
from ncselect.types import RunRecord
from zoo.errors import UnknownNameError

Watch = Callable[[str, Mapping[str, Any]], None]  # model, event


@dataclass(frozen=True)
class Job:
    """A candidate to be scored, and its run to be brought to a number of epochs.

    Attributes
    ----------
    spec
        What to run.
    candidate, dataset
        What the run's process rebuilds: ``Candidate.to_json()``, ``Dataset.to_json()``.
    epochs
        Epochs to observe, or None for no run at all.
    horizon
        The epoch that completes the run, unless its patience is out before; at its end the test
        accuracy is measured.
    keep
        Whether a complete run keeps its checkpoint.
    scores
        Names of the scores that are wanted, see ``ncselect.scores``. Those that the candidate's
        card gives are left to the caller.
    saves
        Path of the file that gets the trained network, see ``ncselect.saving``. The run is
        complete, and its checkpoint goes, only when the file is there.
    """

    spec: RunSpec
    candidate: Mapping[str, Any]
    dataset: Mapping[str, Any]
    epochs: int | None
    horizon: int
    keep: bool = False
    scores: frozenset[str] = frozenset()
    saves: str | None = None


Admit = Callable[[Job], Job | None]


def complete(
    jobs: Sequence[Job],
    store: RunStore,
    *,
    workers: int = 1,
    watch: Watch = lambda _model, _event: None,
    admit: Admit = lambda job: job,
) -> list[RunRecord]:
    """Bring every job to its scores and epochs and return the records, in the jobs' order.

    What is stored is never made again: a run is returned, or continued from its checkpoint, a
    score is read. Each candidate that lacks something has a process of its own; one that is
    killed, runs out of memory or raises becomes a record with status ``failed`` and the reason,
    and the others go on. A score that a candidate cannot have is no failure: the record's
    ``unscored`` says why.

    Parameters
    ----------
    jobs
        What is wanted.
    store
        Where runs and features are kept.
    workers
        Processes at a time.
    watch
        Called with a model's name and each event of its process: ``stored``, or ``features``
        (images are passed through the candidate), ``scored`` (``values``, ``reasons``),
        ``started``, ``progress``, ``observation``, and ``failed``.
    admit
        Called with a job when its process is due; returns it as it is to be done by then, with
        fewer epochs or as it is, or None to leave it.

    Returns
    -------
    list of RunRecord
        A job without epochs has a record without observations, and leaves no run behind.

    Raises
    ------
    KeyboardInterrupt
        After the running processes were stopped; each loses at most an epoch, or what it was
        extracting.
    """
    records: dict[int, RunRecord] = {}
    waiting: list[_Waiting] = []
    for index, job in enumerate(jobs):
        run = None if job.epochs is None else store.run(job.spec)
        record = RunRecord(job.spec) if run is None else run.record()
        scores = wanted_scores(job, store)
        trains = is_wanting(job, record)
        if run is not None and trains and not run.can_continue:
            wanted = "saving" if record.epochs == job.epochs else str(job.epochs)
            records[index] = _failed(
                record,
                f"stored to epoch {record.epochs} without a checkpoint, {wanted} wanted; "
                f"train it anew after 'ncselect runs --store {store.folder} --delete "
                f"{run.spec.key}', and next time keep the checkpoint with --keep",
            )
        elif trains or scores:
            features = store.features_of(job.spec) if scores else None
            waiting.append(_Waiting(index, job, run if trains else None, features, scores))
        else:
            records[index] = record
            watch(job.spec.model, {"event": "stored", "epoch": record.epochs})
    with _Pool(workers) as pool:
        for one, reason in pool.finish(waiting, watch, admit):
            stored = None if one.job.epochs is None else store.run(one.job.spec)
            record = RunRecord(one.job.spec) if stored is None else stored.record()
            records[one.index] = record if reason is None else _failed(record, reason)
            if reason is not None and one.run is not None and record.status == "partial":
                one.run.note_failure(reason)
    for index, job in enumerate(jobs):
        if records[index].status == "failed":
            watch(job.spec.model, {"event": "failed", "error": records[index].error})
    return [_named(store.scored(records[index]), job.spec.model) for index, job in enumerate(jobs)]


def wanted_scores(job: Job, store: RunStore) -> frozenset[str]:
    """Return the scores a process has to compute: wanted, not stored, not on the card."""
    for name in sorted(job.scores - set(SCORES)):
        raise UnknownNameError("score", name, SCORES)
    names = frozenset(name for name in job.scores if SCORES[name].needs != "card")
    stored = store.find_features(job.spec)
    return names if stored is None else stored.scores.wanting(names)


def is_wanting(job: Job, record: RunRecord) -> bool:
    """Tell whether a job's run is to go on: to train, or at its end to measure or to save."""
    if job.epochs is None or record.status == "failed":
        return False
    ended = record.has_stopped or record.epochs == job.epochs == job.horizon
    owes_truth = ended and (record.status == "partial" or record.epochs not in record.truth)
    owes_file = ended and job.saves is not None and not Path(job.saves).exists()
    owes_epochs = record.epochs < job.epochs and not record.has_stopped
    return owes_epochs or not record.observations or owes_truth or owes_file


def _named(record: RunRecord, model: str) -> RunRecord:
    """Return the record under the name it was asked for: the key does not hold the name."""
    return dataclasses.replace(record, spec=dataclasses.replace(record.spec, model=model))


def _failed(record: RunRecord, reason: str) -> RunRecord:
    if record.status == "failed":  # the run itself has recorded why
        return record
    return dataclasses.replace(record, status="failed", error=reason)


@dataclass(frozen=True)
class _Waiting:
    """What a process is to do for a job: train ``run``, compute ``scores`` from ``features``."""

    index: int
    job: Job
    run: Run | None
    features: StoredFeatures | None
    scores: frozenset[str]

    @property
    def folder(self) -> Path:
        """Where the process writes its log."""
        place = self.run or self.features
        assert place is not None  # or there would be nothing to do
        return place.folder

    @property
    def environment(self) -> dict[str, str]:
        """What the process is pinned to: a stored run goes on as it began."""
        spec = self.job.spec if self.run is None else self.run.spec
        return process_variables(dict(spec.environment))

    def to_json(self) -> dict[str, Any]:
        """Return what ``worker`` reads."""
        return {
            "run": None if self.run is None else str(self.run.folder.resolve()),
            "features": None if self.features is None else str(self.features.folder.resolve()),
            "scores": sorted(self.scores),
            "seed": self.job.spec.seed,
            "candidate": dict(self.job.candidate),
            "dataset": dict(self.job.dataset),
            "epochs": self.job.epochs,
            "horizon": self.job.horizon,
            "keep": self.job.keep,
            "saves": self.job.saves,
        }


@dataclass
class _Running:
    """A process and what it has said."""

    asked: _Waiting
    process: subprocess.Popen[str]
    pipe: int
    kills_before: int
    unread: bytes = b""
    error: str | None = None
    finished: bool = False

    def reason(self) -> str | None:
        """Say why the process failed, or None if it did not."""
        code = self.process.wait()
        if self.error is not None:
            return self.error
        if self.finished:
            return None
        log = self.asked.folder / "log.txt"
        if code == -signal.SIGKILL and _oom_kills() > self.kills_before:
            return "killed: out of memory; fewer --workers or a smaller --image-size may help"
        if code < 0:
            return f"killed by signal {signal.Signals(-code).name}; see {log}"
        return f"its process ended with exit code {code}; see {log}"


class _Pool:
    """At most so many processes at a time; all are stopped when the block is left."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._running: list[_Running] = []

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._running:
            one.process.terminate()
        for one in self._running:
            try:
                one.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()
            os.close(one.pipe)

    def finish(
        self, waiting: Sequence[_Waiting], watch: Watch, admit: Admit
    ) -> Iterator[tuple[_Waiting, str | None]]:
        """Start the processes in turn; yield each when it ends, with the reason if it failed.

        One that is not admitted is yielded without having been started.
        """
        queue = list(waiting)
        with selectors.DefaultSelector() as selector:
            while queue or self._running:
                while queue and len(self._running) < self._workers:
                    due = queue.pop(0)
                    job = admit(due.job)
                    if job is None:
                        yield due, None
                        continue
                    one = _start(dataclasses.replace(due, job=job))
                    self._running.append(one)
                    selector.register(one.pipe, selectors.EVENT_READ, one)
                for key, _ in selector.select() if self._running else ():
                    one = key.data
                    chunk = os.read(one.pipe, 1 << 16)
                    if chunk:
                        _listen(one, chunk, watch)
                        continue
                    selector.unregister(one.pipe)
                    reason = one.reason()
                    self._running.remove(one)
                    os.close(one.pipe)
                    yield one.asked, reason


def _start(asked: _Waiting) -> _Running:
    """Start a process; its output goes to the log, its events come by a pipe."""
    read, write = os.pipe()
    with _appended(asked.folder / "log.txt") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ncselect.worker", str(write)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=(write,),
            start_new_session=True,  # Ctrl-C reaches the parent, which stops the runs in order
            env=_with_this_package(asked.environment),
            text=True,
        )
    os.close(write)
    assert process.stdin is not None
    with process.stdin as stdin:
        stdin.write(json.dumps(asked.to_json()))
    return _Running(asked, process, read, _oom_kills())


def _listen(one: _Running, chunk: bytes, watch: Watch) -> None:
    *lines, one.unread = (one.unread + chunk).split(b"\n")
    for line in lines:
        event = json.loads(line)
        if event["event"] == "failed":
            one.error = event["error"]
        elif event["event"] == "finished":
            one.finished = True
            watch(one.asked.job.spec.model, event)
        else:
            watch(one.asked.job.spec.model, event)


def _with_this_package(variables: dict[str, str]) -> dict[str, str]:
    """Let the process find this very package, wherever it starts and whatever lies there."""
    paths = [str(Path(__file__).parents[1]), variables.get("PYTHONPATH", "")]
    return {**variables, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


@contextmanager
def _appended(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _oom_kills() -> int:
    """Count the processes the kernel has killed for memory, where it tells (Linux)."""
    table = Path("/proc/vmstat")
    if not table.exists():
        return 0
    counts = dict(line.split() for line in table.read_text().splitlines())
    return int(counts.get("oom_kill", 0))
