"""Control: the mean validation accuracy of a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ncselect.methods.extrapolation import DEFAULT_WINDOW
from ncselect.methods.pool import ACCURACY, observed_epochs, pool_estimates, validation_images
from ncselect.numerics.window import noise_floor, windowed_mean
from ncselect.types import Estimate, Estimates, RunRecord
from zoo.errors import InputError


@dataclass(frozen=True, kw_only=True)
class WindowMean:
    """What the ridge says when it shrinks its slope to nothing.

    The window is chosen by BIC as for the ridge, with a constant in place of the line.

    Attributes
    ----------
    window
        Epochs n in the window [t0, t0 + n), at least 1; n = E if fewer are observed.
    """

    name: ClassVar[str] = "window-mean"
    summary: ClassVar[str] = "control: mean validation accuracy of the window"
    source: ClassVar[str] = "control for capacitance"
    least_epochs: ClassVar[int] = 1
    pooled: ClassVar[bool] = False
    scores: ClassVar[frozenset[str]] = frozenset()

    window: int = DEFAULT_WINDOW

    def __post_init__(self) -> None:
        if self.window < 1:
            raise InputError(f"window is {self.window}; a mean needs 1 epoch or more")

    @property
    def signals(self) -> frozenset[str]:
        """Names of the signals the runs must have recorded."""
        return frozenset({ACCURACY})

    def estimate(self, records: Sequence[RunRecord]) -> Estimates:
        """Estimate every candidate's final accuracy as its window's mean.

        Parameters
        ----------
        records
            One run per candidate, epochs 0 … E.

        Returns
        -------
        Estimates
            ``sd`` is that of one more value, s·√(1 + 1/n); nan with one epoch. Diagnostics:
            ``t0``, the window's first epoch, ``window``, its length, and ``bic``.

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
            notes=fixed if epochs <= self.window else (),
        )

    def _estimate(self, record: RunRecord) -> Estimate:
        accuracy = record.curve(ACCURACY)
        window, mean, sd = windowed_mean(
            accuracy,
            length=min(self.window, record.epochs),
            floor=noise_floor(accuracy, validation_images(record)),
        )
        return Estimate(
            record.spec.model,
            mean=mean,
            sd=sd,
            diagnostics={"t0": window.start + 1, "window": window.length, "bic": window.bic},
        )
