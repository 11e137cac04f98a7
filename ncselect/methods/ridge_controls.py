"""Controls: the ridge of capacitance on inputs that are free, or measured anyway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ncselect.methods.extrapolation import RidgeExtrapolation, check_subset, on_subset
from ncselect.types import RunRecord


@dataclass(frozen=True, kw_only=True)
class InverseEpoch(RidgeExtrapolation):
    """The input is 1/epoch, which reaches 0 after infinitely many: a learning curve's limit."""

    name: ClassVar[str] = "inverse-epoch"
    summary: ClassVar[str] = "control: the ridge of capacitance on 1/epoch"
    source: ClassVar[str] = "control for capacitance"

    def inputs(self, record: RunRecord) -> NDArray[np.float64]:
        """Return 1, 1/2, …, 1/E, shape (E,)."""
        return 1.0 / np.arange(1, record.epochs + 1)


@dataclass(frozen=True, kw_only=True)
class _RecordedInput(RidgeExtrapolation):
    """The input is a recorded signal, measured on the probe subset or on all training images."""

    signal: ClassVar[str]

    subset: str = "probe"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_subset(self.subset)

    @property
    def signals(self) -> frozenset[str]:
        """Names of validation accuracy and the input."""
        return super().signals | {on_subset(self.signal, self.subset)}

    def inputs(self, record: RunRecord) -> NDArray[np.float64]:
        """Return the signal after epochs 1 … E, shape (E,)."""
        return record.curve(on_subset(self.signal, self.subset))


@dataclass(frozen=True, kw_only=True)
class TrainingLoss(_RecordedInput):
    """The input is the training loss on the probe subset."""

    name: ClassVar[str] = "training-loss"
    summary: ClassVar[str] = "control: the ridge of capacitance on the training loss"
    source: ClassVar[str] = "control for capacitance"
    signal: ClassVar[str] = "training-loss"


@dataclass(frozen=True, kw_only=True)
class TrainingError(_RecordedInput):
    """The input is the training error on the probe subset."""

    name: ClassVar[str] = "training-error"
    summary: ClassVar[str] = "control: the ridge of capacitance on the training error"
    source: ClassVar[str] = "control for capacitance"
    signal: ClassVar[str] = "training-error"


@dataclass(frozen=True, kw_only=True)
class Residual(_RecordedInput):
    """The input is the mean of |p − y| on the probe subset, which β_eff resembles."""

    name: ClassVar[str] = "residual"
    summary: ClassVar[str] = "control: the ridge of capacitance on the mean of |p − y|"
    source: ClassVar[str] = "control for capacitance"
    signal: ClassVar[str] = "residual"
