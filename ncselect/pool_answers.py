"""Asking methods about many pools: each model's runs once where that will do, else each pool."""

from __future__ import annotations

import dataclasses
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ncselect.answers import Answer, answer, knows_of, learns, predicted, scored_on
from ncselect.history import model_of
from ncselect.methods import Method
from ncselect.numerics.predicted import DRAWS
from ncselect.pool_scores import PoolScore, pool_score
from ncselect.types import Estimates, RunRecord

TASKS = 40  # that the pools of an observation length are split into: progress, not speed

Integers = NDArray[np.int64]
Shared = TypeVar("Shared")
Task = TypeVar("Task")
Result = TypeVar("Result")
Watch = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class ScoredPool:
    """What a pool's methods came to at one observation length.

    Attributes
    ----------
    scores
        Label → its measures in this pool, of the methods that could be scored.
    n
        Number of models they are scored on.
    refused
        Label → model → why it gave no estimate.
    notes
        Label → what it said of the pool.
    seconds
        Label → wall-clock seconds, of the methods that were asked about this pool.
    """

    scores: Mapping[str, PoolScore]
    n: int
    refused: Mapping[str, Mapping[str, str]]
    notes: Mapping[str, tuple[str, ...]]
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class Question:
    """All that has to be known to score a pool.

    Attributes
    ----------
    records
        The runs that pools are drawn from, with truth.
    methods
        Label → method.
    truth
        Model → test accuracy at the horizon.
    horizon
        The epoch whose accuracy is predicted.
    leave_one_out
        See ``answers.answer``.
    seed
        Seeds the draws of P(best), together with the observation length and the pool's number.
    apart
        Label and observation length → what was answered about all runs, of the methods that are
        asked once for each model's.
    """

    records: tuple[RunRecord, ...]
    methods: Mapping[str, Method]
    truth: Mapping[str, float]
    horizon: int
    leave_one_out: bool
    seed: int
    apart: Mapping[tuple[str, int], Answer] = field(default_factory=dict)

    def is_apart(self, method: Method) -> bool:
        """Tell whether a method is asked once for each model's runs, not once for each pool.

        So it is where it estimates each candidate by itself and is told nothing of this dataset's
        finished runs: its history may then hold the pool's other models on other datasets.
        """
        told = learns(method) and (
            self.leave_one_out or knows_of(method, self.records[0].spec.dataset)
        )
        return not (method.pooled or told)


def scored_pools(
    question: Question,
    drawn: Sequence[Integers],
    epochs: Sequence[int],
    *,
    workers: int,
    watch: Watch,
) -> tuple[dict[tuple[str, int], Answer], dict[int, list[ScoredPool]]]:
    """Ask all methods about all pools, and score them in each.

    Parameters
    ----------
    question
        About which runs and methods.
    drawn
        Places of each pool's runs among the question's.
    epochs
        Observation lengths.
    workers
        Processes.
    watch
        Told how far it has come.

    Returns
    -------
    dict
        Label and observation length → what a method said of all runs, of the methods that are
        asked once for each model's.
    dict
        Observation length → the scored pools, as drawn.
    """
    apart = _answered_apart(question, epochs, workers, watch)
    known = dataclasses.replace(question, apart=apart)
    step = -(-len(drawn) // TASKS)
    tasks = [
        [(length, turn, drawn[turn]) for turn in range(start, min(start + step, len(drawn)))]
        for length in epochs
        for start in range(0, len(drawn), step)
    ]
    parts = list(_done(_score_pools, known, tasks, workers, partial(watch, "pools")))
    scored = iter([pool for part in parts for pool in part])
    return apart, {length: [next(scored) for _ in drawn] for length in epochs}


def _answered_apart(
    question: Question, epochs: Sequence[int], workers: int, watch: Watch
) -> dict[tuple[str, int], Answer]:
    """Ask the methods that estimate every candidate by itself, a model's runs at a time."""
    labels = [label for label, one in question.methods.items() if question.is_apart(one)]
    of_model: dict[str, list[int]] = {}
    for place, record in enumerate(question.records):
        of_model.setdefault(model_of(record), []).append(place)
    tasks = [
        (label, length, runs) for label in labels for length in epochs for runs in of_model.values()
    ]
    answers = list(_done(_answer_model, question, tasks, workers, partial(watch, "models")))
    keys = [(label, length) for label in labels for length in epochs]
    return {
        key: _joined(answers[turn * len(of_model) : (turn + 1) * len(of_model)])
        for turn, key in enumerate(keys)
    }


def _answer_model(question: Question, task: tuple[str, int, Sequence[int]]) -> Answer:
    label, length, runs = task
    records = [question.records[place] for place in runs]
    return answer(question.methods[label], records, epochs=length, horizon=question.horizon)


def _joined(parts: Sequence[Answer]) -> Answer:
    """Return the answer about all runs.

    The parts' draws are put side by side. They are shuffled first: a method with a seed may begin
    every part with the same random numbers, and the models would seem to depend on each other.
    """
    each = [one.estimates for one in parts]
    draws = [one.draws for one in each if one.estimates]
    known = [one for one in draws if one is not None]
    together, rng = None, np.random.default_rng(0)
    if known and len(known) == len(draws):
        count = min(len(one) for one in known)
        together = np.hstack([rng.permutation(one)[:count] for one in known])
    return Answer(
        Estimates(
            each[0].method,
            tuple(estimate for one in each for estimate in one.estimates),
            {model: why for one in each for model, why in one.refused.items()},
            tuple(dict.fromkeys(note for one in each for note in one.notes)),
            together,
        ),
        sum(one.seconds for one in parts),
    )


def _score_pools(question: Question, task: Sequence[tuple[int, int, Integers]]) -> list[ScoredPool]:
    return [_score_pool(question, *one) for one in task]


def _score_pool(question: Question, length: int, number: int, members: Integers) -> ScoredPool:
    """Ask the methods that need the pool, and score them all in it."""
    records = [question.records[position] for position in members]
    asked = {
        label: answer(
            method,
            records,
            epochs=length,
            horizon=question.horizon,
            leave_one_out=question.leave_one_out,
        )
        for label, method in question.methods.items()
        if (label, length) not in question.apart
    }
    estimates = {
        label: asked[label].estimates
        if label in asked
        else _of(records, question.apart[label, length])
        for label in question.methods
    }
    models, _ = scored_on(records, estimates, question.truth)
    scores = {}
    if len(models) >= 2:
        truth = np.array([question.truth[model] for model in models])
        rng = np.random.default_rng([question.seed, length, number])
        noise = rng.standard_normal((DRAWS, len(models)))
        scores = {
            label: pool_score(label, truth, predicted(one, models), noise)
            for label, one in estimates.items()
            if one.estimates
        }
    return ScoredPool(
        scores,
        len(models),
        {label: one.refused for label, one in estimates.items() if one.refused},
        {label: one.estimates.notes for label, one in asked.items()},
        {label: one.seconds for label, one in asked.items()},
    )


def _of(records: Sequence[RunRecord], everything: Answer) -> Estimates:
    """Return the part of the answer about all runs that is about a pool."""
    about = everything.estimates
    names = [record.spec.model for record in records]
    chosen = [everything.places[name] for name in names if name in everything.places]
    return Estimates(
        about.method,
        tuple(about.estimates[place] for place in chosen),
        {name: about.refused[name] for name in names if name in about.refused},
        about.notes,
        None if about.draws is None else about.draws[:, chosen],
    )


_shared: dict[str, Any] = {}  # what a worker process was given when it began


def _begin(shared: object) -> None:
    _shared["question"] = shared


def _work(function: Callable[[Any, Task], Result], task: Task) -> Result:
    return function(_shared["question"], task)


def _done(
    function: Callable[[Shared, Task], Result],
    shared: Shared,
    tasks: Sequence[Task],
    workers: int,
    watch: Callable[[int, int], None],
) -> Iterator[Result]:
    """Yield each task's result in order, worked out in this process or in several.

    What the tasks share is large: each process is given it once.
    """
    if workers == 1:
        for turn, task in enumerate(tasks, start=1):
            yield function(shared, task)
            watch(turn, len(tasks))
        return
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        workers, mp_context=spawning, initializer=_begin, initargs=(shared,)
    ) as executor:
        for turn, result in enumerate(executor.map(partial(_work, function), tasks), start=1):
            yield result
            watch(turn, len(tasks))
