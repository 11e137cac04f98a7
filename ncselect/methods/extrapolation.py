"""What the ridge methods share: a signal, a window, a Bayesian ridge line, its value at 0."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ncselect.methods.pool import ACCURACY, observed_epochs, pool_estimates, validation_images
from ncselect.numerics.ridge import SCALINGS, RidgeLine, Scaling
from ncselect.numerics.window import Window, noise_floor, windowed_ridge
from ncselect.types import Estimate, Estimates, RunRecord
from zoo.errors import InputError

DEFAULT_DEFINITION = "base/held/signed"
DEFAULT_WINDOW = 5
SUBSETS = {"probe": "", "all": "@all"}
"""Training images that a signal was measured on → how its name ends."""


def check_subset(subset: str) -> None:
    """Raise an InputError unless signals are measured on such images."""
    if subset not in SUBSETS:
        raise InputError(f"subset is '{subset}'; choose {' or '.join(SUBSETS)}")


def on_subset(signal: str, subset: str) -> str:
    """Return a signal's name as it was measured on these images."""
    return signal + SUBSETS[subset]


@dataclass(frozen=True, kw_only=True)
class RidgeExtrapolation(ABC):
    """Predict the accuracy at which an input would reach 0.

    Attributes
    ----------
    window
        Epochs n in the observation window [t0, t0 + n), at least 2; n = E if fewer are observed.
    scaling
        ``standardised``: the input is standardised over the window and 0 is mapped likewise, so
        that its units do not matter; ``raw``: as it was recorded.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    least_epochs: ClassVar[int] = 2
    pooled: ClassVar[bool] = False
    scores: ClassVar[frozenset[str]] = frozenset()

    window: int = DEFAULT_WINDOW
    scaling: Scaling = "standardised"

    def __post_init__(self) -> None:
        if self.window < 2:
            raise InputError(f"window is {self.window}; a line needs 2 epochs or more")
        if self.scaling not in SCALINGS:
            raise InputError(f"scaling is '{self.scaling}'; choose {' or '.join(SCALINGS)}")

    @property
    def signals(self) -> frozenset[str]:
        """Names of the signals the runs must have recorded."""
        return frozenset({ACCURACY})

    @abstractmethod
    def inputs(self, record: RunRecord) -> NDArray[np.float64]:
        """Return the ridge's input after epochs 1 … E, shape (E,)."""

    def fitted(self, record: RunRecord) -> tuple[Window, RidgeLine]:
        """Return the window chosen for a run and the line in it."""
        accuracy = record.curve(ACCURACY)
        return windowed_ridge(
            self.inputs(record),
            accuracy,
            length=min(self.window, record.epochs),
            floor=noise_floor(accuracy, validation_images(record)),
            scaling=self.scaling,
        )

    def estimate(self, records: Sequence[RunRecord]) -> Estimates:
        """Estimate every candidate's final accuracy as h(0).

        Parameters
        ----------
        records
            One run per candidate, epochs 0 … E.

        Returns
        -------
        Estimates
            Means clipped to [0, 1], scores not. Diagnostics: ``slope`` in accuracy per
            unit of input and ``slope_over_least_squares``; ``zero_distance``, how far 0 lies
            outside the observed input, in ranges; ``t0``, the window's first epoch, ``window``,
            its length, and ``bic``.

        Raises
        ------
        InputError
            If two runs have the same candidate's name.
        """
        epochs = observed_epochs(records)
        fixed = (f"t0 fixed: the window is all of epochs 1…{epochs}",)
        return pool_estimates(
            self.name,
            records,
            self._estimate,
            signals=self.signals,
            least_epochs=self.least_epochs,
            notes=fixed if epochs <= self.window else (),
        )

    def _estimate(self, record: RunRecord) -> Estimate:
        window, line = self.fitted(record)
        return Estimate(
            record.spec.model,
            mean=float(np.clip(line.mean, 0.0, 1.0)),
            sd=line.sd,
            diagnostics={
                "slope": line.slope,
                "slope_over_least_squares": line.slope_over_least_squares,
                "zero_distance": line.zero_distance,
                "t0": window.start + 1,
                "window": window.length,
                "bic": window.bic,
            },
            score=line.mean,
        )
