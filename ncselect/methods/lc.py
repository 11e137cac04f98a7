"""Learning curve extrapolation by a weighted sum of parametric families, sampled by MCMC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ncselect.methods.finished import checked_horizon
from ncselect.methods.own_curve import OwnCurve
from ncselect.methods.pool import ACCURACY
from ncselect.methods.randomness import checked_seed, run_generator
from ncselect.numerics.curve_posterior import checked_sampling, horizon_prediction
from ncselect.types import Estimate, RunRecord


@dataclass(frozen=True, kw_only=True)
class ParametricCurves(OwnCurve):
    """The curve is a weighted sum of eleven parametric families with Gaussian noise.

    Attributes
    ----------
    horizon
        The epoch whose accuracy is predicted.
    walkers, steps, burn_in
        Of the ensemble sampler: an even number of walkers, 96 or more; the steps of each, and
        how many of them are thrown away.
    seed
        Seeds the walkers, together with the run's key: an answer does not depend on the pool.

    References
    ----------
    Domhan, Springenberg and Hutter, Speeding up automatic hyperparameter optimization of deep
    neural networks by extrapolation of learning curves, IJCAI 2015.
    """

    name: ClassVar[str] = "lc"
    summary: ClassVar[str] = "weighted sum of eleven parametric curves, sampled by MCMC"
    source: ClassVar[str] = "Domhan, Springenberg & Hutter, IJCAI 2015"
    least_epochs: ClassVar[int] = 2

    horizon: int = 50
    walkers: int = 100
    steps: int = 2500
    burn_in: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        checked_horizon(self.horizon)
        checked_sampling(self.walkers, self.steps, self.burn_in)
        checked_seed(self.seed)

    def estimate_one(self, record: RunRecord) -> Estimate:
        """Estimate a candidate's accuracy at the horizon.

        Returns
        -------
        Estimate
            Mean and standard deviation of the posterior predictive distribution. Diagnostics:
            ``noise``, the posterior mean of the observations' standard deviation, and
            ``acceptance``, the share of the sampler's steps that were taken.
        """
        predicted = horizon_prediction(
            record.curve(ACCURACY),
            horizon=self.horizon,
            walkers=self.walkers,
            steps=self.steps,
            burn_in=self.burn_in,
            rng=run_generator(self.seed, record),
        )
        return Estimate(
            record.spec.model,
            mean=predicted.mean,
            sd=predicted.sd,
            diagnostics={"noise": predicted.noise, "acceptance": predicted.acceptance},
        )
