"""Accuracy lost by the pick against what finding it cost: strategies that drop candidates.

Whole trainings are shown to each strategy as it would have seen them, with a budget of some shares
of what training every candidate to the end costs; the final training of the pick is not counted.

    python -m bench.regret_cost SOURCE … [--hyperparameters DATASET=FILE] [--pools 200] > FILE.json

A source is a file of plain curves, of which random pools of 17 of a dataset are drawn and an epoch
of anybody costs the same; or a store, whose finished runs of one dataset, seed and protocol are a
pool and cost the seconds they took, and a start of the process each time that somebody goes on.
Scores of frozen features are paid with the seconds that their extraction took, of a third of the
budget at most; without a budget, all. A pick of whom nothing is known is one at random.
Beside: strategies without a budget, and Optuna's pruners, one trial after the other, each at its
own cost.

What ``combined`` knows besides: weights of the scores and final accuracies that come with the
package. Accuracies on the dataset itself are left out, by its own name or that of its ``SOURCES``;
the weights were learned from all datasets of the table, and hyperparameters that are not given are
the package's. The intervals are those of drawing pools, not of drawing networks.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from bench.optuna_pruners import pruned
from bench.spread import rounded
from ncselect.answers import not_told_of
from ncselect.cost import BUILD_SECONDS, TRACE_SECONDS
from ncselect.curves import is_curves_file, read_curves
from ncselect.elimination.live import FEATURES_SHARE
from ncselect.elimination.race import race
from ncselect.elimination.replay import Replay
from ncselect.elimination.strategies import strategy
from ncselect.methods import PLAIN, Method, parsed_method
from ncselect.store import RunStore
from ncselect.types import Background, Estimates, RunRecord

SIZE = 17
SHARES = (0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.13, 0.2, 0.3, 0.5)
ORDERED = (
    "uniform",
    "top-after-one:top=3",
    "successive-halving:eta=2",
    "successive-halving:eta=3",
)
STRATEGIES = {PLAIN: ORDERED, "combined": (*ORDERED, "confident")}
"""Method → strategies that it can serve: ``confident`` needs one that says how sure it is."""
UNBOUNDED = ("successive-halving:eta=2", "successive-halving:eta=3", "confident")
"""Strategies that end early by themselves: run without a budget, too."""
RESAMPLES = 2000
SOURCES = {"cifar10_12k": "cifar10"}
"""Name of a dataset in stores → of the one that it is a part of."""

Pool = Mapping[str, RunRecord]


@dataclass(frozen=True)
class Question:
    """Pools on one dataset, and how they are paid.

    Attributes
    ----------
    dataset
        Its name.
    horizon
        Epoch of the truth.
    pools
        Model → its whole run, of each.
    unit
        ``epochs`` or ``seconds``, as of :class:`~ncselect.elimination.replay.Replay`.
    hyperparameters
        File of those of ``combined``, learned without this dataset; empty for the package's.
    source
        Name of the file or the store that its runs are from.
    """

    dataset: str
    horizon: int
    pools: tuple[Pool, ...]
    unit: str
    hyperparameters: str = ""
    source: str = ""

    def replay(self, pool: Pool) -> Replay:
        """Return what shows a pool's runs; a process takes as long to start as it took."""
        starts = dict.fromkeys(pool, 0.0)
        if self.unit == "seconds":
            starts = {
                model: BUILD_SECONDS + run.facts.get("trace_seconds", TRACE_SECONDS)
                for model, run in pool.items()
            }
        return Replay(pool, unit=self.unit, starts=starts)

    def whole(self, pool: Pool) -> float:
        """Return what training every candidate to its end costs, one process each."""
        shown = self.replay(pool)
        return sum(
            shown.starts[model] + shown.prices[model] * min(run.epochs, self.horizon)
            for model, run in pool.items()
        )

    def truth(self, pool: Pool) -> dict[str, float]:
        """Return model → final accuracy."""
        return {model: run.held(self.horizon).truth[self.horizon] for model, run in pool.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print regret against cost as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="+", metavar="SOURCE")
    parser.add_argument("--dataset", action="append", help="of the sources; default: all")
    parser.add_argument("--hyperparameters", action="append", default=[], metavar="DATASET=FILE")
    parser.add_argument("--pools", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args(arguments)
    learned = dict(pair.split("=", 1) for pair in given.hyperparameters)
    answers = []
    for question in questions(given.sources, given.dataset, given.pools, given.seed):
        asked = dataclasses.replace(question, hyperparameters=learned.get(question.dataset, ""))
        with ProcessPoolExecutor(given.workers) as processes:
            found = [*processes.map(partial(regrets, asked), asked.pools, chunksize=4)]
        answers.append(summary(asked, found))
        print(f"{asked.dataset}: {len(asked.pools)} pools", file=sys.stderr, flush=True)
    document = {
        "protocol": "share of the cost of training all candidates to the end; regret in points of "
        "accuracy, means over pools and 95% bootstrap intervals of them; area: mean regret over "
        "the shares, on a logarithmic scale of cost; less: than best_plain, by pairs, which is the "
        f"strategy with {PLAIN} of the least area",
        "datasets": answers,
    }
    json.dump(document, sys.stdout, indent=1, ensure_ascii=False)
    print()
    return 0


def questions(
    sources: Sequence[str], datasets: Sequence[str] | None, pools: int, seed: int
) -> Iterator[Question]:
    """Yield the pools of each source and dataset."""
    for source in sources:
        if is_curves_file(source):
            runs = read_curves(source)
            for dataset in sorted({one.spec.dataset for one in runs}):
                if datasets and dataset not in datasets:
                    continue
                own = [one for one in runs if one.spec.dataset == dataset]
                rng = np.random.default_rng(seed)
                drawn = [rng.choice(len(own), SIZE, replace=False) for _ in range(pools)]
                horizon = max(own[0].truth)
                yield Question(
                    dataset,
                    horizon,
                    tuple({own[k].spec.model: own[k] for k in one} for one in drawn),
                    "epochs",
                    source=Path(source).name,
                )
        else:
            for question in stored_questions(stored_runs(RunStore(source, create=False))):
                if not datasets or question.dataset in datasets:
                    yield dataclasses.replace(question, source=Path(source).name)


def stored_runs(store: RunStore) -> list[RunRecord]:
    """Return a store's runs with ``extraction_seconds``, those of their features, as a fact."""
    found = []
    for record in store.records():
        features = store.find_features(record.spec)
        took = 0.0 if features is None else features.facts.get("extraction_seconds", 0.0)
        facts = {**record.facts, "extraction_seconds": took}
        found.append(dataclasses.replace(record, facts=facts))
    return found


def stored_questions(records: Sequence[RunRecord]) -> Iterator[Question]:
    """Yield the pools of stored runs: a question per dataset and horizon, a pool per seed.

    Runs that neither reached the horizon nor ended early are left out, and so is a pool of one.
    """
    pools: dict[str, dict[str, RunRecord]] = {}
    for record in records:
        flat = record.spec.flat()
        shared = {k: v for k, v in flat.items() if k != "model" and not k.startswith("candidate.")}
        if record.truth:
            pools.setdefault(json.dumps(shared, sort_keys=True), {})[record.spec.model] = record
    alike: dict[tuple[str, int], list[Pool]] = {}
    for pool in pools.values():
        horizon = max(max(run.truth) for run in pool.values())
        whole = {model: run for model, run in pool.items() if horizon in run.held(horizon).truth}
        if len(whole) > 1:
            dataset = next(iter(whole.values())).spec.dataset
            alike.setdefault((dataset, horizon), []).append(whole)
    for (dataset, horizon), found in sorted(alike.items()):
        yield Question(dataset, horizon, tuple(found), "seconds")


def regrets(question: Question, pool: Pool) -> dict[str, list[tuple[float, float]]]:
    """Return label → (share of the cost, points of accuracy lost) at every budget."""
    truth, whole = question.truth(pool), question.whole(pool)
    best = max(truth.values())
    at_random = 100 * (best - sum(truth.values()) / len(truth))
    pool = {model: as_named_elsewhere(run) for model, run in pool.items()}
    found: dict[str, list[tuple[float, float]]] = {}
    for name, strategies in STRATEGIES.items():
        method = judge(question, name, [run.observed(0) for run in pool.values()])
        estimate, uses_scores = remembered(method), bool(method.scores)
        for by in strategies:
            budgets = [(f"{by} {name}", share * whole) for share in SHARES]
            if by in UNBOUNDED:
                budgets.append((f"{by} {name}, no budget", math.inf))
            for label, budget in budgets:
                seen, paid = scored(pool, budget) if uses_scores else (pool, 0.0)
                runner = question.replay(seen)
                runner.spent = paid
                ended = race(
                    strategy(by),
                    runner,
                    estimate,
                    {model: run.observed(0) for model, run in seen.items()},
                    most=question.horizon - 1,
                    budget=budget,
                )
                told = bool(ended.standing.estimates.estimates)
                lost = 100 * (best - truth[ended.order[0]]) if told else at_random
                found.setdefault(label, []).append((runner.spent / whole, lost))
    for name, (cost, pick) in pruned(pool, question.replay(pool), question.horizon).items():
        found[name] = [(cost / whole, 100 * (best - truth[pick]))]
    return found


def scored(pool: Pool, budget: float) -> tuple[Pool, float]:
    """Return the pool with the scores that fit into a share of the budget, and their price."""
    spent, seen = 0.0, {}
    for model, run in pool.items():
        seconds = run.facts.get("extraction_seconds", 0.0)
        if spent + seconds <= budget / FEATURES_SHARE:
            spent += seconds
            seen[model] = run
        else:
            seen[model] = dataclasses.replace(run, scores={})
    return seen, spent


def as_named_elsewhere(run: RunRecord) -> RunRecord:
    """Return a run under its dataset's name in experience, so that it is known to be that one."""
    dataset = SOURCES.get(run.spec.dataset, run.spec.dataset)
    return dataclasses.replace(run, spec=dataclasses.replace(run.spec, dataset=dataset))


def judge(question: Question, name: str, pool: Sequence[RunRecord]) -> Method:
    """Return a method that knows the horizon and nothing of these runs."""
    text = name
    if name == "combined" and question.hyperparameters:
        text = f"combined:hyperparameters={question.hyperparameters}"
    return not_told_of(parsed_method(text, Background(horizon=question.horizon)), pool)


def remembered(method: Method) -> Callable[[Sequence[RunRecord]], Estimates]:
    """Return the method's estimate, asked once for the same candidates and epochs."""
    known: dict[frozenset[tuple[str, int, bool]], Estimates] = {}

    def estimate(records: Sequence[RunRecord]) -> Estimates:
        place = frozenset((one.spec.model, one.epochs, bool(one.scores)) for one in records)
        if place not in known:
            known[place] = method.estimate(records)
        return known[place]

    return estimate


def summary(
    question: Question, found: Sequence[Mapping[str, Sequence[tuple[float, float]]]]
) -> dict[str, Any]:
    """Return means over pools with their intervals, and differences by pairs."""
    count = len(found)
    draws = np.random.default_rng(0).integers(0, count, (RESAMPLES, count))
    values = {label: np.array([one[label] for one in found]) for label in found[0]}
    plain = [f"{by} {PLAIN}" for by in ORDERED]
    best_plain = min(plain, key=lambda label: area(values[label][:, :, 1]).mean())
    reference = values[best_plain][:, :, 1]
    rows = []
    for label, points in values.items():  # pools, shares, (cost, regret)
        regret = points[:, :, 1]
        row = {
            "strategy": label,
            "cost": [rounded(mean) for mean in points[:, :, 0].mean(axis=0)],
            "regret": intervals(regret, draws),
        }
        if regret.shape == reference.shape:
            row["less"] = intervals(regret - reference, draws)
            row["area"] = intervals(area(regret)[:, np.newaxis], draws)[0]
            row["area_less"] = intervals(area(regret - reference)[:, np.newaxis], draws)[0]
        rows.append(row)
    return {
        "dataset": question.dataset,
        "source": question.source,
        "horizon": question.horizon,
        "pools": count,
        "models": max(len(pool) for pool in question.pools),
        "paid": question.unit,
        "shares": list(SHARES),
        "best_plain": best_plain,
        "rows": rows,
    }


def area(regret: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean regret over log-spaced cost, by trapezes, shape (pools,)."""
    scale = np.log(SHARES)
    return np.asarray(np.trapezoid(regret, scale, axis=1) / (scale[-1] - scale[0]))


def intervals(values: NDArray[np.float64], draws: NDArray[np.int64]) -> list[list[float | None]]:
    """Return mean, low and high of each column; no interval of a single pool."""
    made = []
    for column in values.T:
        ends: tuple[float, ...] = (np.nan, np.nan)
        if len(column) > 1:
            ends = tuple(np.quantile(column[draws].mean(axis=1), [0.025, 0.975]))
        made.append([rounded(number) for number in (column.mean(), *ends)])
    return made


if __name__ == "__main__":
    raise SystemExit(main())
