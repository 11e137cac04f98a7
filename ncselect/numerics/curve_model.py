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

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import InputError

Array = NDArray[np.float64]

SOFTNESS = 1e-3  # keeps the log-odds of 0 and 1 finite
STUCK = 0.005  # a range of accuracies this small looks like a collapsed run
ALIVE = 0.02  # a range from which a candidate counts for the speed of the pool
USUAL_SPEED = (0.4, 2.0)  # log-odds gained over the last halving, and its weight in candidates
LONGEST = 4.0  # log(horizon / epochs) beyond which nothing was learned
TOP = 0.9  # quantile of the pool that counts as its top: its best is too lucky


@dataclass(frozen=True, kw_only=True)
class CurvePrior:
    """What finished curves teach about unfinished ones: the hyperparameters of the model.

    With t = log(horizon / epochs), f = min(1, t / log 2), g a candidate's distance from the
    pool's top, c = 1 − exp(−g / exp(reach)) and v the speed of the pool (log-odds gained since
    half the epochs, its median):

    - index u = log-odds of the best value + f · ``momentum`` · (best − mean of the best value so
      far, epoch e weighing e);
    - centre = u + f·``shift`` + ``rise``·t + ``catch_up``·t^``power``·v·c + f·``own``·c·(own speed − v);
    - width = exp(``noise``)·(t + 0.02)^``noise_horizon``·roughness^``noise_rough``·epochs^
      ``noise_epochs`` + exp(``spread``)·t^``power``·v·c + 0.02.

    Attributes
    ----------
    momentum
        Log-odds per unit of accuracy by which the best value lately rose.
    shift, rise, catch_up, power, reach, own
        Where the ordinary course leads.
    noise, noise_horizon, noise_rough, noise_epochs, spread
        How far from there it ends.
    tail, tail_behind, tail_centre, tail_width
        Log-weight of the tail against the ordinary course and its slope in c; its centre in
        widths; its log-width in widths.
    stay, stay_stuck, stay_horizon, stay_width
        Log-weight of staying, its slopes in stuckness and t − 2; log-width.
    start, start_stuck, start_horizon, start_reach, start_width
        The same of starting late, which leads ``start_reach`` of the way to the top.
    shared
        Correlation between the errors of two candidates of a pool.
    level, level_sd, level_spread
        Mean log-odds of final accuracies, its standard deviation between data sets, and the
        standard deviation within one: all that is known before the first epoch.
    """

    momentum: float = 6.0
    shift: float = -0.1
    rise: float = 0.1
    catch_up: float = 0.9
    power: float = 1.2
    reach: float = 0.0
    own: float = 0.5
    noise: float = -1.2
    noise_horizon: float = 0.5
    noise_rough: float = 0.2
    noise_epochs: float = -0.3
    noise_level: float = 0.0
    spread: float = -0.5
    tail: float = -0.5
    tail_behind: float = 0.0
    tail_level: float = 0.0
    tail_centre: float = -0.8
    tail_width: float = 0.7
    stay: float = -3.0
    stay_stuck: float = 3.0
    stay_horizon: float = -0.5
    stay_width: float = -3.0
    start: float = -4.0
    start_stuck: float = 3.0
    start_horizon: float = 0.5
    start_reach: float = 0.7
    start_width: float = -1.0
    shared: float = 0.1
    level: float = 2.0
    level_sd: float = 1.5
    level_spread: float = 1.3
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return the prior as JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> CurvePrior:
        """Rebuild a prior from :meth:`to_json`'s value."""
        return cls(**document)

    @classmethod
    def shipped(cls) -> CurvePrior:
        """Return the prior that comes with the package, see its ``provenance``."""
        text = resources.files("ncselect").joinpath("data", "curve_prior.json").read_text("utf-8")
        return cls.from_json(json.loads(text))


@dataclass(frozen=True)
class JointFinal:
    """What is known of the final accuracies of a pool of n candidates.

    Attributes
    ----------
    mean, sd
        Of each candidate's final accuracy, shape (n,).
    score
        Expected share of the pool that a candidate beats, itself counted half, shape (n,): the
        order with the best expected rank correlation, which hedges where the mean does not.
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
    return np.log((accuracy + SOFTNESS) / (1 - accuracy + SOFTNESS))


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
    return rising[:, -1] - rising @ (weights / weights.sum())


def fade(epochs: int, horizon: int) -> float:
    """Return f: momentum counts in full while half of the epochs are to come."""
    return min(1.0, float(np.log(horizon / epochs) / np.log(2)))


def value_at(curves: Array, epoch: float) -> Array:
    """Return curves (n, E) at an epoch between 1 and E, interpolated, shape (n,)."""
    position = min(max(epoch - 1, 0.0), curves.shape[1] - 1.0)
    left = int(position)
    right = min(left + 1, curves.shape[1] - 1)
    return curves[:, left] + (position - left) * (curves[:, right] - curves[:, left])


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


def mixture(prior: CurvePrior, seen: PoolView) -> tuple[Array, Array, Array]:
    """Return weights, means and standard deviations of the final log-odds, each (n, 4).

    The components: ordinary course, tail, staying, starting late.
    """
    t, g = seen.horizon, seen.behind
    f = np.minimum(t / np.log(2), 1.0)
    c = 1 - np.exp(-g / np.exp(prior.reach))
    pull = t**prior.power * seen.speed * c
    centre = seen.index + f * prior.shift + prior.rise * t + prior.catch_up * pull
    centre = centre + f * prior.own * c * (seen.own_speed - seen.speed)
    noise = prior.noise + prior.noise_horizon * np.log(t + 0.02)
    noise = noise + prior.noise_rough * seen.rough + prior.noise_epochs * seen.epochs
    height = np.tanh((seen.index - 1.5) / 2)
    noise = noise + prior.noise_level * height
    width = np.exp(noise) + np.exp(prior.spread) * pull + 0.02
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
            width * np.exp(prior.tail_width + prior.tail_level * height),
            np.full_like(t, np.exp(prior.stay_width) + 0.03),
            np.exp(prior.start_width) * (g + 0.3),
        ],
        axis=1,
    )
    return weights / weights.sum(axis=1, keepdims=True), means, sds


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
        Validation accuracies after epochs 1 … E, shape (n, E), in [0, 1]; E may be 0 where
        expectations are given.
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
    expected = _checked(accuracy, horizon, expected_mean, expected_sd)
    n, epochs = accuracy.shape
    if epochs == horizon:
        last = accuracy[:, -1]
        centre, sd = log_odds(last)[:, None], np.full((n, 1), 0.5 * SOFTNESS)
        parts = np.ones((n, 1)), centre, sd / np.maximum(last * (1 - last), SOFTNESS)[:, None]
    elif epochs:
        parts = mixture(prior, view(accuracy, horizon, prior.momentum))
    else:
        # before the first epoch: the common level is unknown, and shared by all
        parts = np.ones((n, 1)), np.full((n, 1), prior.level), np.full((n, 1), prior.level_spread)
    if expected is not None and epochs < horizon:
        parts = _informed(parts, *expected)
    common = rng.standard_normal((draws, 1))
    own = rng.standard_normal((draws, n))
    from scipy.special import ndtr

    chance = ndtr(np.sqrt(prior.shared) * common + np.sqrt(1 - prior.shared) * own)
    quantiles = mixture_quantiles(*parts, GRID)
    odds = np.stack([np.interp(chance[:, k], GRID, quantiles[k]) for k in range(n)], axis=1)
    if not epochs:
        odds = odds + prior.level_sd * rng.standard_normal((draws, 1))
    even = accuracy_of(quantiles[:, 1:-1])
    return JointFinal(
        mean=even.mean(axis=1),
        sd=even.std(axis=1),
        score=_beaten(quantiles),
        draws=accuracy_of(odds),
    )


GRID = np.concatenate([[1e-6], (np.arange(200) + 0.5) / 200, [1 - 1e-6]])


def mixture_quantiles(weights: Array, means: Array, sds: Array, chances: Array) -> Array:
    """Return quantiles (n, q) of normal mixtures given (n, k) each, by bisection."""
    from scipy.special import ndtr

    low = np.repeat((means - 8 * sds).min(axis=1)[:, None], len(chances), axis=1)
    high = np.repeat((means + 8 * sds).max(axis=1)[:, None], len(chances), axis=1)
    for _ in range(40):
        middle = (low + high) / 2
        below = sum(
            weights[:, k, None] * ndtr((middle - means[:, k, None]) / sds[:, k, None])
            for k in range(weights.shape[1])
        )
        left = below < chances
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    return (low + high) / 2


def _informed(
    parts: tuple[Array, Array, Array], expected: Array, sd: Array
) -> tuple[Array, Array, Array]:
    """Multiply mixtures by N(expected, sd²) / N(0, 1) of the standardised final value."""
    weights, means, sds = parts
    centres = (weights * means).sum(axis=1)
    inner = (weights * (sds**2 + means**2)).sum(axis=1) - centres**2
    location = centres.mean()
    scale = np.sqrt(np.var(centres) + inner.mean())
    precision = np.maximum(1 / sd**2 - 1, 0.0)  # of the message N(e, s²) / N(0, 1)
    target = np.where(precision > 0, expected / sd**2 / np.maximum(precision, 1e-12), 0.0)
    told = (precision / scale**2)[:, None]
    where = (location + scale * target)[:, None]
    variance = 1 / (1 / sds**2 + told)
    shifted = variance * (means / sds**2 + where * told)
    likely = np.log(weights + 1e-300) + 0.5 * np.log(variance / sds**2)
    likely = likely - 0.5 * told / (1 + told * sds**2) * (where - means) ** 2
    posterior = np.exp(likely - likely.max(axis=1, keepdims=True))
    return posterior / posterior.sum(axis=1, keepdims=True), shifted, np.sqrt(variance)


def _beaten(quantiles: Array) -> Array:
    """Return the expected share of the pool below each candidate, itself counted half, (n,)."""
    n = len(quantiles)
    even = quantiles[:, 1:-1]
    order = np.sort(even, axis=1)
    share = np.zeros(n)
    for rival in order:
        below = np.searchsorted(rival, even, "left") + np.searchsorted(rival, even, "right")
        share += below.mean(axis=1) / (2 * even.shape[1])
    return share / n


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
    if horizon < max(epochs, 1):
        raise InputError(
            f"horizon is {horizon} where {epochs} epochs were seen; give the epoch to predict"
        )
    if (mean is None) != (sd is None):
        raise InputError("expected_mean and expected_sd come together; give both or neither")
    if mean is None or sd is None:
        if not epochs:
            raise InputError(
                "accuracy has 0 epochs and nothing is expected; give epochs or expected_mean"
            )
        return None
    if mean.shape != (n,) or sd.shape != (n,):
        raise InputError(
            f"expected_mean and expected_sd have shapes {mean.shape} and {sd.shape}; "
            f"give one value per candidate, ({n},)"
        )
    if not (np.isfinite(mean).all() and np.isfinite(sd).all() and (sd > 0).all()):
        raise InputError("expected_mean or expected_sd is not finite, or an sd not positive")
    return mean, sd
