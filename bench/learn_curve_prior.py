"""Learn a prior of unfinished curves, such as ncselect carries, from finished ones.

``python -m bench.learn_curve_prior SOURCE … --output FILE`` learns from files of plain curves
(``ncselect.curves``) and stores of finished runs. ``--start PRIOR`` begins at another prior and
stays near it, for sources that hold few curves; ``--without DATASET`` leaves a dataset out, so that
the prior can be judged on it. The correlation between candidates comes from predicting each
dataset with what the others taught.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ncselect.history import read_history
from ncselect.numerics.curve_learning import fitted, momentum_weight, random_lessons
from ncselect.numerics.curve_model import Array, fade, log_odds, mixture, momentum
from ncselect.numerics.curve_prior import CurvePrior

EPOCHS = (3, 5, 7, 10, 15)
PENALTY = 2e-3
MOMENTUM_PENALTY = 1e-4
MOST_SHARED = 0.5


def main() -> None:
    """Learn and write the prior."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="+", type=Path)
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--without")
    asked = parser.parse_args()
    groups = grouped(asked.sources)
    groups = {name: curves for name, curves in groups.items() if name != asked.without}
    start = CurvePrior.from_json(json.loads(asked.start.read_text())) if asked.start else None
    prior = learned_prior(list(groups.values()), start)
    command = [f"python -m bench.learn_curve_prior {' '.join(one.name for one in asked.sources)}"]
    command += [f"--start {asked.start.name}"] if asked.start else []
    command += [f"--without {asked.without}"] if asked.without else []
    prior = dataclasses.replace(
        prior,
        shared=shared(groups, start),
        provenance={
            "command": " ".join([*command, f"--output {asked.output.name}"]),
            "curves": {name: list(group.shape) for name, group in groups.items()},
        },
    )
    asked.output.write_text(json.dumps(rounded(prior.to_json()), indent=1) + "\n", "utf-8")


def grouped(sources: Sequence[Path]) -> Mapping[str, Array]:
    """Return dataset → curves (m, T), of the dataset's usual length."""
    found: dict[str, list[Array]] = {}
    for source in sources:
        for curve in read_history(source):
            found.setdefault(curve.dataset, []).append(curve.accuracy)
    usual = {name: int(np.median([len(one) for one in group])) for name, group in found.items()}
    return {
        name: np.stack([one for one in group if len(one) == usual[name]])
        for name, group in found.items()
    }


def learned_prior(
    groups: Sequence[Array], start: CurvePrior | None, *, pools: int = 250, seed: int = 0
) -> CurvePrior:
    """Learn everything but ``shared`` from curves (m, T) that may be compared within a group.

    A start that was itself learned is left five times as reluctantly.
    """
    rng = np.random.default_rng(seed)
    reluctance = 1.0 if start is None else 5.0
    start = start or CurvePrior()
    pairs = []
    for curves in groups:
        last = curves.shape[1]
        for epochs in EPOCHS:
            early = curves[:, :epochs]
            gained = fade(epochs, last) * momentum(early)
            pairs.append((log_odds(early.max(axis=1)), gained, curves[:, -1]))
    weight = momentum_weight(
        pairs,
        start.momentum,
        shares=[1.0] * len(pairs),
        penalty=reluctance * MOMENTUM_PENALTY,
        rng=rng,
    )
    prior = dataclasses.replace(start, momentum=weight)
    lessons = random_lessons(groups, weight, rng, pools=pools)
    return fitted(prior, lessons, penalty=reluctance * PENALTY)


def shared(groups: Mapping[str, Array], start: CurvePrior | None) -> float:
    """Return the mean square of the data sets' mean normal score, each predicted by the others.

    It is at most ``MOST_SHARED``: beyond that no draws could be told apart.
    """
    from scipy.special import ndtri

    squares = []
    for held in groups:
        others = [curves for name, curves in groups.items() if name != held]
        prior = learned_prior(others, start)
        lesson = random_lessons([groups[held]], prior.momentum, np.random.default_rng(1), pools=250)
        chance = mixture(prior, lesson.seen).chance_below(lesson.final[:, None])[:, 0]
        score = ndtri(np.clip(chance, 1e-4, 1 - 1e-4))
        squares.append(float(np.average(score, weights=lesson.weight)) ** 2)
    return min(float(np.mean(squares)), MOST_SHARED)


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
    main()
