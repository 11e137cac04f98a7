"""How well networks are ranked without any training, on the built-in table, one dataset left out.

For each of the nine datasets in turn everything is learned from the other eight alone, the
hyperparameters of the weights included, and the 19 networks are ranked on it: by earlier results
(``prior``), by each published score, by both together as ``stacked`` joins them, and by parts of
that. Means over the datasets, intervals from resampling the datasets.

    python -m bench.experience_table > results/experience-table.json
"""

from __future__ import annotations

import dataclasses
import json
import sys
from statistics import NormalDist

import numpy as np

from bench.score_weights import QUANTITIES, learned
from ncselect.experience import known_networks
from ncselect.methods.prior import Prior
from ncselect.numerics.rank_agreement import regret_points, spearman_rho
from ncselect.numerics.score_weights import logit
from ncselect.numerics.stacking import stacked
from ncselect.numerics.standardised import standardised
from ncselect.published import PUBLISHED_SCORES, published
from ncselect.spec import RunSpec
from ncselect.types import RunRecord
from zoo.cards import MODELS

LEVELS = (0.5, 0.8, 0.95)
RESAMPLES = 10_000
KIN = (("cifar10", "cifar100"), ("stanford_dogs", "imagenette", "oxford_iiit_pet"))
"""Datasets of like images: both CIFARs; parts of ImageNet, and pets of breeds that are in it."""
VARIANTS_TRIED = {"weighted means and ridge regressions": 450, "Gaussian processes": 60}
"""Models, transforms and settings looked at on this table before this one was settled on."""


def main() -> int:
    """Print the evaluation as JSON."""
    table = published()
    rankings = {"prior": np.array([prior_scores(d) for d in table.datasets]).T}
    rankings |= dict(table.scores.items())
    rankings["imagenet_top1"] = np.repeat(table.imagenet_top1[:, None], len(table.datasets), 1)
    scored = ("linear-head", "n-leep", "logme", "imagenet-top1")
    answers = {
        "combined": predicted(scored),
        "combined, linear head and prior": predicted(("linear-head",)),
        "combined, n-leep and prior": predicted(("n-leep",)),
        "combined, prior and size of the training set": predicted(()),
        "combined, size of the training set unknown": predicted(scored, sized=False),
        "combined, nothing known of the networks": predicted(scored, experienced=False),
        "combined, datasets of like images left out too": predicted(scored, kin_out=True),
    }
    rankings |= {name: answer["mean"] for name, answer in answers.items()}
    document = {
        "protocol": "19 networks, 9 datasets; numbers learned from the other 8 datasets, "
        "the form of the model chosen looking at all 9",
        "variants_tried": VARIANTS_TRIED,
        "rankings": {name: agreement(values) for name, values in rankings.items()},
        "differences": {
            f"combined less {name}": difference(rankings["combined"], rankings[name])
            for name in ("prior", "frozen_head_accuracy", "n_leep", "imagenet_top1")
        },
        "intervals": {name: coverage(answer) for name, answer in answers.items()},
    }
    json.dump(document, sys.stdout, indent=1)
    print()
    return 0


def prior_scores(dataset):
    """Return the method's score of each network on a dataset."""
    made = [
        RunRecord(
            RunSpec(
                model=name,
                dataset=dataset,
                candidate={
                    "kind": "application",
                    "source": name,
                    "arguments": {},
                    "weights": "imagenet",
                    "preprocessing": MODELS[name].preprocessing,
                },
                data={},
            )
        )
        for name in published().models
    ]
    return [one.score for one in Prior().estimate(made).estimates]


def predicted(scored, *, sized=True, experienced=True, kin_out=False):
    """Return what ``stacked`` says of each dataset, from these scores and what is known."""
    table = published()
    columns = {"imagenet-top1": np.repeat(table.imagenet_top1[:, None], 9, 1)}
    columns |= {score: table.scores[name] for score, name in PUBLISHED_SCORES.items()}
    shape = table.accuracy.shape
    answer = {name: np.full(shape, np.nan) for name in ("mean", "sd", "truth")}
    answer["accuracy"] = np.full((4000, *shape), np.nan, dtype=np.float32)
    for target, dataset in enumerate(table.datasets):
        related = {name for kin in KIN if dataset in kin for name in kin} if kin_out else set()
        others = [
            column
            for column, name in enumerate(table.datasets)
            if column != target and name not in related
        ]
        weights = weights_from(tuple(others))
        known, rows = known_networks(table.models, (), dataset, QUANTITIES)
        names = [name for name in table.datasets if name != dataset]
        kept = [column for column, name in enumerate(names) if name not in related]
        known = dataclasses.replace(
            known,
            images=known.images[kept],
            values=known.values[:, :, kept] if experienced else known.values[:, :, :0],
            reference=len(kept) if experienced else 0,
        )
        if not experienced:
            known = dataclasses.replace(known, images=known.images[:0])
        found = stacked(
            {score: columns[score][:, target] for score in scored},
            weights,
            known,
            rows,
            images=float(table.training_images[target]) if sized else float("nan"),
        )
        answer["mean"][:, target] = found.mean
        answer["sd"][:, target] = found.sd
        answer["truth"][:, target] = standardised(logit(table.accuracy[:, target]))
        answer["accuracy"][:, :, target] = found.draws(np.random.default_rng(target), 4000)
    return answer


_LEARNED = {}


def weights_from(columns):
    """Return the weights learned from these datasets, once."""
    if columns not in _LEARNED:
        _LEARNED[columns] = learned(list(columns))
    return _LEARNED[columns]


def each_dataset(values):
    """Return ρ and regret on every dataset, shapes (9,)."""
    truth = published().accuracy
    once = np.ones((1, len(truth)), dtype=np.int64)
    pairs = [(truth[:, d], values[:, d]) for d in range(truth.shape[1])]
    rho = np.array([spearman_rho(*pair, once)[0] for pair in pairs])
    regret = np.array([regret_points(*pair, once)[0] for pair in pairs])
    return rho, regret


def agreement(values):
    """Return mean ρ and regret with 95% intervals over datasets, and each dataset's."""
    rho, regret = each_dataset(values)
    names = published().datasets
    return {
        "rho": round(float(rho.mean()), 3),
        "rho_95": interval(rho),
        "regret_points": round(float(regret.mean()), 2),
        "regret_95": interval(regret),
        "each": {
            name: [round(float(r), 3), round(float(g), 2)]
            for name, r, g in zip(names, rho, regret, strict=True)
        },
    }


def difference(one, other):
    """Return paired differences of mean ρ and regret with 95% intervals over datasets."""
    (rho, regret), (rho_other, regret_other) = each_dataset(one), each_dataset(other)
    return {
        "rho": round(float((rho - rho_other).mean()), 3),
        "rho_95": interval(rho - rho_other),
        "regret_points": round(float((regret - regret_other).mean()), 2),
        "regret_95": interval(regret - regret_other),
    }


def interval(values):
    """Return the percentile interval of the mean, datasets drawn with replacement."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(0, len(values), (RESAMPLES, len(values)))].mean(axis=1)
    return [round(float(bound), 3) for bound in np.quantile(means, [0.025, 0.975])]


def coverage(answer):
    """Return how often central intervals hold the truth: in standard units, and as accuracies."""
    errors = np.abs(answer["truth"] - answer["mean"]) / answer["sd"]
    draws, truth = answer["accuracy"], published().accuracy
    inside = {}
    for level in LEVELS:
        low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
        inside[f"{level:.0%}"] = {
            "standardised": round(
                float((errors <= NormalDist().inv_cdf((1 + level) / 2)).mean()), 3
            ),
            "accuracy": round(float(((low <= truth) & (truth <= high)).mean()), 3),
        }
    return {
        **inside,
        "mean_sd": round(float(answer["sd"].mean()), 3),
        "rmse": round(float(np.sqrt(((answer["truth"] - answer["mean"]) ** 2).mean())), 3),
        "mean_absolute_error_points": round(
            float(100 * np.abs(np.median(draws, axis=0) - truth).mean()), 2
        ),
    }


if __name__ == "__main__":
    sys.exit(main())
