"""What no fixed schedule of dropping candidates can avoid losing, with all curves known.

    python -m bench.fixed_schedules CURVES.jsonl.gz [--pools 400] > FILE.json

For random pools of 17 of each dataset, in points of accuracy: what is lost by the schedule (how
many are kept after which epochs, by best value) that is best in hindsight on these very pools, at
some shares of the cost of training every candidate to the end; what is lost by keeping the best few
after the first epochs and taking the best of these; and the noise of the truth: what is lost by the
best value of all but the last epoch, and by the mean of the ten epochs before it.
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

from bench.regret_cost import SIZE, questions
from bench.spread import rounded

Floats = NDArray[np.float64]
Schedule = tuple[tuple[int, int], ...]

SHARES = (0.05, 0.1, 0.15, 0.2)
FIRST = (1, 2, 3, 5, 7)
KEPT = (2, 3, 4, 5, 6, 7, 8, 9, 11)
EPOCHS = (2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 26, 32, 40)
SMOOTH = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the floors as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="+", metavar="SOURCE")
    parser.add_argument("--pools", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    answers = []
    for question in questions(given.sources, None, given.pools, given.seed):
        last = question.horizon
        runs = [[*pool.values()] for pool in question.pools]
        curves = np.array([[run.curve("validation-accuracy") for run in pool] for pool in runs])
        truth = np.array([[*question.truth(pool).values()] for pool in question.pools])
        best = np.maximum.accumulate(curves[:, :, :last], axis=2)
        answers.append(
            {
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
                "schedules": [hindsight(best, truth, share * last * SIZE) for share in SHARES],
            }
        )
        print(question.dataset, file=sys.stderr, flush=True)
    json.dump({"shares": SHARES, "datasets": answers}, sys.stdout, indent=1)
    print()
    return 0


def lost(scores: Floats, truth: Floats, few: int) -> float:
    """Return the mean points by which the best of the few of highest score is behind the best."""
    kept = np.argsort(-scores, axis=1, kind="stable")[:, :few]
    found = np.take_along_axis(truth, kept, axis=1).max(axis=1)
    return 100 * float((truth.max(axis=1) - found).mean())


def hindsight(best: Floats, truth: Floats, budget: float) -> dict[str, Any]:
    """Return the schedule that loses least within a budget of epochs.

    Parameters
    ----------
    best
        Best value so far, shape (pools, models, epochs).
    truth
        Final accuracies, shape (pools, models).
    budget
        Epochs.
    """
    found: Schedule = ((1, 1),)
    lowest = regret_of(found, best, truth)
    for schedule in schedules(best.shape[1], budget):
        regret = regret_of(schedule, best, truth)
        if regret < lowest:
            lowest, found = regret, schedule
    return {"regret": rounded(lowest), "kept_after": found, "epochs": cost(found, best.shape[1])}


def schedules(models: int, budget: float) -> Iterator[Schedule]:
    """Yield schedules of two to four rounds that cost no more than a budget, each to a pick."""
    for first in FIRST:
        for rounds in range(1, 4):
            for few in itertools.combinations([k for k in reversed(KEPT) if k < models], rounds):
                for ends in itertools.combinations([e for e in EPOCHS if e > first], rounds):
                    made = tuple(zip((*few, 1), (first, *ends), strict=True))
                    if 0.85 * budget <= cost(made, models) <= budget:
                        yield made


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
