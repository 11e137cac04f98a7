"""Trainings held against each other: by protocol, and by seed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_ablation import HORIZON, MODELS, pool, said_of, with_truth

from bench.ablation.added import together
from bench.ablation.intervals import Figures, Plan, points
from bench.ablation.stored import DEFAULT
from bench.ablation.training import pairs, repeats, seen, truths
from ncselect.numerics.rank_agreement import spearman_rho


def test_ranks_are_joined_on_models_that_both_answered():
    joined = together(said_of([0.1, 0.5, 0.9]), said_of([np.nan, 7.0, 3.0]), 0.25)
    assert np.isnan(joined.scores[0, 0])
    assert joined.scores[0, 1:].tolist() == [1.25, 1.75]


def test_two_protocols_are_paired_by_model_target_and_seed():
    frozen = pool()
    better = with_truth(frozen, frozen.truth[::-1] + 0.02, setting="probe_head=trained")
    apart = pool("elsewhere", setting="probe_head=trained")
    found, left_out = pairs([better, frozen, apart])
    assert left_out == {}
    assert list(found) == [(DEFAULT, "probe_head=trained")]
    ((both),) = found[DEFAULT, "probe_head=trained"]
    assert both == (frozen, better)
    plan = Plan([frozen, better, apart], resamples=300, seed=0)
    said = truths(plan, [both])
    assert said["gain_points"][0] == pytest.approx(2.0)
    assert said["rho"][0] == pytest.approx(spearman_rho(
        frozen.truth, better.truth, np.ones((1, 8), dtype=np.int64)
    )[0], abs=1e-3)  # fmt: skip
    lost = 100 * (better.truth.max() - better.truth[frozen.truth.argmax()])
    assert said["regret_points"][0] == pytest.approx(lost)
    figures = Figures([frozen, better, apart], plan)
    figures.add(frozen, "oracle", said_of(frozen.truth))
    figures.add(better, "oracle", said_of(better.truth))
    oracle = seen(figures, [both], ["oracle", "unknown"])
    assert list(oracle) == ["oracle"]
    assert oracle["oracle"]["rho"]["first"][0] == oracle["oracle"]["rho"]["second"][0] == 1.0
    assert oracle["oracle"]["rho"]["difference"][0] == 0.0
    assert oracle["oracle"]["regret_points"]["across"][0] == pytest.approx(lost)


def test_two_protocols_are_held_against_each_other_on_the_models_that_both_answered():
    first, second = pool(), pool(models=MODELS[:6], setting="probe_head=trained")
    second = with_truth(second, first.truth[:6])
    rng = np.random.default_rng(0)
    same = rng.random(8)
    figures = Figures([first, second], Plan([first, second], resamples=50, seed=0))
    figures.add(first, "alike on six", said_of(same))
    figures.add(second, "alike on six", said_of(same[:6]))
    figures.add(first, "refuses one", said_of(same))
    figures.add(second, "refuses one", said_of([np.nan, *same[1:6]]))
    found = seen(figures, [(first, second)], ["alike on six", "refuses one"])
    for label, kept in (("alike on six", slice(0, 6)), ("refuses one", slice(1, 6))):
        by_hand = points(first.truth[kept], same[kept])
        for measure, value in zip(("rho", "regret_points"), by_hand, strict=True):
            of = found[label][measure]
            assert of["difference"] == [0.0] * 5
            assert of["first"] == of["second"] == of["across"]
            assert of["first"][0] == pytest.approx(value, abs=1e-3)


def test_trainings_of_different_length_are_not_paired():
    first = pool()
    longer = dataclasses.replace(pool(setting="longer"), horizon=HORIZON - 1)
    more, unknown = (
        dataclasses.replace(
            pool(setting=setting),
            records=tuple(dataclasses.replace(one, facts=facts) for one in pool().records),
        )
        for setting, facts in (
            ("more", {"steps_per_epoch": 20, "steps_per_observation": 21}),
            ("unknown", {}),
        )
    )
    found, left_out = pairs([first, longer, more, unknown])
    assert found == {}
    assert left_out == {
        "default → longer, digits, seed 0": "the first has its truth at epoch 12 after 240 steps, "
        "the second at epoch 11 after 220 steps",
        "default → more, digits, seed 0": "the first has its truth at epoch 12 after 240 steps, "
        "the second at epoch 12 after 252 steps",
        "default → unknown, digits, seed 0": "the first has its truth at epoch 12 after 240 steps, "
        "the second at epoch 12 after unknown steps",
    }


def test_repeats_say_how_much_the_seed_moves():
    first = pool()
    second = with_truth(first, first.truth + np.array([0.01, -0.01] * 4), seed=1)
    figures = Figures([first, second], Plan([first, second], resamples=20, seed=0))
    for one in (first, second):
        figures.add(one, "oracle", said_of(one.truth))
    found = repeats(figures, [first, second, pool("alone")], ["oracle"])
    assert list(found) == ["digits"]
    assert found["digits"]["truth_difference_points"] == pytest.approx(1.0)
    assert found["digits"]["rho"] == {"oracle": [1.0, 1.0]}
    assert 0.9 < found["digits"]["truth_rho"] <= 1.0
