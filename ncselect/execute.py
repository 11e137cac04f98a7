"""Complete runs and scores: read what is stored, make what is missing.

One process per candidate: first its scores, from features that are extracted once, then its
training.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from ncselect.cluster import Cluster
from ncselect.processes import LocalProcesses
from ncselect.run import Run
from ncselect.scores import SCORES
from ncselect.store import RunStore
from ncselect.task import Job, Processes, Task, Watch
from ncselect.types import RunRecord
from zoo.errors import UnknownNameError

__all__ = ["Admit", "Job", "Stopped", "Watch", "complete", "is_wanting", "wanted_scores"]

Admit = Callable[[Job], Job | None]


class Stopped(Exception):  # noqa: N818  it is no error
    """Raised by a ``watch`` or an ``admit``: stop, and return what is there."""


def complete(
    jobs: Sequence[Job],
    store: RunStore,
    *,
    workers: int = 1,
    cluster: Cluster | None = None,
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
    cluster
        Where they are; None: on this machine.
    watch
        Called with a model's name and each event of its process: ``stored``, or ``features``
        (images are passed through the candidate), ``scored`` (``values``, ``reasons``),
        ``started``, ``progress``, ``observation``, ``finished``, on a cluster ``lost`` (with its
        node; it goes on elsewhere) and ``waiting`` (nobody has said anything for some seconds:
        there may be no room), and ``failed``.
    admit
        Called with a job when its process is due; returns it as it is to be done by then, with
        fewer epochs or as it is, or None to leave it.

    Returns
    -------
    list of RunRecord
        A job without epochs has a record without observations, and leaves no run behind; nor does
        one that was left. Where ``watch`` or ``admit`` raises :class:`Stopped` the running
        processes are stopped and the records are those of what is stored by then.

    Raises
    ------
    KeyboardInterrupt
        After the running processes were stopped; each loses at most an epoch, or what it was
        extracting.
    """
    records: dict[int, RunRecord] = {}
    lacking: dict[int, _Lacking] = {}

    def settle(index: int, record: RunRecord) -> None:
        records[index] = record
        if record.status == "failed":
            watch(record.spec.model, {"event": "failed", "error": record.error})

    def begin(index: int) -> Task | None:
        job = admit(jobs[index])
        return None if job is None else lacking[index].task(job, store)

    with suppress(Stopped):
        for index, job in enumerate(jobs):
            run = _run(job, store)
            record, scores = _record(job, run), wanted_scores(job, store)
            trains = is_wanting(job, record)
            if trains and run is not None and not run.can_continue:
                settle(index, _failed(record, _no_checkpoint(job, record, store)))
            elif trains or scores:
                lacking[index] = _Lacking(run, trains, scores)
            else:
                watch(job.spec.model, {"event": "stored", "epoch": record.epochs})
                settle(index, record)
        if lacking:
            wanted = [jobs[index] for index in lacking]
            with _processes(wanted, store, workers, cluster) as processes:
                for index, reason in processes.finish([*lacking], begin, watch):
                    settle(index, _ended(jobs[index], lacking[index], reason))
    found = [records.get(index) or _record(job, _run(job, store)) for index, job in enumerate(jobs)]
    return [store.scored(record) for record in found]


def _processes(
    jobs: Sequence[Job], store: RunStore, workers: int, cluster: Cluster | None
) -> Processes:
    if cluster is None:
        return LocalProcesses(workers)
    files = frozenset().union(*(job.files for job in jobs))
    return cluster.processes(workers, store.folder, files)


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


@dataclasses.dataclass
class _Lacking:
    """What a job lacks: training of its run, which there may not be yet, and scores."""

    run: Run | None
    trains: bool
    scores: frozenset[str]

    def task(self, job: Job, store: RunStore) -> Task:
        """Return what its process is to do; only now is there a folder for it."""
        if self.trains and self.run is None:
            self.run = store.run(job.spec)
        features = store.features_of(job.spec) if self.scores else None
        return Task(job, self.run if self.trains else None, features, self.scores)


def _run(job: Job, store: RunStore) -> Run | None:
    return None if job.epochs is None else store.find(job.spec)


def _record(job: Job, run: Run | None) -> RunRecord:
    """Return a run's record under the name it is asked for: no key holds the name."""
    record = RunRecord(job.spec) if run is None else run.record()
    return dataclasses.replace(record, spec=dataclasses.replace(record.spec, model=job.spec.model))


def _ended(job: Job, lacking: _Lacking, reason: str | None) -> RunRecord:
    """Return the record after a process has ended, or was not begun; keep why it failed."""
    record = _record(job, lacking.run)
    if reason is None:
        return record
    if lacking.trains and lacking.run is not None and record.status == "partial":
        lacking.run.note_failure(reason)
    return _failed(record, reason)


def _no_checkpoint(job: Job, record: RunRecord, store: RunStore) -> str:
    wanted = "saving" if record.epochs == job.epochs else str(job.epochs)
    return (
        f"stored to epoch {record.epochs} without a checkpoint, {wanted} wanted; train it anew "
        f"after 'ncselect runs --store {store.folder} --delete {record.spec.key}', and next time "
        "keep the checkpoint with --keep"
    )


def _failed(record: RunRecord, reason: str) -> RunRecord:
    if record.status == "failed":  # the run itself has recorded why
        return record
    return dataclasses.replace(record, status="failed", error=reason)
