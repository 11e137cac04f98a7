"""The race: who is observed for how long, what is paid, who fails, what is told."""

from __future__ import annotations

import dataclasses
import math

import pytest
from made_races import HORIZON, NAMES, Breaking, OneMore, made_pool, priced, raced, untold
from made_runs import made_run

from ncselect.elimination.placing import placed
from ncselect.elimination.race import race
from ncselect.elimination.replay import Replay
from ncselect.elimination.strategies import strategy
from ncselect.methods import method
from ncselect.spec import Settings
from ncselect.types import Estimate, Estimates


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(2))
def test_no_epoch_is_begun_that_does_not_fit_and_everybody_is_accounted_for(name, seed):
    runs = made_pool(seed)
    whole = sum(HORIZON * one.observations[1].seconds for one in runs.values())
    by = "combined" if name == "confident" else "best-value"
    for share in (0.0, 0.02, 0.1, 0.4):
        found, runner = raced(name, runs, budget=share * whole, by=by)
        paid = sum(
            found.records[model].epochs * runs[model].observations[1].seconds for model in runs
        )
        assert runner.spent == pytest.approx(paid)
        assert paid <= share * whole * (1 + 1e-6)
        assert sorted(found.order) == sorted(runs)
        assert {*found.standing.models}.isdisjoint(found.dropped)
        told = [model for one in found.decisions if one.what == "dropped" for model in one.models]
        assert told == [*found.dropped]
        assert [one.what for one in found.decisions].count("ended") == 1
        assert [one.spent for one in found.decisions] == sorted(
            one.spent for one in found.decisions
        )
        again, _ = raced(name, runs, budget=share * whole, by=by)
        assert (again.order, again.decisions) == (found.order, found.decisions)


@pytest.mark.parametrize("name", NAMES)
def test_nobody_dropped_is_observed_any_further_and_the_truth_stays_hidden(name):
    runs = made_pool(5)
    found, _ = raced(name, runs, by="combined")
    left = max(found.records[model].epochs for model in found.standing.models)
    assert all(one.epochs <= left for one in found.records.values())
    assert all(not one.truth for one in found.records.values())
    dropped_at = {
        model: one.epochs
        for one in found.decisions
        if one.what == "dropped"
        for model in one.models
    }
    for model, epochs in dropped_at.items():
        assert found.records[model].epochs == epochs


def test_failed_candidates_leave_the_race_with_their_reason():
    runs = made_pool(2, 4)
    runs["net 1"] = dataclasses.replace(
        runs["net 1"],
        status="failed",
        error="diverged",
        observations=runs["net 1"].observations[:3],
    )

    class Failing(Replay):
        def observe(self, models, epochs, budget):
            found = super().observe(models, epochs, budget)
            return {
                model: runs[model] if model == "net 1" and epochs > 2 else one
                for model, one in found.items()
            }

    before = {model: run.observed(0) for model, run in runs.items()}
    found = race(strategy("uniform"), Failing(runs), method("last-value").estimate, before, most=5)
    assert {model: one.reason for model, one in found.dropped.items()} == {"net 1": "diverged"}
    assert found.order[-1] == "net 1"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "uniform"])
def test_nobody_is_dropped_by_the_order_of_a_list(name):
    runs = made_pool(0)

    def silent_at_first(records):
        if records[0].epochs < 4:
            refused = {one.spec.model: "needs 4 epochs" for one in records}
            return Estimates("made", (), refused)
        return method("combined").estimate(records)

    before = {model: run.observed(0) for model, run in runs.items()}
    for budget in (math.inf, 40.0):
        found = race(
            strategy(name), Replay(runs, unit="epochs"), silent_at_first, before,
            most=9, budget=budget,
        )  # fmt: skip
        assert all(one.standing.epochs >= 4 for one in found.dropped.values())
        assert found.dropped


def test_who_is_behind_when_the_budget_ends_is_judged_by_the_epochs_it_has_shown():
    runs = priced(made_pool(4, 3))
    estimate = method("last-value").estimate
    found = race(OneMore(), Replay(runs), estimate, untold(runs), most=9, budget=8.0)
    first, second, late = found.order
    assert [found.records[model].epochs for model in (first, second, late)] == [3, 3, 2]
    assert found.dropped[late].reason == "the budget was spent before its epoch 3"
    ranking = placed(found, dataset="made", beta="", failed={})
    assert [(row.model, row.epochs) for row in ranking] == [(first, 3), (second, 3), (late, 2)]
    assert ranking[2].last == runs[late].curve("validation-accuracy")[1]


def test_the_likeliest_best_is_not_dropped_because_its_next_epoch_is_dear():
    runs = priced(made_pool(0, 3))
    first = {model: run.curve("validation-accuracy")[0] for model, run in runs.items()}
    leader = max(first, key=first.get)
    runs = priced(runs, **{leader.replace(" ", "_"): 4.0})
    estimate = method("last-value").estimate
    found = race(OneMore(), Replay(runs), estimate, untold(runs), most=9, budget=9.0)
    assert found.order[0] == leader
    assert not found.dropped
    assert found.standing.epochs == 1
    assert sorted(one.epochs for one in found.records.values()) == [1, 2, 2]
    assert found.decisions[-1].reason == "no further epoch fits into the budget"


def test_a_round_that_is_cut_short_goes_on_while_an_epoch_fits():
    runs = priced(made_pool(1, 2), net_1=3.0)

    class Guessing(Replay):
        """Thinks that all cost as little as the first until it has paid for the other."""

        @property
        def prices(self):
            return self.said if self.stored["net 1"] else dict.fromkeys(self.said, 1.0)

        @prices.setter
        def prices(self, said):
            self.said = said

    found = race(strategy("uniform"), Guessing(runs), method("last-value").estimate, untold(runs),
                 most=9, budget=13.0)  # fmt: skip
    # believed: 6 epochs of both; the other gets 2 of them, then both are there
    rounds = [one.until for one in found.decisions if one.what == "round"]
    assert rounds[0] == 6
    assert found.records["net 1"].epochs >= 2
    assert found.decisions[-1].reason in {
        "the budget is spent",
        "no further epoch fits into the budget",
    }


@pytest.mark.parametrize("name", NAMES)
def test_who_is_left_when_all_others_fail_is_observed_and_ranked(name):
    runs = made_pool(1, 3)
    found = race(strategy(name), Breaking(runs, {"net 0", "net 2"}), method("best-value").estimate,
                 untold(runs), most=5)  # fmt: skip
    assert found.decisions[-1].reason == "one is left, all others failed"
    ranking = placed(found, dataset="made", beta="", failed={})
    assert [(row.model, row.epochs >= 1) for row in ranking] == [("net 1", True)]
    assert ranking.failed == {"net 0": "no memory", "net 2": "no memory"}


def test_who_is_left_alone_before_any_epoch_gets_one():
    runs = made_pool(1, 3)
    before = untold(runs)
    for model in ("net 0", "net 1"):
        before[model] = dataclasses.replace(
            before[model], status="failed", error="no weights", observations=()
        )

    def estimate(records):
        failed = {one.spec.model: one.error for one in records if one.status == "failed"}
        good = [one.spec.model for one in records if one.spec.model not in failed]
        return Estimates("made", tuple(Estimate(model, 0.5) for model in good), failed)

    found = race(strategy("uniform"), Replay(runs), estimate, before, most=9)
    assert found.order[0] == "net 2"
    assert found.records["net 2"].epochs == 1
    assert found.decisions[-1].reason == "one is left, all others failed"


@pytest.mark.parametrize("name", NAMES)
def test_where_all_fail_nobody_is_ranked(name):
    runs = made_pool(1, 3)
    found = race(strategy(name), Breaking(runs, set(runs)), method("combined").estimate,
                 untold(runs), most=5)  # fmt: skip
    assert found.decisions[-1].reason == "nobody is left"
    ranking = placed(found, dataset="made", beta="", failed={"lost": "no file"})
    assert not ranking.rows
    assert ranking.failed == {"lost": "no file"} | dict.fromkeys(runs, "no memory")
    assert ranking.advice == "No candidate could be ranked."


@pytest.mark.parametrize("name", NAMES)
def test_one_candidate_is_observed_and_ranked(name):
    runs = made_pool(1, 1)
    found, _ = raced(name, runs, most=5, by="combined")
    ranking = placed(found, dataset="made", beta="", failed={})
    assert [row.model for row in ranking] == ["net 0"]
    assert ranking[0].epochs == (1 if name == "confident" else 5)


@pytest.mark.parametrize("name", NAMES)
def test_early_stopping_is_held_costs_nothing_more_and_is_no_reason_to_be_dropped(name):
    runs = made_pool(2, 4)
    flat = made_run("flat", [0.95, 0.94, 0.93], truth={3: 0.95})
    spec = dataclasses.replace(flat.spec, settings=Settings(patience=2))
    runs["flat"] = dataclasses.replace(flat, spec=spec)
    assert runs["flat"].has_stopped
    if name == "confident":
        name += ":gain=0,chance=0,regret=0"  # or it ends before
    found, runner = raced(name, runs, most=9, by="last-value", unit="epochs", budget=40.0)
    assert found.order[0] == "flat"
    assert found.standing.records["flat"].epochs == found.standing.epochs > 3  # the last one, held
    assert runner.stored["flat"] == 3


def test_where_all_have_stopped_early_it_ends():
    runs = {}
    for place, best in enumerate((0.8, 0.9)):
        run = made_run(f"net {place}", [best, best - 0.1], truth={2: best})
        spec = dataclasses.replace(run.spec, settings=Settings(patience=1))
        runs[run.spec.model] = dataclasses.replace(run, spec=spec)
    found, runner = raced("uniform", runs, most=9, unit="epochs")
    assert runner.spent == 4
    assert found.decisions[-1].reason == "as many epochs as asked for"
    assert found.order == ("net 1", "net 0")


def test_decisions_are_told_when_they_are_made():
    runs = made_pool(0, 4)
    told = []
    found = race(
        strategy("successive-halving"), Replay(runs), method("last-value").estimate, untold(runs),
        most=9, tell=told.append,
    )  # fmt: skip
    assert told == [*found.decisions]
    assert [one.what for one in told] == [
        "round", "observed", "dropped", "dropped", "round", "observed", "dropped", "ended",
    ]  # fmt: skip
    assert told[0].models == ("net 0", "net 1", "net 2", "net 3")
    assert [one.until for one in told if one.what == "round"] == [1, 2]
