"""Learn the prior of unfinished curves that ncselect carries from a file of finished ones.

Run with ``python -m bench.learn_curve_prior CURVES [OUTPUT]``; CURVES is a file of plain curves
(``ncselect.curves``), OUTPUT the JSON file that ``CurvePrior.shipped`` reads. The correlation
between candidates comes from predicting each data set with what the others taught.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ncselect.curves import read_curves
from ncselect.numerics.curve_learning import fitted, momentum_weight, random_lessons
from ncselect.numerics.curve_model import (
    Array,
    fade,
    log_odds,
    mixture,
    momentum,
)
from ncselect.numerics.curve_prior import CurvePrior

EPOCHS = (3, 5, 7, 10, 15)
PENALTY = 2e-3
MOMENTUM_PENALTY = 1e-4
SHIPPED = Path(__file__).parents[1] / "ncselect" / "data" / "curve_prior.json"


def main(curves: str, output: str = str(SHIPPED)) -> None:
    """Learn from all data sets of a file, write the prior."""
    groups = grouped(curves)
    prior = learned_prior(list(groups.values()))
    prior = dataclasses.replace(
        prior,
        shared=shared(groups),
        provenance={
            "command": f"python -m bench.learn_curve_prior {Path(curves).name}",
            "sha256": hashlib.sha256(Path(curves).read_bytes()).hexdigest(),
            "curves": {name: list(group.shape) for name, group in groups.items()},
        },
    )
    Path(output).write_text(json.dumps(rounded(prior.to_json()), indent=1) + "\n", "utf-8")


def grouped(path: str) -> Mapping[str, Array]:
    """Return dataset → curves (m, T), of the data set's usual length."""
    found: dict[str, list[Array]] = {}
    for record in read_curves(path):
        found.setdefault(record.spec.dataset, []).append(record.curve("validation-accuracy"))
    usual = {name: int(np.median([len(one) for one in group])) for name, group in found.items()}
    return {
        name: np.stack([one for one in group if len(one) == usual[name]])
        for name, group in found.items()
    }


def learned_prior(groups: Sequence[Array], *, pools: int = 250, seed: int = 0) -> CurvePrior:
    """Learn everything but ``shared`` from curves (m, T) that may be compared within a group."""
    rng = np.random.default_rng(seed)
    pairs = []
    for curves in groups:
        last = curves.shape[1]
        for epochs in EPOCHS:
            early = curves[:, :epochs]
            gained = fade(epochs, last) * momentum(early)
            pairs.append((log_odds(early.max(axis=1)), gained, curves[:, -1]))
    start = CurvePrior()
    weight = momentum_weight(
        pairs, start.momentum, shares=[1.0] * len(pairs), penalty=MOMENTUM_PENALTY, rng=rng
    )
    finals = [log_odds(curves[:, -1]) for curves in groups]
    levels = [float(final.mean()) for final in finals]
    prior = dataclasses.replace(
        start,
        momentum=weight,
        level=float(np.mean(levels)),
        level_sd=float(np.std(levels, ddof=1)),
        level_spread=float(np.sqrt(np.mean([final.var() for final in finals]))),
    )
    return fitted(prior, random_lessons(groups, weight, rng, pools=pools), penalty=PENALTY)


def shared(groups: Mapping[str, Array]) -> float:
    """Return the mean square of the data sets' mean normal score, each predicted by the others."""
    from scipy.special import ndtri

    squares = []
    for held in groups:
        prior = learned_prior([curves for name, curves in groups.items() if name != held])
        lesson = random_lessons([groups[held]], prior.momentum, np.random.default_rng(1), pools=250)
        chance = mixture(prior, lesson.seen).chance_below(lesson.final[:, None])[:, 0]
        score = ndtri(np.clip(chance, 1e-4, 1 - 1e-4))
        squares.append(float(np.average(score, weights=lesson.weight)) ** 2)
    return float(np.mean(squares))


def rounded(document: object) -> object:
    """Return a JSON value with its numbers rounded to four digits after the point."""
    if isinstance(document, float):
        return round(document, 4)
    if isinstance(document, dict):
        return {name: rounded(value) for name, value in document.items()}
    if isinstance(document, list):
        return [rounded(value) for value in document]
    return document


if __name__ == "__main__":
    main(*sys.argv[1:])
