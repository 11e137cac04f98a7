"""What a comparison of methods found, as values."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ncselect.numerics.agreement import Agreement

RECOMMENDED = "combined"
"""The method whose losses to single methods a comparison names."""


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
    sds
        Model → standard deviation of that prediction.
    scores
        Model → what it is ordered and scored by: the prediction before it was clipped.
    refused
        Model → why the method gave no estimate.
    notes
        What the method says of the pool as a whole.
    seconds
        Wall-clock seconds that estimating the pool took.
    """

    method: str
    epochs: int
    agreement: Agreement | None
    reason: str | None
    models: tuple[str, ...]
    predictions: Mapping[str, float]
    sds: Mapping[str, float]
    scores: Mapping[str, float]
    refused: Mapping[str, str]
    notes: tuple[str, ...]
    seconds: float = field(compare=False)

    @property
    def n(self) -> int:
        """Number of models it is scored on."""
        return len(self.models)


@dataclass(frozen=True)
class PoolsRow:
    """One method at one observation length, over many pools.

    Attributes
    ----------
    method
        Its label.
    epochs
        Epochs 1 … E that it saw.
    agreement
        Means over the pools; its intervals are ``PoolInterval``. None if it could not be scored.
    reason
        Why it could not be scored; None if it was.
    pools
        Pools that it is scored in.
    n
        Models of the largest pool that it is scored in: those that a method refused are left out.
    refused
        Model → why the method gave no estimate where it first refused it, unless it refused all.
    notes
        What the method says of a pool as a whole.
    seconds
        Wall-clock seconds that estimating a pool took, in the mean; of a method that estimates
        every candidate by itself, a pool's share of estimating all candidates once.
    mean_n
        Models that it is scored on in a pool, the mean over those it is scored in; 0 if none.
    left_out
        Runs that the method refused in a pool where it answered for others: no method is scored on
        them there.
    """

    method: str
    epochs: int
    agreement: Agreement | None
    reason: str | None
    pools: int
    n: int
    refused: Mapping[str, str]
    notes: tuple[str, ...]
    seconds: float = field(compare=False)
    mean_n: float
    left_out: int


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


@dataclass(frozen=True)
class PoolsComparison:
    """Every method at every observation length, over many random pools of one dataset's runs.

    Attributes
    ----------
    rows
        One per length and method.
    differences
        One per length, reference and other method; means over the pools that score both.
    dataset
        Its name.
    horizon
        Epoch of the test accuracies that are the truth.
    pools, size
        Number of pools, and of runs in each.
    runs, models
        Number of runs that pools are drawn from, and of different models among them.
    excluded
        Model → why no pool holds its run.
    seed, resamples, level
        How pools and intervals were made.
    """

    rows: tuple[PoolsRow, ...]
    differences: tuple[Difference, ...]
    dataset: str
    horizon: int
    pools: int
    size: int
    runs: int
    models: int
    excluded: Mapping[str, str]
    seed: int
    resamples: int
    level: float

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON values; what is not finite becomes None."""
        document: dict[str, Any] = _plain(dataclasses.asdict(self))
        return document


def in_short(reasons: Iterable[str]) -> str:
    """Return different reasons in a line: up to three of them, and how many more there are."""
    different = list(dict.fromkeys(reasons))
    more = [f"{len(different) - 3} more like these"] if len(different) > 3 else []
    return "; ".join([*different[:3], *more])


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
