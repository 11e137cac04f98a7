"""Seconds to predict the final accuracies of a pool, beside the paper's table G.2.

    python -m bench.curve_methods [--runs PATH] [--epochs 5]

The pool is 17 runs: made ones, seeded, of 50 epochs with accuracies and β_eff; or, of ``--runs``,
a store or a file of plain curves (``.jsonl``, ``.jsonl.gz``), 17 drawn from the complete ones on
``--dataset``. A line per method that needs nothing but curves and β_eff. ``bgrn`` and ``cl`` learn
anew for every candidate, from the whole curves of the other 16, as in the paper. Each method first
answers once for two runs, so that loading libraries is not counted. ``seconds`` is the median of
three answers (of one that takes longer than 5 s, that one), ``processor_seconds`` what it takes of
one core; ``paper_seconds`` are the least and the most of the paper's five datasets, after 5 epochs,
on a machine that it does not state.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import dataclasses
import json
import statistics
import time
from pathlib import Path

import numpy as np

from ncselect.answers import Answer, answer
from ncselect.curves import is_curves_file, read_curves
from ncselect.methods import parsed_method
from ncselect.methods.extrapolation import DEFAULT_DEFINITION
from ncselect.reproduction.paper import TABLE_G2
from ncselect.spec import RunSpec
from ncselect.store import RunStore
from ncselect.types import Background, Observation, RunRecord
from zoo.errors import InputError, UnknownNameError

POOL, HORIZON = 17, 50
METHODS = ("capacitance", "best-value", "last-value", "bgrn", "cl", "lc", "combined")
LEARN_FROM_THE_OTHERS = ("bgrn", "cl")
ANSWERS, LONG = 3, 5.0


def main() -> None:
    """Print a line for each method and number of observed epochs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--dataset")
    parser.add_argument("--epochs", type=int, nargs="+", default=[5])
    given = parser.parse_args()
    pool, horizon = (made(), HORIZON) if given.runs is None else drawn(given.runs, given.dataset)
    for epochs in given.epochs:
        for name in METHODS:
            measured = timed(name, pool, epochs, horizon)
            about = {"method": name, "runs": len(pool), "epochs": epochs}
            print(json.dumps(about | measured | {"paper_seconds": in_paper(name)}), flush=True)


def timed(name: str, pool: list[RunRecord], epochs: int, horizon: int) -> dict[str, object]:
    """Return how long a method takes for a pool, and how many it refuses."""
    method = parsed_method(name, Background(horizon=horizon))

    def ask(runs: list[RunRecord]) -> tuple[Answer, float]:
        processor = time.process_time()
        found = answer(
            method,
            runs,
            epochs=epochs,
            horizon=horizon,
            leave_one_out=name in LEARN_FROM_THE_OTHERS,
        )
        return found, time.process_time() - processor

    ask(pool[:2])
    answers = [ask(pool)]
    while answers[0][0].seconds < LONG and len(answers) < ANSWERS:
        answers.append(ask(pool))
    refused = answers[0][0].estimates.refused
    return {
        "refused": len(refused),
        "why": next(iter(refused.values()), None),
        "seconds": round(statistics.median(one.seconds for one, _ in answers), 4),
        "processor_seconds": round(statistics.median(spent for _, spent in answers), 4),
    }


def in_paper(name: str) -> list[float] | None:
    """Return the least and the most seconds that the paper prints for a method."""
    printed = [seconds for cell in TABLE_G2.get(name, {}).values() for seconds in cell if seconds]
    return [min(printed), max(printed)] if printed else None


def made() -> list[RunRecord]:
    """Return runs whose accuracies rise as a power of the epoch while β_eff falls to 0."""
    rng = np.random.default_rng(0)
    runs = []
    for number in range(POOL):
        final, slope, speed = rng.uniform(0.6, 0.95), rng.uniform(1, 4), rng.uniform(0.4, 1.2)
        missing = 0.4 / np.arange(1, HORIZON + 1) ** speed
        accuracy = np.clip(final - missing + rng.normal(0, 0.005, HORIZON), 0, 1)
        beta = slope * missing * np.exp(rng.normal(0, 0.05, HORIZON))
        observations = [Observation(0, {}, 0.0)] + [
            Observation(
                epoch,
                {"validation-accuracy": float(seen), f"beta/{DEFAULT_DEFINITION}": float(value)},
                1.0,
            )
            for epoch, (seen, value) in enumerate(zip(accuracy, beta, strict=True), start=1)
        ]
        spec = RunSpec(
            model=f"made-{number}",
            dataset="made",
            candidate={"weights": "random", "facts": {"slope": float(slope)}},
            data={},
        )
        truth = {HORIZON: float(accuracy[-1])}
        runs.append(RunRecord(spec, tuple(observations), "complete", truth=truth))
    return runs


def drawn(path: Path, dataset: str | None) -> tuple[list[RunRecord], int]:
    """Return up to 17 complete runs on one dataset, and the epoch that most of those end at."""
    records = read_curves(path) if is_curves_file(path) else RunStore(path, create=False).records()
    complete = [one for one in records if one.status == "complete" and one.truth]
    if not complete:
        raise InputError(f"runs: '{path}' has no complete run; finish them with 'ncselect rank'")
    wanted = dataset or complete[0].spec.dataset
    there = [one for one in complete if one.spec.dataset == wanted]
    if not there:
        raise UnknownNameError("dataset", wanted, {one.spec.dataset for one in complete})
    horizon = statistics.mode(max(one.truth) for one in there)
    there = [one for one in there if max(one.truth) == horizon]
    places = np.random.default_rng(0).choice(len(there), min(POOL, len(there)), replace=False)
    return [named(there[place], number) for number, place in enumerate(places)], horizon


def named(record: RunRecord, number: int) -> RunRecord:
    """Return a run under a name that no other of the pool has."""
    model = f"{record.spec.model}-{number}"
    return dataclasses.replace(record, spec=dataclasses.replace(record.spec, model=model))


if __name__ == "__main__":
    main()
