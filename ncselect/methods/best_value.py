"""Best seen value: the highest validation accuracy of the observed epochs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from ncselect.methods.own_curve import OwnCurve
from ncselect.methods.pool import ACCURACY, validation_images
from ncselect.numerics.sampling import sampling_variance
from ncselect.types import Estimate, RunRecord


@dataclass(frozen=True, kw_only=True)
class BestValue(OwnCurve):
    """The learning curve returns to its best.

    References
    ----------
    The baseline BSV of Neural Capacitance: A New Perspective of Neural Network Selection via Edge
    Dynamics (ICLR 2022 text), Table 1.
    """

    name: ClassVar[str] = "best-value"
    summary: ClassVar[str] = "best validation accuracy of the observed epochs"
    source: ClassVar[str] = "best seen value (BSV): neural capacitance, Table 1"

    def estimate_one(self, record: RunRecord) -> Estimate:
        """Estimate a candidate's final accuracy as its best one.

        Returns
        -------
        Estimate
            ``sd`` is the binomial sampling deviation of the validation accuracy: chance in the
            validation images, not in what training will still do. It is nan where the run does
            not say how many images there were. Diagnostics: ``epoch``, the first with the best.
        """
        accuracy = record.curve(ACCURACY)
        best = float(accuracy.max())
        images = validation_images(record)
        sd = math.sqrt(sampling_variance(best, images)) if images else math.nan
        return Estimate(record.spec.model, best, sd, {"epoch": int(accuracy.argmax()) + 1})
