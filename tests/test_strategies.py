"""The strategies that are held against ``confident``, and strategies by name."""

from __future__ import annotations

import math

import pytest
from made_races import made_pool, raced

from ncselect.elimination.strategies import JOINT, strategy
from ncselect.methods import METHODS, method
from zoo.errors import InputError, UnknownNameError


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


SHORT = {"lc": method("lc", steps=20, burn_in=10)}
"""Methods that take long where nobody asks how well they predict."""


def test_methods_with_joint_draws_are_those_that_give_some():
    runs = [run.observed(6) for run in made_pool(0, 2).values()]
    for name in METHODS:
        try:
            found = SHORT.get(name, method(name)).estimate(runs)
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
