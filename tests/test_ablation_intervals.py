"""Figures over pools, their intervals, and what differences they could tell."""

from __future__ import annotations

import numpy as np
import pytest
from made_ablation import MODELS, pool, said_of

from bench.ablation.intervals import Figures, Plan, points
from bench.ablation.power import power
from ncselect.numerics.agreement import compare
from ncselect.numerics.predicted import Predicted
from ncselect.numerics.rank_agreement import regret_points, spearman_rho


def test_points_are_the_measures_of_the_product_for_many_orders_at_once():
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 5, 7) / 10
    scores = rng.integers(0, 4, (3, 20, 7)).astype(float)
    rho, regret = points(truth, scores)
    once = np.ones((1, 7), dtype=np.int64)
    for place in np.ndindex(3, 20):
        assert rho[place] == pytest.approx(spearman_rho(truth, scores[place], once)[0])
        assert regret[place] == pytest.approx(regret_points(truth, scores[place], once)[0])
    rho, regret = points(truth, np.where(scores == 3, np.nan, scores)[0])
    assert np.isnan(rho).any()
    assert np.isnan(regret[np.isnan(rho)]).all()


def test_the_interval_over_targets_is_the_plain_one_with_one_target():
    one = pool()
    rng = np.random.default_rng(3)
    scores = {"first": one.truth + 0.1 * rng.normal(size=8), "second": rng.random(8)}
    plan = Plan([one], resamples=500, seed=4)
    figures = Figures([one], plan)
    for label, values in scores.items():
        figures.add(one, label, said_of(values))
    theirs = compare(
        one.truth,
        {label: Predicted.ordering(values) for label, values in scores.items()},
        rng=np.random.default_rng(4),
        references=("second",),
        resamples=500,
    )
    for measure in ("rho", "regret_points"):
        plain = getattr(theirs.of["first"], measure)
        value, low, high, low_targets, high_targets = figures.of("first", measure)
        assert [value, low, high] == pytest.approx([plain.value, *plain.bounds], abs=6e-3)
        assert (low, high) == (low_targets, high_targets)
        plain = getattr(theirs.differences["first", "second"], measure)
        found = figures.difference("first", "second", measure)
        assert found[:3] == pytest.approx([plain.value, *plain.bounds], abs=6e-3)
        assert found[1:3] == found[3:]


def test_seeds_are_averaged_before_targets_and_targets_widen_the_interval():
    values = {("a", 0): 0.9, ("a", 1): 0.7, ("b", 0): 0.2, ("c", 0): 0.5}
    pools = [pool(target, seed=seed) for target, seed in values]
    plan = Plan(pools, resamples=4000, seed=0)
    given = {one: np.full(4001, value) for one, value in zip(pools, values.values(), strict=True)}
    value, low, high, low_targets, high_targets = plan.interval(given)
    assert value == pytest.approx((0.8 + 0.2 + 0.5) / 3, abs=1e-3)
    assert (low, high) == pytest.approx(((0.7 + 0.7) / 3, (0.9 + 0.7) / 3), abs=1e-3)
    assert (low_targets, high_targets) == pytest.approx((0.2, 0.8), abs=0.03)
    assert plan.interval({}) == [None] * 5


def test_pools_of_the_same_models_draw_the_same_models():
    one, other = pool("a"), pool("b", models=MODELS[:5])
    plan = Plan([one, other], resamples=200, seed=0)
    assert plan.counts(one)[0].tolist() == [1] * 8
    assert (plan.counts(one)[:, :5] == plan.counts(other)).all()
    assert (plan.counts(one).sum(axis=1) == 8).all()


def test_a_difference_is_taken_on_the_models_that_both_answered():
    one = pool()
    plan = Plan([one], resamples=50, seed=0)
    figures = Figures([one], plan)
    refusing = one.truth.copy()
    refusing[[0, 1]] = np.nan
    figures.add(one, "perfect on six", said_of(refusing))
    reversed_there = one.truth.copy()
    reversed_there[[0, 1]] = [9.0, -9.0]
    figures.add(one, "wrong on two", said_of(reversed_there))
    assert figures.of("wrong on two", "rho")[0] < 0.9
    assert figures.difference("perfect on six", "wrong on two", "rho")[0] == 0.0


def test_variants_of_a_control_are_averaged():
    one = pool()
    figures = Figures([one], Plan([one], resamples=20, seed=0))
    figures.add(one, "half right", said_of(one.truth, -one.truth))
    assert figures.of("half right", "rho")[0] == 0.0
    assert figures.of("half right", "mae_points")[0] == pytest.approx(
        50 * np.mean(one.truth), abs=0.01
    )


def test_errors_of_predicted_accuracy_are_in_points():
    one = pool()
    figures = Figures([one], Plan([one], resamples=20, seed=0))
    figures.add(one, "high", said_of(one.truth + np.array([0.01, 0.03] * 4)))
    assert figures.of("high", "mae_points")[:3] == pytest.approx([2.0, 1.25, 2.75], abs=0.3)
    assert figures.of("high", "bias_points")[0] == pytest.approx(2.0)


def test_power_rises_with_the_gain_and_equal_rankings_are_told_apart_seldom():
    def seen(gain, seeds=1):
        rng = np.random.default_rng(0)
        return power(3, 12, seeds, gain, trials=30, resamples=60, rng=rng)

    equal, better = seen(0.0), seen(0.7, seeds=3)
    assert equal.fixed <= 0.1
    assert equal.resampled <= 0.1
    assert better.fixed >= 0.9
    assert better.fixed >= better.resampled > 0.5
    assert seen(0.0) == equal
