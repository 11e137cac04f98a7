from __future__ import annotations

import math

import numpy as np
import pytest

from ncselect.numerics.ridge import ridge_line
from ncselect.numerics.sampling import sampling_variance
from ncselect.numerics.window import chosen_window, noise_floor, windowed_mean, windowed_ridge
from zoo.errors import InputError


def ridge_window(x, y, length, floor=1e-8):
    return windowed_ridge(x, y, length=length, floor=floor, scaling="standardised")


@pytest.mark.parametrize("change", [3, 5, 6])
def test_the_window_starts_where_the_line_starts(change):
    rng = np.random.default_rng(change)
    x = np.linspace(2.0, 1.0, 12)
    y = 0.9 - 0.2 * x + 1e-4 * rng.normal(size=12)
    y[:change] += rng.choice([-0.1, 0.1], size=change)  # no line there
    y[change + 5 :] += rng.choice([-0.1, 0.1], size=12 - change - 5)
    window, line = ridge_window(x, y, 5)
    assert window.start == change
    assert window.slice == slice(change, change + 5)
    assert line.mean == pytest.approx(0.9, abs=2e-3)
    assert line == ridge_line(x[change : change + 5], y[change : change + 5])


def test_the_choice_is_the_smallest_bic_of_all_windows():
    rng = np.random.default_rng(4)
    x, y = rng.random(15), rng.random(15)
    bics = []
    for start in range(15 - 6 + 1):
        line = ridge_line(x[start : start + 6], y[start : start + 6])
        rss = np.sum((y - line.mean - line.slope * x)[start : start + 6] ** 2)
        bics.append(6 * math.log(rss / 6) + 3 * math.log(6))
    window, _ = ridge_window(x, y, 6)
    assert window.start == int(np.argmin(bics))
    assert window.bic == pytest.approx(min(bics))


def test_windows_below_the_noise_are_equal_and_the_latest_is_taken():
    x = np.linspace(2.0, 1.0, 9)
    exact = 0.9 - 0.2 * x
    exact[0] = 0.1
    window, _ = ridge_window(x, exact, 4, floor=1e-4)
    assert window.start == 5
    assert window.bic == pytest.approx(4 * math.log(1e-4) + 3 * math.log(4))


def test_a_flat_curve_has_a_finite_bic():
    window, mean, sd = windowed_mean(np.full(8, 0.5), length=5, floor=noise_floor(np.ones(8), 10))
    assert math.isfinite(window.bic)
    assert (window.start, mean, sd) == (3, 0.5, 0.0)


def test_the_mean_window_is_the_steadiest():
    accuracy = np.array([0.1, 0.5, 0.7, 0.71, 0.69, 0.9, 0.2])
    window, mean, sd = windowed_mean(accuracy, length=3, floor=1e-9)
    assert window.start == 2
    assert mean == pytest.approx(0.7)
    assert sd == pytest.approx(0.01 * math.sqrt(4 / 3))
    assert window.bic == pytest.approx(3 * math.log(2e-4 / 3) + 2 * math.log(3))


def test_one_epoch_has_a_mean_without_deviation():
    _, mean, sd = windowed_mean(np.array([0.3]), length=1, floor=1e-4)
    assert mean == 0.3
    assert math.isnan(sd)


def test_the_floor_is_the_sampling_variance_of_the_curve():
    accuracy = np.array([0.6, 0.8])
    assert noise_floor(accuracy, 1000) == pytest.approx(0.7 * 0.3 / 1000, rel=2e-3)
    assert noise_floor(np.ones(3), 1000) > 0
    assert noise_floor(accuracy, None) == 1e-4


def test_sampling_variance_is_what_repeated_validation_shows():
    rng = np.random.default_rng(0)
    measured = rng.binomial(400, 0.8, size=200_000) / 400
    assert sampling_variance(0.8, 400) == pytest.approx(measured.var(), rel=0.02)


def test_chosen_window_penalises_parameters():
    two, three = (
        chosen_window(np.array([0.1]), length=7, parameters=k, floor=1e-6).bic for k in (2, 3)
    )
    assert three - two == pytest.approx(math.log(7))


@pytest.mark.parametrize("length", [1, 4])
def test_a_window_that_does_not_fit_is_named(length):
    with pytest.raises(InputError, match=f"length is {length} with 3 epochs"):
        ridge_window(np.arange(3.0), np.array([0.1, 0.2, 0.3]), length)


@pytest.mark.parametrize("length", [0, 4])
def test_a_mean_window_that_does_not_fit_is_named(length):
    with pytest.raises(InputError, match=f"length is {length} with 3 epochs"):
        windowed_mean(np.array([0.1, 0.2, 0.3]), length=length, floor=1e-4)
