"""Why the printed probe unit has β_eff = 0, and which counting of layers has not.

Random ReLU networks of L dense layers in float64, P written out by central differences of
gradients (the oracle, which knows no formula of the paper) and per sample from Appendix B,
against the closed forms and automatic differentiation.

    python -m bench.shallow_probe [--seeds 20] > results/shallow-probe.json
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from collections.abc import Sequence

import numpy as np

from bench.perceptrons import Exact, Layers, kernel_nodes, perceptron, probe
from bench.spread import rounded
from ncselect.numerics import mlp
from ncselect.numerics.held import Flow, flow, held_capacitance
from ncselect.numerics.mixed_hessian import mixed_hessian

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

DEPTHS = (2, 3, 4, 5, 6)
FEATURES, WIDTH, CLASSES, IMAGES = 5, 5, 3, 24
COUNTINGS = {
    "kernels": "the three kernels, as printed",
    "kernels and biases": "the same, with their biases as nodes of the same layers",
    "batch norms as layers": "γ and β of the two batch norms as layers of their own (norm)",
    "one kernel below": "the base's last kernel as layer 1 (base)",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the sizes of β_eff as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    given = parser.parse_args(arguments)
    document = {
        "protocol": f"float64, {IMAGES} random images, {FEATURES} features, hidden width {WIDTH}, "
        f"{CLASSES} classes, random biases; |β| smallest and largest over {given.seeds} seeds. "
        "size: |1ᵀPP1| ÷ 1ᵀ|P||P|1, so that rounding shows as rounding",
        "by_number_of_layers": {
            f"L = {depth}": over_seeds([plain(depth, seed) for seed in range(given.seeds)])
            for depth in DEPTHS
        },
        "the_printed_unit": {
            f"{order}, {statistics}": over_seeds(
                [printed(order, statistics, seed) for seed in range(given.seeds)]
            )
            for order, statistics in itertools.product(
                ("bn-dense", "dense-bn"), ("batch", "inference")
            )
        },
        "countings": COUNTINGS,
    }
    json.dump(document, sys.stdout, indent=1, ensure_ascii=False)
    print()
    return 0


def plain(depth: int, seed: int) -> dict[str, float]:
    """Return β_eff of a plain network of so many dense layers, by every way to P."""
    rng = np.random.default_rng(seed)
    layers = with_biases(perceptron(rng, [FEATURES, *[WIDTH] * (depth - 1), CLASSES]), rng)
    x, labels = rng.normal(size=(IMAGES, FEATURES)), np.arange(IMAGES) % CLASSES
    nodes = kernel_nodes(layers)
    P = mixed_hessian(layers, x, labels, nodes)
    seen = flow(layers, x, labels)
    samples = sample_matrices(seen)
    found = Exact(layers, nodes)(layers, x, labels)
    return {
        "exact, P written out": ratio([P]),
        "exact, P written out, size": size([P]),
        "exact, automatic differentiation": abs(found.value),
        "exact, |P| written out": ratio([np.abs(P)]),
        "held, P written out": ratio(samples),
        "held, P written out, size": size(samples),
        "held, closed form": abs(held_capacitance(seen).value),
        "held, |P| written out": ratio([np.abs(one) for one in samples]),
        "held, |P| closed form": abs(held_capacitance(seen, entrywise=True).value),
        "denominator, P written out, size": abs(P.sum()) / np.abs(P).sum(),
    }


def printed(order: str, statistics: str, seed: int) -> dict[str, float]:
    """Return β_eff of a base with the printed probe unit on top, by what counts as a layer."""
    rng = np.random.default_rng(seed)
    base: Layers = [*perceptron(rng, [FEATURES, WIDTH]), mlp.Activation("relu")]
    unit = probe(rng, WIDTH, (WIDTH, WIDTH), CLASSES, order=order, statistics=statistics)
    base, unit = with_biases(base, rng), with_biases(unit, rng)
    x, labels = rng.normal(size=(IMAGES, FEATURES)), np.arange(IMAGES) % CLASSES
    features = mlp.forward(base, x)[-1]
    kernels = kernel_nodes(unit)
    with_bias = [[(at, "kernel"), (at, "bias")] for ((at, _),) in kernels]
    whole = [*base, *unit]
    counted = {
        "kernels": (unit, features, kernels),
        "kernels and biases": (unit, features, with_bias),
        "batch norms as layers": (unit, features, kernel_nodes(unit, norms=True)),
        "one kernel below": (whole, x, kernel_nodes(whole)),
    }
    found = {}
    for name, (layers, inputs, nodes) in counted.items():
        P = mixed_hessian(layers, inputs, labels, nodes)
        found[f"exact, {name}"] = ratio([P])
        found[f"exact, {name}, size"] = size([P])
    for name, (layers, inputs) in {
        "kernels": (unit, features),
        "one kernel below": (whole, x),
    }.items():
        seen = flow(layers, inputs, labels)
        found[f"held, {name}"] = abs(held_capacitance(seen).value)
        found[f"held entrywise, {name}"] = abs(held_capacitance(seen, entrywise=True).value)
    return found


def with_biases(layers: Layers, rng) -> Layers:
    """Return the network with random biases, of the size of its outputs."""
    return [
        mlp.Dense(layer.kernel, 0.3 * rng.normal(size=layer.kernel.shape[1]))
        if isinstance(layer, mlp.Dense)
        else layer
        for layer in layers
    ]


def sample_matrices(seen: Flow) -> list[np.ndarray]:
    """Return each sample's P by Appendix B, written out entry by entry."""
    shapes = [(u.shape[1], e.shape[1]) for u, e in zip(seen.inputs, seen.errors, strict=True)]
    starts = np.concatenate([[0], np.cumsum([rows * columns for rows, columns in shapes])])
    found = []
    for sample in range(len(seen.inputs[0])):
        P = np.zeros((starts[-1], starts[-1]))
        for layer in range(len(shapes) - 1):
            (inputs, outputs), (_, above) = shapes[layer], shapes[layer + 1]
            u, d = seen.inputs[layer][sample], seen.slopes[layer][sample]
            e = seen.errors[layer + 1][sample]
            # Receiver w(j → i) of this layer, sender w(i → k) of the next: one i on both sides.
            block = np.zeros((inputs, outputs, outputs, above))
            for i in range(outputs):
                block[:, i, i, :] = np.outer(u * d[i], e)
            rows = slice(starts[layer], starts[layer + 1])
            columns = slice(starts[layer + 1], starts[layer + 2])
            P[rows, columns] = block.reshape(inputs * outputs, outputs * above)
        found.append(P)
    return found


def ratio(matrices) -> float:
    """Return |1ᵀPP1 ÷ 1ᵀP1|, means over matrices above and below."""
    numerator = np.mean([P.sum(axis=0) @ P.sum(axis=1) for P in matrices])
    denominator = np.mean([P.sum() for P in matrices])
    return float(abs(numerator / denominator)) if numerator else 0.0


def size(matrices) -> float:
    """Return |1ᵀPP1| ÷ 1ᵀ|P||P|1; 0 if no two links follow each other."""
    numerator = sum(P.sum(axis=0) @ P.sum(axis=1) for P in matrices)
    largest = sum(np.abs(P).sum(axis=0) @ np.abs(P).sum(axis=1) for P in matrices)
    return float(abs(numerator) / largest) if largest else 0.0


def over_seeds(found: Sequence[dict[str, float]]) -> dict[str, dict[str, float | None]]:
    """Return the smallest, middle and largest value over seeds."""
    return {
        name: {
            "least": rounded(min(one[name] for one in found)),
            "median": rounded(np.median([one[name] for one in found])),
            "most": rounded(max(one[name] for one in found)),
        }
        for name in found[0]
    }


if __name__ == "__main__":
    sys.exit(main())
