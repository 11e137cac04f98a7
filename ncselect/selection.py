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
from ncselect.elimination.live import Live
from ncselect.elimination.placing import placed
from ncselect.elimination.race import Strategy, race
from ncselect.elimination.strategies import asked_strategy
from ncselect.environment import available_cores, environment
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
from ncselect.types import Background, Estimates, RunRecord
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
    strategy
        Who is dropped on the way; None: nobody.
    budget
        Seconds that may be spent; inf: as many as are needed.
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
    strategy: Strategy | None = None
    budget: float = math.inf
    question: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def plan(self) -> Plan:
        """What answering will cost."""
        return planned(
            self.jobs, self.store, self.missing, workers=self.workers, budget=self.budget
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

    def ranking(self, *, watch: Watch = lambda _m, _e: None, command: str = "") -> Ranking:
        """Train what the store lacks, rank, and keep the answer in the store.

        Parameters
        ----------
        watch
            Called with a candidate's name and each event of its run.
        command
            The command line that asks, kept with the answer.
        """
        if self.strategy is not None:
            ranking = self._raced(self.strategy, watch)
        else:
            ranking = self._observed(watch)
        return kept(ranking, self.jobs, self.store, {**self.question, "command": command})

    def _observed(self, watch: Watch) -> Ranking:
        """Train every candidate for its epochs, and rank."""
        records = complete(self.jobs, self.store, workers=self.workers, watch=watch)
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

    def _raced(self, strategy: Strategy, watch: Watch) -> Ranking:
        """Train in rounds, drop on the way, and rank."""
        runner = Live(
            self.jobs,
            self.store,
            workers=self.workers,
            watch=watch,
            expected=self.plan.seconds_per_epoch,
        )
        before = runner.scored(self.budget)

        def estimate(records: Sequence[RunRecord]) -> Estimates:
            return not_told_of(self.method, records).estimate(records)

        found = race(strategy, runner, estimate, before, most=self.epochs, budget=self.budget)
        seen = [*found.standing.records.values()]
        beside = [not_told_of(one, seen).estimate(seen) for one in self.others]
        ranking = placed(
            found, dataset=self.dataset.name, beta=self.beta, failed=self.missing, beside=beside
        )
        last = found.decisions[-1]
        ended = f"{strategy.name}: ended after {duration(last.spent)}: {last.reason}."
        notes = [ended]
        if found.dropped:
            notes.append("P(best), regret and ties are among the candidates left at the time.")
        ranking = dataclasses.replace(ranking, notes=(*notes, *ranking.notes))
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
        return dataclasses.replace(ranking, notes=notes)


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
    workers: int = 1,
    threads: int | None = None,
    keep: bool = False,
    budget: float | None = None,
    eliminate: bool | str = False,
    prepared: Any = None,
) -> Selection:
    """Check every argument, read the candidates, prepare the images; train nothing.

    Parameters are those of :func:`select`; ``prepared`` is called with (done, total) images.

    Raises
    ------
    InputError
        For any argument that cannot be used; nothing has been trained or lost.
    """
    check_whole(horizon=horizon, workers=workers)
    if threads is not None:
        check_whole(threads=threads)
    check_seed(seed)
    known = background(history=history, experience=experience, horizon=horizon)
    chosen_methods = _methods(method_name, known)
    strategy = asked_strategy(eliminate, budget)
    if epochs is None and budget is not None:
        epochs = horizon
    epochs = _observed(epochs, horizon, chosen_methods)
    if strategy is not None and not epochs:
        raise InputError("eliminate: nobody is trained, so that nobody can be dropped; give epochs")
    if strategy is not None and not chosen_methods[0].signals:
        raise InputError(
            f"eliminate: method '{chosen_methods[0].name}' learns nothing from epochs; choose one "
            "that does, such as combined or best-value"
        )
    settings = Settings() if settings is None else settings
    check_settings(settings)
    for one in chosen_methods:
        check_recorded(one.name, one.signals, settings)
    run_store = RunStore(store)
    chosen = candidates(models, weights=weights, scratch=run_store.folder / "objects")
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
        environment=environment(threads or max(1, available_cores() // workers)),
        seed=seed,
        epochs=epochs,
        horizon=horizon,
        keep=keep,
        scores=frozenset().union(*(one.scores for one in chosen_methods)),
    )
    first, *others = chosen_methods
    return Selection(
        jobs,
        missing,
        data,
        first,
        tuple(others),
        run_store,
        workers,
        strategy=strategy,
        budget=math.inf if budget is None else float(budget),
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
            "keep": keep,
            "budget": budget,
            "eliminate": eliminate,
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
    workers: int = 1,
    threads: int | None = None,
    keep: bool = False,
    budget: float | None = None,
    eliminate: bool | str = False,
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
        Runs at a time, and threads of each.
    keep
        Keep the checkpoints of runs that reach the horizon.
    budget
        Seconds that may be spent; no more than an epoch beyond them is. Candidates are then
        dropped on the way, and observed for up to ``horizon`` epochs if ``epochs`` is not given.
    eliminate
        Drop candidates on the way: True, or a strategy, ``NAME`` or ``NAME:OPTION=NUMBER,…``, see
        ``ncselect strategies``.
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
        keep=keep,
        budget=budget,
        eliminate=eliminate,
    )
    if not progress:
        return chosen.ranking()
    names = [job.spec.model for job in chosen.jobs]
    with Progress(names, chosen.epochs, beta=chosen.beta) as watch:
        return chosen.ranking(watch=watch)


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
