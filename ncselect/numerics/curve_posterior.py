"""Posterior of a weighted sum of all families, and what it predicts at the horizon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.curve_families import FAMILIES
from ncselect.numerics.curve_fit import fitted_parameters, observed_and_final, recency_weights
from zoo.errors import InputError

Array = NDArray[np.float64]

START_RADIUS = 1e-6  # of the ball of walkers round the least-squares fit
KEPT_EVERY = 10  # steps between the positions that are kept
NOISE = (1e-4, 1.0)
WEIGHT = (0.0, 1.0)

_families = tuple(FAMILIES.values())
_ends = np.cumsum([0, *(len(family.parameters) for family in _families)])
DIMENSIONS = int(_ends[-1]) + len(_families) + 1


class WeightedFamilies:
    """The density of parameters, weights and noise given the beginning of a curve.

    A position holds the parameters of all families in their order, the families' weights w and
    the noise's standard deviation σ: 48 numbers. The curve is f(x) = Σ w_k·f_k(x), observations
    have Gaussian noise. Priors are flat within bounds, and 0 where f at the horizon leaves
    [0, 1] or is below f(1).

    Parameters
    ----------
    curve
        Accuracy after epochs 1 … n, shape (n,).
    horizon
        The epoch to be predicted.

    References
    ----------
    Domhan, Springenberg and Hutter, IJCAI 2015, section 3; recency weights from the authors'
    implementation.
    """

    def __init__(self, curve: Array, horizon: int) -> None:
        self._curve = curve
        self._horizon = horizon
        self._epochs = observed_and_final(curve.size, horizon)
        self._recency = recency_weights(curve.size)
        bounds = [family.bounds for family in _families]
        count = len(_families)
        self._least = np.concatenate([*(b[0] for b in bounds), [WEIGHT[0]] * count, [NOISE[0]]])
        self._greatest = np.concatenate([*(b[1] for b in bounds), [WEIGHT[1]] * count, [NOISE[1]]])

    def values(self, positions: Array, epochs: Array) -> Array:
        """Return f at given epochs, shape (m, n), for positions of shape (m, 48)."""
        theta = np.ascontiguousarray(positions.T)[:, :, None]
        weights = theta[_ends[-1] : -1]
        total = np.zeros((len(positions), epochs.size))
        for family, weight, start, end in zip(
            _families, weights, _ends[:-1], _ends[1:], strict=True
        ):
            total += weight * family.curve(epochs, *theta[start:end])
        return total

    def log_density(self, positions: Array) -> Array:
        """Return the unnormalised log posterior density, shape (m,), −inf outside the prior.

        Σ_i r_i·ln N(y_i; f(x_i), σ²) with the recency weights r_i, constants left out.

        Parameters
        ----------
        positions
            Shape (m, 48), finite.
        """
        density = np.full(len(positions), -np.inf)
        inside = np.flatnonzero(
            ((positions >= self._least) & (positions <= self._greatest)).all(axis=1)
        )
        values = self.values(positions[inside], self._epochs)
        first, final = values[:, 0], values[:, -1]
        allowed = (first <= final) & (final >= 0.0) & (final <= 1.0)
        values, inside = values[allowed], inside[allowed]
        noise = positions[inside, -1]
        misses = (values[:, :-1] - self._curve) ** 2 @ self._recency
        density[inside] = -misses / (2 * noise**2) - self._recency.sum() * np.log(noise)
        return density

    def start(self) -> Array:
        """Return the position of the least-squares fits: equal weights, the noise they leave."""
        fits = [fitted_parameters(one, self._curve, horizon=self._horizon) for one in _families]
        weights = np.full(len(_families), 1 / len(_families))
        position = np.concatenate([*fits, weights, [NOISE[1]]])
        misses = self.values(position[None], self._epochs[:-1])[0] - self._curve
        left = np.sqrt(np.average(misses**2, weights=self._recency))
        position[-1] = np.clip(left, 2 * NOISE[0], NOISE[1] / 2)
        return position


def checked_sampling(walkers: int, steps: int, burn_in: int) -> None:
    """Check the ensemble's size and length.

    Raises
    ------
    InputError
        If there are too few walkers or no step is left after the burn-in.
    """
    if walkers < 2 * DIMENSIONS or walkers % 2:
        raise InputError(
            f"walkers is {walkers}; give an even number of {2 * DIMENSIONS} or more, two for "
            "each dimension"
        )
    if burn_in < 0:
        raise InputError(f"burn_in is {burn_in}; give 0 or a positive integer")
    if steps <= burn_in:
        raise InputError(f"steps is {steps}; give more than the burn-in of {burn_in}")


@dataclass(frozen=True)
class HorizonPrediction:
    """The posterior predictive distribution of the accuracy at the horizon.

    Attributes
    ----------
    mean, sd
        Its mean and standard deviation, the noise of an observation included.
    noise
        Posterior mean of the noise's standard deviation.
    acceptance
        Share of the proposed steps that were taken.
    """

    mean: float
    sd: float
    noise: float
    acceptance: float


def horizon_prediction(
    curve: Array, *, horizon: int, walkers: int, steps: int, burn_in: int, rng: np.random.Generator
) -> HorizonPrediction:
    """Sample the posterior with emcee and predict the horizon.

    Parameters
    ----------
    curve
        Accuracy after epochs 1 … n in [0, 1], shape (n,), n ≥ 1.
    horizon
        The epoch to be predicted, at least 1.
    walkers
        An even number, at least twice the 48 dimensions.
    steps, burn_in
        Steps of every walker, and how many of them are thrown away first.
    rng
        Where randomness comes from.

    Returns
    -------
    HorizonPrediction

    Raises
    ------
    InputError
        If there are too few walkers or steps.

    References
    ----------
    Domhan et al., IJCAI 2015, section 3; Foreman-Mackey et al., emcee: the MCMC hammer (2013).
    """
    import emcee

    from ncselect.numerics.stretch import WholeArrayStretch

    checked_sampling(walkers, steps, burn_in)
    model = WeightedFamilies(curve, horizon)
    ball = model.start() + START_RADIUS * rng.standard_normal((walkers, DIMENSIONS))
    numbers = np.random.RandomState(rng.integers(2**32, dtype=np.uint64)).get_state()
    sampler = emcee.EnsembleSampler(
        walkers, DIMENSIONS, model.log_density, moves=WholeArrayStretch(), vectorize=True
    )
    first = emcee.State(ball, log_prob=model.log_density(ball), random_state=numbers)
    kept, moved, before = [], 0, first.log_prob
    for step, state in enumerate(sampler.sample(first, iterations=steps, store=False)):
        moved += int(np.count_nonzero(state.log_prob != before))
        before = state.log_prob.copy()
        if step >= burn_in and (step - burn_in) % KEPT_EVERY == 0:
            kept.append(state.coords.copy())
    positions = np.concatenate(kept)
    final = model.values(positions, np.array([float(horizon)]))[:, 0]
    noise = positions[:, -1]
    return HorizonPrediction(
        mean=float(final.mean()),
        sd=float(np.sqrt(final.var() + np.mean(noise**2))),
        noise=float(noise.mean()),
        acceptance=moved / (steps * walkers),
    )
