"""Neural capacitance: the accuracy at which β_eff would vanish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ncselect.methods.extrapolation import DEFAULT_DEFINITION, RidgeExtrapolation
from ncselect.numerics.capacitance import Definition
from ncselect.types import RunRecord

__all__ = ["DEFAULT_DEFINITION", "Capacitance"]


@dataclass(frozen=True, kw_only=True)
class Capacitance(RidgeExtrapolation):
    """I* = h(0), with I = h(β) the Bayesian ridge of validation accuracy on β_eff.

    Attributes
    ----------
    definition
        Which β_eff, as ``layers/derivative/sign``: the recorded signal ``beta/<definition>``.

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

    def __post_init__(self) -> None:
        super().__post_init__()
        Definition.parse(self.definition)

    @property
    def signals(self) -> frozenset[str]:
        """Names of validation accuracy and the chosen β_eff."""
        return super().signals | {f"beta/{self.definition}"}

    def inputs(self, record: RunRecord) -> NDArray[np.float64]:
        """Return β_eff after epochs 1 … E, shape (E,)."""
        return record.curve(f"beta/{self.definition}")
