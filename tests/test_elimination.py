"""Races between candidates: budgets, strategies, decisions."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from made_runs import made_run, rising_curve

from ncselect.elimination.placing import placed
from ncselect.elimination.race import race
from ncselect.elimination.replay import Replay
from ncselect.elimination.standing import Standing, Step
from ncselect.elimination.strategies import JOINT, STRATEGIES, strategy
from ncselect.methods import METHODS, method
from ncselect.spec import Settings
from ncselect.types import Estimate, Estimates
from zoo.errors import InputError, UnknownNameError

HORIZON = 20
NAMES = [*STRATEGIES]


def made_pool(seed, size=6, epochs=HORIZON):
    """Return finished runs of different final accuracies, noise and prices."""
    rng = np.random.default_rng(seed)
    runs = {}
    for place, final in enumerate(rng.permutation(np.linspace(0.5, 0.9, size))):
        curve = rising_curve(final, 1.0, epochs, rng, noise=0.01)
        run = made_run(f"net {place}", curve, truth={epochs: float(final)})
        price = float(rng.uniform(1, 4))
        seen = tuple(dataclasses.replace(one, seconds=price) for one in run.observations)
        runs[run.spec.model] = dataclasses.replace(run, observations=seen)
    return runs


def raced(name, runs, *, budget=math.inf, most=HORIZON - 1, by="last-value", unit="seconds"):
    runner = Replay(runs, unit=unit)
    estimate = method(by).estimate
    before = {model: run.observed(0) for model, run in runs.items()}
    return race(strategy(name), runner, estimate, before, most=most, budget=budget), runner


def best(runs):
    return max(runs, key=lambda model: runs[model].truth[HORIZON])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(2))
def test_no_epoch_is_begun_that_does_not_fit_and_everybody_is_accounted_for(name, seed):
    runs = made_pool(seed)
    whole = sum(HORIZON * one.observations[1].seconds for one in runs.values())
    for share in (0.0, 0.02, 0.1, 0.4):
        found, runner = raced(name, runs, budget=share * whole, by="combined")
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
        again, _ = raced(name, runs, budget=share * whole, by="combined")
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


def test_the_uniform_race_is_an_ordinary_ranking():
    runs = made_pool(1)
    found, runner = raced("uniform", runs, most=7, by="combined")
    estimates = method("combined").estimate([one.observed(7) for one in runs.values()])
    order = sorted(estimates.estimates, key=lambda one: -one.score)
    assert list(found.order) == [one.model for one in order]
    assert not found.dropped
    assert runner.spent == pytest.approx(
        7 * sum(one.observations[1].seconds for one in runs.values())
    )


def halved(runs, budget, eta):
    """Successive halving written out: Jamieson and Talwalkar 2016, algorithm 1, unit prices."""
    going, seen = [*runs], 0
    rounds = math.ceil(math.log(len(runs), eta))
    for _ in range(rounds):
        seen += max(1, math.floor(budget / (len(going) * rounds)))
        last = {model: runs[model].curve("validation-accuracy")[seen - 1] for model in going}
        going = sorted(going, key=lambda model: -last[model])[: math.ceil(len(going) / eta)]
    return going


@pytest.mark.parametrize(
    ("size", "eta", "budget"), [(8, 2, 48), (9, 3, 54), (8, 2, 24), (5, 2, 30)]
)
def test_successive_halving_is_the_published_algorithm(size, eta, budget):
    for seed in range(5):
        runs = made_pool(seed, size)
        found, runner = raced(
            f"successive-halving:eta={eta}", runs, budget=float(budget), unit="epochs"
        )
        expected = halved(runs, budget, eta)
        assert found.order[0] == expected[0]
        assert runner.spent <= budget


def test_successive_halving_without_a_budget_ends_its_rounds_at_powers():
    found, _ = raced("successive-halving:eta=2", made_pool(0, 8), unit="epochs")
    rounds = [one.reason for one in found.decisions if one.what == "observed"]
    assert rounds == ["up to epoch 1", "up to epoch 2", "up to epoch 4"]
    assert sorted(one.epochs for one in found.records.values()) == [1] * 4 + [2] * 2 + [4] * 2


def test_only_the_best_after_one_epoch_go_on():
    runs = made_pool(3)
    first = {model: one.curve("validation-accuracy")[0] for model, one in runs.items()}
    kept = sorted(runs, key=lambda model: -first[model])[:2]
    found, _ = raced("top-after-one:top=2", runs, most=5)
    assert {*found.standing.models} == {*kept}
    assert {model: one.epochs for model, one in found.records.items()} == {
        model: 5 if model in kept else 1 for model in runs
    }


def normal(**candidates):
    """Return an estimator that says mean and sd of each candidate, whatever was observed."""

    def estimate(records):
        models = [one.spec.model for one in records]
        each = tuple(Estimate(model, *candidates[model.replace(" ", "_")]) for model in models)
        means, sds = np.array([[one.mean, one.sd] for one in each]).T
        draws = np.random.default_rng(1).normal(means, sds, (20_000, len(each)))
        return Estimates("made", each, {}, draws=draws)

    return estimate


def test_who_is_expected_to_gain_too_little_is_dropped_with_the_number():
    runs = made_pool(0, 3)
    # E[max(0, X)] of X ~ N(−.1, .05²) is .05·(φ(2) − 2·(1 − Φ(2))) = .000425; of N(−.02, …) .0115;
    # less where the third is above both
    estimate = normal(net_0=(0.8, 1e-9), net_1=(0.7, 0.05), net_2=(0.78, 0.05))
    before = {model: run.observed(0) for model, run in runs.items()}
    found = race(strategy("confident:chance=0"), Replay(runs), estimate, before, most=1)
    assert not found.dropped  # decided after the epoch, but there is none to come
    found = race(strategy("confident:chance=0"), Replay(runs), estimate, before, most=2)
    assert found.order == ("net 0", "net 2", "net 1")
    draws = found.dropped["net 1"].standing.draws()
    best, kept = draws.max(axis=1), draws[:, :2].max(axis=1)
    lost = f"{100 * (best - kept).mean():.2g}"
    assert 0.02 < float(lost) < 0.0425
    assert f"expected to gain {lost} points < 0.1" in found.dropped["net 1"].reason
    assert [found.records[f"net {k}"].epochs for k in range(3)] == [2, 1, 2]
    found = race(strategy("confident:gain=0,chance=10"), Replay(runs), estimate, before, most=2)
    assert [*found.dropped] == ["net 1"]
    assert found.dropped["net 1"].reason == "P(best) 1.8%, of all so dropped 1.8% < 10%"


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

    for name in ("confident", "confident:gain=0", "confident:chance=0"):
        found = race(strategy(name), Replay(runs), estimate, untold(runs), most=17)
        kept = [models.index(model) for model in found.standing.models]
        best = draws.max(axis=1)
        chance = (draws[:, kept].max(axis=1) < best).mean()
        lost = 100 * (best - draws[:, kept].max(axis=1)).mean()
        assert chance < 0.02 or (lost < 0.1 and "gain" not in name)
        assert lost < 0.1 or (chance < 0.02 and "chance" not in name)
        assert 80 < len(kept) < 100
        # over all rounds, though every round would give up as much
        assert found.standing.given_up == pytest.approx(100 * chance, abs=1e-6)
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


def test_it_is_settled_when_the_pick_is_expected_to_lose_little():
    runs = made_pool(0, 2)
    before = {model: run.observed(0) for model, run in runs.items()}
    estimate = normal(
        net_0=(0.8, 0.001), net_1=(0.8, 0.001)
    )  # E|X|/2 of N(0, 2·.001²): .056 points
    found = race(strategy("confident"), Replay(runs), estimate, before, most=16)
    assert found.decisions[-1].reason == "the pick is expected to lose 0.056 points"
    assert max(one.epochs for one in found.records.values()) == 1


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


def test_methods_with_joint_draws_are_those_that_give_some():
    runs = [run.observed(12) for run in made_pool(0).values()]
    for name in METHODS:
        try:
            found = method(name).estimate(runs)
        except InputError:
            continue  # it needs something more, such as a history
        assert (found.draws is not None) == (name in JOINT), name


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        (":", UnknownNameError, "unknown strategy ':'"),
        ("hyperband", UnknownNameError, "confident"),
        ("confident:gian=1", InputError, "gain, chance, regret, eta"),
        ("successive-halving:eta=two", InputError, "a whole number"),
        ("successive-halving:eta=1", InputError, "2 or more"),
        ("top-after-one:top=0", InputError, "1 or more"),
        (
            "confident:gain=-1",
            InputError,
            r"strategy 'confident:gain=-1': gain is -1.0; .*\[0, 100",
        ),
    ],
)
def test_unusable_strategies_say_the_remedy(text, error, said):
    with pytest.raises(error, match=said):
        strategy(text)


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


class OneMore:
    """Everybody goes on by an epoch, nobody is dropped."""

    name = summary = "one-more"

    def step(self, standing):
        return Step(epochs=standing.epochs + 1)


def priced(runs, **prices):
    """Return the runs with epochs of the given prices, 1 where none is given."""
    return {
        model: dataclasses.replace(
            run,
            observations=tuple(
                dataclasses.replace(one, seconds=prices.get(model.replace(" ", "_"), 1.0))
                for one in run.observations
            ),
        )
        for model, run in runs.items()
    }


def untold(runs):
    return {model: run.observed(0) for model, run in runs.items()}


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


class Breaking(Replay):
    """Some candidates fail before their first epoch is over."""

    def __init__(self, runs, broken):
        super().__init__(runs, unit="epochs")
        self.broken = broken

    def observe(self, models, epochs, budget):
        found = super().observe([one for one in models if one not in self.broken], epochs, budget)
        return found | {
            model: dataclasses.replace(
                self._runs[model], status="failed", error="no memory", observations=()
            )
            for model in models
            if model in self.broken
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


def test_a_run_without_epochs_has_no_price():
    run = made_run("net 0", [], truth={})
    assert math.isnan(Replay({"net 0": run}).prices["net 0"])


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
