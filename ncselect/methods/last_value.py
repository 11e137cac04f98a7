"""Last seen value: the validation accuracy after the last observed epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from ncselect.methods.own_curve import OwnCurve
from ncselect.methods.pool import ACCURACY, validation_images
from ncselect.numerics.sampling import sampling_variance
from ncselect.types import Estimate, RunRecord


@dataclass(frozen=True, kw_only=True)
class LastValue(OwnCurve):
    """The learning curve stays where it is.

    References
    ----------
    Klein et al., Learning curve prediction with Bayesian neural networks, ICLR 2017, section 5:
    the baseline "last seen value".
    """

    name: ClassVar[str] = "last-value"
    summary: ClassVar[str] = "validation accuracy after the last observed epoch"
    source: ClassVar[str] = "last seen value (LSV): Klein et al., ICLR 2017"

    def estimate_one(self, record: RunRecord) -> Estimate:
        """Estimate a candidate's final accuracy as its last one.

        Returns
        -------
        Estimate
            ``sd`` is the binomial sampling deviation of the validation accuracy: chance in the
            validation images, not in what training will still do. It is nan where the run does
            not say how many images there were. Diagnostics: ``epoch``.
        """
        last = float(record.curve(ACCURACY)[-1])
        images = validation_images(record)
        sd = math.sqrt(sampling_variance(last, images)) if images else math.nan
        return Estimate(record.spec.model, last, sd, {"epoch": record.epochs})
