"""Seconds that the methods of published curve extrapolation take for a pool of 17 curves.

Run with ``python -m bench.curve_methods --curves FILE``. The file has a JSON line per curve with
``dataset``, ``model``, ``hparams`` and ``acc``, the accuracy after every epoch; it may be gzipped.
The pool is drawn from one of its datasets, the history of at most 400 curves from the others. A
line per method and number of observed epochs is printed; ``processor_seconds`` is what the
method takes of one core, ``seconds`` what it takes on the machine as it is.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import gzip
import json
import time
from pathlib import Path

import numpy as np

from ncselect.methods.bgrn import CurveSupportVectors
from ncselect.methods.cl import SourceTaskCurves
from ncselect.methods.lc import ParametricCurves
from ncselect.types import Curve, Observation, RunRecord, RunSpec

POOL, HISTORY, HORIZON = 17, 400, 50


def main() -> None:
    """Print a line for each method after 5 and after 10 epochs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--curves", type=Path, required=True)
    parser.add_argument("--dataset", default="cifar-10")
    given = parser.parse_args()
    curves = [one for one in read(given.curves) if len(one.accuracy) >= HORIZON]
    rng = np.random.default_rng(0)
    pool = drawn(rng, [one for one in curves if one.dataset == given.dataset], POOL)
    history = tuple(drawn(rng, [one for one in curves if one.dataset != given.dataset], HISTORY))
    for epochs in (5, 10):
        records = [record(number, one, epochs) for number, one in enumerate(pool)]
        for method in (
            ParametricCurves(horizon=HORIZON),
            SourceTaskCurves(horizon=HORIZON, history=history),
            CurveSupportVectors(horizon=HORIZON, history=history),
        ):
            clock, processor = time.perf_counter(), time.process_time()
            answer = method.estimate(records)
            measured = {
                "method": method.name,
                "curves": len(records),
                "epochs": epochs,
                "history": 0 if method.name == "lc" else len(history),
                "refused": len(answer.refused),
                "seconds": round(time.perf_counter() - clock, 2),
                "processor_seconds": round(time.process_time() - processor, 2),
            }
            print(json.dumps(measured), flush=True)


def read(path: Path) -> list[Curve]:
    """Read the curves of a file, with the numbers among their hyperparameters."""
    stored = path.read_bytes()
    text = gzip.decompress(stored) if path.suffix == ".gz" else stored
    documents = [json.loads(line) for line in text.splitlines()]
    return [
        Curve(
            one["dataset"],
            one["model"],
            np.array(one["acc"]),
            {name: value for name, value in one["hparams"].items() if not isinstance(value, str)},
        )
        for one in documents
    ]


def drawn(rng: np.random.Generator, curves: list[Curve], count: int) -> list[Curve]:
    chosen = rng.choice(len(curves), min(count, len(curves)), replace=False)
    return [curves[position] for position in chosen]


def record(number: int, curve: Curve, epochs: int) -> RunRecord:
    """Return a run that shows the first epochs of a curve."""
    model = f"{curve.model}-{number}"
    candidate = {"source": model, "facts": dict(curve.facts)}
    spec = RunSpec(model=model, dataset=curve.dataset, candidate=candidate, data={})
    seen = [0.0, *curve.accuracy[:epochs]]
    observations = [
        Observation(epoch, {"validation-accuracy": float(value)}, 0.0)
        for epoch, value in enumerate(seen)
    ]
    return RunRecord(spec, tuple(observations))


if __name__ == "__main__":
    main()
