"""What methods say of pools after some epochs, in every repeat."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ncselect.answers import Answer, answer
from ncselect.comparison import check_lengths, unscorable
from ncselect.methods import parsed_method
from ncselect.reproduction.pools import Pool, Repeat
from ncselect.scoreboard import in_short
from ncselect.types import Background, RunRecord
from zoo.errors import InputError

Floats = NDArray[np.float64]
Watch = Callable[[str, int, int], None]  # what, done, of how many
Task = tuple[str, tuple[RunRecord, ...], int, int]  # method, pool, epochs, horizon


@dataclass(frozen=True)
class Answered:
    """What one method says of a pool after some epochs.

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
    diagnostics
        Per repeat, model → the method's diagnostics.
    """

    models: tuple[str, ...]
    score: Floats
    mean: Floats
    sd: Floats
    refused: Mapping[str, str]
    reason: str | None
    seconds: tuple[float, ...]
    diagnostics: tuple[Mapping[str, Mapping[str, float]], ...]


def truth(pool: Pool) -> Floats:
    """Return the test accuracies at the horizon, shape (repeats, models); nan where unknown."""
    found = np.full((len(pool.repeats), len(pool.models)), np.nan)
    for row, repeat in zip(found, pool.repeats, strict=True):
        for run in repeat.runs:
            if run.status != "failed" and pool.horizon in run.truth:
                row[pool.models.index(run.spec.model)] = run.truth[pool.horizon]
    return found


def left_out(pool: Pool, length: int) -> dict[str, str]:
    """Return run → why it cannot be scored after so many epochs, of all repeats."""
    reasons = {}
    for repeat in pool.repeats:
        if not _long_enough(repeat, length):
            reasons[f"all of seed {repeat.seed}"] = f"no run of it has {length} epochs yet"
            continue
        why_not = unscorable(repeat.runs, length, pool.horizon)
        names = {run.spec.model for run in repeat.runs}
        why_not |= {model: "there is no such run" for model in pool.models if model not in names}
        for model, reason in why_not.items():
            reasons[f"{model}, seed {repeat.seed}"] = reason
    return reasons


def ask(
    pools: Sequence[Pool],
    methods: Mapping[str, str],
    lengths: Sequence[int],
    *,
    workers: int = 1,
    watch: Watch = lambda _what, _done, _total: None,
) -> dict[tuple[str, int, str], Answered]:
    """Ask methods for their estimates, each repeat apart; repeats without a run so long are not.

    Methods that learn from a history are told, for each candidate, the whole curves of the
    repeat's other candidates, as the paper does ("a set of full learning curves from other
    models").

    Parameters
    ----------
    pools
        One per dataset.
    methods
        What to call it → what it is, as ``methods.parsed_method`` takes it.
    lengths
        Observed epochs.
    workers
        Processes at a time.
    watch
        Called with ``methods``, answers so far and in all.

    Returns
    -------
    dict
        (dataset, length, method) → what it says.

    Raises
    ------
    InputError
        If a length is beyond a pool's horizon, or no run is so long.
    """
    for pool in pools:
        check_lengths(lengths, pool.horizon)
    asked = [
        (pool, length, method, repeat)
        for pool in pools
        for length in lengths
        for method in methods
        for repeat in _begun(pool, length)
    ]
    tasks = [
        (methods[method], _long_enough(repeat, length), length, pool.horizon)
        for pool, length, method, repeat in asked
    ]
    answers: list[Answer] = []
    with _mapped(workers) as spread:
        for done, one in enumerate(spread(answered, tasks), start=1):
            answers.append(one)
            watch("methods", done, len(tasks))
    grouped: dict[tuple[str, int, str], list[Answer | None]] = {}
    said = iter(answers)
    for pool in pools:
        for length in lengths:
            for method in methods:
                grouped[pool.dataset, length, method] = [
                    next(said) if _long_enough(repeat, length) else None for repeat in pool.repeats
                ]
    models = {pool.dataset: pool.models for pool in pools}
    return {key: _together(models[key[0]], each) for key, each in grouped.items()}


def answered(task: Task) -> Answer:
    """Return a method's answer for a pool of runs."""
    method, runs, epochs, horizon = task
    told = parsed_method(method, Background(horizon=horizon))
    return answer(told, runs, epochs=epochs, horizon=horizon, leave_one_out=True)


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


def _begun(pool: Pool, length: int) -> list[Repeat]:
    """Return the repeats in which some run is long enough."""
    found = [repeat for repeat in pool.repeats if _long_enough(repeat, length)]
    if not found:
        raise InputError(
            f"no run on {pool.dataset} has {length} epochs; complete them with 'ncselect "
            "reproduce' without --stored"
        )
    return found


def _long_enough(repeat: Repeat, length: int) -> tuple[RunRecord, ...]:
    return tuple(run for run in repeat.runs if run.status == "failed" or run.epochs >= length)


def _together(models: tuple[str, ...], answers: Sequence[Answer | None]) -> Answered:
    """Return the answers of all repeats as one; None is a repeat that was not asked."""
    shape = (len(answers), len(models))
    score, mean, sd = (np.full(shape, np.nan) for _ in range(3))
    refused: dict[str, str] = {}
    diagnostics: list[Mapping[str, Mapping[str, Any]]] = []
    for row, one in enumerate(answers):
        if one is None:
            diagnostics.append({})
            continue
        for estimate in one.estimates.estimates:
            place = row, models.index(estimate.model)
            score[place], mean[place], sd[place] = estimate.score, estimate.mean, estimate.sd
        refused |= one.estimates.refused
        diagnostics.append({each.model: each.diagnostics for each in one.estimates.estimates})
    nothing = not np.isfinite(score).any()
    return Answered(
        models=models,
        score=score,
        mean=mean,
        sd=sd,
        refused=refused,
        reason=(in_short(refused.values()) or "there was no run to estimate") if nothing else None,
        seconds=tuple(one.seconds for one in answers if one is not None),
        diagnostics=tuple(diagnostics),
    )
