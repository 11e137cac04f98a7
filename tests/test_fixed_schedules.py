"""``bench.fixed_schedules``: the least that dropping by best value loses in hindsight."""

from __future__ import annotations

import numpy as np
import pytest

from bench.fixed_schedules import cost, hindsight, lost, regret_of, schedules

# pools, models, epochs: the slow one overtakes at epoch 3
CURVES = np.array([[[0.5, 0.6, 0.6, 0.6], [0.4, 0.5, 0.7, 0.8], [0.1, 0.1, 0.1, 0.1]]])
TRUTH = CURVES[:, :, -1]


def test_a_schedule_costs_the_epochs_of_those_kept():
    assert cost(((9, 1), (5, 3), (1, 10)), 17) == 17 + 9 * 2 + 5 * 7
    for one in schedules(17, 42.5):
        assert cost(one, 17) <= 42.5
        assert one[-1][0] == 1


def test_regret_is_of_the_pick_by_best_value():
    assert regret_of(((1, 2),), CURVES, TRUTH) == pytest.approx(20)
    assert regret_of(((2, 1), (1, 3)), CURVES, TRUTH) == pytest.approx(0)
    assert regret_of(((2, 1), (1, 2)), CURVES, TRUTH) == pytest.approx(20)


def test_of_those_kept_the_best_is_taken():
    assert lost(CURVES[:, :, 0], TRUTH, 1) == pytest.approx(20)
    assert lost(CURVES[:, :, 0], TRUTH, 2) == 0


def test_hindsight_finds_the_schedule_that_waits():
    found = hindsight(CURVES, TRUTH, 7.0)
    assert found["regret"] == 0
    assert found["kept_after"] == ((2, 1), (1, 3))
    assert found["epochs"] == 7
