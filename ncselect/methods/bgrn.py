"""ν-SVR from the curve, its differences and known facts, learnt from finished trainings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ncselect.methods.finished import checked_history, checked_horizon, finished_curves
from ncselect.methods.own_curve import OwnCurve
from ncselect.methods.pool import ACCURACY
from ncselect.methods.randomness import checked_seed
from ncselect.numerics.curve_regression import CurveRegression, curve_features, curve_regression
from ncselect.types import Curve, Estimate, RunRecord

LEAST_CURVES = 6  # of each three folds, four to learn from and two to judge by


@dataclass(frozen=True, kw_only=True)
class CurveSupportVectors(OwnCurve):
    """A ν-SVR on the observed epochs, their differences, and what is known before training.

    Facts are the numbers that every finished curve and the candidate have and that vary among
    the curves; those that are positive throughout are taken as logarithms.

    Attributes
    ----------
    horizon
        The epoch whose accuracy is predicted.
    history
        Finished trainings to learn from; those of fewer epochs than the horizon are left out.
    seed
        Seeds the folds and the random search; the answer does not depend on the pool.

    References
    ----------
    Baker et al., Accelerating neural architecture search using performance prediction, 2017
    (arXiv 1705.10823).
    """

    name: ClassVar[str] = "bgrn"
    summary: ClassVar[str] = "ν-SVR on curve, differences and facts; needs a history"
    source: ClassVar[str] = "Baker, Gupta, Raskar & Naik 2017 (arXiv 1705.10823)"

    horizon: int = 50
    history: tuple[Curve, ...] = field(default=(), repr=False)
    seed: int = 0

    def __post_init__(self) -> None:
        checked_horizon(self.horizon)
        checked_history(self.history)
        checked_seed(self.seed)

    def estimate_one(self, record: RunRecord) -> Estimate:
        """Estimate a candidate's accuracy at the horizon.

        Returns
        -------
        Estimate
            Mean clipped to [0, 1], score not; ``sd`` is the root mean squared error of the
            out-of-fold predictions of the history. Diagnostics: ``curves`` learnt from,
            ``facts`` used, the chosen ``C``, ``gamma`` and ``nu``.

        Raises
        ------
        InputError
            If the history has fewer than six curves that are long enough.
        """
        curve = record.curve(ACCURACY)
        chosen, early, final = finished_curves(
            self.history, observed=curve.size, horizon=self.horizon, least=LEAST_CURVES
        )
        known, own = [_numbers(one.facts) for one in chosen], record.known
        facts = _usable(known, own)
        table = _table([*known, own], facts)
        features = np.hstack([curve_features(np.vstack([early, curve])), table])
        task = (curve.size, facts)
        if task not in self._learnt:
            self._learnt[task] = curve_regression(features[:-1], final, seed=self.seed)
        regression = self._learnt[task]
        (mean,) = regression.predict(features[-1:])
        return Estimate(
            record.spec.model,
            mean=float(np.clip(mean, 0.0, 1.0)),
            sd=regression.residual_sd,
            diagnostics={"curves": len(chosen), "facts": len(facts), **regression.parameters},
            score=float(mean),
        )

    @cached_property
    def _learnt(self) -> dict[tuple[int, tuple[str, ...]], CurveRegression]:
        """Observed epochs and facts → what the history teaches: no candidate is in it."""
        return {}


def _numbers(facts: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in facts.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }


def _usable(known: Sequence[Mapping[str, float]], own: Mapping[str, float]) -> tuple[str, ...]:
    """Name the facts that all have and that vary in the history.

    One that is positive in the history and not of the candidate has no logarithm to compare.
    """
    varying = [
        name
        for name in sorted(set(own).intersection(*known))
        if len({facts[name] for facts in known}) > 1
    ]
    return tuple(name for name in varying if own[name] > 0 or not _positive(known, name))


def _table(everyone: Sequence[Mapping[str, float]], names: Sequence[str]) -> NDArray[np.float64]:
    """Return facts as columns, shape (len(everyone), len(names)), logarithms where positive."""
    table = np.array([[facts[name] for name in names] for facts in everyone], dtype=float)
    positive = (table > 0).all(axis=0)
    return np.where(positive, np.log(np.where(positive, table, 1.0)), table)


def _positive(known: Sequence[Mapping[str, float]], name: str) -> bool:
    return all(facts[name] > 0 for facts in known)
