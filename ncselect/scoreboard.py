"""What a comparison of methods found, as values."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ncselect.numerics.agreement import Agreement


@dataclass(frozen=True)
class Row:
    """One method at one observation length.

    Attributes
    ----------
    method
        Its label.
    epochs
        Epochs 1 … E that it saw.
    agreement
        Its agreement with the truth on ``models``; None if it could not be scored.
    reason
        Why it could not be scored; None if it was.
    models
        The models it is scored on, the same for all methods at this length, in the records' order.
    predictions
        Model → predicted final accuracy in [0, 1], of every model it estimated.
    scores
        Model → what it is ordered and scored by: the prediction before it was clipped.
    refused
        Model → why the method gave no estimate.
    notes
        What the method says of the pool as a whole.
    """

    method: str
    epochs: int
    agreement: Agreement | None
    reason: str | None
    models: tuple[str, ...]
    predictions: Mapping[str, float]
    scores: Mapping[str, float]
    refused: Mapping[str, str]
    notes: tuple[str, ...]

    @property
    def n(self) -> int:
        """Number of models it is scored on."""
        return len(self.models)


@dataclass(frozen=True)
class Difference:
    """What a method gains over a reference on the same models and resamples.

    Attributes
    ----------
    method, reference
        Their labels.
    epochs
        Epochs 1 … E that both saw.
    agreement
        The method's measures less the reference's, with paired intervals.
    """

    method: str
    reference: str
    epochs: int
    agreement: Agreement


@dataclass(frozen=True)
class Comparison:
    """Every method at every observation length.

    Attributes
    ----------
    rows
        One per length and method.
    differences
        One per length, reference and other method.
    dataset
        Its name.
    horizon
        Epoch of the test accuracies that are the truth.
    truth
        Model → test accuracy at the horizon, in [0, 1].
    excluded
        Observation length → model → why no method is scored on it.
    seed, resamples, level
        How the intervals were made.
    """

    rows: tuple[Row, ...]
    differences: tuple[Difference, ...]
    dataset: str
    horizon: int
    truth: Mapping[str, float]
    excluded: Mapping[int, Mapping[str, str]]
    seed: int
    resamples: int
    level: float

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON values; what is not finite becomes None."""
        document: dict[str, Any] = _plain(dataclasses.asdict(self))
        return document


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
