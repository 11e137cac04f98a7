"""``confident``: who is improbable, when it is settled, how a budget is shared out."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from made_races import made_pool, normal, priced, raced, untold
from made_runs import made_run
from scipy.stats import norm

from ncselect.elimination.central import central
from ncselect.elimination.placing import placed
from ncselect.elimination.race import race
from ncselect.elimination.replay import Replay
from ncselect.elimination.strategies import strategy
from ncselect.numerics.decision import expected_regret
from ncselect.types import Estimate, Estimates

WITHOUT = "late starts and collapses left out"


def ended(name, estimate, *, count=2, budget=math.inf):
    """Return the race of so many candidates that cost alike, of 4 epochs at most."""
    runs = priced(made_pool(0, count))
    return race(strategy(name), Replay(runs), estimate, untold(runs), most=4, budget=budget)


def promised(found):
    """Return the points that the pick is expected to lose where it is settled, else None."""
    said = found.decisions[-1].reason
    if "expected to lose" not in said:
        return None
    assert said.endswith(f" points, {WITHOUT}")
    return float(said.removeprefix("the pick is expected to lose ").split(" ")[0])


def beyond(sd, gap):
    """Return E[max(0, X)] of X ~ N(−gap, sd²), all in points: what losing a candidate costs."""
    return sd * norm.pdf(gap / sd) - gap * norm.sf(gap / sd)


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
    told = f"all so dropped are expected to gain {100 * np.mean(lost):.2g} points < 0.25, {WITHOUT}"
    chance = np.mean([row[2] == max(row) for row in draws.tolist()])
    assert found.dropped["net 1"].reason == f"P(best) {100 * chance:.2g}%, {told}"
    # at most E[max(0, X)] of X ~ N(−.1, .05²), .05·(φ(2) − 2·(1 − Φ(2))) = .000425
    assert 0 < np.mean(lost) < 0.000425
    assert [found.records[f"net {k}"].epochs for k in range(3)] == [2, 1, 2]
    found = race(strategy("confident:gain=0,chance=10"), Replay(runs), estimate, before, most=2)
    assert [*found.dropped] == ["net 1"]
    said = f"P(best) {100 * chance:.2g}%, of all so dropped {100 * chance:.2g}% < 10%, {WITHOUT}"
    assert found.dropped["net 1"].reason == said


def test_who_is_a_standard_deviation_behind_is_the_best_in_a_sixth():
    estimate = normal(net_0=(0.525, 1e-9), net_1=(0.475, 0.05))  # Φ(−1) = .159
    found = ended("confident:gain=0,chance=20,regret=0", estimate)
    told = "P(best) 16%, of all so dropped 16% < 20%, late starts and collapses left out"
    assert found.dropped["net 1"].reason == told
    assert not ended("confident:gain=0,chance=15,regret=0", estimate).dropped


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
        assert (80 if "gain=0" in name else 65) < len(kept) < 100
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


@pytest.mark.parametrize("budget", [math.inf, 6.0])
@pytest.mark.parametrize(
    ("options", "sd", "is_settled"),
    [
        ("chance=0", 0.008, True),  # expected to lose .45
        ("chance=0", 0.010, False),  # .56
        ("chance=0,regret=0.05", 0.001, False),  # .056
        ("chance=0,regret=0.06", 0.001, True),
        ("chance=0,regret=0", 0.0001, False),
    ],
)
def test_it_is_settled_when_the_pick_is_expected_to_lose_less_than_asked(
    options, sd, is_settled, budget
):
    estimate = normal(net_0=(0.8, sd), net_1=(0.8, sd))
    found = ended(f"confident:{options}", estimate, budget=budget)
    assert not found.dropped
    assert (promised(found) is not None) == is_settled
    if math.isinf(budget):
        assert found.standing.epochs == (1 if is_settled else 4)
    if is_settled:  # E|X|/2 of X ~ N(0, 2·sd²)
        assert promised(found) == pytest.approx(100 * sd / math.sqrt(math.pi), rel=0.03)


@pytest.mark.parametrize("budget", [math.inf, 12.0])
def test_late_starts_do_not_keep_it_from_being_settled(budget):
    rng = np.random.default_rng(0)
    draws = rng.normal(0.8, 0.003, (20_000, 4))
    draws = np.where(rng.random(draws.shape) < 0.05, 0.95, draws)  # one in twenty starts late

    def estimate(records):
        each = tuple(Estimate(one.spec.model, 0.8, 0.03) for one in records)
        return Estimates("made", each, {}, draws=draws)

    lost, in_the_middle = (100 * expected_regret(one)[0] for one in (draws, central(draws)))
    assert lost > 2
    assert in_the_middle < 0.5
    found = ended("confident:gain=0,chance=0", estimate, count=4, budget=budget)
    assert promised(found) == pytest.approx(in_the_middle, abs=0.01)
    table = placed(found, dataset="made", beta="", failed={})
    assert table[0].regret_points == pytest.approx(lost, abs=0.01)  # in which they count
    assert not found.dropped  # nor halved when nothing more is observed


def test_what_losing_the_improbable_costs_is_counted():
    # a fifth of the chance is given up with net 1, a half would be with net 2
    estimate = normal(net_0=(0.6, 1e-9), net_1=(0.55, 0.06), net_2=(0.5999, 0.001))
    found = ended("confident:chance=50,gain=0", estimate, count=3)
    assert [*found.dropped] == ["net 1"]
    assert beyond(6, 5) == pytest.approx(0.68, abs=0.005)
    # normals in log-odds have a shorter tail above a half
    assert 0.85 * beyond(6, 5) < found.standing.given_away < beyond(6, 5)
    assert 100 * expected_regret(central(found.standing.draws()))[0] < 0.05
    assert promised(found) is None
    assert found.decisions[-1].reason == "as many epochs as asked for"


def test_what_losing_those_costs_for_whom_the_budget_is_not_enough_is_counted():
    known = {"net_0": (0.6, 1e-9), "net_1": (0.55, 0.04), "net_3": (0.1, 1e-9)}
    before, after = (normal(net_2=(0.59, sd), **known) for sd in (0.02, 1e-9))

    def estimate(records):
        return (before if max(one.epochs for one in records) == 1 else after)(records)

    found = ended("confident", estimate, count=4, budget=8.0)
    assert [*found.dropped] == ["net 3", "net 1"]
    reasons = {one.reason for one in found.dropped.values()}
    assert reasons == {"not among the best 2 after epoch 1"}
    assert found.standing.epochs == 3
    # net 1's gain over the better of the two others is a little less than that over net 0
    assert 0.5 * beyond(4, 5) < found.standing.given_away < beyond(4, 5) < 0.5
    assert promised(found) == pytest.approx(found.standing.given_away, abs=0.005)
    asked = ended("confident:regret=0.1", estimate, count=4, budget=8.0)
    assert promised(asked) is None  # though of those left nothing can be lost


def test_no_more_than_half_of_the_regret_is_given_away_for_gain():
    sure = {"net_0": (0.6, 1e-9), "net_2": (0.59999, 0.01)}  # not settled by then
    estimate = normal(net_1=(0.58, 0.02), **sure)  # expected to gain .17 points at most
    assert beyond(2, 2) == pytest.approx(0.167, abs=0.001)
    assert [*ended("confident:chance=0,regret=0.38", estimate, count=3).dropped] == ["net 1"]
    assert not ended("confident:chance=0,regret=0.1", estimate, count=3).dropped
    assert not ended("confident:chance=0,gain=0.02", estimate, count=3).dropped


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
