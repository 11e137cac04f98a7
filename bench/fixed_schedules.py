"""The least that a searched fixed schedule of dropping candidates loses, with all curves known.

    python -m bench.fixed_schedules CURVES.jsonl.gz [--pools 100] > FILE.json

For random pools of 17 of each dataset, those of ``bench.regret_cost`` with the same seed, in points
of accuracy: what is lost by the schedule (how many are kept after which epochs, by best value) that
loses least on these very pools of all that were searched, at some shares of the cost of training
every candidate to the end; what is lost by keeping the best few after the first epochs and taking
the best of these; and the noise of the truth: what is lost by the best value of all but the last
epoch, and by the mean of the ten epochs before it.

Searched are a grid of schedules of two to four rounds, and from the best of each number of rounds
on a local search, in which a round is added, left out or moved, and what loses a little more is
accepted at first (threshold accepting: Dueck and Scheuer 1990). Schedules that were not searched
may lose less; on other pools the one found loses more.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.regret_cost import SIZE, Question, questions
from bench.spread import rounded
from zoo.errors import InputError

Floats = NDArray[np.float64]
Schedule = tuple[tuple[int, int], ...]

SHARES = (0.05, 0.1, 0.15, 0.2)
FIRST = (1, 2, 3, 5, 7)
KEPT = (2, 3, 4, 5, 6, 7, 8, 9, 11)
EPOCHS = (2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 26, 32, 40)
GRID_ROUNDS = (2, 3, 4)
MOVES = 20_000
"""Of the local search from each start."""
WORSE = 0.2
"""Share by which a schedule may lose more and be accepted at first, falling to nothing."""
CHANGES = 4
"""Of a schedule in one move, at most."""
FARTHEST = 1
"""By how many candidates or epochs a round is changed at most."""
SMOOTH = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the least losses as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="+", metavar="SOURCE")
    parser.add_argument("--pools", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    answers = []
    for question in questions(given.sources, None, given.pools, given.seed):
        answers.append(answer(question, given.seed))
        print(question.dataset, file=sys.stderr, flush=True)
    document = {
        "searched": f"a grid of {min(GRID_ROUNDS)} to {max(GRID_ROUNDS)} rounds, the first after "
        f"epoch {FIRST}, the others after {EPOCHS}, of which {KEPT} go on, that cost 85 to 100% of "
        f"the budget; then {MOVES} random moves from the best of each number of rounds, of up to "
        f"{CHANGES} changes: a round more, one less, or one that ends up to {FARTHEST} epoch and "
        f"keeps up to {FARTHEST} candidate off, to any number of rounds and cost within the "
        f"budget, {WORSE:.0%} more lost accepted at first; each entry says how many different "
        "schedules these were",
        "shares": SHARES,
        "datasets": answers,
    }
    json.dump(document, sys.stdout, indent=1)
    print()
    return 0


def answer(question: Question, seed: int) -> dict[str, Any]:
    """Return what is lost in the pools of a question, as JSON values.

    Raises
    ------
    InputError
        If the pools are not of equally many models, paid by the epoch.
    """
    if question.unit != "epochs" or any(len(pool) != SIZE for pool in question.pools):
        raise InputError(
            f"sources: '{question.dataset}' has no pools of {SIZE} models whose epochs cost alike; "
            "give a file of plain curves"
        )
    last = question.horizon
    runs = [[*pool.values()] for pool in question.pools]
    curves = np.array([[run.curve("validation-accuracy") for run in pool] for pool in runs])
    truth = np.array([[*question.truth(pool).values()] for pool in question.pools])
    best = np.maximum.accumulate(curves[:, :, :last], axis=2)
    return {
        "dataset": question.dataset,
        "pools": len(runs),
        "noise": {
            "best of all but the last epoch": rounded(lost(best[:, :, last - 2], truth, 1)),
            f"mean of {SMOOTH} epochs before the last": rounded(
                lost(curves[:, :, last - 1 - SMOOTH : last - 1].mean(axis=2), truth, 1)
            ),
        },
        "kept": {
            f"best {few} after {epoch}": rounded(lost(best[:, :, epoch - 1], truth, few))
            for epoch in FIRST
            for few in KEPT
        },
        "schedules": [
            hindsight(best, truth, share * last * SIZE, np.random.default_rng(seed))
            for share in SHARES
        ],
    }


def lost(scores: Floats, truth: Floats, few: int) -> float:
    """Return the mean points by which the best of the few of highest score is behind the best."""
    kept = np.argsort(-scores, axis=1, kind="stable")[:, :few]
    found = np.take_along_axis(truth, kept, axis=1).max(axis=1)
    return 100 * float((truth.max(axis=1) - found).mean())


def hindsight(
    best: Floats, truth: Floats, budget: float, rng: np.random.Generator
) -> dict[str, Any]:
    """Return the schedule that loses least of those searched within a budget of epochs.

    Parameters
    ----------
    best
        Best value so far, shape (pools, models, epochs).
    truth
        Final accuracies, shape (pools, models).
    budget
        Epochs, at least one of each model.
    rng
        Source of the moves of the local search.

    Raises
    ------
    InputError
        If one epoch of each model does not fit.
    """
    _, models, epochs = best.shape
    simplest: Schedule = ((1, 1),)
    if cost(simplest, models) > budget:
        raise InputError(f"budget is {budget:g} epochs; give one of each of {models} models")
    known = {simplest: regret_of(simplest, best, truth)}
    for schedule in schedules(models, budget):
        if schedule[-1][1] < epochs:
            known[schedule] = regret_of(schedule, best, truth)
    starts = [
        min((one for one in known if len(one) == rounds), key=known.__getitem__)
        for rounds in sorted({len(one) for one in known})
    ]
    for start in starts:
        here = start
        for more in np.linspace(WORSE, 0, MOVES):
            there = moved(here, models, rng)
            if not is_schedule(there, models, epochs - 1) or cost(there, models) > budget:
                continue
            if there not in known:
                known[there] = regret_of(there, best, truth)
            if known[there] <= known[here] * (1 + more):
                here = there
    found = min(known, key=known.__getitem__)
    return {
        "regret": rounded(known[found]),
        "kept_after": found,
        "epochs": cost(found, models),
        "searched": len(known),
    }


def schedules(models: int, budget: float) -> Iterator[Schedule]:
    """Yield schedules of the grid that cost no more than a budget, each to a pick."""
    fewer = [kept for kept in reversed(KEPT) if kept < models]
    for first, rounds in itertools.product(FIRST, GRID_ROUNDS):
        later = [epoch for epoch in EPOCHS if epoch > first]
        for few in itertools.combinations(fewer, rounds - 1):
            for ends in itertools.combinations(later, rounds - 1):
                made = tuple(zip((*few, 1), (first, *ends), strict=True))
                if 0.85 * budget <= cost(made, models) <= budget:
                    yield made


def moved(schedule: Schedule, models: int, rng: np.random.Generator) -> Schedule:
    """Return what a few changes make of a schedule: a round more, one less, or one that is moved.

    It need not be a schedule.
    """
    rounds = [*schedule]
    for _ in range(rng.integers(1, CHANGES + 1)):
        change, place = rng.integers(4), int(rng.integers(len(rounds)))
        if change == 0:
            last = max(1, rounds[-1][1])
            rounds.append((int(rng.integers(2, models)), int(rng.integers(1, last + 1))))
            rounds.sort(key=lambda one: (one[1], -one[0]))
        elif change == 1:
            rounds = rounds[:place] + rounds[place + 1 :] if place < len(rounds) - 1 else rounds
        else:
            few, later = (int(step) for step in rng.integers(-FARTHEST, FARTHEST + 1, 2))
            kept, epoch = rounds[place]
            rounds[place] = (kept + few if place < len(rounds) - 1 else 1, epoch + later)
    return tuple(rounds)


def is_schedule(schedule: Schedule, models: int, epochs: int) -> bool:
    """Tell whether fewer and fewer are kept after later and later epochs, and one at the end."""
    kept = [models, *(few for few, _ in schedule)]
    ends = [0, *(epoch for _, epoch in schedule)]
    falls = all(one > other for one, other in itertools.pairwise(kept))
    rises = all(one < other for one, other in itertools.pairwise(ends))
    return falls and rises and kept[-1] == 1 and ends[-1] <= epochs


def cost(schedule: Schedule, models: int) -> int:
    """Return the epochs that a schedule, (kept, after epoch) each, takes."""
    spent, seen = 0, 0
    for kept, epoch in schedule:
        spent += models * (epoch - seen)
        models, seen = kept, epoch
    return spent


def regret_of(schedule: Schedule, best: Floats, truth: Floats) -> float:
    """Return the mean points lost by the pick of a schedule."""
    left = np.broadcast_to(np.arange(best.shape[1]), best.shape[:2])
    for kept, epoch in schedule:
        scores = np.take_along_axis(best[:, :, epoch - 1], left, axis=1)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :kept]
        left = np.take_along_axis(left, order, axis=1)
    pick = np.take_along_axis(truth, left, axis=1)[:, 0]
    return 100 * float((truth.max(axis=1) - pick).mean())


if __name__ == "__main__":
    raise SystemExit(main())
