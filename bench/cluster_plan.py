"""How long many candidates on many datasets take on a Ray cluster, and what share is lost.

A discrete-event simulation: every candidate and dataset is a run that waits for the machine that
asks to hand it over and for a free slot, then starts its process, builds and compiles its network,
extracts features and trains its epochs. Epochs and extraction are those of ``ncselect.cost``,
overheads are measured, see ``bench.cluster_overheads``; a network's are those of one that was
measured, by lot. One command for each dataset, one after the other or all at once.

    python -m bench.cluster_plan --overheads overheads.json > results/cluster-plan.json

Left out: the network and the shared store under load, nodes that are lost, differing processors.
"""

from __future__ import annotations

import argparse
import heapq
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ncselect.cost import RoughCost
from ncselect.spec import RunSpec
from zoo.candidate import Candidate
from zoo.cards import GROUPS, MODELS

PHASES = ("process", "building")
FEWEST, MOST = 1_000, 50_000  # training images of the datasets, evenly in their logarithm


@dataclass(frozen=True)
class Run:
    """Seconds of a run on its slot, and of them those that are overhead."""

    work: float
    overhead: float


@dataclass(frozen=True)
class Asking:
    """Seconds of the machine that asks: before the first run of a command, and per run."""

    command: float
    run: float


def priced(
    measured: Mapping[str, Any], args: argparse.Namespace, rng: np.random.Generator
) -> list[list[Run]]:
    """Return the runs of each dataset."""
    speed = measured["operations_per_second_and_thread"]
    overheads = [
        sum(of[phase] for phase in PHASES) + measured["seconds"]["task_begins_after"]
        for of in measured["networks"].values()
    ]
    names = [name for name in GROUPS["all"] if MODELS[name].application]
    images = np.geomspace(FEWEST, MOST, args.datasets).astype(int)
    runs = []
    for count in rng.permutation(images):
        prices = [_price(name, int(count), args, speed) for name in names]
        runs.append(
            [
                Run(prices[index % len(prices)], float(rng.choice(overheads)))
                for index in range(args.candidates)
            ]
        )
    return runs


def _price(name: str, images: int, args: argparse.Namespace, speed: float) -> float:
    """Return the seconds of extracting features and training; a fifth of the images validates."""
    counts = {"train": images, "validation": images // 5}
    spec = RunSpec(
        model=name,
        dataset="simulated",
        candidate={},
        data={"counts": counts, "image_shape": [args.image_size, args.image_size, 3]},
        environment={"threads": str(args.threads)},
    )
    candidate = Candidate(name, "application", name, {}, "imagenet")
    cost = RoughCost(spec, candidate, lambda threads: threads * speed)
    return float(cost.training().epoch * args.epochs + cost.extraction(source=False))


def finished(runs: Sequence[Run], slots: list[float], began: float, asking: Asking) -> float:
    """Do a command's runs on the slots, a heap of times at which they are free; return its end."""
    asked, end = began + asking.command, began
    for run in runs:
        asked = max(asked, slots[0]) + asking.run  # handed over when a slot is free
        stop = asked + run.overhead + run.work
        heapq.heapreplace(slots, stop)
        end = max(end, stop)
    return end


def one_after_another(datasets: Sequence[Sequence[Run]], slots: int, asking: Asking) -> float:
    """Return seconds until the last command has ended; each begins when the one before has."""
    now = 0.0
    for runs in datasets:
        now = finished(runs, [now] * slots, now, asking)
    return now


def all_at_once(datasets: Sequence[Sequence[Run]], slots: int, asking: Asking) -> float:
    """Return seconds until all have ended; each command hands over in its turn by itself."""
    free = [0.0] * slots
    asked = [asking.command] * len(datasets)
    end = 0.0
    for turn in range(max(map(len, datasets))):
        for number, runs in enumerate(datasets):
            if turn < len(runs):
                asked[number] = max(asked[number], free[0]) + asking.run
                stop = asked[number] + runs[turn].overhead + runs[turn].work
                heapq.heapreplace(free, stop)
                end = max(end, stop)
    return end


def simulated(measured: Mapping[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    """Return hours and shares for each number of nodes."""
    datasets = priced(measured, args, np.random.default_rng(args.seed))
    every = [run for runs in datasets for run in runs]
    networks = measured["networks"].values()
    of_a_run = np.polyfit([of["clock"] for of in networks], [of["asking"] for of in networks], 1)
    asking = Asking(  # a run's own part, and not that of waiting for it
        command=measured["seconds"]["nodes_looked_at"],
        run=measured["seconds"]["task_handed_over"] + float(of_a_run[1]),
    )
    work, overhead = sum(run.work for run in every), sum(run.overhead for run in every)
    longest = [sorted(runs, key=lambda run: -run.work) for runs in datasets]
    rows = []
    for nodes in args.nodes:
        slots = nodes * args.slots
        for way, simulate, runs in (
            ("one by one", one_after_another, datasets),
            ("one by one, longest runs first", one_after_another, longest),
            ("all at once", all_at_once, datasets),
        ):
            seconds = simulate(runs, slots, asking)
            rows.append(
                {
                    "nodes": nodes,
                    "commands": way,
                    "hours": seconds / 3600,
                    "node_hours": nodes * seconds / 3600,
                    "share_training": work / (slots * seconds),
                    "share_starting": overhead / (slots * seconds),
                    "share_idle": 1 - (work + overhead) / (slots * seconds),
                }
            )
    seconds_of_a_run = {
        "training": float(np.mean([run.work for run in every])),
        "training_at_most": max(run.work for run in every),
        "starting": overhead / len(every),
        "asking": asking.run,
    }
    asked = {name: value for name, value in vars(args).items() if name != "overheads"}
    return {"asked": asked, "seconds_of_a_run": seconds_of_a_run, "rows": rows}


def _short(value: Any) -> Any:
    """Return JSON values with numbers of four significant digits."""
    if isinstance(value, Mapping):
        return {name: _short(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_short(one) for one in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--overheads", type=Path, required=True)
    parser.add_argument("--candidates", type=int, default=1000)
    parser.add_argument("--datasets", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 4, 16, 64, 256])
    parser.add_argument("--slots", type=int, default=8, help="Runs at a time on a node.")
    parser.add_argument("--threads", type=int, default=4, help="Of each run.")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    measured = json.loads(args.overheads.read_text())
    found = {**simulated(measured, args), "measured": measured}
    sys.stdout.write(json.dumps(_short(found), indent=1) + "\n")
    err = sys.stderr.write
    err(f"{'nodes':>5} {'commands':>30} {'hours':>8} {'training':>9} {'starting':>9} {'idle':>5}\n")
    for row in found["rows"]:
        shares = (row[f"share_{name}"] for name in ("training", "starting", "idle"))
        cells = "".join(
            f"{share:>{width}.0%}" for share, width in zip(shares, (10, 10, 6), strict=True)
        )
        err(f"{row['nodes']:>5} {row['commands']:>30} {row['hours']:>8.1f}{cells}\n")


if __name__ == "__main__":
    main()
