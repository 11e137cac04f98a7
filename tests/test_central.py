"""Joint draws without their tails."""

from __future__ import annotations

import numpy as np
import pytest

from ncselect.elimination.central import central
from ncselect.numerics.curve_model import accuracy_of, log_odds
from zoo.errors import InputError


def test_normals_in_log_odds_stay_as_they_are():
    odds = np.random.default_rng(0).normal([1.2, -0.5], [0.3, 0.1], (20_000, 2))
    found = log_odds(central(accuracy_of(odds)))
    assert found.mean(axis=0) == pytest.approx([1.2, -0.5], abs=0.01)
    assert found.std(axis=0) == pytest.approx([0.3, 0.1], rel=0.02)
    assert np.corrcoef(found[:, 0], odds[:, 0])[0, 1] > 0.999


def test_one_in_twenty_that_starts_late_no_longer_matters():
    rng = np.random.default_rng(1)
    late = rng.random((20_000, 1)) < 0.05
    odds = np.where(late, rng.normal(2.0, 2.0, late.shape), rng.normal(0.0, 0.1, late.shape))
    draws = accuracy_of(odds)
    assert (draws > 0.9).mean() > 0.02
    assert central(draws).max() < 0.65  # 4 sd of .1 would be accuracy .6
    assert np.median(central(draws)) == pytest.approx(np.median(draws), abs=1e-4)


def test_what_is_joint_stays_joint():
    rng = np.random.default_rng(2)
    shared = rng.standard_normal((4000, 1))
    draws = accuracy_of(1 + 0.9 * shared + 0.4 * rng.standard_normal((4000, 3)))
    found = central(draws)
    assert (found.argsort(axis=0) == draws.argsort(axis=0)).all()
    # by hand: the middle, and half of what lies between the chances of −1 and 1 sd
    below, middle, above = np.quantile(log_odds(draws[:, 1]), [0.1587, 0.5, 0.8413])
    highest = middle + (above - below) / 2 * 3.6623  # Φ⁻¹(1 − 1/8000)
    assert found[:, 1].max() == pytest.approx(accuracy_of(highest), abs=1e-4)


def test_tails_of_more_than_a_sixth_widen_it():
    rng = np.random.default_rng(3)
    draws = accuracy_of(rng.normal(0.0, 0.1, (20_000, 1)))
    for share, widest in ((0.10, 0.65), (0.25, 1.0)):
        late = np.where(rng.random(draws.shape) < share, 0.95, draws)
        assert (central(late).max() > 0.9) == (widest == 1.0)
        assert central(late).max() < widest


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -0.01, 1.5])
def test_draws_that_are_no_accuracies_are_refused(wrong):
    draws = np.full((50, 2), 0.75)
    draws[3, 1] = wrong
    with pytest.raises(
        InputError, match=f"draws: 1 of 100 are not in .0, 1., the first is {wrong}"
    ):
        central(draws)


def test_what_is_known_exactly_stays_known():
    assert central(np.full((50, 2), 0.75)) == pytest.approx(np.full((50, 2), 0.75))
