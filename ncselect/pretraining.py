"""A source stage: candidates trained on a dataset of one's own become a pool to rank."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ncselect.arguments import check_seed, check_settings, check_whole
from ncselect.cluster import Cluster
from ncselect.execute import Job, Watch, complete
from ncselect.jobs import is_saved, jobs_for
from ncselect.plan import Plan, planned, saved_already
from ncselect.pool_file import extend, listed_models
from ncselect.pretrained import network_file, stored_network
from ncselect.progress import Progress
from ncselect.source_pool import Pretrained
from ncselect.spec import Settings
from ncselect.store import RunStore, check_writable
from ncselect.tensorboard import event_folder, exported
from ncselect.workers import asked_workers
from zoo.datasets import Dataset, prepare
from zoo.errors import InputError
from zoo.models import candidates

EPOCHS = 30
POOL = "pool.toml"
SETTINGS = Settings(unit="classifier", augmentation="flip-crop")
"""What candidates are trained with unless told otherwise."""


@dataclass(frozen=True)
class SourceStage:
    """Candidates ready to be trained on a source dataset.

    Attributes
    ----------
    jobs
        One per candidate that can be trained.
    missing
        Candidate → why it cannot be.
    dataset
        The prepared images.
    store
        Where runs are kept.
    workers
        Runs at a time.
    folder
        Where networks and pool file go.
    cluster
        Where runs are done; None: on this machine.
    events
        Folder of the runs' event files for TensorBoard; None for none.
    """

    jobs: tuple[Job, ...]
    missing: Mapping[str, str]
    dataset: Dataset
    store: RunStore
    workers: int
    folder: Path
    cluster: Cluster | None = None
    events: Path | None = None

    @property
    def epochs(self) -> int:
        """Epochs each candidate is trained for."""
        return self.jobs[0].horizon if self.jobs else 0

    @property
    def pool(self) -> Path:
        """The pool file."""
        return self.folder / POOL

    @cached_property
    def plan(self) -> Plan:
        """What it will cost; networks that are saved cost nothing more."""
        saved = {job.spec.model for job in self.jobs if stored_network(_file(job)) is not None}
        fresh = [job for job in self.jobs if job.spec.model not in saved]
        plan = planned(fresh, self.store, self.missing, workers=self.workers)
        runs = {run.model: run for run in plan.runs}
        nothing = {model: saved_already(model) for model in saved}
        return dataclasses.replace(
            plan, runs=tuple((runs | nothing)[job.spec.model] for job in self.jobs)
        )

    def pretrained(self, *, watch: Watch = lambda _m, _e: None) -> Pretrained:
        """Train and save what is not there, and list it in the pool file.

        Parameters
        ----------
        watch
            Called with a candidate's name and each event of its run.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with exported(self.events, self.jobs, self.store, watch) as told:
                fresh = [job for job in self.jobs if not is_saved(job, self.store, told)]
                records = complete(
                    fresh, self.store, workers=self.workers, cluster=self.cluster, watch=told
                )
        finally:  # what was saved before a stop is listed
            saved = {job.spec.model: stored_network(_file(job)) for job in self.jobs}
            networks = tuple(network for network in saved.values() if network is not None)
            if networks:
                extend(self.pool, networks)
        reasons = {
            record.spec.model: record.error
            or f"its run has gone on to epoch {record.epochs}; ask for as many epochs, or name "
            "another --store"
            for record in records
        }
        failed = {model: reasons[model] for model, network in saved.items() if network is None}
        return Pretrained(
            networks=networks,
            failed={**self.missing, **failed},
            dataset=self.dataset.name,
            pool=self.pool,
            notes=self.dataset.notes,
        )


def source_stage(
    models: Any,
    dataset: Any,
    *,
    out: str | Path,
    epochs: int = EPOCHS,
    weights: str = "random",
    seed: int = 0,
    settings: Settings = SETTINGS,
    image_size: int | None = None,
    train_size: int | None = None,
    validation_size: int | None = None,
    test_size: int | None = None,
    skip_corrupt: bool = False,
    store: str | Path = "runs",
    workers: int | None = None,
    threads: int | None = None,
    ray: str | None = None,
    gpus_per_run: float | None = None,
    keep: bool = False,
    tensorboard: str | Path | None = None,
    prepared: Any = None,
) -> SourceStage:
    """Check every argument, read the candidates, prepare the images; train and write nothing.

    Parameters are those of :func:`pretrain`; ``prepared`` is called with (done, total) images.

    Raises
    ------
    InputError
        For any argument that cannot be used; nothing has been trained or lost.
    """
    check_whole(epochs=epochs)
    check_seed(seed)
    check_settings(settings)
    if settings.unit != "classifier":
        raise InputError(
            f"settings: unit is '{settings.unit}'; a source stage trains plain classifiers: give "
            "unit='classifier'"
        )
    run_store = RunStore(store)
    events = None if tensorboard is None else event_folder(tensorboard, run_store)
    chosen = candidates(
        models, weights=weights, default="random", scratch=run_store.folder / "objects"
    )
    folder = _writable(out)
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
            skip_corrupt=skip_corrupt,
            progress=prepared,
        )
    )
    jobs, missing = jobs_for(
        chosen,
        data,
        settings=settings,
        environment=doing.environment,
        seed=seed,
        epochs=epochs,
        horizon=epochs,
        keep=keep,
        scores=frozenset(),
    )
    jobs = tuple(
        dataclasses.replace(job, saves=str(network_file(folder, job.spec.model))) for job in jobs
    )
    for job in jobs:
        network = stored_network(_file(job))
        if network is not None:
            network.check(job.spec, epochs, run_store.find(job.spec))
    listed_models(folder / POOL)
    return SourceStage(jobs, missing, data, run_store, doing.count, folder, doing.cluster, events)


def pretrain(
    models: Any,
    dataset: Any,
    *,
    out: str | Path,
    epochs: int = EPOCHS,
    weights: str = "random",
    seed: int = 0,
    settings: Settings = SETTINGS,
    image_size: int | None = None,
    train_size: int | None = None,
    validation_size: int | None = None,
    test_size: int | None = None,
    skip_corrupt: bool = False,
    store: str | Path = "runs",
    workers: int | None = None,
    threads: int | None = None,
    ray: str | None = None,
    gpus_per_run: float | None = None,
    keep: bool = False,
    tensorboard: str | Path | None = None,
    progress: bool = True,
) -> Pretrained:
    """Train candidates as plain classifiers on a source dataset, and make a pool of them.

    Every network is saved as ``NAME.keras`` with its classifier, the facts about it as
    ``NAME.json``, and ``pool.toml`` lists them for :func:`ncselect.select` on other datasets. The
    files are made of Keras's own layers: they load without this package. A second call trains
    nothing; further candidates extend the pool.

    Parameters
    ----------
    models
        Names, groups, pool files, ``.keras`` files, Keras models, or a list of them.
    dataset
        The source: anything that :func:`ncselect.select` takes.
    out
        Folder of the networks.
    epochs
        For how long each is trained; the state after the last epoch is saved.
    weights
        What networks given by name begin with: ``random`` (from scratch), ``imagenet`` or a path.
    seed
        The same seed gives the same run.
    settings
        The training protocol, with ``unit="classifier"``; by default Adam at 0.001, batches of
        64, images flipped and shifted.
    image_size, train_size, validation_size, test_size
        Side of the square images, and numbers of images; the dataset's own by default.
    skip_corrupt
        Leave out images that cannot be read instead of raising.
    store
        Folder of the runs; an interrupted one goes on from its last epoch.
    workers, threads
        Runs at a time, and threads of each. By default one run that gets all cores; on a cluster
        as many as it has room for, of one thread each.
    ray, gpus_per_run
        Address of a Ray cluster that runs are done on, such as ``auto``, ``HOST:PORT`` or
        ``ray://HOST:PORT``, and each run's share of a GPU there: 0, 1 or a part of one; it must be
        given where nodes have GPUs. The store must be a folder that all nodes share. None:
        processes on this machine.
    keep
        Keep the checkpoints of runs whose network is saved, so that they can go on.
    tensorboard
        Folder for TensorBoard's event files, kept up to date after every epoch: a folder per run.
    progress
        Show how far the runs have come.

    Returns
    -------
    Pretrained
        What was saved; ``.failed`` has the others, with reasons.

    Raises
    ------
    InputError
        For any argument that cannot be used, and where a network of another training has the
        place in ``out``.

    Examples
    --------
    >>> import ncselect
    >>> source = ncselect.pretrain("small", "digits", out="digits-pool")  # doctest: +SKIP
    >>> ncselect.select(source.pool, "mnist", method="leep")  # doctest: +SKIP
    """
    stage = source_stage(
        models,
        dataset,
        out=out,
        epochs=epochs,
        weights=weights,
        seed=seed,
        settings=settings,
        image_size=image_size,
        train_size=train_size,
        validation_size=validation_size,
        test_size=test_size,
        skip_corrupt=skip_corrupt,
        store=store,
        workers=workers,
        threads=threads,
        ray=ray,
        gpus_per_run=gpus_per_run,
        keep=keep,
        tensorboard=tensorboard,
    )
    if not progress:
        return stage.pretrained()
    with Progress([job.spec.model for job in stage.jobs], stage.epochs, beta="") as watch:
        return stage.pretrained(watch=watch)


def _file(job: Job) -> Path:
    assert job.saves is not None  # every job of a source stage saves
    return Path(job.saves)


def _writable(out: str | Path) -> Path:
    """Return a folder in which files can be written, or that can be made."""
    folder = Path(out).expanduser().absolute()
    try:
        check_writable(folder)
    except OSError as error:
        raise InputError(
            f"out: cannot keep networks in '{folder}' ({error}); name a folder that can be "
            "written with --out"
        ) from error
    return folder
