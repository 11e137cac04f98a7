"""From a ranking to the model in hand: its best network, trained to the end and saved."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ncselect.arguments import check_seed, check_settings, check_whole
from ncselect.continuing import check_as_it_began, check_can_be_saved, check_probe_run
from ncselect.environment import available_cores, environment
from ncselect.execute import Job, Watch, complete
from ncselect.fine_tuned import FineTuned
from ncselect.jobs import is_saved
from ncselect.kept_ranking import KeptRanking, kept_ranking
from ncselect.plan import Plan, planned, saved_already
from ncselect.pretrained import card_file, stored_network
from ncselect.progress import Progress
from ncselect.ranking import Ranking
from ncselect.spec import RunSpec
from ncselect.store import RunStore, check_writable
from ncselect.tensorboard import event_folder, exported
from zoo.datasets import Dataset
from zoo.errors import InputError, UnknownNameError
from zoo.models import Candidate

HEADS = ("fresh", "ncp")
PATIENCE = 5


class FineTuningError(RuntimeError):
    """Training or saving the network failed; the text says why."""


@dataclass(frozen=True)
class FineTuning:
    """A ranked network ready to be trained to the end.

    Attributes
    ----------
    job
        The run, and the file that gets the network.
    store
        Where the run is kept.
    ranked
        How the network was ranked, JSON values.
    notes
        What a person should know of the images.
    events
        Folder of the run's event file for TensorBoard; None for none.
    """

    job: Job
    store: RunStore
    ranked: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    events: Path | None = None

    @property
    def file(self) -> Path:
        """The file that gets the network."""
        assert self.job.saves is not None  # every fine-tuning saves
        return Path(self.job.saves)

    @cached_property
    def plan(self) -> Plan:
        """What it will cost; nothing, if the network is saved."""
        plan = planned([self.job], self.store, {})
        if stored_network(self.file) is not None:
            plan = dataclasses.replace(plan, runs=(saved_already(self.job.spec.model),))
        # That the store also has the run it was ranked by goes without saying.
        return dataclasses.replace(plan, other_settings=())

    def finetuned(self, *, watch: Watch = lambda _m, _e: None) -> FineTuned:
        """Train and save the network, if it is not saved, and write its model card.

        Parameters
        ----------
        watch
            Called with the network's name and each event of its run.

        Raises
        ------
        FineTuningError
            If it cannot be trained or saved.
        """
        with exported(self.events, [self.job], self.store, watch) as told:
            if not is_saved(self.job, self.store, told):
                self.file.parent.mkdir(parents=True, exist_ok=True)
                (record,) = complete([self.job], self.store, watch=told)
                if record.status == "failed" or not self.file.exists():
                    raise FineTuningError(f"{self.job.spec.model}: {record.error}")
        network = stored_network(self.file)
        assert network is not None  # it is there
        if not network.ranking:  # what it came from first is told; its card may have been edited
            network = dataclasses.replace(network, ranking=self.ranked, notes=self.notes)
            network.keep()
        done = FineTuned(network)
        done.keep_card()
        return done


def fine_tuning(
    ranking: Ranking | str | None = None,
    *,
    out: str | Path,
    model: str | None = None,
    head: str = "fresh",
    epochs: int | None = None,
    patience: int | None = None,
    learning_rate: float | None = None,
    seed: int | None = None,
    store: str | Path | None = None,
    keep: bool = False,
    tensorboard: str | Path | None = None,
) -> FineTuning:
    """Check every argument, find the ranking and its images; train and write nothing.

    Parameters are those of :func:`finetune`.

    Raises
    ------
    InputError
        For any argument that cannot be used; nothing has been trained or lost.
    """
    _check_texts(model, head)
    if head not in HEADS:
        raise UnknownNameError("head", head, HEADS)
    if epochs is not None:
        check_whole(epochs=epochs)
    if seed is not None:
        check_seed(seed)
    file = _file(out)
    kept, run_store = _kept(ranking, store)
    events = None if tensorboard is None else event_folder(tensorboard, run_store)
    model = _best(kept) if model is None else model
    if model not in kept.specs:
        raise UnknownNameError("model", model, kept.specs)
    candidate, dataset = _candidate(kept, model), _dataset(kept)
    spec, horizon = kept.specs[model], epochs or kept.horizon
    if spec.settings.sparse is not None or spec.settings.pruning is not None:
        raise InputError(
            f"model: {model} was trained sparse or pruned; only dense networks are fine-tuned"
        )
    if head == "ncp":
        check_as_it_began(patience=patience, learning_rate=learning_rate, seed=seed)
        check_probe_run(spec, run_store, horizon)
    else:
        spec = _with_fresh_head(spec, patience=patience, learning_rate=learning_rate, seed=seed)
    job = Job(
        spec=spec,
        candidate=candidate.to_json(),
        dataset=dataset.to_json(),
        epochs=horizon,
        horizon=horizon,
        keep=keep,
        saves=str(file),
        resizes=True,
    )
    _check_place(file, job, run_store)
    check_can_be_saved(job, run_store)
    return FineTuning(job, run_store, _ranked(kept, model), dataset.notes, events)


def finetune(
    ranking: Ranking | str | None = None,
    *,
    out: str | Path,
    model: str | None = None,
    head: str = "fresh",
    epochs: int | None = None,
    patience: int | None = None,
    learning_rate: float | None = None,
    seed: int | None = None,
    store: str | Path | None = None,
    keep: bool = False,
    tensorboard: str | Path | None = None,
    progress: bool = True,
) -> FineTuned:
    """Train a ranking's best network to the end and save it, ready for use.

    The file takes images as they are, of any size, and gives probabilities of the classes:
    ``keras.models.load_model(out).predict(images)`` needs nothing of this package. Beside it lie
    a model card and its facts as JSON. A second call trains nothing.

    Parameters
    ----------
    ranking
        What :func:`ncselect.select` returned, or the name of a kept ranking; by default the
        newest in the store.
    out
        The ``.keras`` file to write.
    model
        Which of the candidates; by default the best.
    head
        ``fresh``: a new dense layer and the network's own weights are trained together, as in
        everyday fine-tuning, and the weights of the best epoch are saved. ``ncp``: the run that
        it was ranked by goes on to the horizon as it began, below its frozen probe unit.
    epochs
        For at most how long; by default the ranking's horizon.
    patience
        Of ``fresh``: stop when the validation accuracy has not exceeded its best for so many
        epochs; 5 by default, 0 trains to the end.
    learning_rate, seed
        Of ``fresh``; by default those of the ranking's runs.
    store
        Folder of the ranking and its runs; by default where ``ranking`` is kept, or ``runs``. An
        interrupted training goes on from its last epoch.
    keep
        Keep the checkpoint of the run when the network is saved.
    tensorboard
        Folder for TensorBoard's event file of the run, kept up to date after every epoch.
    progress
        Show how far the training has come.

    Returns
    -------
    FineTuned
        The file, its test accuracy with an interval, its classes; ``.load()`` gives the model.

    Raises
    ------
    InputError
        For any argument that cannot be used, and where another file has the place of ``out``.
    FineTuningError
        If the network cannot be trained or saved.

    Examples
    --------
    >>> import ncselect
    >>> ranking = ncselect.select("small", "digits")  # doctest: +SKIP
    >>> ncselect.finetune(ranking, out="digits.keras").test_accuracy  # doctest: +SKIP
    """
    stage = fine_tuning(
        ranking,
        out=out,
        model=model,
        head=head,
        epochs=epochs,
        patience=patience,
        learning_rate=learning_rate,
        seed=seed,
        store=store,
        keep=keep,
        tensorboard=tensorboard,
    )
    if not progress:
        return stage.finetuned()
    with Progress([stage.job.spec.model], stage.job.horizon, beta="") as watch:
        return stage.finetuned(watch=watch)


def _check_texts(model: object, head: object) -> None:
    if model is not None and not isinstance(model, str):
        raise InputError(f"model: {model!r} came; give the name of one of the candidates")
    if not isinstance(head, str):
        raise InputError(f"head: {head!r} came; give 'fresh' or 'ncp'")


def _kept(ranking: Ranking | str | None, store: str | Path | None) -> tuple[KeptRanking, RunStore]:
    """Return what was kept of a ranking, with the rows of the one that is given, and its store."""
    if isinstance(ranking, Ranking):
        if not ranking.name:
            raise InputError(
                "ranking: it is not kept in a store; give one that select() has returned"
            )
        run_store = RunStore(store or ranking.store or "runs", create=False)
        kept = kept_ranking(run_store, ranking.name)
        return dataclasses.replace(kept, ranking=ranking), run_store
    if ranking is not None and not isinstance(ranking, str):
        raise InputError(
            f"ranking: {ranking!r} came; give what select() has returned, or the name of a kept one"
        )
    run_store = RunStore(store or "runs", create=False)
    return kept_ranking(run_store, ranking), run_store


def _best(kept: KeptRanking) -> str:
    try:
        return kept.ranking.best
    except LookupError as error:
        raise InputError(f"ranking: {error}; name one of its candidates with --model") from error


def _candidate(kept: KeptRanking, model: str) -> Candidate:
    """Return what was ranked, if its files are what they were."""
    candidate = Candidate.from_json(kept.candidates[model])
    here, then = candidate.identity(), kept.specs[model].candidate
    differing = [name for name in here if here[name] != then.get(name)]
    if differing:
        raise InputError(
            f"model: {model} is not what was ranked: {differing[0]} is {here[differing[0]]}, was "
            f"{then.get(differing[0])}; restore its files or rank again"
        )
    return candidate


def _dataset(kept: KeptRanking) -> Dataset:
    try:
        return Dataset.from_json(kept.dataset)
    except InputError as error:
        again = kept.question.get("command") or "select() with the same arguments"
        raise InputError(
            f"dataset: {error}. Rank again, which prepares the images and trains nothing that is "
            f"stored: {again}"
        ) from error


def _with_fresh_head(
    spec: RunSpec, *, patience: int | None, learning_rate: float | None, seed: int | None
) -> RunSpec:
    """Return the run of a plain classifier by the protocol of a ranked run."""
    settings = dataclasses.replace(
        spec.settings,
        unit="classifier",
        patience=PATIENCE if patience is None else patience,
        observation_steps=0,  # patience and horizon count epochs
        restore_best=True,
        learning_rate=spec.settings.learning_rate if learning_rate is None else learning_rate,
        measure_whole=False,
        graphs="none",
    )
    check_settings(settings)
    return dataclasses.replace(
        spec,
        seed=spec.seed if seed is None else seed,
        settings=settings,
        environment=environment(available_cores()),
    )


def _file(out: str | Path) -> Path:
    """Return a file that can be written."""
    if not isinstance(out, str | Path):
        raise InputError(f"out: {out!r} came; give the name of a .keras file")
    file = Path(out).expanduser().absolute()
    if file.suffix != ".keras":
        raise InputError(f"out: '{out}' came; give the name of a .keras file")
    try:
        check_writable(file.parent)
    except OSError as error:
        raise InputError(
            f"out: cannot write '{file}' ({error}); name a file that can be written with --out"
        ) from error
    if file.is_dir():
        raise InputError(f"out: '{file}' is a folder; give the name of a .keras file")
    return file


def _check_place(file: Path, job: Job, store: RunStore) -> None:
    """Refuse what is there already, unless it is what this job makes."""
    card, network = card_file(file), stored_network(file)
    if network is not None:
        network.check(job.spec, job.horizon, store.find(job.spec))
    elif card.exists():
        raise InputError(
            f"out: '{card}' is there, where the model card of '{file.name}' goes; move it away, or "
            "give another place with --out"
        )


def _ranked(kept: KeptRanking, model: str) -> dict[str, Any]:
    """Return how a candidate was ranked, JSON values."""
    ranking = kept.ranking.to_dict()
    rows = [row for row in ranking["ranking"] if row["model"] == model]
    told = ("rank", "accuracy", "sd", "p_best", "epochs")
    return {
        "name": kept.name,
        "made": kept.made,
        "method": kept.ranking.method,
        "candidates": len(kept.specs),
        "horizon": kept.horizon,
        **{name: rows[0][name] if rows else None for name in told},
        "command": kept.question.get("command", ""),
    }
