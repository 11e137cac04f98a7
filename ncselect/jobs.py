"""From candidates and a dataset to the runs to be made: which can be, and why others cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ncselect.execute import Job, Watch
from ncselect.lock import RunBusyError
from ncselect.pretrained import stored_network
from ncselect.spec import RunSpec, Settings
from ncselect.store import RunStore
from zoo.candidate import Candidate
from zoo.datasets import Dataset
from zoo.errors import InputError


def jobs_for(
    candidates: Sequence[Candidate],
    dataset: Dataset,
    *,
    settings: Settings,
    environment: Mapping[str, str],
    seed: int,
    epochs: int,
    horizon: int,
    keep: bool,
    scores: frozenset[str],
) -> tuple[tuple[Job, ...], dict[str, str]]:
    """Return a job per candidate, and why some candidates have none.

    Parameters
    ----------
    candidates, dataset
        What is run, on what.
    settings, environment, seed
        What else decides a run's numbers.
    epochs
        Epochs to observe; 0 for no run at all.
    horizon, keep, scores
        As in :class:`~ncselect.execute.Job`.

    Returns
    -------
    tuple
        The jobs, in the candidates' order; candidate → the file it lacks and the remedy.

    Raises
    ------
    InputError
        If two candidates are one network.
    """
    jobs, missing = [], {}
    for candidate in candidates:
        identity = candidate.identity()
        lost = _lost_file(identity)
        if lost:
            missing[candidate.name] = f"{lost}; correct the path or its permissions"
            continue
        jobs.append(
            Job(
                spec=RunSpec(
                    model=candidate.name,
                    dataset=dataset.name,
                    candidate=identity,
                    data=dataset.identity(),
                    seed=seed,
                    settings=settings,
                    environment=environment,
                ),
                candidate=candidate.to_json(),
                dataset=dataset.to_json(),
                epochs=epochs or None,
                horizon=horizon,
                keep=keep,
                scores=scores,
            )
        )
    _check_different(jobs)
    return tuple(jobs), missing


def is_saved(job: Job, store: RunStore, watch: Watch) -> bool:
    """Tell whether a job's network is saved; end its run if a killed process could not.

    Parameters
    ----------
    job
        One that saves.
    store
        Where its run is.
    watch
        Told that it is stored.
    """
    assert job.saves is not None
    if stored_network(Path(job.saves)) is None:
        return False
    run = store.find(job.spec)
    record = None if run is None else run.record()
    if run and record and record.status == "partial":
        with suppress(RunBusyError), run.writer() as writer:
            if writer.has_ended(job.horizon, run.spec.settings):
                writer.complete(keep_checkpoint=job.keep)
    watch(job.spec.model, {"event": "stored", "epoch": job.horizon})
    return True


def _lost_file(identity: Mapping[str, Any]) -> str | None:
    """Return the first file that a candidate needs and that cannot be read, and how it is lost."""
    for value in identity.values():
        if isinstance(value, str) and value.startswith(("missing:", "unreadable:")):
            what, _, path = value.partition(":")
            return f"{what} file {path}"
    return None


def _check_different(jobs: Sequence[Job]) -> None:
    """Refuse one network under two names: it would be one run, ranked twice."""
    names: dict[str, str] = {}
    for job in jobs:
        other = names.setdefault(job.spec.key, job.spec.model)
        if other != job.spec.model:
            raise InputError(
                f"models: '{other}' and '{job.spec.model}' are the same network with the same "
                "weights; name it once"
            )
