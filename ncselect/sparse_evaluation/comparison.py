"""Trainings of the same networks, dense, sparse and pruned, from the same seeds: a comparison."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ncselect.arguments import check_seed, check_settings, check_whole
from ncselect.cluster import Cluster
from ncselect.execute import Job, Watch, complete
from ncselect.jobs import jobs_for
from ncselect.plan import Plan, planned
from ncselect.sparse_evaluation.trained import SparseTrained
from ncselect.spec import Settings
from ncselect.store import RunStore
from ncselect.workers import asked_workers
from zoo.candidate import Candidate
from zoo.datasets import Dataset, prepare
from zoo.errors import InputError
from zoo.models import candidates


@dataclass(frozen=True)
class SparseComparison:
    """Trainings ready to be made.

    Attributes
    ----------
    jobs
        One per network, variant and seed.
    variants
        The variant of each job.
    missing
        Network → why it cannot be trained.
    dataset
        The prepared images.
    store
        Where runs are kept.
    workers
        Runs at a time.
    cluster
        Where they are done; None: on this machine.
    """

    jobs: tuple[Job, ...]
    variants: tuple[str, ...]
    missing: Mapping[str, str]
    dataset: Dataset
    store: RunStore
    workers: int
    cluster: Cluster | None = None

    @cached_property
    def plan(self) -> Plan:
        """What it will cost."""
        return planned(self.jobs, self.store, self.missing, workers=self.workers)

    def trained(self, *, watch: Watch = lambda _m, _e: None) -> SparseTrained:
        """Train what the store lacks and return all runs.

        Parameters
        ----------
        watch
            Called with a training's name and each event of its run.
        """
        records = complete(
            self.jobs, self.store, workers=self.workers, cluster=self.cluster, watch=watch
        )
        return SparseTrained(
            tuple(records), self.variants, self.missing, self.dataset.name, self.dataset.notes
        )


def prepared_comparison(
    models: Any,
    dataset: Any,
    variants: Mapping[str, Settings],
    *,
    epochs: int,
    repeats: int = 1,
    seed: int = 0,
    arguments: Mapping[str, float] | None = None,
    weights: str = "random",
    image_size: int | None = None,
    train_size: int | None = None,
    validation_size: int | None = None,
    test_size: int | None = None,
    store: str | Path = "runs",
    workers: int | None = None,
    threads: int | None = None,
    ray: str | None = None,
    gpus_per_run: float | None = None,
    keep: bool = False,
    prepared: Any = None,
) -> SparseComparison:
    """Check every argument, read the candidates, prepare the images; train nothing.

    Parameters
    ----------
    models, dataset
        Anything that :func:`ncselect.select` takes.
    variants
        Name → protocol, the one that the others are compared with first. Runs of one seed begin
        alike: from the same initial weights, of which a sparse network has some.
    epochs
        Of each run, all rounds of a pruned network together.
    repeats
        Runs of each network and variant, from seeds ``seed``, ``seed + 1``, ….
    seed
        The first.
    arguments
        Of every network, such as ``{"dropout": 0.3}``.
    weights
        ``random``, or a path to begin with.
    image_size, train_size, validation_size, test_size
        As in :func:`ncselect.select`.
    store, workers, threads, ray, gpus_per_run, keep
        Likewise.
    prepared
        Called with (done, total) images.

    Raises
    ------
    InputError
        For any argument that cannot be used; nothing has been trained or lost.
    """
    check_whole(epochs=epochs, repeats=repeats)
    for number in (seed, seed + repeats - 1):
        check_seed(number)
    if not variants:
        raise InputError("variants: none came; give at least one, such as 'set'")
    for settings in variants.values():
        check_settings(settings)
    run_store = RunStore(store)
    chosen = [
        _with(candidate, arguments or {})
        for candidate in candidates(
            models, weights=weights, default="random", scratch=run_store.folder / "objects"
        )
    ]
    doing = asked_workers(workers, threads, ray, gpus_per_run)
    data = (
        dataset
        if isinstance(dataset, Dataset)
        else prepare(
            dataset,
            image_size=image_size,
            train_size=train_size,
            validation_size=validation_size,
            test_size=test_size,
            progress=prepared,
        )
    )
    jobs: list[Job] = []
    names: list[str] = []
    missing: dict[str, str] = {}
    for variant, settings in variants.items():
        for number in range(seed, seed + repeats):
            made, lost = jobs_for(
                chosen,
                data,
                settings=settings,
                environment=doing.environment,
                seed=number,
                epochs=epochs,
                horizon=epochs,
                keep=keep,
                scores=frozenset(),
            )
            jobs += [_named(job, variant) for job in made]
            names += [variant] * len(made)
            missing |= lost
    return SparseComparison(
        tuple(jobs), tuple(names), missing, data, run_store, doing.count, doing.cluster
    )


def _named(job: Job, variant: str) -> Job:
    """Name a job's run after its variant and seed: the key does not hold the name."""
    name = f"{job.spec.model} {variant} seed {job.spec.seed}"
    return dataclasses.replace(job, spec=dataclasses.replace(job.spec, model=name))


def check_arguments(arguments: Mapping[str, float]) -> None:
    """Raise unless the networks' arguments are in their ranges.

    Raises
    ------
    InputError
        For the first that is not.
    """
    if not 0 <= arguments.get("dropout", 0.0) < 1:
        raise InputError(f"dropout: {arguments['dropout']:g} came; give a rate in [0, 1)")
    if not 0 < arguments.get("width", 1.0) < math.inf:
        raise InputError(f"width: {arguments['width']:g} came; give a positive number, such as 0.5")


def _with(candidate: Candidate, arguments: Mapping[str, float]) -> Candidate:
    """Return a candidate with arguments, named after them."""
    for name in arguments:
        if candidate.card is None or name not in candidate.card.arguments:
            raise InputError(
                f"models: '{candidate.name}' takes no {name}; leave it out, or give a network of "
                "the group 'scratch'"
            )
    check_arguments(arguments)
    said = "".join(f" {name} {value:g}" for name, value in arguments.items())
    return dataclasses.replace(
        candidate,
        name=f"{candidate.name}{said}",
        arguments={**candidate.arguments, **arguments},
    )
