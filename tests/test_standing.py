"""What a strategy can afford: prices, starts, workers, what is stored."""

from __future__ import annotations

import dataclasses
import math

import pytest
from made_races import made_pool, priced, untold
from made_runs import made_run

from ncselect.elimination.race import race
from ncselect.elimination.replay import Replay
from ncselect.elimination.standing import Standing
from ncselect.elimination.strategies import strategy
from ncselect.methods import method
from ncselect.types import Estimates


def test_what_is_affordable_is_whole_epochs_of_all():
    runs = made_pool(0, 3)
    standing = Standing(
        {model: run.observed(2) for model, run in runs.items()},
        Estimates("made", (), {}),
        dict(zip(runs, (1.0, 2.0, 3.0), strict=True)),
        spent=10.0,
        budget=40.0,
        most=9,
        entered=3,
    )
    assert standing.epochs == 2
    assert standing.affordable(standing.models) == 5
    assert standing.affordable(standing.models, share=13.0) == 2
    assert standing.affordable(standing.models[:1]) == 7  # 9 epochs at most


def test_several_workers_pay_for_the_longest_or_for_their_share():
    standing = Standing(
        {model: run.observed(2) for model, run in made_pool(0, 3).items()},
        Estimates("made", (), {}),
        {"net 0": 4.0, "net 1": 1.0, "net 2": 1.0},
        spent=0.0,
        budget=24.0,
        most=19,
        entered=3,
        workers=2,
    )
    assert standing.affordable(("net 0", "net 1", "net 2")) == 6  # the longest, not 6/2
    assert standing.affordable(("net 1", "net 2")) == 17  # 1 each, within most
    unknown = dataclasses.replace(standing, prices=dict.fromkeys(standing.prices, math.nan))
    assert unknown.affordable(("net 0",)) == 1


def test_starts_are_paid_for_and_what_is_stored_is_not():
    standing = Standing(
        {model: run.observed(2) for model, run in made_pool(0, 2).items()},
        Estimates("made", (), {}),
        {"net 0": 1.0, "net 1": 1.0},
        spent=0.0,
        budget=20.0,
        most=19,
        entered=2,
        starts={"net 0": 5.0, "net 1": 5.0},
    )
    assert standing.affordable(("net 0", "net 1")) == 5  # 2·(5 + 5)
    stored = dataclasses.replace(standing, stored={"net 0": 8, "net 1": 8})
    assert stored.affordable(("net 0", "net 1")) == 11  # 6 for nothing, then 2·(5 + 5)
    assert dataclasses.replace(stored, budget=0.0).affordable(("net 0", "net 1")) == 6


def test_what_is_stored_is_looked_at_often_and_what_must_be_started_is_not():
    standing = Standing(
        {model: run.observed(1) for model, run in made_pool(0, 2).items()},
        Estimates("made", (), {}),
        {"net 0": 1.0, "net 1": 1.0},
        spent=0.0,
        budget=math.inf,
        most=30,
        entered=2,
        starts={"net 0": 3.0, "net 1": 3.0},
    )
    both = standing.models
    assert standing.unbounded(both, 2) == 7  # 2·3 further epochs
    assert standing.unbounded(both, 8) == 8
    assert dataclasses.replace(standing, stored={"net 0": 2, "net 1": 9}).unbounded(both, 2) == 2
    assert dataclasses.replace(standing, most=12).unbounded(both, 2) == 12  # 5 left, less than 6
    assert dataclasses.replace(standing, most=13).unbounded(both, 2) == 7
    assert dataclasses.replace(standing, expected={"net 0": 6, "net 1": 6}).unbounded(both, 2) == 2
    assert standing.affordable(both) == 29


@pytest.mark.parametrize("name", ["confident:gain=0,chance=0,regret=0", "successive-halving"])
@pytest.mark.parametrize("start", [0.5, 3.0, 10.0, 40.0, 1000.0])
@pytest.mark.parametrize("most", [5, 19])
def test_without_a_budget_starts_cost_no_more_than_a_share_of_an_ordinary_ranking(
    name, start, most
):
    for seed in range(3):
        runs = made_pool(seed)
        estimate = method("last-value").estimate
        runner = Replay(runs, starts=dict.fromkeys(runs, start))
        found = race(strategy(name), runner, estimate, untold(runs), most=most)
        epochs = most * sum(runner.prices.values())
        assert runner.spent <= epochs * 1.5 + start * len(runs)
        rounds = [one for one in found.decisions if one.what == "round"]
        if start > most * max(runner.prices.values()):
            assert [one.until for one in rounds] == [most]
        alike = Replay(priced(runs), starts=dict.fromkeys(runs, start))
        race(strategy(name), alike, estimate, untold(runs), most=most)
        assert alike.spent <= (most + start) * len(runs) * 9 / 7


def test_a_run_without_epochs_has_no_price():
    run = made_run("net 0", [], truth={})
    assert math.isnan(Replay({"net 0": run}).prices["net 0"])
