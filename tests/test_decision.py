from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from ncselect.numerics.decision import expected_regret, p_best, p_best_to_come, tie_groups


def normal_draws(means, sds, draws=200_000, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(means, sds, size=(draws, len(means)))


def test_of_two_normals_the_better_is_best_as_their_difference_says():
    draws = normal_draws([0.72, 0.70], [0.02, 0.01])
    exact = norm.cdf(0.02 / np.hypot(0.02, 0.01))
    assert p_best(draws) == pytest.approx([exact, 1 - exact], abs=0.004)


def test_candidates_that_share_the_first_place_share_the_probability():
    draws = np.array([[0.9, 0.9, 0.1], [0.5, 0.9, 0.1]])
    assert p_best(draws).tolist() == [0.25, 0.75, 0.0]


def test_regret_of_two_normals_is_the_expected_positive_part():
    draws = normal_draws([0.72, 0.70], [0.02, 0.01])
    s = np.hypot(0.02, 0.01)  # E max(d, 0), d normal(m, s): m Φ(m/s) + s φ(m/s)
    lost = [m * norm.cdf(m / s) + s * norm.pdf(m / s) for m in (-0.02, 0.02)]
    assert expected_regret(draws) == pytest.approx(lost, abs=1e-4)


def test_groups_split_where_the_first_member_is_surely_better():
    draws = normal_draws([0.80, 0.79, 0.70, 0.695, 0.5], [0.02] * 5)
    assert tie_groups(draws, np.arange(5)).tolist() == [1, 1, 2, 2, 3]
    shuffled = [3, 0, 4, 1, 2]
    groups = tie_groups(draws[:, shuffled], np.argsort(shuffled))
    assert groups.tolist() == [2, 1, 3, 1, 2]


def test_equal_candidates_are_one_group():
    assert tie_groups(np.full((10, 3), 0.5), np.arange(3)).tolist() == [1, 1, 1]


def test_a_correlated_pool_is_told_apart_although_each_is_uncertain():
    common = np.random.default_rng(0).normal(0, 0.1, size=(5000, 1))
    draws = common + np.array([0.80, 0.79])
    assert tie_groups(draws, np.arange(2)).tolist() == [1, 2]


def test_without_learning_nothing_changes_and_with_all_learned_the_best_is_known():
    draws = normal_draws([0.72, 0.71, 0.70], [0.02] * 3, draws=4000)
    rng = np.random.default_rng(1)

    def to_come(share):
        return np.mean([p_best_to_come(draws, share, rng) for _ in range(20)])

    assert to_come(0.0) == pytest.approx(p_best(draws).max(), abs=0.015)
    assert to_come(1.0) == 1.0
    halves = [to_come(share) for share in (0.25, 0.5, 0.75, 0.95)]
    assert halves == sorted(halves)


def test_what_will_be_known_of_two_normals_has_a_closed_form():
    """Of a difference d ~ N(m, s²), a share r known: E Φ(|m'|/(s√(1−r))), m' ~ N(m, r s²)."""
    draws = normal_draws([0.72, 0.70], [0.02, 0.02], draws=20_000)
    learned, m, s = 0.6, 0.02, np.hypot(0.02, 0.02)
    grid = np.linspace(-8, 8, 20_001)
    seen = m + np.sqrt(learned) * s * grid
    exact = np.trapezoid(norm.pdf(grid) * norm.cdf(np.abs(seen) / (s * np.sqrt(1 - learned))), grid)
    found = [p_best_to_come(draws, learned, np.random.default_rng(seed)) for seed in range(30)]
    assert np.mean(found) == pytest.approx(exact, abs=0.015)
