"""From a race to a ranking: all are in it once, with what was known of them."""

from __future__ import annotations

import pytest
from made_races import made_pool, normal, priced, raced, untold

from ncselect.elimination.placing import placed
from ncselect.elimination.race import race
from ncselect.elimination.replay import Replay
from ncselect.elimination.standing import Step
from ncselect.elimination.strategies import strategy
from ncselect.methods import method
from ncselect.types import Estimates


def test_p_best_regret_and_ties_are_among_all_of_whom_anything_was_predicted():
    runs = made_pool(0, 2)
    estimate = normal(net_0=(0.8, 0.05), net_1=(0.75, 0.05))
    found = race(strategy("top-after-one:top=1"), Replay(runs), estimate, untold(runs), most=9)
    assert found.decisions[-1].reason == "one is left"
    ranking = placed(found, dataset="made", beta="", failed={})
    assert [row.model for row in ranking] == ["net 0", "net 1"]
    ahead = 0.7602  # Φ(.05 / (.05 √2))
    assert [row.p_best for row in ranking] == pytest.approx([ahead, 1 - ahead], abs=0.01)
    # E max(0, X) of X ~ N(∓.05, .005) in points: 100·(∓.05·Φ(∓.7071) + .0707·φ(.7071))
    assert [row.regret_points for row in ranking] == pytest.approx([0.998, 5.998], abs=0.1)
    assert [row.tie for row in ranking] == [1, 1]
    assert "Take net 0: P(best) 0.76" in ranking.advice
    assert "net 1 is tied with it" in ranking.advice
    assert ranking[1].notes.startswith("dropped after 1 epoch: not among the best 1")


def test_ties_with_the_pick_are_found_behind_those_who_are_not():
    runs = made_pool(0, 3)
    estimate = normal(net_0=(0.8, 1e-6), net_1=(0.7, 1e-6), net_2=(0.7999, 0.01))

    class InTurn:
        name = summary = "in turn"

        def step(self, standing):
            out = {0: {}, 1: {"net 2": "first"}, 2: {"net 1": "then"}}[standing.epochs]
            return Step(out, epochs=standing.epochs + 1)

    found = race(InTurn(), Replay(runs), estimate, untold(runs), most=9)
    ranking = placed(found, dataset="made", beta="", failed={})
    assert [(row.model, row.tie) for row in ranking] == [("net 0", 1), ("net 1", 2), ("net 2", 1)]
    assert [row.epochs for row in ranking] == [2, 2, 1]


def test_what_further_epochs_are_worth_counts_that_the_best_may_have_been_dropped():
    runs = made_pool(3, 4)
    found, _ = raced("top-after-one:top=2", runs, most=5, by="combined")
    ranking = placed(found, dataset="made", beta="", failed={})
    left = {row.model: row.p_best for row in ranking if row.model in found.standing.models}
    assert 0 < sum(left.values()) < 1
    own = found.standing.estimates.outlook
    assert ranking.outlook == pytest.approx({k: v * sum(left.values()) for k, v in own.items()})


def test_a_budget_without_any_epoch_is_named_with_what_would_have_been_needed():
    runs = priced(made_pool(0, 2), net_0=8.0)
    runner = Replay(runs, starts=dict.fromkeys(runs, 20.0))
    estimate = method("best-value").estimate
    found = race(strategy("successive-halving"), runner, estimate, untold(runs), most=5, budget=1)
    ranking = placed(found, dataset="made", beta="", failed={})
    needed = "the budget of 1 s is too small for its first epoch (about {} s are expected)"
    assert ranking.failed == {
        "net 0": needed.format(28) + "; raise --budget",
        "net 1": needed.format(21) + "; raise --budget",
    }
    assert ranking.unreached == ("net 0", "net 1")
    assert ranking.advice == (
        "No candidate could be ranked. Nothing is known of 2 candidates, which the budget did not "
        "reach. Raise --budget."
    )


def test_who_was_refused_or_never_begun_is_failed_with_the_reason_and_nobody_is_listed_twice():
    runs = made_pool(0, 4)

    def refusing(records):
        found = method("last-value").estimate(records)
        kept = tuple(one for one in found.estimates if one.model != "net 2")
        return Estimates("made", kept, {"net 2": "no good"} if records[0].epochs else {})

    before = {model: run.observed(0) for model, run in runs.items()}
    runner = Replay(runs, unit="epochs")
    found = race(strategy("confident"), runner, refusing, before, most=5, budget=3.0)
    ranking = placed(found, dataset="made", beta="", failed={})
    assert {row.model for row in ranking} == {"net 0", "net 1"}
    assert ranking.failed == {
        "net 2": "no good",
        "net 3": "the budget was spent before its epoch 1",
    }
