"""Last seen value: the validation accuracy after the last observed epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ncselect.methods.pool import ACCURACY, pool_estimates, validation_images
from ncselect.numerics.sampling import sampling_variance
from ncselect.types import Estimate, Estimates, RunRecord


@dataclass(frozen=True, kw_only=True)
class LastValue:
    """The learning curve stays where it is.

    References
    ----------
    Klein et al., Learning curve prediction with Bayesian neural networks, ICLR 2017, section 5:
    the baseline "last seen value".
    """

    name: ClassVar[str] = "last-value"
    summary: ClassVar[str] = "validation accuracy after the last observed epoch"
    source: ClassVar[str] = "last seen value (LSV): Klein et al., ICLR 2017"
    least_epochs: ClassVar[int] = 1
    pooled: ClassVar[bool] = False
    scores: ClassVar[frozenset[str]] = frozenset()

    @property
    def signals(self) -> frozenset[str]:
        """Names of the signals the runs must have recorded."""
        return frozenset({ACCURACY})

    def estimate(self, records: Sequence[RunRecord]) -> Estimates:
        """Estimate every candidate's final accuracy as its last one.

        Parameters
        ----------
        records
            One run per candidate, epochs 0 … E.

        Returns
        -------
        Estimates
            ``sd`` is the binomial sampling deviation of the validation accuracy: chance in the
            validation images, not in what training will still do. It is nan where the run does
            not say how many images there were. Diagnostics: ``epoch``.

        Raises
        ------
        InputError
            If two runs have the same candidate's name.
        """
        return pool_estimates(self.name, records, self._estimate, signals=self.signals)

    def _estimate(self, record: RunRecord) -> Estimate:
        last = float(record.curve(ACCURACY)[-1])
        images = validation_images(record)
        sd = math.sqrt(sampling_variance(last, images)) if images else math.nan
        return Estimate(record.spec.model, last, sd, {"epoch": record.epochs})
