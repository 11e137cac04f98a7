"""Eq. 3 or Eq. 10: β_eff of the mixed Hessian against the closed form that holds δ constant.

Small networks below a frozen probe unit in float64, fine-tuned on the bundled digits, over
widths, seeds and the unit's open choices; and pools of finished runs, where stores are named.

    python -m bench.equation_ten [--seeds 4] [STORE…] > results/equation-ten.json
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.perceptrons import Ruler, adam, digits, parameters, perceptron, probe
from bench.spread import resampled_rho, rho, rounded, spread
from ncselect.numerics import mlp

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

Array = NDArray[np.float64]
CLASSES, IMAGES, BATCH, EPOCHS = 10, 512, 64, 30
BASES = (8, 12, 16, 24, 32, 48, 64, 96)
UNITS = {
    "no batch norms": (None, "batch"),
    "bn-dense, batch": ("bn-dense", "batch"),
    "bn-dense, inference": ("bn-dense", "inference"),
    "dense-bn, batch": ("dense-bn", "batch"),
    "dense-bn, inference": ("dense-bn", "inference"),
}
EXACT, HELD, BATCHED = "exact/signed", "held/signed", "held/signed/batch"
BUDGETS = (5, 10)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print how the two differ as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stores", nargs="*", help="stores of finished runs, each one pool")
    parser.add_argument("--seeds", type=int, default=4)
    given = parser.parse_args(arguments)
    document = {
        "protocol": f"digits 8x8, {IMAGES} images, batch {BATCH}, Adam .001, {EPOCHS} epochs; "
        f"base of one hidden layer of {BASES[0]} … {BASES[-1]}, frozen probe unit (32, 16); "
        "layers base; held/batch is Eq. 10 with P averaged over samples first, as Eq. 3 has it. "
        "Medians with 95% bootstrap intervals over networks (widths × seeds), for ranks across "
        "widths over seeds; in stores over models",
        "small_networks": {
            name: trained(order, statistics, given.seeds)
            for name, (order, statistics) in UNITS.items()
        },
        "runs": {Path(store).name: recorded(store) for store in given.stores},
    }
    json.dump(document, sys.stdout, indent=1, ensure_ascii=False)
    print()
    return 0


def trained(order: str | None, statistics: str, seeds: int) -> dict[str, object]:
    """Return the comparison on small networks with one kind of unit."""
    curves: dict[tuple[int, int], dict[str, Array]] = {}
    for width in BASES:
        ruler: Ruler | None = None
        for seed in range(seeds):
            rng = np.random.default_rng([seed, width])
            x, labels = digits(IMAGES, np.random.default_rng(seed))
            base = [*perceptron(rng, [64, width]), mlp.Activation("relu")]
            unit = probe(rng, width, (32, 16), CLASSES, order=order, statistics=statistics)
            layers = [*base, *unit]
            ruler = ruler or Ruler(layers, 0)
            steps = IMAGES // BATCH
            batches = itertools.chain.from_iterable(
                np.split(rng.permutation(IMAGES), steps) for _ in range(EPOCHS)
            )
            path = adam(
                layers, x, labels, parameters(layers, len(base)), rate=1e-3, batches=batches
            )
            ends = itertools.islice(path, steps - 1, None, steps)
            seen = [ruler(now, x, labels) for now in [layers, *ends]]
            curves[width, seed] = {
                name: np.array([one.beta[name].value for one in seen])
                for name in (EXACT, HELD, BATCHED)
            }
    pools = [{w: curves[w, seed] for w in BASES} for seed in range(seeds)]
    return {
        "networks": len(curves),
        "exact against held": compared(curves, pools, EXACT, HELD),
        "exact against held/batch": compared(curves, pools, EXACT, BATCHED),
        "held/batch against held": compared(curves, pools, BATCHED, HELD),
    }


def compared(
    curves: Mapping[object, Mapping[str, Array]],
    pools: Sequence[Mapping[object, Mapping[str, Array]]],
    one: str,
    other: str,
) -> dict[str, object]:
    """Return how two definitions agree over epochs 0 … T.

    Parameters
    ----------
    curves
        Of each network, both definitions' values, shape (epochs,).
    pools
        Networks that are ranked against each other; with a single pool, intervals of ranks
        resample its networks.
    """
    pairs = [(curve[one], curve[other]) for curve in curves.values()]
    return {
        "same_sign": spread([np.mean(np.sign(a) == np.sign(b)) for a, b in pairs]),
        "size_ratio": spread([np.median(np.abs(a / b)) for a, b in pairs]),
        "size_ratio_largest_over_smallest": spread([steadiness(a / b) for a, b in pairs]),
        "rho_along_epochs_signed": spread([rho(a, b) for a, b in pairs]),
        "rho_along_epochs_absolute": spread([rho(np.abs(a), np.abs(b)) for a, b in pairs]),
        "rho_across_networks_signed": across(pools, one, other, np.asarray),
        "rho_across_networks_absolute": across(pools, one, other, np.abs),
    }


def across(pools, one: str, other: str, part: Callable[[Array], Array]) -> dict[str, object]:
    """Return the rank correlation across networks, epoch by epoch, and its mean over epochs."""
    tables = [
        tuple(np.array([part(curve[name]) for curve in pool.values()]) for name in (one, other))
        for pool in pools
    ]
    each = np.array([rho(a.T, b.T) for a, b in tables])
    if len(tables) > 1:
        mean = spread(np.nanmean(each, axis=1))
    else:
        a, b = tables[0]
        chosen = np.random.default_rng(0).integers(0, len(a), (1000, len(a)))
        draws = np.nanmean(rho(a.T[:, chosen], b.T[:, chosen]), axis=0)
        mean = {
            "mean": rounded(np.nanmean(each)),
            "interval_95": [rounded(q) for q in np.quantile(draws, [0.025, 0.975])],
            "n": len(a),
        }
    middle = np.nanmedian(each, axis=0)
    return {
        "mean_over_epochs": mean,
        "each_epoch": [rounded(value) for value in middle],
    }


def recorded(store: str) -> dict[str, object]:
    """Return the comparison on a pool of finished runs, predictions included."""
    from ncselect.methods import method
    from ncselect.store import RunStore

    records = [r for r in RunStore(store, create=False).records() if r.status == "complete"]
    exact, held = "base/exact/signed", "base/held/signed"
    curves = {
        r.spec.model: {
            name: np.array([seen.signals[f"beta/{name}"] for seen in r.observations])
            for name in (exact, held)
        }
        for r in records
    }
    truth = np.array([r.truth[r.epochs] for r in records])
    predictions = {}
    for budget in BUDGETS:
        seen = [r.observed(budget) for r in records]
        scores = {}
        for name in (exact, held):
            answer = method("capacitance", definition=name).estimate(seen)
            by_model = {one.model: one.score for one in answer.estimates}
            scores[name] = np.array([by_model[r.spec.model] for r in records])
        predictions[f"E = {budget}"] = {
            "rho_between": resampled_rho(scores[exact], scores[held]),
            "rho_exact_truth": resampled_rho(scores[exact], truth),
            "rho_held_truth": resampled_rho(scores[held], truth),
            "mean_difference_points": rounded(
                100 * np.mean(np.abs(np.clip(scores[exact], 0, 1) - np.clip(scores[held], 0, 1)))
            ),
        }
    return {
        "models": len(records),
        "epochs": records[0].epochs,
        "exact against held": compared(curves, [curves], exact, held),
        "predictions": predictions,
    }


def steadiness(ratios: Array) -> float:
    """Return the ratio of the 90th to the 10th percentile of sizes: 1 if proportional."""
    low, high = np.quantile(np.abs(ratios), [0.1, 0.9])
    return float(high / low)


if __name__ == "__main__":
    sys.exit(main())
