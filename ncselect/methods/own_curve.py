"""What the methods share that estimate each candidate from its own accuracy curve."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ncselect.methods.pool import ACCURACY, pool_estimates
from ncselect.types import Estimate, Estimates, RunRecord


@dataclass(frozen=True, kw_only=True)
class OwnCurve(ABC):
    """Estimate a candidate from its validation accuracies, whatever the others of its pool."""

    name: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    least_epochs: ClassVar[int] = 1
    pooled: ClassVar[bool] = False
    signals: ClassVar[frozenset[str]] = frozenset({ACCURACY})
    scores: ClassVar[frozenset[str]] = frozenset()

    def estimate(self, records: Sequence[RunRecord]) -> Estimates:
        """Estimate every candidate's final accuracy from its own curve.

        Parameters
        ----------
        records
            One run per candidate, epochs 0 … E.

        Returns
        -------
        Estimates
            What :meth:`estimate_one` makes of each. Refused: the runs that are not
            ``methods.pool.usable``, and those of which it raises an ``InputError``.

        Raises
        ------
        InputError
            If two runs have the same candidate's name.
        """
        return pool_estimates(
            self.name,
            records,
            self.estimate_one,
            signals=self.signals,
            least_epochs=self.least_epochs,
        )

    @abstractmethod
    def estimate_one(self, record: RunRecord) -> Estimate:
        """Estimate a candidate's final accuracy.

        Parameters
        ----------
        record
            Its run, usable by the method.
        """
