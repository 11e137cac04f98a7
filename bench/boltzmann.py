"""Sparse and dense restricted Boltzmann machines on MNIST: the slides' first experiment.

Dense, a fixed Erdős–Rényi graph, and SET, each with several seeds and equal epochs: mean
log-probability of binary test images by annealed importance sampling, connections, and how many
connections a visible unit has in the middle of the image and at its border.

    python -m bench.boltzmann FOLDER [--seeds 3] [--epochs 15] > results/sparse-boltzmann.json
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.spread import rounded
from ncselect.sparse.boltzmann import TOPOLOGIES, BoltzmannMachine
from ncselect.sparse_evaluation.trained import mean

HIDDEN = 500
MIDDLE = 20
"""Side of the square in the middle: digits of MNIST were made to fit into 20 × 20 pixels."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print all machines, and means over seeds, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="of MNIST's four idx files, or any source of grey images")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--train-size", type=int, default=10_000)
    parser.add_argument("--test-size", type=int, default=2_000)
    parser.add_argument("--chains", type=int, default=100)
    given = parser.parse_args(arguments)
    train, test, side = binary(given.folder, given.train_size, given.test_size)
    machines = []
    for seed in range(given.seeds):
        for topology in TOPOLOGIES:
            machine = BoltzmannMachine(
                HIDDEN, topology=topology, epochs=given.epochs, random_state=seed
            )
            started = time.process_time()
            machine.fit(train)
            seconds = time.process_time() - started
            row = {"topology": topology, "seed": seed, "processor_seconds": rounded(seconds)}
            machines.append(row | described(machine, test, side, given.chains))
            print(machines[-1], file=sys.stderr, flush=True)
    document = {
        "protocol": f"{given.folder.rstrip('/').rsplit('/', 1)[-1]}: {len(train)} training and "
        f"{len(test)} test images, binary at a half; {HIDDEN} hidden units, ε = 11, ζ = .3, CD-1, "
        f"{given.epochs} epochs; log Z by {given.chains} chains; intervals: Student's t over seeds",
        "machines": machines,
        "means": [summed(topology, machines) for topology in TOPOLOGIES],
    }
    json.dump(document, sys.stdout, indent=1, ensure_ascii=False)
    print()
    return 0


def binary(
    folder: str, train: int, test: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """Return binary training and test images, shape (n, pixels), and the side of an image."""
    from zoo.datasets import prepare

    data = prepare(folder, train_size=train, validation_size=500, test_size=test)
    side = data.image_shape[0]

    def pixels(split: str) -> NDArray[np.float32]:
        images = np.asarray(data.images(split))[..., 0].reshape(-1, side * side)
        return (images > 127).astype(np.float32)

    return pixels("train"), pixels("test"), side


def described(
    machine: BoltzmannMachine, test: NDArray[np.float32], side: int, chains: int
) -> dict[str, Any]:
    """Return what a trained machine has come to."""
    found = machine.log_probability(test, chains=chains)
    degrees = machine.mask_.sum(axis=1).reshape(side, side)
    edge = (side - MIDDLE) // 2
    inside = np.zeros((side, side), dtype=bool)
    inside[edge : edge + MIDDLE, edge : edge + MIDDLE] = True
    return {
        "log_probability": rounded(found.mean, 5),
        "standard_error": rounded(found.standard_error),
        "connections": int(machine.mask_.sum()),
        "of_a_middle_pixel": rounded(degrees[inside].mean()),
        "of_a_border_pixel": rounded(degrees[~inside].mean()),
    }


def summed(topology: str, machines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return means over seeds and their intervals, and differences by pairs of one seed."""
    found = {(one["topology"], one["seed"]): one["log_probability"] for one in machines}
    own = [one for one in machines if one["topology"] == topology]
    values = {
        name: [one[name] for one in own]
        for name in ("log_probability", "connections", "of_a_middle_pixel", "of_a_border_pixel")
    }
    for other in ("dense", "fixed"):
        values[f"less_{other}"] = [
            one["log_probability"] - found[other, one["seed"]] for one in own
        ]
    means = {name: mean(numbers) for name, numbers in values.items()}
    return {"topology": topology} | {
        name: [rounded(number, 5) for number in (one.value, one.low, one.high)]
        for name, one in means.items()
    }


if __name__ == "__main__":
    raise SystemExit(main())
