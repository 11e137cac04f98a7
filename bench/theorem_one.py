"""When β_eff goes to 0: Theorem 1 of the neural capacitance paper, followed numerically.

Small ReLU networks in float64 on the bundled digits, by how they are trained: to interpolation,
to a minimum that keeps a loss, whole or below a frozen probe unit; and, where stores of finished
runs are named, what β_eff did there.

    python -m bench.theorem_one [--seeds 8] [STORE…] > results/theorem-one.json
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.perceptrons import (
    Layers,
    Measured,
    Ruler,
    adam,
    descent,
    digits,
    parameters,
    perceptron,
    probe,
)
from bench.spread import rounded, spread
from ncselect.numerics import mlp

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

CLASSES = 10
RECORDED = (
    "base/held/signed", "base/exact/signed", "base/held/entrywise", "kernels/held/entrywise",
    "norm/exact/signed",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A way to train.

    Attributes
    ----------
    says
        In words.
    labels
        ``clean``; ``conflicting``: every image three times, once with another class;
        ``random``: half of all labels drawn anew.
    images
        Different images.
    widths
        Of the hidden layers that are trained.
    probed
        Statistics of the batch norms of a frozen probe unit on top, nothing but the layers below
        it being trained; None: there is no probe unit and all layers are trained.
    descent
        Whether L-BFGS takes over from Adam, to come to a minimum that keeps a loss.
    """

    says: str
    labels: str
    images: int = 100
    widths: tuple[int, ...] = (32, 24, 16)
    probed: str | None = None
    descent: bool = False


BELOW = (64, 48)
CASES = {
    "interpolated": Case("all layers trained, every image fitted", "clean"),
    "conflicting": Case(
        "all layers trained, each image with labels that disagree", "conflicting", descent=True
    ),
    "narrow": Case(
        "all layers trained, too narrow for noisy labels",
        "random", images=600, widths=(8, 6, 6), descent=True,
    ),
    "probe-interpolated": Case(
        "below a frozen probe unit with inference statistics, every image fitted",
        "clean", widths=BELOW, probed="inference",
    ),
    "probe-batch": Case(
        "below a frozen probe unit with batch statistics, labels that could be fitted",
        "clean", widths=BELOW, probed="batch", descent=True,
    ),
    "probe-conflicting": Case(
        "below a frozen probe unit with inference statistics, each image with labels that disagree",
        "conflicting", widths=BELOW, probed="inference", descent=True,
    ),
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was followed as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stores", nargs="*", help="stores of finished runs, each one pool")
    parser.add_argument("--seeds", type=int, default=8)
    given = parser.parse_args(arguments)
    document = {
        "protocol": "digits 8x8, float64; Adam on all images at once (rate .003, 3,000 steps) to "
        "interpolation, 500 steps and then L-BFGS to a minimum with loss; β of all kernels, below "
        "a probe unit of the base's last kernel and the unit's (base), or of the unit's kernels "
        "and batch norms (norm); medians over seeds with 95% bootstrap intervals",
        "cases": {name: followed(case, given.seeds) for name, case in CASES.items()},
        "runs": {Path(store).name: recorded(store) for store in given.stores},
    }
    json.dump(document, sys.stdout, indent=1, ensure_ascii=False)
    print()
    return 0


def followed(case: Case, seeds: int) -> dict[str, object]:
    """Return what β does in a case, over seeds."""
    ruler: Ruler | None = None
    paths = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        x, labels = labelled(case, rng)
        layers, start, stop = network(case, rng)
        if ruler is None:
            ruler = Ruler(layers, start, stop if case.probed else None)
        points = training(case, layers, x, labels, stop)
        paths.append([(step, ruler(now, x, labels), free(now, x, labels, stop))
                      for step, now in points])  # fmt: skip
    return summary(case, paths)


def labelled(case: Case, rng):
    """Return the case's images and labels."""
    x, labels = digits(case.images, rng)
    if case.labels == "conflicting":
        other = (labels + rng.integers(1, CLASSES, len(labels))) % CLASSES
        return np.concatenate([x, x, x]), np.concatenate([labels, labels, other])
    if case.labels == "random":
        drawn = rng.random(len(labels)) < 0.5
        labels = np.where(drawn, rng.integers(0, CLASSES, len(labels)), labels)
    return x, labels


def network(case: Case, rng) -> tuple[Layers, int, int]:
    """Return layers, where the lowest measured kernel is, and where trained layers end."""
    if case.probed is None:
        layers = perceptron(rng, [64, *case.widths, CLASSES])
        return layers, 0, len(layers)
    base = [*perceptron(rng, [64, *case.widths]), mlp.Activation("relu")]
    unit = probe(rng, case.widths[-1], (32, 24), CLASSES, order="bn-dense", statistics=case.probed)
    return [*base, *unit], len(base) - 2, len(base)


def training(case: Case, layers: Layers, x, labels, stop: int):
    """Yield (step, network) at steps spread evenly on a logarithmic scale, and at the end."""
    trained = parameters(layers, stop)
    steps = 500 if case.descent else 3000
    wanted = set(np.unique(np.geomspace(10, steps, 40).astype(int)).tolist())
    path = itertools.islice(adam(layers, x, labels, trained, rate=0.003), steps)
    now = layers
    for step, now in enumerate(path, start=1):
        if step in wanted:
            yield step, now
    if case.descent:
        found = list(descent(now, x, labels, trained, steps=1500))
        for at in np.unique(np.geomspace(1, len(found), 40).astype(int)):
            yield steps + int(at), found[at - 1]


def free(layers: Layers, x, labels, stop: int) -> float:
    """Return the norm of the mean gradient by what is trained."""
    found = mlp.gradients(layers, x, labels)
    return float(
        np.sqrt(sum((found[at][name] ** 2).sum() for at, name in parameters(layers, stop)))
    )


def summary(case: Case, paths: list[list[tuple[int, Measured, float]]]) -> dict[str, object]:
    """Return residuals, gradients and every definition's β over seeds."""
    ends = [path[-1] for path in paths]
    definitions = {}
    for name in ends[0][1].beta:
        values = [np.array([seen.beta[name].value for _, seen, _ in path]) for path in paths]
        below = [np.array([seen.beta[name].denominator for _, seen, _ in path]) for path in paths]
        above = [np.array([seen.beta[name].numerator for _, seen, _ in path]) for path in paths]
        residuals = [np.array([seen.residual for _, seen, _ in path]) for path in paths]
        tails = [np.arange(len(path)) >= len(path) // 2 for path in paths]
        definitions[name] = {
            "beta_start": spread([abs(v[0]) for v in values]),
            "beta_end": spread([abs(v[-1]) for v in values]),
            "end_over_start": spread([abs(v[-1] / v[0]) for v in values]),
            "largest_over_start": spread([np.abs(v / v[0]).max() for v in values]),
            "numerator_end_over_start": spread([abs(a[-1] / a[0]) for a in above]),
            "denominator_end_over_start": spread([abs(b[-1] / b[0]) for b in below]),
            "sign_changes_of_denominator": spread([sign_changes(b) for b in below]),
            "share_of_seeds_with_a_sign_change_in_the_second_half": rounded(
                np.mean([sign_changes(b[t]) > 0 for b, t in zip(below, tails, strict=True)])
            ),
        }
        if not case.descent:
            definitions[name] |= {
                f"slope_of_log_{part}_on_log_residual": spread(
                    [slope(r[t], v[t]) for r, v, t in zip(residuals, these, tails, strict=True)]
                )
                for part, these in (("beta", values), ("numerator", above), ("denominator", below))
            }
    return {
        "training": case.says,
        "seeds": len(paths),
        "residual_start": spread([path[0][1].residual for path in paths]),
        "residual_end": spread([seen.residual for _, seen, _ in ends]),
        "gradient_of_trained_weights_end": spread([gradient for *_, gradient in ends]),
        "gradient_of_measured_kernels_end": spread([seen.gradient for _, seen, _ in ends]),
        "mean_sample_gradient_of_measured_kernels_end": spread(
            [seen.sample_gradient for _, seen, _ in ends]
        ),
        "share_of_total_degree_left_by_signs_end": spread(
            [seen.cancelled["held/signed"] for _, seen, _ in ends]
        ),
        "definitions": definitions,
    }


def recorded(store: str) -> dict[str, object]:
    """Return what β did in finished runs, over models."""
    from ncselect.store import RunStore

    records = [r for r in RunStore(store, create=False).records() if r.status == "complete"]
    found: dict[str, object] = {
        "models": len(records),
        "epochs": records[0].epochs,
        "residual_epoch_1": spread([r.curve("residual")[0] for r in records]),
        "residual_end": spread([r.curve("residual")[-1] for r in records]),
    }
    for name in RECORDED:
        betas = [r.curve(f"beta/{name}") for r in records]
        below = [r.curve(f"denominator/{name.removesuffix('/signed')}") for r in records]
        residuals = [r.curve("residual") for r in records]
        found[name] = {
            "slope_of_log_beta_on_log_residual": spread(
                [slope(r, b) for r, b in zip(residuals, betas, strict=True)]
            ),
            "end_over_epoch_1": spread([abs(b[-1] / b[0]) for b in betas]),
            "share_of_models_with_sign_changes_of_denominator": rounded(
                np.mean([sign_changes(d) > 0 for d in below])
            ),
            "sign_changes_of_denominator_per_run": spread([sign_changes(d) for d in below]),
            "share_of_epochs_with_denominator_under_1_percent_of_median": rounded(
                np.mean([np.abs(d) < 0.01 * np.median(np.abs(d)) for d in below])
            ),
            "largest_over_median": spread([np.abs(b).max() / np.median(np.abs(b)) for b in betas]),
        }
    return found


def slope(residuals, values) -> float:
    """Return the least-squares slope of log|values| on log residuals."""
    return float(np.polyfit(np.log(residuals), np.log(np.abs(values)), 1)[0])


def sign_changes(values) -> int:
    """Return how often neighbouring values have different signs."""
    signs = np.sign(values)
    return int((signs[1:] * signs[:-1] < 0).sum())


if __name__ == "__main__":
    sys.exit(main())
