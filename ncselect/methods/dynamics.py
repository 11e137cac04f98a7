"""Graph signatures of the observed epochs, read by a regression learnt from finished trainings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ncselect.graphs.names import FEATURES
from ncselect.graphs.prediction.inputs import KINDS, signature_signals
from ncselect.methods.finished import REMEDY, checked_history, checked_horizon
from ncselect.methods.pool import ACCURACY, pool_estimates
from ncselect.types import Curve, Estimate, Estimates, RunRecord
from zoo.errors import InputError

LEAST_CURVES = 6
FARTHEST = 1e100  # standard deviations, whose square the regression needs
TARGETS = ("gain", "final")


@dataclass(frozen=True, kw_only=True)
class Dynamics:
    """Bayesian ridge from the signatures after epochs 1 … E to what is still to come.

    Attributes
    ----------
    kind
        Of graph: ``rolled``, ``unrolled-positive``, ``unrolled-negative``, or ``unrolled``, the
        last two together.
    feature
        Of its nodes: ``degree`` or ``eigenvector``.
    target
        ``gain``: the final accuracy less the last observed one is learnt, and added to the
        candidate's last one; ``final``: the final accuracy itself, from signatures alone.
    horizon
        The epoch whose accuracy is predicted.
    history
        Finished trainings to learn from; those without these signatures, or of fewer epochs than
        the horizon, are left out.

    References
    ----------
    Vahedian et al., Convolutional Neural Network Dynamics: A Graph Perspective (2021), sections
    3.2 and 4.2: signatures concatenated over epochs, and a linear regression; the ridge, which
    gives a standard deviation and survives more numbers than trainings, is not theirs. Neither is
    the gain: signatures do not tell the accuracy reached so far.
    """

    name: ClassVar[str] = "dynamics"
    summary: ClassVar[str] = "graph signatures of the weights; needs a history that has them"
    source: ClassVar[str] = "Vahedian et al. 2021 (under review at ICLR 2022)"
    least_epochs: ClassVar[int] = 1
    pooled: ClassVar[bool] = False
    scores: ClassVar[frozenset[str]] = frozenset()

    kind: str = "rolled"
    feature: str = "degree"
    target: str = "gain"
    horizon: int = 50
    history: tuple[Curve, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        for option, value, known in (
            ("kind", self.kind, KINDS),
            ("feature", self.feature, FEATURES),
            ("target", self.target, TARGETS),
        ):
            if value not in known:
                raise InputError(f"{option} is '{value}'; choose {' or '.join(known)}")
        checked_horizon(self.horizon)
        checked_history(self.history)

    @property
    def signals(self) -> frozenset[str]:
        """Names of validation accuracy and the signature's statistics."""
        return frozenset({ACCURACY, *self._signature})

    def estimate(self, records: Sequence[RunRecord]) -> Estimates:
        """Estimate every candidate's final accuracy from its own signatures.

        Parameters
        ----------
        records
            One run per candidate, epochs 0 … E; epoch 0 is not looked at.

        Returns
        -------
        Estimates
            Means clipped to [0, 1], scores not. Diagnostics: ``curves`` learnt from; ``distance``,
            how far the candidate's signatures lie from the mean of theirs, as a root mean square
            over all numbers in their standard deviations: 1 is typical.

        Raises
        ------
        InputError
            If two runs have the same candidate's name.
        """
        return pool_estimates(
            self.name,
            records,
            self._estimate,
            signals=self.signals,
            least_epochs=self.least_epochs,
        )

    def _estimate(self, record: RunRecord) -> Estimate:
        """Estimate a candidate's accuracy at the horizon.

        Raises
        ------
        InputError
            If the history has fewer than six curves with signatures that are long enough, or the
            candidate is like none of them.
        """
        observed = record.epochs
        if observed not in self._learnt:
            self._learnt[observed] = self._lesson(observed)
        scaler, ridge, curves = self._learnt[observed]
        own = np.concatenate([record.curve(signal) for signal in self._signature])[None]
        told = scaler.transform(own)
        if np.abs(told).max() > FARTHEST:
            raise InputError(
                f"a signature lies {np.abs(told).max():.1g} standard deviations from those of the "
                "history; leave the candidate out, or train it with a lower learning rate"
            )
        (predicted,), (sd,) = ridge.predict(told, return_std=True)
        gained = self.target == "gain"
        score = float(predicted + (record.curve(ACCURACY)[-1] if gained else 0.0))
        return Estimate(
            record.spec.model,
            mean=float(np.clip(score, 0.0, 1.0)),
            sd=float(sd),
            diagnostics={"curves": curves, "distance": float(np.sqrt(np.mean(told**2)))},
            score=score,
        )

    @property
    def _signature(self) -> tuple[str, ...]:
        return signature_signals(self.feature, self.kind)

    @cached_property
    def _learnt(self) -> dict[int, tuple[Any, Any, int]]:
        """Observed epochs → scaler, ridge and number of curves: no candidate is in them."""
        return {}

    def _lesson(self, observed: int) -> tuple[Any, Any, int]:
        from sklearn.linear_model import BayesianRidge
        from sklearn.preprocessing import StandardScaler

        chosen = self._usable(observed)
        inputs = np.array([self._early(curve, observed) for curve in chosen])
        final = np.array([curve.accuracy[self.horizon - 1] for curve in chosen], dtype=float)
        if self.target == "gain":
            final -= [curve.accuracy[observed - 1] for curve in chosen]
        scaler = StandardScaler().fit(inputs)
        return scaler, BayesianRidge().fit(scaler.transform(inputs), final), len(chosen)

    def _usable(self, observed: int) -> list[Curve]:
        needed = max(observed, self.horizon)
        long = [curve for curve in self.history if len(curve.accuracy) >= needed]
        chosen = [curve for curve in long if self._has_signatures(curve, observed)]
        if len(chosen) < LEAST_CURVES:
            found = (
                f"of {len(self.history)} curves in the history {len(long)} have {needed} epochs "
                f"or more and {len(chosen)} of these {self.kind} {self.feature} signatures"
                if self.history
                else "the history is empty"
            )
            raise InputError(
                f"it learns from {LEAST_CURVES} finished curves with signatures or more and "
                f"{found}; {REMEDY}, made by runs that record signatures"
            )
        return chosen

    def _has_signatures(self, curve: Curve, observed: int) -> bool:
        return all(
            signal in curve.signals
            and len(curve.signals[signal]) > observed
            and np.isfinite(curve.signals[signal][1 : observed + 1]).all()
            for signal in self._signature
        )

    def _early(self, curve: Curve, observed: int) -> NDArray[np.float64]:
        """Return the signatures after epochs 1 … observed; a curve's begin with epoch 0."""
        values = [curve.signals[signal][1 : observed + 1] for signal in self._signature]
        return np.concatenate(values, dtype=np.float64)
