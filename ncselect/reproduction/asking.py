"""Methods, asked for their estimates of pools, in every repeat."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from ncselect.answers import Answer, answer
from ncselect.comparison import check_lengths
from ncselect.methods import parsed_method
from ncselect.reproduction.kept_answers import KeptAnswers
from ncselect.reproduction.material import Material
from ncselect.reproduction.pools import Pool
from ncselect.reproduction.readings import Question
from ncselect.scoreboard import in_short
from ncselect.types import Background, RunRecord
from zoo.errors import InputError

Floats = NDArray[np.float64]
Task = tuple[str, tuple[RunRecord, ...], int, int]  # method, runs, epochs, horizon

SLOW = frozenset({"lc"})
"""Methods of seconds a candidate, asked for one at a time: a stop loses no more than that."""


@dataclass(frozen=True)
class Answered:
    """What one method says of a pool at one length.

    Attributes
    ----------
    models
        All candidates, as in the columns.
    score, mean, sd
        What it orders by, and the accuracy it predicts with its standard deviation, shape
        (repeats, models); nan where it refused.
    refused
        Model → why, of those it refused in any repeat.
    reason
        Why there is nothing at all; None where there is something.
    seconds
        Of estimating the pool, per repeat that was asked.
    """

    models: tuple[str, ...]
    score: Floats
    mean: Floats
    sd: Floats
    refused: Mapping[str, str]
    reason: str | None
    seconds: tuple[float, ...]


def ask(material: Material, questions: Sequence[Question]) -> dict[tuple[str, int, str], Answered]:
    """Ask methods for their estimates, each repeat apart; repeats without a run so long are not.

    Methods that learn from a history are told, for each candidate, the whole curves of the
    repeat's other candidates, as the paper does ("a set of full learning curves from other
    models").

    Returns
    -------
    dict
        (dataset, length, name) → what it says.

    Raises
    ------
    InputError
        If a question is beyond a pool's horizon, or no run is so long.
    """
    tasks: list[Task] = []
    slow: list[int] = []
    places: dict[tuple[str, int, str], list[range]] = {}
    for pool in material.pools:
        check_lengths(list({one.epochs: None for one in questions}), pool.horizon)
        for one in questions:
            _check_begun(pool, one.epochs)
            cell = places.setdefault((pool.dataset, one.length, one.name), [])
            for repeat in pool.repeats:
                runs = repeat.with_epochs(one.epochs)
                groups = [(run,) for run in runs] if one.name in SLOW else [runs] if runs else []
                cell.append(range(len(tasks), len(tasks) + len(groups)))
                slow += cell[-1] if one.name in SLOW else ()
                tasks += [(one.method, group, one.epochs, pool.horizon) for group in groups]
    answers = _answers(material, tasks, slow)
    models = {pool.dataset: pool.models for pool in material.pools}
    return {
        key: _together(models[key[0]], [[answers[at] for at in each] for each in cell])
        for key, cell in places.items()
    }


def answered(task: Task) -> Answer:
    """Return a method's answer for some runs."""
    method, runs, epochs, horizon = task
    told = parsed_method(method, Background(horizon=horizon))
    return answer(told, runs, epochs=epochs, horizon=horizon, leave_one_out=True)


def _answers(material: Material, tasks: Sequence[Task], slow: Sequence[int]) -> dict[int, Answer]:
    """Return the answer to every task by its place; those of slow ones are kept."""
    kept, found = material.kept, dict[int, Answer]()
    keys = {} if kept is None else _keys(kept, {place: tasks[place] for place in slow})
    if kept is not None:
        found = {at: known for at, key in keys.items() if (known := kept.find(key)) is not None}
    open_tasks = [place for place in range(len(tasks)) if place not in found]
    with _mapped(material.workers) as spread:
        said = spread(answered, [tasks[place] for place in open_tasks])
        for place, one in zip(open_tasks, said, strict=True):
            found[place] = one
            if kept is not None and place in keys:
                kept.keep(keys[place], one)
            material.watch("methods", len(found), len(tasks))
    return found


def _keys(kept: KeptAnswers, tasks: Mapping[int, Task]) -> dict[int, str]:
    """Return the name that each answer is kept by; of equal tasks each has its own turn."""
    turns: Counter[tuple[str, str, int]] = Counter()
    keys = {}
    for place, (method, (run,), epochs, horizon) in tasks.items():
        same = (method, run.spec.key, epochs)
        keys[place] = kept.key(method, run, epochs=epochs, horizon=horizon, turn=turns[same])
        turns[same] += 1
    return keys


@contextmanager
def _mapped(workers: int) -> Iterator[Callable[..., Iterator[Answer]]]:
    """Give a map over tasks, in their order, in one process or several."""
    if workers == 1:
        yield map
        return
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    before = {name: os.environ.get(name) for name in one_thread}
    os.environ.update(one_thread)  # a process of several workers is not to fight for the cores
    try:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            yield pool.map
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _check_begun(pool: Pool, epochs: int) -> None:
    """Raise unless some run of some repeat is long enough."""
    if not any(repeat.with_epochs(epochs) for repeat in pool.repeats):
        raise InputError(
            f"no run on {pool.dataset} has {epochs} epochs; complete them with 'ncselect "
            "reproduce' without --stored"
        )


def _together(models: tuple[str, ...], repeats: Sequence[Sequence[Answer]]) -> Answered:
    """Return the answers of all repeats as one; a repeat without any was not asked."""
    shape = (len(repeats), len(models))
    score, mean, sd = (np.full(shape, np.nan) for _ in range(3))
    refused: dict[str, str] = {}
    for row, answers in enumerate(repeats):
        for one in answers:
            for estimate in one.estimates.estimates:
                place = row, models.index(estimate.model)
                score[place], mean[place], sd[place] = estimate.score, estimate.mean, estimate.sd
            refused |= one.estimates.refused
    nothing = not np.isfinite(score).any()
    return Answered(
        models=models,
        score=score,
        mean=mean,
        sd=sd,
        refused=refused,
        reason=(in_short(refused.values()) or "there was no run to estimate") if nothing else None,
        seconds=tuple(sum(one.seconds for one in each) for each in repeats if each),
    )
