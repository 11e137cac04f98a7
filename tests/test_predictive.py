from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import integrate, stats

from ncselect.numerics.calibration import (
    BINS,
    best_shares,
    brier_score,
    calibration_error,
    calibration_sums,
    resampled_p_best,
)
from ncselect.numerics.decision import p_best
from ncselect.numerics.predictive import (
    normal_covered,
    normal_crps,
    sample_covered,
    sample_crps,
)

CASES = list(
    itertools.product([0.0, 0.02, 0.5, 0.97, 1.0], [-0.1, 0.0, 0.4, 0.95, 1.2], [0.01, 0.3])
)


@pytest.mark.parametrize(("truth", "mean", "sd"), CASES)
def test_normal_crps_is_its_integral(truth, mean, sd):
    found = normal_crps(np.array([truth]), np.array([mean]), np.array([sd]))
    middle = np.clip(mean, 0, 1)  # where the integrand bends: a point for the quadrature
    pieces = sorted({0.0, truth, float(middle), 1.0})
    distribution = stats.norm(mean, sd)
    expected = sum(
        integrate.quad(
            lambda x: (distribution.cdf(x) - (x >= truth)) ** 2, low, high, limit=200
        )[0]
        for low, high in itertools.pairwise(pieces)
    )  # fmt: skip
    assert found[0] == pytest.approx(expected, abs=1e-9)


def test_normal_crps_far_from_the_ends_is_the_published_value():
    """Of a standard normal at its mean: (√2 − 1)/√π = 0.2336950, Gneiting & Raftery (2007)."""
    found = normal_crps(np.array([0.5]), np.array([0.5]), np.array([0.01]))
    assert found[0] == pytest.approx(0.01 * 0.2336950, rel=1e-6)


def test_crps_of_a_point_is_its_distance_and_nan_stays_nan():
    found = normal_crps(
        np.array([0.7, 0.7, 0.7]), np.array([0.4, np.nan, 0.4]), np.array([0, 0.1, np.nan])
    )  # fmt: skip
    np.testing.assert_allclose(found, [0.3, np.nan, np.nan])


def test_sample_crps_is_the_one_of_all_pairs():
    rng = np.random.default_rng(0)
    draws, truth = rng.random((40, 5)), rng.random(5)
    pairs = np.abs(draws[:, None] - draws[None]).mean(axis=(0, 1))
    expected = np.abs(draws - truth).mean(axis=0) - pairs / 2
    np.testing.assert_allclose(sample_crps(truth, draws), expected, atol=1e-14)


@pytest.mark.parametrize("mean", [0.5, 0.95, 1.02])
def test_clipped_draws_of_a_normal_score_as_the_normal(mean):
    draws = np.clip(np.random.default_rng(0).normal(mean, 0.1, (100_000, 1)), 0, 1)
    truth = np.array([0.9])
    expected = normal_crps(truth, np.array([mean]), np.array([0.1]))
    np.testing.assert_allclose(sample_crps(truth, draws), expected, atol=6e-4)


def test_crps_is_proper():
    """The distribution that truths come from scores better than narrower and wider ones."""
    truth = np.clip(np.random.default_rng(1).normal(0.9, 0.1, 20_000), 0, 1)
    mean = np.full(truth.shape, 0.9)
    own, narrow, wide = (
        normal_crps(truth, mean, np.full(truth.shape, sd)).mean() for sd in (0.1, 0.06, 0.16)
    )
    assert own < narrow
    assert own < wide


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_intervals_hold_their_share_of_truths(level):
    rng = np.random.default_rng(2)
    truth, mean, sd = rng.normal(0.5, 0.1, 20_000), np.full(20_000, 0.5), np.full(20_000, 0.1)
    inside = normal_covered(truth, mean, sd, level)
    assert inside.mean() == pytest.approx(level, abs=0.01)
    half = stats.norm.ppf((1 + level) / 2) * 0.1
    np.testing.assert_array_equal(inside, np.abs(truth - 0.5) <= half)
    draws = rng.normal(0.5, 0.1, (4000, 1))
    assert sample_covered(truth, draws, level).mean() == pytest.approx(level, abs=0.03)


def test_an_interval_without_width_holds_its_point():
    point = np.array([0.4, 0.5])
    assert normal_covered(np.full(2, 0.4), point, np.zeros(2), 0.5).tolist() == [True, False]
    assert sample_covered(np.full(2, 0.4), np.tile(point, (9, 1)), 0.5).tolist() == [True, False]


def test_p_best_of_the_whole_pool_is_p_best():
    draws = np.random.default_rng(3).normal(np.linspace(0.5, 0.6, 6), 0.05, (500, 6))
    ones = np.ones((1, 6), dtype=np.int64)
    found = resampled_p_best(draws, ones, np.random.default_rng(0))
    np.testing.assert_allclose(found[0], p_best(draws), atol=1e-12)


def test_p_best_of_a_resample_is_that_of_its_copies():
    rng = np.random.default_rng(4)
    draws = rng.normal(0.5, 0.05, (300, 5))
    counts = rng.multinomial(5, np.full(5, 0.2), size=40)
    found = resampled_p_best(draws, counts, rng)
    for said, copies in zip(found, counts, strict=True):
        of_copies = p_best(np.repeat(draws, copies, axis=1))
        np.testing.assert_allclose(np.repeat(said, copies), of_copies, atol=1e-12)
        assert (said[copies == 0] == 0).all()


def test_models_tied_in_a_draw_share_it():
    draws = np.ones((20_000, 4))
    counts = np.array([[1, 1, 1, 1], [2, 1, 0, 1]])
    found = resampled_p_best(draws, counts, np.random.default_rng(0))
    np.testing.assert_allclose(found[0], 0.25, atol=0.02)
    np.testing.assert_allclose(found[1] * counts[1], [1 / 3, 1 / 3, 0, 1 / 3], atol=0.02)


def test_best_shares_are_split_among_all_that_are_best():
    truth = np.array([0.9, 0.5, 0.9])
    counts = np.array([[1, 1, 1], [0, 3, 0], [2, 1, 1]])
    expected = [[0.5, 0, 0.5], [0, 1 / 3, 0], [1 / 3, 0, 1 / 3]]
    np.testing.assert_allclose(best_shares(truth, counts), expected)


def test_brier_and_calibration_of_a_known_case():
    """Two candidates said .75 and .25: right once, wrong once, on average."""
    said = np.array([[0.75, 0.25], [0.75, 0.25]])
    came = np.array([[1.0, 0.0], [0.0, 1.0]])
    ones = np.ones((2, 2), dtype=np.int64)
    np.testing.assert_allclose(brier_score(said, came, ones), [0.0625, 0.5625])
    sums = calibration_sums(said, came, ones)
    assert sums.shape == (2, BINS)
    np.testing.assert_allclose(calibration_error(sums, np.array([2, 2])), [0.25, 0.75])
    # together: .75 said and .5 came in one bin, .25 and .5 in the other
    assert calibration_error(sums.sum(axis=0), np.array(4)) == pytest.approx(0.25)


def test_probabilities_that_come_true_as_often_as_said_are_calibrated():
    rng = np.random.default_rng(5)
    said = rng.random((1, 100_000))
    came = (rng.random(said.shape) < said).astype(float)
    ones = np.ones(said.shape, dtype=np.int64)
    n = np.array([said.size])
    assert calibration_error(calibration_sums(said, came, ones), n)[0] < 0.01
    assert calibration_error(calibration_sums(said**3, came, ones), n)[0] > 0.2
    assert brier_score(said, came, ones)[0] == pytest.approx(1 / 6, abs=0.005)  # ∫ p (1 − p)
