"""Best seen value: the highest validation accuracy of the observed epochs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ncselect.methods.pool import ACCURACY, pool_estimates, validation_images
from ncselect.numerics.sampling import sampling_variance
from ncselect.types import Estimate, Estimates, RunRecord


@dataclass(frozen=True, kw_only=True)
class BestValue:
    """The learning curve returns to its best.

    References
    ----------
    The baseline BSV of Neural Capacitance: A New Perspective of Neural Network Selection via Edge
    Dynamics (ICLR 2022 text), Table 1.
    """

    name: ClassVar[str] = "best-value"
    summary: ClassVar[str] = "best validation accuracy of the observed epochs"
    source: ClassVar[str] = "best seen value (BSV): neural capacitance, Table 1"
    least_epochs: ClassVar[int] = 1
    pooled: ClassVar[bool] = False
    scores: ClassVar[frozenset[str]] = frozenset()

    @property
    def signals(self) -> frozenset[str]:
        """Names of the signals the runs must have recorded."""
        return frozenset({ACCURACY})

    def estimate(self, records: Sequence[RunRecord]) -> Estimates:
        """Estimate every candidate's final accuracy as its best one.

        Parameters
        ----------
        records
            One run per candidate, epochs 0 … E.

        Returns
        -------
        Estimates
            ``sd`` is the binomial sampling deviation of the validation accuracy: chance in the
            validation images, not in what training will still do. It is nan where the run does
            not say how many images there were. Diagnostics: ``epoch``, the first with the best.

        Raises
        ------
        InputError
            If two runs have the same candidate's name.
        """
        return pool_estimates(self.name, records, self._estimate, signals=self.signals)

    def _estimate(self, record: RunRecord) -> Estimate:
        accuracy = record.curve(ACCURACY)
        best = float(accuracy.max())
        images = validation_images(record)
        sd = math.sqrt(sampling_variance(best, images)) if images else math.nan
        return Estimate(record.spec.model, best, sd, {"epoch": int(accuracy.argmax()) + 1})
