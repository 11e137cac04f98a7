"""How the cost of a ranking grows: with images, classes, image size and candidates.

Every row changes one number of a base point and gives its processor seconds ÷ the base point's:
of an observed epoch, and of a process from its beginning to the end of the first measurement, both
in fresh processes of one thread that open images prepared before; for candidates, of whole rankings
of one epoch, command and processes together. The share of an epoch that is measuring stands beside.
All points take turns, several times over: a figure is the median of its turns, its range beside.

    python -m bench.cost_growth --model LeNet5 --turns 3
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.noise import prepared_noise
from ncselect.environment import environment, process_variables

BASE = {"images": 640, "classes": 5, "size": 32}
POINTS: dict[str, tuple[int, ...]] = {
    "images": (1_280, 2_560),
    "classes": (50, 100),
    "size": (64, 96),
}
EPOCHS = 2  # observed in a process, of which the median counts
CANDIDATES = (1, 2, 4, 8)


def main() -> None:
    """Print a line for each point; with a point as JSON, be its process."""
    if sys.argv[1:2] == ["point"]:
        print(json.dumps(epoch(**json.loads(sys.argv[2]))))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="LeNet5")
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    changes = [{}, *({name: to} for name, values in POINTS.items() for to in values)]
    with tempfile.TemporaryDirectory() as folder:
        datasets = [
            prepared_noise(
                point["images"], point["size"], Path(folder) / str(at), classes=point["classes"]
            ).to_json()
            for at, point in enumerate({**BASE, **changed} for changed in changes)
        ]
        turns = [
            [_process(model=given.model, dataset=dataset) for dataset in datasets]
            for _ in range(given.turns)
        ]
    for at, changed in enumerate(changes):
        shares = [turn[at]["measuring"] / turn[at]["epoch"] for turn in turns]
        ratios = {
            name: _spread([turn[at][name] / turn[0][name] for turn in turns])
            for name in ("epoch", "start")
        }
        found = {"epoch": ratios["epoch"], "measuring_share": _spread(shares)}
        line = {"model": given.model, **BASE, **changed, **found, "start": ratios["start"]}
        print(json.dumps(line), flush=True)
    ranking(1)  # loads what the command needs
    rankings = [[ranking(candidates) for candidates in CANDIDATES] for _ in range(given.turns)]
    for at, candidates in enumerate(CANDIDATES):
        ratio = _spread([turn[at] / turn[0] for turn in rankings])
        print(json.dumps({"candidates": candidates, "ranking": ratio}), flush=True)


def epoch(*, model: str, dataset: dict[str, Any]) -> dict[str, float]:
    """Return processor seconds of a start, of an observed epoch, and of measuring in it."""
    from ncselect.spec import RunSpec
    from ncselect.train import Training
    from zoo.models import candidates
    from zoo.prepared import Dataset

    opened = Dataset.from_json(dataset)
    candidate = candidates(model, weights="random")[0]
    spec = RunSpec(
        model=model,
        dataset="noise",
        candidate=candidate.identity(),
        data=opened.identity(),
        environment=environment(1),
    )
    training = Training(spec, candidate, opened)
    training.epoch(0)
    start = time.process_time()  # since the process began
    training.epoch(1)
    epochs, measurings = [], []
    for number in range(2, 2 + EPOCHS):
        started = time.process_time()
        training.epoch(number)
        epochs.append(time.process_time() - started)
        started = time.process_time()
        training.epoch(0)  # measures without training
        measurings.append(time.process_time() - started)
    return {
        "start": start,
        "epoch": statistics.median(epochs),
        "measuring": statistics.median(measurings),
    }


def ranking(candidates: int) -> float:
    """Return the processor seconds of ranking so many small networks after an epoch."""
    from ncselect.selection import selection

    with tempfile.TemporaryDirectory() as folder:
        pool = Path(folder) / "pool.toml"
        pool.write_text(
            "\n".join(
                f'[[model]]\nname = "m{number}"\napplication = "LeNet5"\n'
                f"arguments = {{ dropout = {number / 1000} }}\n"
                for number in range(candidates)
            )
        )
        before = _used()
        made = selection(
            str(pool), "digits", epochs=1, horizon=1, weights="random", threads=1,
            store=Path(folder) / "runs", method_name="last-value",
        ).ranking()  # fmt: skip
        used = _used() - before
    if made.failed or len(made.rows) != candidates:
        raise SystemExit(f"the ranking of {candidates} has no figure; it failed on {made.failed}")
    return used


def _used() -> float:
    """Return the processor seconds of this process and of those that it has waited for."""
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in parts)


def _process(**point: Any) -> dict[str, float]:
    """Return what :func:`epoch` does in a process of its own."""
    finished = subprocess.run(
        [sys.executable, "-m", "bench.cost_growth", "point", json.dumps(point)],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **process_variables(environment(1))},
    )
    return dict(json.loads(finished.stdout))


def _spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median and the range."""
    found = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    return {name: round(value, 3) for name, value in found.items()}


if __name__ == "__main__":
    main()
