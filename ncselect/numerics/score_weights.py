"""How scores and earlier results go together with the accuracy: what is learned of it, as values.

Accuracies and scores are put on the scales named here before they are standardised and compared.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.coregionalisation import Component, Coregionalisation

Floats = NDArray[np.float64]

ACCURACY = "accuracy"
HEAD = "linear-head"
LEAST, MOST = 5e-4, 1 - 5e-4
"""Accuracies are brought between these before their logit is taken."""


def logit(accuracy: Floats) -> Floats:
    """Return ln(p/(1 − p)) of accuracies, p kept between ``LEAST`` and ``MOST``."""
    inside = np.clip(accuracy, LEAST, MOST)
    return np.asarray(np.log(inside / (1 - inside)))


def on_scale(quantity: str, values: Floats) -> Floats:
    """Return values on the scale on which they are standardised.

    Accuracies by their logit; scores that are the negative of something positive, such as
    N-LEEP, as minus its logarithm; others as they are.

    Parameters
    ----------
    quantity
        ``accuracy``, or a score's name as in ``ncselect.scores``.
    values
        Any shape, nan where unknown.
    """
    if quantity in (ACCURACY, HEAD, "imagenet-top1"):
        return logit(values)
    if quantity == "n-leep":
        return np.asarray(-np.log(np.maximum(-values, 1e-9)))
    return values


@dataclass(frozen=True)
class Line:
    """A straight line through known pairs (x, y), to predict y at a further x.

    Attributes
    ----------
    centre, height
        Mean x and mean y.
    slope, slope_sd
        Of the line; 0 where x is not used.
    sd
        Standard deviation of a further y at the centre.
    """

    centre: float
    height: float
    slope: float
    slope_sd: float
    sd: float

    def at(self, x: float) -> tuple[float, float]:
        """Return the prediction of y at x and its standard deviation, larger far out."""
        away = x - self.centre
        return self.height + self.slope * away, math.hypot(self.sd, self.slope_sd * away)


@dataclass(frozen=True)
class ScoreWeights:
    """What was learned of how scores and earlier results go together with the accuracy.

    Attributes
    ----------
    quantities
        Names of the K quantities; ``accuracy`` first.
    process
        How they vary together.
    inflation
        Factor on predicted standard deviations that made intervals cover what they say.
    location, scale
        Mean, and ln of the standard deviation, of a pool's logit accuracies: from those of its
        linear heads, and where there is no head.
    """

    quantities: tuple[str, ...]
    process: Coregionalisation
    inflation: float
    location: tuple[Line, Line]
    scale: tuple[Line, Line]

    def to_json(self) -> dict[str, Any]:
        """Return the weights as JSON values."""

        def part(component: Component) -> dict[str, Any]:
            return {
                "between": component.between.tolist(),
                "in_family": component.in_family,
            }

        def lines(pair: tuple[Line, Line]) -> list[list[float]]:
            return [list(dataclasses.astuple(line)) for line in pair]

        return {
            "quantities": list(self.quantities),
            "level": part(self.process.level),
            "likeness": part(self.process.likeness),
            "length": self.process.length,
            "noise": self.process.noise.tolist(),
            "inflation": self.inflation,
            "location": lines(self.location),
            "scale": lines(self.scale),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> ScoreWeights:
        """Rebuild weights from :meth:`to_json`'s value."""

        def part(name: str) -> Component:
            one = document[name]
            return Component(np.array(one["between"]), one["in_family"])

        def lines(name: str) -> tuple[Line, Line]:
            first, second = document[name]
            return Line(*first), Line(*second)

        return cls(
            tuple(document["quantities"]),
            Coregionalisation(
                part("level"), part("likeness"), document["length"], np.array(document["noise"])
            ),
            document["inflation"],
            lines("location"),
            lines("scale"),
        )
