"""Control: the ridge on random numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ncselect.methods.extrapolation import RidgeExtrapolation
from ncselect.methods.randomness import checked_seed, run_generator
from ncselect.types import RunRecord


@dataclass(frozen=True, kw_only=True)
class RandomInput(RidgeExtrapolation):
    """The same ridge and window on numbers uniform in [0, 1), which mean nothing.

    Attributes
    ----------
    seed
        Seeds the numbers, together with the run's key: they do not depend on the pool, and those
        of epochs 1 … E stay when more epochs follow.
    """

    name: ClassVar[str] = "random-input"
    summary: ClassVar[str] = "control: the ridge of capacitance on random numbers"
    source: ClassVar[str] = "control for capacitance"

    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        checked_seed(self.seed)

    def inputs(self, record: RunRecord) -> NDArray[np.float64]:
        """Return a random number for each of epochs 1 … E, shape (E,)."""
        return run_generator(self.seed, record).random(record.epochs)
