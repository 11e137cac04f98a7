"""``confident``: who is improbable, when it is settled, how a budget is shared out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_races import made_pool, normal, priced, raced, untold
from made_runs import made_run

from ncselect.elimination.central import central
from ncselect.elimination.placing import placed
from ncselect.elimination.race import race
from ncselect.elimination.replay import Replay
from ncselect.elimination.strategies import strategy
from ncselect.types import Estimate, Estimates


def test_who_is_expected_to_gain_too_little_is_dropped_with_the_number():
    runs = made_pool(0, 3)
    estimate = normal(net_0=(0.8, 1e-9), net_1=(0.7, 0.05), net_2=(0.78, 0.05))
    before = {model: run.observed(0) for model, run in runs.items()}
    found = race(strategy("confident:chance=0"), Replay(runs), estimate, before, most=1)
    assert not found.dropped  # decided after the epoch, but there is none to come
    found = race(strategy("confident:chance=0"), Replay(runs), estimate, before, most=2)
    assert found.order == ("net 0", "net 2", "net 1")
    draws = central(found.dropped["net 1"].standing.draws())
    lost = [max(row) - max(row[:2]) for row in draws.tolist()]
    told = f"all so dropped are expected to gain {100 * np.mean(lost):.2g} points < 0.25"
    chance = np.mean([row[2] == max(row) for row in draws.tolist()])
    assert found.dropped["net 1"].reason == f"P(best) {100 * chance:.2g}%, {told}"
    # at most E[max(0, X)] of X ~ N(−.1, .05²), .05·(φ(2) − 2·(1 − Φ(2))) = .000425
    assert 0 < np.mean(lost) < 0.000425
    assert [found.records[f"net {k}"].epochs for k in range(3)] == [2, 1, 2]
    found = race(strategy("confident:gain=0,chance=10"), Replay(runs), estimate, before, most=2)
    assert [*found.dropped] == ["net 1"]
    said = f"P(best) {100 * chance:.2g}%, of all so dropped {100 * chance:.2g}% < 10%"
    assert found.dropped["net 1"].reason == said


def test_of_many_equal_candidates_few_are_given_up():
    models = [f"net {place}" for place in range(100)]
    runs = {model: made_run(model, np.full(17, 0.8), truth={17: 0.8}) for model in models}
    draws = np.random.default_rng(0).normal(0.8, 0.03, (2000, 100))

    def estimate(records):
        each = [(one.spec.model, draws[:, models.index(one.spec.model)]) for one in records]
        return Estimates(
            "made",
            tuple(Estimate(model, float(own.mean()), 0.03) for model, own in each),
            {},
            draws=np.stack([own for _, own in each], axis=1),
        )

    middle = central(draws)  # E[max of all − max of those kept] and its chance, over all rounds
    best = middle.max(axis=1)
    for name in ("confident", "confident:gain=0", "confident:chance=0"):
        found = race(strategy(name), Replay(runs), estimate, untold(runs), most=17)
        kept = [models.index(model) for model in found.standing.models]
        chance = 100 * (middle[:, kept].max(axis=1) < best).mean()
        lost = 100 * (best - middle[:, kept].max(axis=1)).mean()
        assert lost < 0.25 if "gain=0" not in name else chance < 2
        assert 65 < len(kept) < 100
        # over all rounds, though every round would give up as much
        assert found.standing.given_up == pytest.approx(chance, abs=1e-6)
        assert found.standing.given_away == pytest.approx(lost)
        assert found.decisions[-1].reason == "as many epochs as asked for"


def test_a_budget_halves_by_score_where_the_least_known_is_the_likelier_best():
    runs = priced(made_pool(0, 4))
    estimate = normal(
        net_0=(0.80, 1e-4), net_1=(0.79, 1e-4), net_2=(0.78, 1e-4), net_3=(0.77, 0.05)
    )
    sure = "confident:gain=0,chance=0,regret=0"
    found = race(strategy(sure), Replay(runs), estimate, untold(runs), most=9, budget=24.0)
    assert found.order[:2] == ("net 0", "net 1")
    assert found.dropped["net 3"].reason == "not among the best 2 after epoch 3"


def test_it_is_settled_when_the_pick_is_expected_to_lose_little():
    runs = made_pool(0, 2)
    before = {model: run.observed(0) for model, run in runs.items()}
    estimate = normal(net_0=(0.8, 0.001), net_1=(0.8, 0.001))
    found = race(strategy("confident"), Replay(runs), estimate, before, most=16)
    said = found.decisions[-1].reason
    lost = said.removeprefix("the pick is expected to lose ").removesuffix(" points")
    assert float(lost) == pytest.approx(0.0564, abs=0.001)  # E|X|/2 of N(0, 2·.001²)
    assert max(one.epochs for one in found.records.values()) == 1


def test_as_long_as_a_method_is_not_sure_nobody_is_improbable():
    def unsure(records):
        return Estimates(
            "made",
            tuple(Estimate(one.spec.model, 0.1 * place) for place, one in enumerate(records)),
            {},
        )

    runs = made_pool(0, 3)
    before = {model: run.observed(0) for model, run in runs.items()}
    found = race(strategy("confident"), Replay(runs), unsure, before, most=4)
    assert not found.dropped
    assert found.standing.epochs == 4
    halved = race(strategy("confident"), Replay(runs), unsure, before, most=9, budget=50)
    assert [one.reason.rpartition(" after")[0] for one in halved.dropped.values()] == [
        "not among the best 2"
    ]

    def spread(records):
        told = unsure(records).estimates
        return Estimates("made", tuple(Estimate(one.model, one.mean, 1e-6) for one in told), {})

    found = race(strategy("confident"), Replay(runs), spread, before, most=4)
    assert not found.dropped  # of what was measured today, not of the end


def test_with_a_budget_half_of_those_left_go_on_and_what_is_saved_is_spent():
    runs = {
        model: dataclasses.replace(
            run, observations=tuple(dataclasses.replace(o, seconds=1.0) for o in run.observations)
        )
        for model, run in made_pool(4, 8).items()
    }
    sure = "confident:gain=0,chance=0,regret=0"
    found, runner = raced(sure, runs, budget=48.0, by="combined")
    # 3 rounds of 16 a share: 8 to epoch 2; 4 get (48 − 16)/2 = 16, to 6; 2 get 16, to 14
    assert sorted(one.epochs for one in found.records.values()) == [2] * 4 + [6] * 2 + [14] * 2
    assert runner.spent == 48


def test_a_budget_that_ends_in_mid_round_keeps_those_who_got_there():
    runs = {
        model: dataclasses.replace(
            run, observations=tuple(dataclasses.replace(o, seconds=1.0) for o in run.observations)
        )
        for model, run in made_pool(4, 4).items()
    }
    found, runner = raced("confident", runs, budget=3.0, by="combined")
    assert runner.spent == 3
    assert [found.records[model].epochs for model in found.order] == [1, 1, 1, 0]
    assert found.order[-1] == "net 3"  # nothing told them apart before
    assert found.dropped["net 3"].reason == "the budget was spent before its epoch 1"
    assert found.decisions[-1].reason == "the budget is spent"
    assert not found.unreached  # its scores say something of it
    found, _ = raced("confident", runs, budget=3.0, by="best-value")
    assert found.unreached == ("net 3",)
    ranking = placed(found, dataset="made", beta="", failed={})
    assert "Nothing is known of net 3, which the budget did not reach." in ranking.advice
