"""``bench.fixed_schedules``: the least that dropping by best value loses, of what was searched."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from made_runs import made_run, rising_curve

import bench.fixed_schedules
from bench.fixed_schedules import (
    answer,
    cost,
    hindsight,
    is_schedule,
    lost,
    moved,
    regret_of,
    schedules,
)
from bench.regret_cost import SIZE, Question
from zoo.errors import InputError

# pools, models, epochs: the slow one overtakes at epoch 3
CURVES = np.array([[[0.5, 0.6, 0.6, 0.6], [0.4, 0.5, 0.7, 0.8], [0.1, 0.1, 0.1, 0.1]]])
TRUTH = CURVES[:, :, -1]


def test_a_schedule_costs_the_epochs_of_those_kept():
    assert cost(((9, 1), (5, 3), (1, 10)), 17) == 17 + 9 * 2 + 5 * 7
    for one in itertools.islice(schedules(17, 42.5), 0, None, 10):
        assert cost(one, 17) <= 42.5
        assert is_schedule(one, 17, 49)


def test_regret_is_of_the_pick_by_best_value():
    assert regret_of(((1, 2),), CURVES, TRUTH) == pytest.approx(20)
    assert regret_of(((2, 1), (1, 3)), CURVES, TRUTH) == pytest.approx(0)
    assert regret_of(((2, 1), (1, 2)), CURVES, TRUTH) == pytest.approx(20)


def test_of_those_kept_the_best_is_taken():
    assert lost(CURVES[:, :, 0], TRUTH, 1) == pytest.approx(20)
    assert lost(CURVES[:, :, 0], TRUTH, 2) == 0


def test_hindsight_finds_the_schedule_that_waits():
    found = hindsight(CURVES, TRUTH, 7.0, np.random.default_rng(0))
    assert found["regret"] == 0
    assert found["kept_after"] == ((2, 1), (1, 3))
    assert found["epochs"] == 7


def every(models, epochs):
    """Yield every schedule there is."""
    for rounds in range(1, models):
        for few in itertools.combinations(range(models - 1, 1, -1), rounds - 1):
            for ends in itertools.combinations(range(1, epochs + 1), rounds):
                yield tuple(zip((*few, 1), ends, strict=True))


def test_the_search_is_within_the_budget_and_near_the_best_of_all_there_are():
    rng = np.random.default_rng(3)
    finals = rng.uniform(0.5, 0.9, (40, 6, 1))
    noise = rng.normal(0, 0.05, (40, 6, 12)) / np.arange(1, 13)
    best = np.maximum.accumulate(finals * (1 - 0.5 / np.arange(1, 13)) + noise, axis=2)
    truth = finals[:, :, 0]
    for budget in (14.0, 25.0):
        within = [one for one in every(6, 11) if cost(one, 6) <= budget]
        least = min(regret_of(one, best, truth) for one in within)
        found = hindsight(best, truth, budget, np.random.default_rng(0))
        assert found["epochs"] <= budget
        assert found["searched"] <= len(within)
        assert found["regret"] == pytest.approx(least, rel=0.01)
        assert hindsight(best, truth, budget, np.random.default_rng(0)) == found


def test_moves_reach_every_schedule():
    rng = np.random.default_rng(0)
    here, seen = ((1, 1),), set()
    for _ in range(20_000):
        there = moved(here, 4, rng)
        if is_schedule(there, 4, 4):
            here = there
            seen.add(here)
    assert seen == set(every(4, 4))


def test_without_an_epoch_of_each_there_is_no_schedule():
    with pytest.raises(InputError, match="budget is 2 epochs; give one of each of 3 models"):
        hindsight(CURVES, TRUTH, 2.0, np.random.default_rng(0))


def test_pools_must_be_alike(monkeypatch):
    monkeypatch.setattr(bench.fixed_schedules, "MOVES", 20)
    rng = np.random.default_rng(0)
    pool = {
        f"net {place}": made_run(f"net {place}", rising_curve(0.8, 1.0, 20, rng), truth={20: 0.8})
        for place in range(SIZE)
    }
    asked = Question("made", 20, (pool,), "epochs")
    assert [one["epochs"] <= 0.2 * 20 * SIZE for one in answer(asked, 0)["schedules"]] == [True] * 4
    for wrong in (
        dataclasses.replace(asked, unit="seconds"),
        dataclasses.replace(asked, pools=(pool, dict(list(pool.items())[:3]))),
    ):
        with pytest.raises(InputError, match="'made' has no pools of 17 models"):
            answer(wrong, 0)
