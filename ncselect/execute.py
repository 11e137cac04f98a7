"""Complete runs: read what is stored, continue or train what is missing, one process per run."""

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
from ncselect.run import Run
from ncselect.store import RunStore
from ncselect.types import RunRecord, RunSpec

Watch = Callable[[str, Mapping[str, Any]], None]  # model, event


@dataclass(frozen=True)
class Job:
    """A run to be brought to a number of epochs.

    Attributes
    ----------
    spec
        What to run.
    candidate, dataset
        What the run's process rebuilds: ``Candidate.to_json()``, ``Dataset.to_json()``.
    epochs
        Epochs to observe.
    horizon
        The epoch that completes the run; at it the test accuracy is measured.
    keep
        Whether a complete run keeps its checkpoint.
    """

    spec: RunSpec
    candidate: Mapping[str, Any]
    dataset: Mapping[str, Any]
    epochs: int
    horizon: int
    keep: bool = False


def complete(
    jobs: Sequence[Job],
    store: RunStore,
    *,
    workers: int = 1,
    watch: Watch = lambda _model, _event: None,
) -> list[RunRecord]:
    """Bring every job to its epochs and return the records, in the jobs' order.

    A stored run is never trained again: it is returned, or continued from its checkpoint. Each
    run has a process of its own; one that is killed, runs out of memory or raises becomes a
    record with status ``failed`` and the reason, and the others go on.

    Parameters
    ----------
    jobs
        What to run.
    store
        Where runs are kept.
    workers
        Processes at a time.
    watch
        Called with a model's name and each event of its run.

    Raises
    ------
    KeyboardInterrupt
        After the running processes were stopped; each loses at most an epoch.
    """
    records: dict[int, RunRecord] = {}
    waiting: list[tuple[int, Job, Run]] = []
    for index, job in enumerate(jobs):
        run = store.run(job.spec)
        record = run.record()
        if not is_wanting(job, record):
            records[index] = record
            watch(job.spec.model, {"event": "stored", "epoch": record.epochs})
        elif not run.can_continue:
            records[index] = _failed(
                record,
                f"stored to epoch {record.epochs} without a checkpoint, {job.epochs} wanted; "
                f"train it anew after 'ncselect runs --store {store.folder} --delete "
                f"{run.spec.key}', and next time keep the checkpoint with --keep",
            )
        else:
            waiting.append((index, job, run))
    with _Pool(workers) as pool:
        for index, run, reason in pool.finish(waiting, watch):
            record = run.record()
            records[index] = record if reason is None else _failed(record, reason)
            if reason is not None and record.status == "partial":
                run.note_failure(reason)
    for index, job in enumerate(jobs):
        if records[index].status == "failed":
            watch(job.spec.model, {"event": "failed", "error": records[index].error})
    return [_named(records[index], job.spec.model) for index, job in enumerate(jobs)]


def is_wanting(job: Job, record: RunRecord) -> bool:
    """Tell whether a job needs a process: epochs to train, or its horizon's truth to measure."""
    if record.status == "failed":
        return False
    at_horizon = record.epochs == job.epochs == job.horizon
    owes_truth = at_horizon and (record.status == "partial" or job.horizon not in record.truth)
    return record.epochs < job.epochs or not record.observations or owes_truth


def _named(record: RunRecord, model: str) -> RunRecord:
    """Return the record under the name it was asked for: the key does not hold the name."""
    return dataclasses.replace(record, spec=dataclasses.replace(record.spec, model=model))


def _failed(record: RunRecord, reason: str) -> RunRecord:
    if record.status == "failed":  # the run itself has recorded why
        return record
    return dataclasses.replace(record, status="failed", error=reason)


@dataclass
class _Running:
    """A run's process and what it has said."""

    index: int
    job: Job
    run: Run
    process: subprocess.Popen[str]
    pipe: int
    kills_before: int
    unread: bytes = b""
    error: str | None = None
    finished: bool = False

    def reason(self) -> str | None:
        """Say why the run failed, or None if it did not."""
        code = self.process.wait()
        if self.error is not None:
            return self.error
        if self.finished:
            return None
        log = self.run.folder / "log.txt"
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
        self, waiting: Sequence[tuple[int, Job, Run]], watch: Watch
    ) -> Iterator[tuple[int, Run, str | None]]:
        """Start the jobs in turn; yield each when it ends, with the reason if it failed."""
        queue = list(waiting)
        with selectors.DefaultSelector() as selector:
            while queue or self._running:
                while queue and len(self._running) < self._workers:
                    one = _start(*queue.pop(0))
                    self._running.append(one)
                    selector.register(one.pipe, selectors.EVENT_READ, one)
                for key, _ in selector.select():
                    one = key.data
                    chunk = os.read(one.pipe, 1 << 16)
                    if chunk:
                        _listen(one, chunk, watch)
                        continue
                    selector.unregister(one.pipe)
                    reason = one.reason()
                    self._running.remove(one)
                    os.close(one.pipe)
                    yield one.index, one.run, reason


def _start(index: int, job: Job, run: Run) -> _Running:
    """Start a run's process; its output goes to the run's log, its events come by a pipe."""
    read, write = os.pipe()
    text = json.dumps(
        {
            "run": str(run.folder.resolve()),
            "candidate": dict(job.candidate),
            "dataset": dict(job.dataset),
            "epochs": job.epochs,
            "horizon": job.horizon,
            "keep": job.keep,
        }
    )
    with _appended(run.folder / "log.txt") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ncselect.worker", str(write)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=(write,),
            start_new_session=True,  # Ctrl-C reaches the parent, which stops the runs in order
            env=_with_this_package(process_variables(dict(run.spec.environment))),
            text=True,
        )
    os.close(write)
    assert process.stdin is not None
    with process.stdin as stdin:
        stdin.write(text)
    return _Running(index, job, run, process, read, _oom_kills())


def _listen(one: _Running, chunk: bytes, watch: Watch) -> None:
    *lines, one.unread = (one.unread + chunk).split(b"\n")
    for line in lines:
        event = json.loads(line)
        if event["event"] == "failed":
            one.error = event["error"]
        elif event["event"] == "finished":
            one.finished = True
            watch(one.job.spec.model, event)
        else:
            watch(one.job.spec.model, event)


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
