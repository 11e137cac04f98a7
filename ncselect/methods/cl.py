"""Curves of earlier trainings, stretched onto the candidate's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ncselect.methods.finished import checked_history, checked_horizon, finished_curves
from ncselect.methods.own_curve import OwnCurve
from ncselect.methods.pool import ACCURACY
from ncselect.numerics.source_task_curves import source_task_predictions
from ncselect.types import Curve, Estimate, RunRecord
from zoo.errors import InputError

KEPT = 100  # the paper's number of curves whose predictions are averaged


@dataclass(frozen=True, kw_only=True)
class SourceTaskCurves(OwnCurve):
    """Mean of what the best fitting earlier curves predict, each mapped by a·f + b.

    Attributes
    ----------
    horizon
        The epoch whose accuracy is predicted.
    history
        Finished trainings; those of fewer epochs than the horizon are left out.

    References
    ----------
    Chandrashekaran and Lane, Speeding up hyper-parameter optimization by extrapolation of
    learning curves using previous builds, ECML PKDD 2017.
    """

    name: ClassVar[str] = "cl"
    summary: ClassVar[str] = "earlier finished curves, each mapped by a·f + b; needs a history"
    source: ClassVar[str] = "Chandrashekaran & Lane, ECML PKDD 2017"

    horizon: int = 50
    history: tuple[Curve, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        checked_horizon(self.horizon)
        checked_history(self.history)

    def estimate_one(self, record: RunRecord) -> Estimate:
        """Estimate a candidate's accuracy at the horizon from the history.

        Returns
        -------
        Estimate
            Mean and standard deviation of the predictions of the 100 best fitting curves that
            are not rejected; the deviation is nan where there is one. Diagnostics: ``curves``,
            their number.

        Raises
        ------
        InputError
            If every curve is rejected, or none in the history is long enough.
        """
        curve = record.curve(ACCURACY)
        _, early, final = finished_curves(
            self.history, observed=curve.size, horizon=self.horizon, least=1
        )
        predictions = source_task_predictions(curve, early, final, keep=KEPT)
        if not predictions.size:
            raise InputError(
                f"none of the {len(early)} finished curves, mapped onto this one, ends between "
                f"the {curve.max():.3f} it has reached and 1; give more with --history, or choose "
                "a method that needs none"
            )
        return Estimate(
            record.spec.model,
            mean=float(predictions.mean()),
            sd=float(predictions.std(ddof=1)) if predictions.size > 1 else float("nan"),
            diagnostics={"curves": predictions.size},
        )
