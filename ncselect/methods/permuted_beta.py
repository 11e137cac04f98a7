"""Control: neural capacitance with β_eff shuffled among the epochs of its window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ncselect.methods.extrapolation import DEFAULT_DEFINITION, RidgeExtrapolation
from ncselect.methods.pool import ACCURACY
from ncselect.methods.randomness import checked_seed, run_generator
from ncselect.numerics.capacitance import Definition
from ncselect.numerics.ridge import RidgeLine, ridge_line
from ncselect.numerics.window import Window
from ncselect.types import RunRecord


@dataclass(frozen=True, kw_only=True)
class PermutedBeta(RidgeExtrapolation):
    """The window that β_eff chooses, its values there in random order.

    What is left is the range of β_eff and its distance from 0; what is gone is that a given
    value belongs to a given accuracy. The recorded ``bic`` is that of the choice.

    Attributes
    ----------
    definition
        Which β_eff, as ``layers/derivative/sign``.
    seed
        Seeds the permutation, together with the run's key: it does not depend on the pool.
    """

    name: ClassVar[str] = "permuted-beta"
    summary: ClassVar[str] = "control: capacitance with β_eff shuffled within its window"
    source: ClassVar[str] = "control for capacitance"

    definition: str = DEFAULT_DEFINITION
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        checked_seed(self.seed)
        Definition.parse(self.definition)

    @property
    def signals(self) -> frozenset[str]:
        """Names of validation accuracy and the chosen β_eff."""
        return super().signals | {f"beta/{self.definition}"}

    def inputs(self, record: RunRecord) -> NDArray[np.float64]:
        """Return β_eff after epochs 1 … E in its true order, shape (E,)."""
        return record.curve(f"beta/{self.definition}")

    def fitted(self, record: RunRecord) -> tuple[Window, RidgeLine]:
        """Return β_eff's window and the line through its shuffled values."""
        window, _ = super().fitted(record)
        order = run_generator(self.seed, record).permutation(window.length)
        line = ridge_line(
            self.inputs(record)[window.slice][order],
            record.curve(ACCURACY)[window.slice],
            scaling=self.scaling,
        )
        return window, line
