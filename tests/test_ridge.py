from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from ncselect.numerics.ridge import ridge_line
from zoo.errors import InputError

HYPERPRIOR = 1e-6  # shape and rate of both gamma priors, scikit-learn's defaults


def curve(rng, n=5, noise=0.01):
    """Return β and accuracy of a run: one falls, the other rises, both with noise."""
    epoch = np.arange(1, n + 1)
    x = rng.uniform(0.5, 2) / epoch**0.7 * np.exp(0.05 * rng.normal(size=n))
    y = rng.uniform(0.7, 0.9) - rng.uniform(0.1, 0.4) * x / x.max() + noise * rng.normal(size=n)
    return x, y


def evidence_maximum(x, y, at):
    """Bayesian linear regression by direct maximisation of the evidence, in function space.

    y ~ N(mean, I/α + z zᵀ/λ), z the centred input; the evidence is that n-variate density, times
    the gamma priors of α and λ. Tipping 2001, equations 34 and 35: optimised in log α, log λ.
    """
    z, target = x - x.mean(), y - y.mean()

    def negative_log_posterior(logs):
        noise_precision, slope_precision = np.exp(logs)
        covariance = np.eye(len(z)) / noise_precision + np.outer(z, z) / slope_precision
        evidence = multivariate_normal(np.zeros(len(z)), covariance).logpdf(target)
        priors = HYPERPRIOR * (logs.sum() - noise_precision - slope_precision)
        return -(evidence + priors)

    start = np.array([-np.log(target.var()), 2 * np.log(z.std()) - np.log(target.var())])
    best = minimize(
        negative_log_posterior, start, method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000, "maxfev": 4000},
    )  # fmt: skip
    noise_precision, slope_precision = np.exp(best.x)
    variance = 1 / (slope_precision + noise_precision * z @ z)
    slope = noise_precision * variance * z @ target
    distance = at - x.mean()
    return y.mean() + slope * distance, math.sqrt(distance**2 * variance + 1 / noise_precision)


@pytest.mark.parametrize("seed", range(12))
def test_mean_and_sd_are_those_of_the_maximised_evidence(seed):
    x, y = curve(np.random.default_rng(seed), n=5 + seed % 4)
    standard = (x - x.mean()) / x.std()
    mean, sd = evidence_maximum(standard, y, at=-x.mean() / x.std())
    line = ridge_line(x, y)
    assert line.mean == pytest.approx(mean, abs=1e-4)
    assert line.sd == pytest.approx(sd, rel=1e-3)


@pytest.mark.parametrize("seed", range(6))
def test_raw_input_is_fitted_in_its_own_units(seed):
    x, y = curve(np.random.default_rng(seed))
    mean, sd = evidence_maximum(x, y, at=0.0)
    line = ridge_line(x, y, scaling="raw")
    assert line.mean == pytest.approx(mean, abs=1e-4)
    assert line.sd == pytest.approx(sd, rel=1e-3)


@pytest.mark.parametrize("n", [5, 8, 20])
@pytest.mark.parametrize("r", [0.75, 0.9, 0.97])
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_slope_shrinks_by_the_closed_form(n, r, sign):
    rng = np.random.default_rng(n)
    x = rng.normal(size=n)
    z = (x - x.mean()) / x.std()
    other = rng.normal(size=n)
    other -= other.mean() + z * (z @ other) / n
    y = 100 * (sign * r * z + math.sqrt(1 - r**2) * other / other.std())  # hyperpriors negligible
    assert np.corrcoef(z, y)[0, 1] == pytest.approx(sign * r)
    expected = 1 - (1 - r**2) / ((n - 1) * r**2)
    assert ridge_line(x, y).slope_over_least_squares == pytest.approx(expected, abs=1e-4)


def test_below_the_edge_of_relevance_the_answer_is_the_mean():
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    y = np.array([0.7, 0.8, 0.6, 0.65, 0.75])
    assert np.corrcoef(x, y)[0, 1] ** 2 < 1 / 5
    line = ridge_line(x, y)
    assert line.slope_over_least_squares == pytest.approx(0.0, abs=0.05)  # stopped by the tolerance
    assert line.mean == pytest.approx(y.mean(), abs=1e-3)


@pytest.mark.parametrize("factor", [1e-300, 1e-12, 1e-3, 1e3, 1e12, 1e300, -1.0])
def test_rescaling_a_standardised_input_changes_nothing(factor):
    x, y = curve(np.random.default_rng(3))
    one, other = ridge_line(x, y), ridge_line(factor * x, y)
    assert other.mean == pytest.approx(one.mean, rel=1e-9)
    assert other.sd == pytest.approx(one.sd, rel=1e-9)
    assert other.zero_distance == pytest.approx(one.zero_distance, rel=1e-9)
    assert other.slope_over_least_squares == pytest.approx(one.slope_over_least_squares, rel=1e-9)
    assert other.slope * factor == pytest.approx(one.slope, rel=1e-9)
    assert other.residual_variance == pytest.approx(one.residual_variance, rel=1e-9)


def test_rescaling_a_raw_input_changes_the_answer():
    x, y = curve(np.random.default_rng(3), noise=0.03)
    small, large = (ridge_line(factor * x, y, scaling="raw").mean for factor in (1.0, 1e4))
    assert abs(small - large) > 0.01


@pytest.mark.parametrize("scaling", ["standardised", "raw"])
def test_slope_and_residuals_describe_the_same_line(scaling):
    x, y = curve(np.random.default_rng(8), n=7)
    line = ridge_line(x, y, scaling=scaling)
    residuals = y - (line.mean + line.slope * x)
    assert line.residual_variance == pytest.approx(np.mean(residuals**2), rel=1e-9)
    ratio = line.slope / np.polyfit(x, y, 1)[0]
    assert line.slope_over_least_squares == pytest.approx(ratio, rel=1e-9)


@pytest.mark.parametrize(
    ("x", "distance"),
    [
        ([1.0, 2.0, 3.0], 0.5),
        ([-5.0, -4.0, -3.0], 1.5),
        ([-1.0, 0.5, 1.0], 0.0),
        ([0.0, 1.0, 4.0], 0.0),
        ([2.0, 2.0, 2.0], math.inf),
        ([0.0, 0.0, 0.0], 0.0),
    ],
)
def test_distance_of_zero_is_in_ranges_of_the_input(x, distance):
    line = ridge_line(np.array(x), np.array([0.5, 0.6, 0.8]))
    assert line.zero_distance == distance


@pytest.mark.parametrize("scaling", ["standardised", "raw"])
@pytest.mark.parametrize("level", [0.0, 3.0, -1e-200])
def test_a_constant_input_leaves_the_mean(level, scaling):
    y = np.array([0.5, 0.6, 0.7, 0.9])
    line = ridge_line(np.full(4, level), y, scaling=scaling)
    assert line.mean == pytest.approx(0.675)
    assert line.slope == 0.0
    assert math.isnan(line.slope_over_least_squares)


@pytest.mark.parametrize(
    ("x", "y", "scaling", "text"),
    [
        ([1.0], [0.5], "raw", "two or more points"),
        ([1.0, 2.0], [0.5, 0.6, 0.7], "raw", r"shapes \(2,\) and \(3,\)"),
        ([1.0, math.nan], [0.5, 0.6], "raw", "nan or infinity"),
        ([1.0, 2.0], [0.5, math.inf], "raw", "nan or infinity"),
        ([1.0, 1e200], [0.5, 0.6], "raw", "too large to be squared; standardise it"),
        ([1.0, 2.0], [0.5, 0.6], "log", "choose standardised or raw"),
    ],
)
def test_bad_input_is_named(x, y, scaling, text):
    with pytest.raises(InputError, match=text):
        ridge_line(np.array(x), np.array(y), scaling=scaling)
