"""Joint predictive distribution of a pool's final accuracies from the first epochs.

A candidate's final accuracy is predicted on the log-odds scale as its best value so far, plus the
momentum of its own curve, plus what the pool says: candidates behind its top catch up, the more
the faster the whole pool still rises. Round that lies a mixture of four normals: the ordinary
course, its wide tail, staying where it is (collapsed curves) and starting late. The candidates of
a pool share data and protocol, so their errors share a factor. Every number comes from a
:class:`CurvePrior`, learned from finished curves (``curve_learning``).

The momentum is measured in accuracy and added in log-odds: a point gained at 60% says more of the
future than one gained at 99%. It is measured on the best value so far because noise in validation
accuracy mostly goes down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.curve_prior import CurvePrior
from ncselect.numerics.normal_mixture import NormalMixture
from zoo.errors import InputError

Array = NDArray[np.float64]

SOFTNESS = 1e-3  # keeps the log-odds of 0 and 1 finite
STUCK = 0.005  # a range of accuracies this small looks like a collapsed run
ALIVE = 0.02  # a range from which a candidate counts for the speed of the pool
USUAL_SPEED = (0.4, 2.0)  # log-odds gained over the last halving, and its weight in candidates
LONGEST = 4.0  # log(horizon / epochs) beyond which nothing was learned
ROUNDING = 5e-4  # standard deviation of a final accuracy that was seen
NORMAL = np.linspace(-4.8, 4.8, 193)  # normal scores at which quantiles are taken
MASS = np.exp(-0.5 * NORMAL**2) / np.exp(-0.5 * NORMAL**2).sum()
NO_OVERTAKING = 0.9  # of the reach: nobody overtakes another for being behind it
FARTHEST = 3.0  # standard deviations over the pool to which an expectation may pull
TOP = 0.9  # quantile of the pool that counts as its top: its best is too lucky


@dataclass(frozen=True)
class JointFinal:
    """What is known of the final accuracies of a pool of n candidates.

    Attributes
    ----------
    mean, sd
        Of each candidate's final accuracy, shape (n,).
    score
        Median final log-odds, shape (n,): what to order by. It is finer than the mean near 1, and
        a doubt about how wide a candidate's future is does not move it.
    draws
        Joint draws, shape (draws, n), in [0, 1].
    """

    mean: Array
    sd: Array
    score: Array
    draws: Array


@dataclass(frozen=True)
class PoolView:
    """What the model sees of a pool, each of shape (n,); attributes as in :class:`CurvePrior`.

    Attributes
    ----------
    best
        Log-odds of the best value so far.
    index
        The index u.
    behind
        Distance g from the top of the pool.
    speed, own_speed
        Of the pool and of the candidate.
    horizon
        t = log(horizon / epochs), at most ``LONGEST``.
    epochs
        log(epochs).
    rough
        Log of the mean second difference of the log-odds.
    stuck
        Near 1 for a curve that has never moved.
    """

    best: Array
    index: Array
    behind: Array
    speed: Array
    own_speed: Array
    horizon: Array
    epochs: Array
    rough: Array
    stuck: Array


def log_odds(accuracy: Array) -> Array:
    """Return softened log-odds, finite at 0 and 1; any shape."""
    return np.asarray(np.log((accuracy + SOFTNESS) / (1 - accuracy + SOFTNESS)))


def accuracy_of(odds: Array) -> Array:
    """Return the accuracy of softened log-odds, in [0, 1]; any shape."""
    inverse = (1 + 2 * SOFTNESS) / (1 + np.exp(-np.clip(odds, -30, 30))) - SOFTNESS
    return np.clip(inverse, 0.0, 1.0)


def momentum(accuracy: Array) -> Array:
    """Return by how much the best value lately rose, of curves (n, E), shape (n,).

    It is the best value less the mean of the best value so far, epoch e weighing e.
    """
    rising = np.maximum.accumulate(accuracy, axis=1)
    weights = np.arange(1.0, accuracy.shape[1] + 1)
    return np.asarray(rising[:, -1] - rising @ (weights / weights.sum()))


def fade(epochs: int, horizon: int) -> float:
    """Return f: momentum counts in full while half of the epochs are to come."""
    return min(1.0, float(np.log(horizon / epochs) / np.log(2)))


def value_at(curves: Array, epoch: float) -> Array:
    """Return curves (n, E) at an epoch between 1 and E, interpolated, shape (n,)."""
    position = min(max(epoch - 1, 0.0), curves.shape[1] - 1.0)
    left = int(position)
    right = min(left + 1, curves.shape[1] - 1)
    step = curves[:, right] - curves[:, left]
    return np.asarray(curves[:, left] + (position - left) * step)


def view(accuracy: Array, horizon: int, weight: float) -> PoolView:
    """Return what the model sees of curves (n, E), E ≥ 1, given the weight of momentum."""
    n, epochs = accuracy.shape
    one = np.ones(n)
    odds = log_odds(accuracy)
    rising = np.maximum.accumulate(odds, axis=1)
    best = rising[:, -1]
    index = best + fade(epochs, horizon) * weight * momentum(accuracy)
    own_speed = best - value_at(rising, epochs / 2)
    span = np.ptp(accuracy, axis=1)
    alive = span > ALIVE
    usual, usual_count = USUAL_SPEED
    seen = float(np.median(own_speed[alive])) if alive.any() else usual
    speed = (seen * alive.sum() + usual * usual_count) / (alive.sum() + usual_count)
    bends = np.abs(np.diff(odds, n=2, axis=1)).mean(axis=1) if epochs > 2 else 0.3 * one
    return PoolView(
        best=best,
        index=index,
        behind=np.maximum(np.quantile(index, TOP) - index, 0.0),
        speed=speed * one,
        own_speed=own_speed,
        horizon=min(float(np.log(horizon / epochs)), LONGEST) * one,
        epochs=np.log(epochs) * one,
        rough=np.log(bends + 0.03),
        stuck=np.exp(-span / STUCK) if epochs > 1 else 0 * one,
    )


def mixture(prior: CurvePrior, seen: PoolView) -> NormalMixture:
    """Return the final log-odds of each: ordinary course, tail, staying, starting late."""
    t, g = seen.horizon, seen.behind
    f = np.minimum(t / np.log(2), 1.0)
    c = 1 - np.exp(-g / np.exp(prior.reach))
    late = seen.epochs - 2
    pace = t**prior.power * seen.speed * np.exp(prior.catch_up_epochs * late)
    reach = np.exp(prior.reach)
    centre = seen.index + f * (prior.shift + prior.shift_epochs * late) + prior.rise * t
    centre = centre + np.minimum(prior.catch_up * pace, NO_OVERTAKING * reach) * c
    centre = centre + f * prior.own * c * (seen.own_speed - seen.speed)
    noise = prior.noise + prior.noise_horizon * np.log(t + 0.02)
    noise = noise + prior.noise_rough * seen.rough + prior.noise_epochs * seen.epochs
    width = np.exp(noise) + np.exp(prior.spread) * pace * c + 0.02
    logits = np.stack(
        [
            np.zeros_like(t),
            prior.tail + prior.tail_behind * c,
            prior.stay + prior.stay_stuck * seen.stuck + prior.stay_horizon * (t - 2),
            prior.start + prior.start_stuck * seen.stuck + prior.start_horizon * (t - 2),
        ],
        axis=1,
    )
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    means = np.stack(
        [centre, centre + prior.tail_centre * width, seen.best, seen.best + prior.start_reach * g],
        axis=1,
    )
    sds = np.stack(
        [
            width,
            width * np.exp(prior.tail_width),
            np.full_like(t, np.exp(prior.stay_width) + 0.03),
            np.exp(prior.start_width) * (g + 0.3),
        ],
        axis=1,
    )
    return NormalMixture(weights / weights.sum(axis=1, keepdims=True), means, sds)


def joint_final(
    accuracy: Array,
    horizon: int,
    prior: CurvePrior,
    *,
    rng: np.random.Generator,
    expected_mean: Array | None = None,
    expected_sd: Array | None = None,
    draws: int = 2000,
) -> JointFinal:
    """Predict the final accuracies of a pool jointly from the first epochs of its curves.

    Parameters
    ----------
    accuracy
        Validation accuracies after epochs 1 … E, shape (n, E), E ≥ 1, in [0, 1].
    horizon
        The epoch T ≥ E whose accuracy is predicted. With T = E it is known up to rounding.
    prior
        What finished curves taught.
    rng
        Randomness of the draws; nothing else depends on it.
    expected_mean, expected_sd
        What is expected of each candidate without training it, standardised over the pool,
        shape (n,): N(mean, sd²) takes the place of N(0, 1). An sd of 1 or more says nothing.
    draws
        Number of joint draws.

    Returns
    -------
    JointFinal
        Means, standard deviations, scores and joint draws.

    Raises
    ------
    InputError
        If shapes or values are not as above.
    """
    from scipy.special import ndtr

    expected = _checked(accuracy, horizon, expected_mean, expected_sd)
    n, epochs = accuracy.shape
    if epochs < horizon:
        known = mixture(prior, view(accuracy, horizon, prior.momentum))
    else:
        known = _finished(accuracy[:, -1])
    quantiles = known.quantiles(ndtr(NORMAL))
    loading = np.sqrt(prior.shared)
    common, own = rng.standard_normal((draws, 1)), rng.standard_normal((draws, n))
    normal = loading * common + np.sqrt(1 - loading**2) * own
    odds = np.stack([np.interp(normal[:, k], NORMAL, quantiles[k]) for k in range(n)], axis=1)
    middle = quantiles[:, len(NORMAL) // 2]
    if expected is not None and epochs < horizon and (expected[1] < 1).any():
        middle, odds = _told(known, prior.shared, *expected, middle=middle, odds=odds, rng=rng)
        final = accuracy_of(odds)
        return JointFinal(final.mean(axis=0), final.std(axis=0), middle, final)
    final = accuracy_of(quantiles)
    mean = final @ MASS
    return JointFinal(
        mean=mean,
        sd=np.sqrt((final - mean[:, None]) ** 2 @ MASS),
        score=middle,
        draws=accuracy_of(odds),
    )


def _finished(last: Array) -> NormalMixture:
    """Return final values that were seen, known up to rounding."""
    slope = np.maximum((last + SOFTNESS) * (1 - last + SOFTNESS), SOFTNESS)
    return NormalMixture(
        np.ones((len(last), 1)), log_odds(last)[:, None], (ROUNDING / slope)[:, None]
    )


def _told(
    known: NormalMixture,
    shared: float,
    expected: Array,
    sd: Array,
    *,
    middle: Array,
    odds: Array,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Return medians and draws of the log-odds after what is expected of each candidate.

    An expectation N(m, s²) in place of N(0, 1) is a reading m/(1 − s²) with the variance
    s²/(1 − s²) of how far a candidate lies from the mean of the pool, in standard deviations over
    the pool. It sets candidates apart and says nothing of their level. All are updated together
    by Matheron's rule: each draw moves by the gain times what its own reading would lack.

    References
    ----------
    Wilson et al., Pathwise conditioning of Gaussian processes, JMLR 22 (2021), equation 8.
    """
    n = len(expected)
    some = np.flatnonzero(sd < 1)
    scale = np.sqrt(np.var(known.mean) + known.variance.mean())
    contrast = ((np.eye(n) - 1 / n) / scale)[some]
    spread = np.sqrt(known.variance)
    covariance = np.outer(spread, spread) * (shared + (1 - shared) * np.eye(n))
    left = 1 - sd[some] ** 2
    noise = sd[some] ** 2 / left
    reading = np.clip(expected[some] / left, -FARTHEST, FARTHEST)
    seen = contrast @ covariance @ contrast.T + np.diag(noise)
    gain = np.linalg.solve(seen, contrast @ covariance).T
    wobble = rng.standard_normal((len(odds), len(some))) * np.sqrt(noise)
    return (
        middle + gain @ (reading - contrast @ known.mean),
        odds + (reading - odds @ contrast.T - wobble) @ gain.T,
    )


def _checked(
    accuracy: Array, horizon: int, mean: Array | None, sd: Array | None
) -> tuple[Array, Array] | None:
    """Raise on what cannot be used; return the expectations, if there are any."""
    if accuracy.ndim != 2 or not len(accuracy):
        raise InputError(
            f"accuracy has shape {accuracy.shape}; give (candidates, epochs), one candidate or more"
        )
    n, epochs = accuracy.shape
    if not (np.isfinite(accuracy).all() and (accuracy >= 0).all() and (accuracy <= 1).all()):
        raise InputError("accuracy has values outside [0, 1]; give fractions, none missing")
    if not epochs:
        raise InputError("accuracy has 0 epochs; give one or more")
    if horizon < epochs:
        raise InputError(
            f"horizon is {horizon} where {epochs} epochs were seen; give the epoch to predict"
        )
    if (mean is None) != (sd is None):
        raise InputError("expected_mean and expected_sd come together; give both or neither")
    if mean is None or sd is None:
        return None
    if mean.shape != (n,) or sd.shape != (n,):
        raise InputError(
            f"expected_mean and expected_sd have shapes {mean.shape} and {sd.shape}; "
            f"give one value per candidate, ({n},)"
        )
    if not (np.isfinite(mean).all() and np.isfinite(sd).all() and (sd > 0).all()):
        raise InputError("expected_mean or expected_sd is not finite, or an sd not positive")
    return mean, sd
