"""The main job: candidates and a dataset in, a ranking out."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ncselect.answers import not_told_of
from ncselect.arguments import check_recorded, check_seed, check_settings, check_whole, is_whole
from ncselect.background import PathOrPaths, background
from ncselect.cluster import Cluster
from ncselect.elimination.live import Live
from ncselect.elimination.placing import placed
from ncselect.elimination.race import Strategy, Tell, race
from ncselect.elimination.strategies import asked_strategy, check_race
from ncselect.execute import Job, Watch, complete
from ncselect.history import of_their_protocol, protocol_of
from ncselect.jobs import jobs_for
from ncselect.kept_ranking import kept
from ncselect.methods import DEFAULT, Method, parsed_method
from ncselect.methods.capacitance import DEFAULT_DEFINITION
from ncselect.ordering import ranked
from ncselect.plan import Plan, planned
from ncselect.progress import Progress, duration
from ncselect.ranking import Ranking
from ncselect.second_opinion import second_opinion
from ncselect.spec import Settings
from ncselect.store import RunStore
from ncselect.tensorboard import event_folder, exported
from ncselect.tradeoffs import Told, asked_limits, check_measured_here, weighed, within
from ncselect.types import Background, Estimates, RunRecord
from ncselect.workers import asked_workers
from zoo.datasets import Dataset, prepare
from zoo.errors import InputError
from zoo.models import candidates

HORIZON = Background().horizon  # the paper's T
SHOWN_BETA = f"beta/{DEFAULT_DEFINITION}"  # the β of the table and of the progress lines
EPOCHS = 5  # the paper's shorter observation length


@dataclass(frozen=True)
class Selection:
    """A question ready to be answered: which of these candidates to take for this dataset.

    Attributes
    ----------
    jobs
        One per candidate that can be run.
    missing
        Candidate → why it cannot be.
    dataset
        The prepared images.
    method
        How final accuracies are predicted.
    others
        Methods whose answers are shown beside.
    store
        Where runs are kept.
    workers
        Runs at a time.
    cluster
        Where they are done; None: on this machine.
    strategy
        Who is dropped on the way; None: nobody.
    budget
        Seconds that may be spent; inf: as many as are needed.
    weighs
        Whether latency is measured, and the front marked.
    events
        Folder of the runs' event files for TensorBoard; None for none.
    question
        What was asked, argument → value, as JSON values.
    """

    jobs: tuple[Job, ...]
    missing: Mapping[str, str]
    dataset: Dataset
    method: Method
    others: tuple[Method, ...]
    store: RunStore
    workers: int
    cluster: Cluster | None = None
    strategy: Strategy | None = None
    budget: float = math.inf
    weighs: bool = False
    events: Path | None = None
    question: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def plan(self) -> Plan:
        """What answering will cost."""
        by = self.strategy
        return planned(
            self.jobs,
            self.store,
            self.missing,
            workers=self.workers,
            budget=self.budget,
            strategy="" if by is None else f"{by.name}: {by.summary}",
        )

    @property
    def epochs(self) -> int:
        """Epochs each candidate is observed for; 0 where none is trained."""
        return (self.jobs[0].epochs or 0) if self.jobs else 0

    @property
    def beta(self) -> str:
        """The signal to show as β: the method's own, if it has one."""
        own = (signal for signal in sorted(self.method.signals) if signal.startswith("beta/"))
        return next(own, SHOWN_BETA)

    def ranking(
        self,
        *,
        watch: Watch = lambda _m, _e: None,
        decided: Tell = lambda _decision: None,
        command: str = "",
    ) -> Ranking:
        """Train what the store lacks, rank, and keep the answer in the store.

        Parameters
        ----------
        watch
            Called with a candidate's name and each event of its run.
        decided
            Called with every decision about who goes on, when it is made.
        command
            The command line that asks, kept with the answer.
        """
        with exported(self.events, self.jobs, self.store, watch) as told:
            if self.strategy is not None:
                ranking = self._raced(self.strategy, told, decided)
            else:
                ranking = self._observed(told)
        if self.weighs:
            ranking = weighed(
                ranking,
                self.jobs,
                self.dataset,
                self.store,
                lambda model: watch(model, {"event": "measuring"}),
            )
        return kept(ranking, self.jobs, self.store, {**self.question, "command": command})

    def _observed(self, watch: Watch) -> Ranking:
        """Train every candidate for its epochs, and rank."""
        records = complete(
            self.jobs, self.store, workers=self.workers, cluster=self.cluster, watch=watch
        )
        seen = [record.observed(self.epochs) for record in records]
        method, *others = (not_told_of(one, seen) for one in (self.method, *self.others))
        ranking = ranked(
            method.estimate(seen),
            seen,
            dataset=self.dataset.name,
            beta=self.beta,
            failed=self.missing,
            beside=[other.estimate(seen) for other in others],
        )
        return self._with_notes(ranking, seen, method)

    def _raced(self, strategy: Strategy, watch: Watch, decided: Tell) -> Ranking:
        """Train in rounds, drop on the way, and rank."""
        runner = Live(
            self.jobs,
            self.store,
            workers=self.workers,
            cluster=self.cluster,
            watch=watch,
            expected=self.plan.prices,
            extraction=self.plan.extraction,
        )
        before = runner.scored(self.budget)

        def estimate(records: Sequence[RunRecord]) -> Estimates:
            return not_told_of(self.method, records).estimate(records)

        found = race(
            strategy, runner, estimate, before, most=self.epochs, budget=self.budget, tell=decided
        )
        seen = [*found.standing.records.values()]
        beside = [not_told_of(one, seen).estimate(seen) for one in self.others]
        ranking = placed(
            found, dataset=self.dataset.name, beta=self.beta, failed=self.missing, beside=beside
        )
        last = found.decisions[-1]
        told = [f"{strategy.name}: ended after {duration(last.spent)}: {last.reason}."]
        if runner.unscored:
            told.append(
                "features: the third of the budget that is for them did not reach "
                f"{', '.join(runner.unscored)}; without scores therefore."
            )
        ranking = dataclasses.replace(ranking, notes=(*told, *ranking.notes))
        return self._with_notes(ranking, seen, not_told_of(self.method, seen))

    def _with_notes(self, ranking: Ranking, seen: Sequence[RunRecord], method: Method) -> Ranking:
        """Add what was not used of the history, and where the ranking is to be doubted."""
        given = getattr(self.method, "history", ())
        fitting = of_their_protocol(given, seen)
        left = []
        if len(fitting) < len(given):
            left.append(
                f"history: {len(given) - len(fitting)} of {len(given)} curves were not made as "
                f"these runs are ({protocol_of(seen[0])}); they were not used."
            )
        if fitting and not getattr(method, "history", ()):
            left.append(
                "history: every curve in it may be one of these candidates' own; none was used."
            )
        opinion = second_opinion(ranking, seen)
        notes = (*ranking.notes, *left, *opinion, *self.dataset.notes)
        named = self.question.get("method") or ()
        asked = (named,) if isinstance(named, str) else tuple(named)
        return dataclasses.replace(ranking, notes=notes, asked=asked)


def selection(
    models: Any,
    dataset: Any,
    *,
    method_name: str | Sequence[str] = DEFAULT,
    history: PathOrPaths = (),
    experience: PathOrPaths = (),
    epochs: int | None = None,
    horizon: int = HORIZON,
    seed: int = 0,
    settings: Settings | None = None,
    weights: str = "imagenet",
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
    budget: float | None = None,
    eliminate: bool | str = False,
    latency: bool = False,
    max_latency: float | None = None,
    max_parameters: float | None = None,
    max_megabytes: float | None = None,
    tensorboard: str | Path | None = None,
    prepared: Any = None,
    measuring: Told = lambda _model: None,
) -> Selection:
    """Check every argument, read the candidates, prepare the images; train nothing.

    Parameters are those of :func:`select`; ``prepared`` is called with (done, total) images,
    ``measuring`` with each candidate whose size or latency is measured to hold it against a limit.

    Raises
    ------
    InputError
        For any argument that cannot be used; nothing has been trained or lost.
    """
    check_whole(horizon=horizon)
    check_seed(seed)
    known = background(history=history, experience=experience, horizon=horizon)
    chosen_methods = _methods(method_name, known)
    strategy = asked_strategy(eliminate, budget)
    if epochs is None and budget is not None:
        epochs = horizon
    epochs = _observed(epochs, horizon, chosen_methods)
    if strategy is not None:
        asked = "eliminate" if budget is None else "budget"
        check_race(strategy, chosen_methods[0], epochs, asked=asked)
    settings = Settings() if settings is None else settings
    check_settings(settings)
    for one in chosen_methods:
        check_recorded(one.name, one.signals, settings)
    limits = asked_limits(
        max_latency=max_latency, max_parameters=max_parameters, max_megabytes=max_megabytes
    )
    check_measured_here(ray, latency=latency, limits=limits)
    run_store = RunStore(store)
    events = None if tensorboard is None else event_folder(tensorboard, run_store)
    chosen = candidates(models, weights=weights, scratch=run_store.folder / "objects")
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
        horizon=horizon,
        keep=keep,
        scores=frozenset().union(*(one.scores for one in chosen_methods)),
    )
    jobs, too_large = within(limits, jobs, data, run_store, measuring)
    first, *others = chosen_methods
    return Selection(
        jobs,
        {**missing, **too_large},
        data,
        first,
        tuple(others),
        run_store,
        doing.count,
        cluster=doing.cluster,
        strategy=strategy,
        budget=math.inf if budget is None else float(budget),
        weighs=latency or limits.are_timed,
        events=events,
        question={
            "models": _as_given(models),
            "dataset": _as_given(dataset),
            "method": _as_given(method_name),
            "history": _as_given(history),
            "experience": _as_given(experience),
            "epochs": epochs,
            "horizon": horizon,
            "seed": seed,
            "weights": weights,
            "image_size": image_size,
            "train_size": train_size,
            "validation_size": validation_size,
            "test_size": test_size,
            "skip_corrupt": skip_corrupt,
            "store": str(store),
            "workers": workers,
            "threads": threads,
            "ray": ray,
            "gpus_per_run": gpus_per_run,
            "keep": keep,
            "budget": None if budget is None else float(budget),
            "eliminate": eliminate,
            "latency": latency,
            "max_latency": max_latency,
            "max_parameters": max_parameters,
            "max_megabytes": max_megabytes,
        },
    )


def select(
    models: Any,
    dataset: Any,
    *,
    method: str | Sequence[str] = DEFAULT,
    history: PathOrPaths = (),
    experience: PathOrPaths = (),
    epochs: int | None = None,
    horizon: int = HORIZON,
    seed: int = 0,
    settings: Settings | None = None,
    weights: str = "imagenet",
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
    budget: float | None = None,
    eliminate: bool | str = False,
    latency: bool = False,
    max_latency: float | None = None,
    max_parameters: float | None = None,
    max_megabytes: float | None = None,
    tensorboard: str | Path | None = None,
    progress: bool = True,
) -> Ranking:
    """Rank pre-trained networks for a dataset after a few epochs of fine-tuning each.

    Parameters
    ----------
    models
        Names, groups, pool files, ``.keras`` files, Keras models, or a list of them.
    dataset
        A name, ``tfds:NAME``, a folder, tar, zip or npz, arrays, a ``tf.data.Dataset``, a Keras
        ``PyDataset``, a Hugging Face dataset, or a prepared ``zoo.datasets.Dataset``.
    method
        How the final accuracy is predicted, ``NAME`` or ``NAME:OPTION=VALUE,…``; see ``ncselect
        methods``. Of several the first ranks and the others are shown beside it.
    history
        What methods may learn from: folders of finished runs, or files of plain curves.
    experience
        What is known of the candidates from elsewhere, besides the built-in table: folders of
        finished runs, or CSV files of model, dataset, accuracy.
    epochs, horizon
        Epochs to observe, and the epoch whose accuracy is predicted (paper: 5 or 10, and 50). By
        default 5 if a method learns from training, else 0: no training at all.
    seed
        The same seed gives the same run.
    settings
        The training protocol; the paper's by default.
    weights
        ``imagenet``, ``random`` (not pre-trained; marked in the ranking) or a path.
    image_size, train_size, validation_size, test_size
        Side of the square images, and numbers of images; the dataset's own by default.
    skip_corrupt
        Leave out images that cannot be read instead of raising.
    store
        Folder of the runs; stored runs are never trained again.
    workers, threads
        Runs at a time, and threads of each. By default one run that gets all cores; on a cluster
        as many as it has room for, of one thread each.
    ray, gpus_per_run
        Address of a Ray cluster that runs are done on, such as ``auto``, ``HOST:PORT`` or
        ``ray://HOST:PORT``, and each run's share of a GPU there: 0, 1 or a part of one; it must be
        given where nodes have GPUs. The store must be a folder that all nodes share. None:
        processes on this machine.
    keep
        Keep the checkpoints of runs that reach the horizon.
    budget
        Seconds that may be spent, about: epochs, features and networks that are being built when
        the time is over may be finished. A third of it is for features at most. Candidates are
        then dropped on the way, and observed for up to ``horizon`` epochs if ``epochs`` is not
        given.
    eliminate
        Drop candidates on the way: True, or a strategy, ``NAME`` or ``NAME:OPTION=NUMBER,…``, see
        ``ncselect strategies``.
    latency
        Measure how long each candidate takes for an image and for 64 at once, on this machine,
        and mark those that no other beats in accuracy and latency.
    max_latency
        Milliseconds for one image: candidates that take longer are measured, not trained.
    max_parameters, max_megabytes
        Size of the headless base: larger candidates are not trained.
    tensorboard
        Folder for TensorBoard's event files, kept up to date after every epoch: a folder per run.
    progress
        Show how far the runs have come.

    Returns
    -------
    Ranking
        Candidates best first; ``.failed`` has those without a rank, with reasons.

    Raises
    ------
    InputError
        For any argument that cannot be used.

    Examples
    --------
    >>> import ncselect
    >>> ranking = ncselect.select(["MobileNetV2", "ResNet50"], "digits")  # doctest: +SKIP
    >>> ranking.best  # doctest: +SKIP
    """
    chosen = selection(
        models,
        dataset,
        method_name=method,
        history=history,
        experience=experience,
        epochs=epochs,
        horizon=horizon,
        seed=seed,
        settings=settings,
        weights=weights,
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
        budget=budget,
        eliminate=eliminate,
        latency=latency,
        max_latency=max_latency,
        max_parameters=max_parameters,
        max_megabytes=max_megabytes,
        tensorboard=tensorboard,
    )
    if not progress:
        return chosen.ranking()
    names = [job.spec.model for job in chosen.jobs]
    with Progress(names, chosen.epochs, beta=chosen.beta) as watch:
        return chosen.ranking(watch=watch, decided=watch.decided)


def _as_given(value: Any) -> Any:
    """Return an argument as JSON values; of what is no text, the name of its type."""
    if isinstance(value, str | Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [_as_given(one) for one in value]
    return f"<{type(value).__name__}>"


def _methods(named: str | Sequence[str], known: Background) -> list[Method]:
    """Return the methods that were named, in order, each once."""
    names = [named] if isinstance(named, str) else list(named)
    if not names:
        raise InputError(f"method: none came; name one or more, such as '{DEFAULT}'")
    return [parsed_method(name, known) for name in dict.fromkeys(names)]


def _observed(epochs: int | None, horizon: int, methods: Sequence[Method]) -> int:
    """Return the epochs to observe: those asked for, else enough for methods that learn."""
    if epochs is None:
        epochs = min(EPOCHS, horizon) if any(one.signals for one in methods) else 0
    if not is_whole(epochs) or epochs < 0:
        raise InputError(f"epochs: {epochs!r} came; give a whole number, 0 for no training")
    if epochs > horizon:
        raise InputError(
            f"epochs: {epochs} is beyond the horizon {horizon}; "
            "raise --horizon or observe fewer epochs"
        )
    for one in methods:
        if epochs < one.least_epochs:
            raise InputError(
                f"epochs: method '{one.name}' needs {one.least_epochs} or more, "
                f"{epochs} came; observe more epochs or choose another method"
            )
    return epochs
