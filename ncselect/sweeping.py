"""Many trainings of a network over learning rates and dropout rates, as graphs are studied on."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ncselect.arguments import check_seed, check_settings, check_whole
from ncselect.cluster import Cluster
from ncselect.execute import Job, Watch, complete
from ncselect.jobs import jobs_for
from ncselect.plan import Plan, planned
from ncselect.progress import Progress
from ncselect.spec import Settings
from ncselect.store import RunStore
from ncselect.swept import Swept
from ncselect.workers import asked_workers
from zoo.candidate import Candidate
from zoo.datasets import Dataset, prepare
from zoo.errors import InputError
from zoo.models import candidates

LEARNING_RATES = tuple(
    float(f"{factor}e{power}")
    for power in range(-6, 0)
    for factor in (1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5)
)
"""Vahedian et al., appendix A.1: {1, 1.5, …, 4.5} × {1e-6, …, 1e-1}."""

DROPOUTS = tuple(tenths / 10 for tenths in range(10))
"""Appendix A.1: 0, 0.1, …, 0.9."""

EPOCHS = 50
SETTINGS = Settings(
    unit="classifier", optimizer="sgd", momentum=0.0, batch_size=128, patience=10, graphs="rolled"
)
"""Appendix A.1: stochastic gradient descent, batches of 128, early stopping with patience 10."""


@dataclass(frozen=True)
class Sweep:
    """Trainings ready to be made.

    Attributes
    ----------
    jobs
        One per network, learning rate and dropout rate.
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
    missing: Mapping[str, str]
    dataset: Dataset
    store: RunStore
    workers: int
    cluster: Cluster | None = None

    @cached_property
    def plan(self) -> Plan:
        """What it will cost."""
        return planned(self.jobs, self.store, self.missing, workers=self.workers)

    def swept(self, *, watch: Watch = lambda _m, _e: None) -> Swept:
        """Train what the store lacks and return all runs.

        Parameters
        ----------
        watch
            Called with a training's name and each event of its run.
        """
        records = complete(
            self.jobs, self.store, workers=self.workers, cluster=self.cluster, watch=watch
        )
        return Swept(tuple(records), self.missing, self.dataset.name, self.dataset.notes)


def prepared_sweep(
    models: Any,
    dataset: Any,
    *,
    learning_rates: Sequence[float] = LEARNING_RATES,
    dropouts: Sequence[float] = DROPOUTS,
    width: float = 1.0,
    sample: int | None = None,
    epochs: int = EPOCHS,
    seed: int = 0,
    shared_start: bool = False,
    settings: Settings = SETTINGS,
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
) -> Sweep:
    """Check every argument, read the candidates, prepare the images; train nothing.

    Parameters are those of :func:`sweep`; ``prepared`` is called with (done, total) images.

    Raises
    ------
    InputError
        For any argument that cannot be used; nothing has been trained or lost.
    """
    check_whole(epochs=epochs)
    if sample is not None:
        check_whole(sample=sample)
    check_seed(seed)
    rates = _numbers("learning_rates", learning_rates)
    drops = _numbers("dropouts", dropouts)
    (factor,) = _numbers("width", [width])
    for rate in rates:
        check_settings(dataclasses.replace(settings, learning_rate=rate))
    for dropout in drops:
        if not 0 <= dropout < 1:
            raise InputError(f"dropouts: {dropout:g} is not in [0, 1)")
    if factor <= 0:
        raise InputError(f"width: {factor:g} came; give a positive number, such as 0.5")
    run_store = RunStore(store)
    chosen = candidates(
        models, weights=weights, default="random", scratch=run_store.folder / "objects"
    )
    for candidate in chosen:
        _check_takes(candidate, "dropout", any(drops))
        _check_takes(candidate, "width", factor != 1)
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
    missing: dict[str, str] = {}
    for rate, dropout in sampled(list(itertools.product(rates, drops)), sample, seed):
        made, lost = jobs_for(
            [_at(candidate, rate, dropout, factor) for candidate in chosen],
            data,
            settings=dataclasses.replace(settings, learning_rate=rate),
            environment=doing.environment,
            seed=seed if shared_start else seed_at(seed, rate, dropout),
            epochs=epochs,
            horizon=epochs,
            keep=keep,
            scores=frozenset(),
        )
        jobs += made
        missing |= lost
    return Sweep(tuple(jobs), missing, data, run_store, doing.count, doing.cluster)


def sweep(
    models: Any,
    dataset: Any,
    *,
    learning_rates: Sequence[float] = LEARNING_RATES,
    dropouts: Sequence[float] = DROPOUTS,
    width: float = 1.0,
    sample: int | None = None,
    epochs: int = EPOCHS,
    seed: int = 0,
    shared_start: bool = False,
    settings: Settings = SETTINGS,
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
    progress: bool = True,
) -> Swept:
    """Train networks over a grid of learning rates and dropout rates, recording their graphs.

    Source: "Convolutional Neural Network Dynamics: A Graph Perspective" (ICLR 2022 submission),
    appendix A.1. Runs, resume and workers are those of :func:`ncselect.select`; an interrupted
    sweep goes on from the last epoch of each run, a larger ``sample`` of the same seed contains
    the smaller one.

    Parameters
    ----------
    models
        Networks that take ``dropout``, such as the group ``scratch``.
    dataset
        Anything that :func:`ncselect.select` takes.
    learning_rates, dropouts
        The grid; the paper's 48 and 10 by default.
    width
        Multiplier of every layer's channels and units.
    sample
        How many points of the grid, drawn by the seed; None for all.
    epochs
        The most each is trained for.
    seed
        Of the sample, and of initial weights, order of the images and dropout.
    shared_start
        Train all of them from one seed. By default each point of the grid has one of its own:
        networks that begin with the same weights are told apart by what is learned alone, which
        makes an early prediction easier than that of a new network. The paper does not say which
        it did.
    settings
        The training protocol; its learning rate is that of the grid.
    weights
        ``random``, or a path to begin with.
    image_size, train_size, validation_size, test_size
        As in :func:`ncselect.select`.
    store, workers, threads, ray, gpus_per_run, keep, progress
        Likewise; runs whose checkpoints are kept can be trained for more epochs later.

    Returns
    -------
    Swept
        All runs, with a table of their accuracies.

    Raises
    ------
    InputError
        For any argument that cannot be used.

    Examples
    --------
    >>> import ncselect
    >>> ncselect.sweep("LeNet5", "digits", sample=20, epochs=10)  # doctest: +SKIP
    """
    ready = prepared_sweep(
        models,
        dataset,
        learning_rates=learning_rates,
        dropouts=dropouts,
        width=width,
        sample=sample,
        epochs=epochs,
        seed=seed,
        shared_start=shared_start,
        settings=settings,
        weights=weights,
        image_size=image_size,
        train_size=train_size,
        validation_size=validation_size,
        test_size=test_size,
        store=store,
        workers=workers,
        threads=threads,
        ray=ray,
        gpus_per_run=gpus_per_run,
        keep=keep,
    )
    if not progress:
        return ready.swept()
    with Progress([job.spec.model for job in ready.jobs], epochs, beta="") as watch:
        return ready.swept(watch=watch)


Point = tuple[float, float]  # learning rate, dropout rate


def sampled(points: Sequence[Point], sample: int | None, seed: int) -> list[Point]:
    """Return so many of the points, drawn without replacement; all of them for None.

    The first draws of a larger sample are those of a smaller one.

    Raises
    ------
    InputError
        If there are not so many.
    """
    if sample is None:
        return list(points)
    if sample > len(points):
        raise InputError(
            f"sample: {sample} came, the grid has {len(points)} points; give at most as many, or "
            "more learning rates or dropout rates"
        )
    order = np.random.default_rng(seed).permutation(len(points))
    return [points[index] for index in order[:sample]]


def seed_at(seed: int, rate: float, dropout: float) -> int:
    """Return the seed of a point: its own, whatever else the grid holds.

    Parameters
    ----------
    seed
        Of the sweep.
    rate, dropout
        The point.
    """
    words = np.array([rate, dropout]).view(np.uint32).tolist()
    return int(np.random.SeedSequence([seed, *words]).generate_state(1)[0])


def _at(candidate: Candidate, rate: float, dropout: float, width: float) -> Candidate:
    """Return a candidate at a point of the grid, named after it."""
    arguments = dict(candidate.arguments)
    name = f"{candidate.name} rate {rate:g} dropout {dropout:g}"
    if _takes(candidate, "dropout"):
        arguments["dropout"] = dropout
    if width != 1:
        arguments["width"] = width
        name += f" width {width:g}"
    return dataclasses.replace(candidate, name=name, arguments=arguments)


def _takes(candidate: Candidate, argument: str) -> bool:
    return candidate.card is not None and argument in candidate.card.arguments


def _check_takes(candidate: Candidate, argument: str, wanted: bool) -> None:
    if wanted and not _takes(candidate, argument):
        neutral = "--dropouts 0" if argument == "dropout" else "--width 1"
        raise InputError(
            f"models: '{candidate.name}' takes no {argument}; give {neutral}, or a network of the "
            "group 'scratch'"
        )


def _numbers(name: str, values: Any) -> list[float]:
    """Return different finite numbers as floats, or raise naming the argument."""
    try:
        numbers = [] if isinstance(values, str) else [float(value) for value in values]
    except (TypeError, ValueError):
        numbers = []
    if not numbers or not np.isfinite(numbers).all() or len(set(numbers)) < len(numbers):
        raise InputError(f"{name}: {values!r} came; give finite numbers in a list, each once")
    return numbers
