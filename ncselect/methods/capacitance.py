"""Neural capacitance: the accuracy at which β_eff would vanish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ncselect.methods.extrapolation import (
    DEFAULT_DEFINITION,
    RidgeExtrapolation,
    check_subset,
    on_subset,
)
from ncselect.numerics.capacitance import Definition
from ncselect.types import RunRecord

__all__ = ["DEFAULT_DEFINITION", "Capacitance"]


@dataclass(frozen=True, kw_only=True)
class Capacitance(RidgeExtrapolation):
    """I* = h(0), with I = h(β) the Bayesian ridge of validation accuracy on β_eff.

    Attributes
    ----------
    definition
        Which β_eff, as ``layers/derivative/sign[/average]``: the recorded signal
        ``beta/<definition>``.
    subset
        Training images it was measured on: ``probe``, or ``all`` where runs have
        ``measure_whole``.

    References
    ----------
    Neural Capacitance: A New Perspective of Neural Network Selection via Edge Dynamics
    (ICLR 2022 text), Algorithm 1;
    Network properties determine neural network performance, Nature Communications 15:5718 (2024).
    """

    name: ClassVar[str] = "capacitance"
    summary: ClassVar[str] = "accuracy at β_eff = 0, by Bayesian ridge over the epochs of a window"
    source: ClassVar[str] = "neural capacitance (ICLR 2022 text; Nature Communications 15:5718)"

    definition: str = DEFAULT_DEFINITION
    subset: str = "probe"

    def __post_init__(self) -> None:
        super().__post_init__()
        Definition.parse(self.definition)
        check_subset(self.subset)

    @property
    def signals(self) -> frozenset[str]:
        """Names of validation accuracy and the chosen β_eff."""
        return super().signals | {self._signal}

    def inputs(self, record: RunRecord) -> NDArray[np.float64]:
        """Return β_eff after epochs 1 … E, shape (E,)."""
        return record.curve(self._signal)

    @property
    def _signal(self) -> str:
        return on_subset(f"beta/{self.definition}", self.subset)
