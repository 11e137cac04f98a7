"""Every method meets every check."""

from __future__ import annotations

import copy
import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest
from made_runs import graph_signals, made_run, rising_curve

from ncselect.methods import METHODS, method
from ncselect.scores import SCORES
from ncselect.types import Background, Curve, Outcome
from zoo.errors import InputError, UnknownNameError

LEARNING = [name for name in METHODS if method(name).signals]
every_method = pytest.mark.parametrize("name", list(METHODS))
every_learning_method = pytest.mark.parametrize("name", LEARNING)

MAY_REFUSE = {"cl"}
"""Methods that may have nothing to say of a curve: none before it went like it."""

QUICK = {"lc": {"walkers": 100, "steps": 24, "burn_in": 8}}
"""Options that make a method's conformance quick, not its answer good."""


def told(epochs=50, curves=24):
    """Return a background in which every method finds what it needs."""
    rng = np.random.default_rng(3)
    history = tuple(
        Curve(
            f"set-{number % 2}",
            f"net-{number}",
            accuracy,
            {"parameters": float(number)},
            signals=graph_signals(np.append(0.1, accuracy), seed=number),
        )
        for number in range(curves)
        for accuracy in [
            rising_curve(rng.uniform(0.4, 1.1), rng.uniform(0.3, 2), epochs, rng, 0.01)
        ]
    )
    models = ["a", "broken", "short", *(f"model-{position}" for position in range(6))]
    experience = tuple(
        Outcome(model, f"set-{number}", rng.uniform(0.5, 0.9))
        for model in models
        for number in range(3)
    )
    return Background(horizon=epochs, history=history, experience=experience)


BACKGROUND = told()


def made(name, **options):
    """Make a method that knows enough and answers quickly."""
    return method(name, BACKGROUND, **{**QUICK.get(name, {}), **options})


CURVES = {
    "rising": [0.3, 0.45, 0.55, 0.6, 0.63, 0.66, 0.67, 0.68],
    "constant": [0.5] * 8,
    "zero": [0.0] * 8,
    "perfect": [1.0] * 8,
    "falling": [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2],
    "jumping": [0.1, 0.9, 0.1, 0.9, 0.1, 0.9, 0.1, 0.9],
    "late": [0.1] * 7 + [0.9],
}
HARD_INPUTS = {
    "constant": np.full(8, 0.7),
    "zero": np.zeros(8),
    "rounding": 0.7 + 1e-16 * np.arange(8),
    "crossing zero": np.linspace(-3, 3, 8),
    "exploding": np.array([1.0, -1e30, 2.0, 1e60, 3.0, 4.0, 5.0, -1e70]),
    "tiny": 1e-310 * np.arange(1, 9),
}


def pool(epochs=8, models=6, noise=0.01):
    rng = np.random.default_rng(5)
    return [
        made_run(
            f"model-{position}",
            rising_curve(0.6 + 0.05 * position, 0.5 + 0.2 * position, epochs, rng, noise),
        )
        for position in range(models)
    ]


def same(first, second):
    """Compare two estimates, nan equal to nan."""
    assert first.model == second.model
    np.testing.assert_equal(first.mean, second.mean)
    np.testing.assert_equal(first.sd, second.sd)
    np.testing.assert_equal(dict(first.diagnostics), dict(second.diagnostics))


def same_answers(first, second):
    assert len(first.estimates) == len(second.estimates)
    for one, other in zip(first.estimates, second.estimates, strict=True):
        same(one, other)
    assert first.refused == second.refused
    assert first.notes == second.notes


def says_something(name, one):
    """Check that an estimate is an accuracy, or a finite score where none is predicted."""
    if name in LEARNING:
        assert 0.0 <= one.mean <= 1.0
        assert one.sd >= 0.0 or math.isnan(one.sd)
    else:
        assert math.isnan(one.mean)
    assert math.isfinite(one.score)
    assert all(isinstance(value, int | float) for value in one.diagnostics.values())


def each_candidate_once(answer, records):
    listed = [one.model for one in answer.estimates] + list(answer.refused)
    assert sorted(listed) == sorted(record.spec.model for record in records)
    assert all(answer.refused.values())


@every_method
def test_the_table_tells_what_a_method_is(name):
    one = made(name)
    card = METHODS[name]
    assert one.name == name
    assert one.summary == card.summary
    assert card.summary
    assert card.source
    assert "\n" not in card.summary
    assert "validation-accuracy" in one.signals if one.signals else one.least_epochs == 0
    assert one.scores <= set(SCORES)
    assert one.pooled in (True, False)
    assert dataclasses.is_dataclass(one)
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.name = "another"


@every_method
@pytest.mark.parametrize("epochs", [1, 2, 3, 5, 8, 20])
def test_every_candidate_is_estimated_or_refused(name, epochs):
    records = pool(epochs)
    answer = made(name).estimate(records)
    assert answer.method == name
    each_candidate_once(answer, records)
    assert [one.model for one in answer.estimates] == [
        record.spec.model for record in records if record.spec.model not in answer.refused
    ]
    if epochs >= 2:
        assert not answer.refused


@every_method
@pytest.mark.parametrize("curve", CURVES)
def test_estimates_are_accuracies(name, curve):
    records = [made_run("a", CURVES[curve]), *pool(8)]
    answer = made(name).estimate(records)
    each_candidate_once(answer, records)
    assert "a" not in answer.refused or name in MAY_REFUSE
    for one in answer.estimates:
        says_something(name, one)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        (name, options)
        for name in LEARNING
        for options in (
            [{"scaling": "standardised"}, {"scaling": "raw"}]
            if "scaling" in METHODS[name].options
            else [{}]
        )
    ],
)
@pytest.mark.parametrize("curve", ["rising", "constant", "jumping"])
@pytest.mark.parametrize("hard", HARD_INPUTS)
def test_hard_inputs_give_an_accuracy(name, options, curve, hard):
    ranked_by = made(name, **options)
    values = HARD_INPUTS[hard]
    record = made_run(
        "a", CURVES[curve], beta=values, training_loss=values, training_error=values,
        residual=values,
    )  # fmt: skip
    answer = ranked_by.estimate([record])
    each_candidate_once(answer, [record])
    assert answer.estimates or name in MAY_REFUSE
    for one in answer.estimates:
        says_something(name, one)


@every_method
def test_the_order_of_the_pool_does_not_matter(name):
    records = [*pool(8), made_run("broken", [0.1] * 8, status="failed", error="NaN at epoch 3")]
    straight = made(name).estimate(records)
    order = np.random.default_rng(0).permutation(len(records))
    shuffled = made(name).estimate([records[position] for position in order])
    by_model = {one.model: one for one in shuffled.estimates}
    for one in straight.estimates:
        same(one, by_model[one.model])
    assert straight.refused == shuffled.refused


@every_method
def test_the_same_input_gives_the_same_output_and_is_left_alone(name):
    records = pool(8)
    before = copy.deepcopy(records)
    ranked_by = made(name)
    same_answers(ranked_by.estimate(records), ranked_by.estimate(records))
    same_answers(ranked_by.estimate(records), made(name).estimate(records))
    assert records == before


@every_method
def test_later_epochs_and_the_truth_are_not_seen(name):
    long = pool(20)
    changed = [
        made_run(
            record.spec.model, [*record.curve("validation-accuracy")[:7], *[0.0] * 13],
            truth={20: 0.123},
        )
        for record in long
    ]  # fmt: skip
    ranked_by = made(name)
    expected = ranked_by.estimate([record.observed(7) for record in long])
    assert expected.estimates
    for records in (changed, [dataclasses.replace(one, truth={20: 0.9}) for one in changed]):
        seen = [dataclasses.replace(one.observed(7), truth=one.truth) for one in records]
        same_answers(ranked_by.estimate(seen), expected)


@every_method
def test_epoch_zero_is_not_seen(name):
    records = pool(6)
    changed = []
    for record in records:
        start = record.observations[0]
        signals = dict.fromkeys(start.signals, 0.9)
        start = dataclasses.replace(start, signals=signals)
        changed.append(dataclasses.replace(record, observations=(start, *record.observations[1:])))
    same_answers(made(name).estimate(records), made(name).estimate(changed))


@every_method
def test_a_failed_run_is_refused_with_its_error(name):
    failed = made_run("broken", CURVES["rising"], status="failed", error="loss is nan at epoch 3")
    answer = made(name).estimate([*pool(8), failed])
    assert "loss is nan at epoch 3" in answer.refused["broken"]
    assert len(answer.estimates) == 6
    same_answers(made(name).estimate(pool(8)), dataclasses.replace(answer, refused={}))


@every_method
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_refused_with_signal_and_epoch(name, value):
    for signal in sorted(made(name).signals):
        record = made_run("a", CURVES["rising"])
        spoilt = {**record.observations[3].signals, signal: value}
        third = dataclasses.replace(record.observations[3], signals=spoilt)
        observations = (*record.observations[:3], third, *record.observations[4:])
        record = dataclasses.replace(record, observations=observations)
        answer = made(name).estimate([record, *pool(8)])
        assert f"'{signal}' is {value} after epoch 3" in answer.refused["a"]
        assert len(answer.estimates) == 6


@every_method
def test_a_missing_signal_is_refused_by_name(name):
    for signal in sorted(made(name).signals):
        answer = made(name).estimate([made_run("a", CURVES["rising"], drop={signal}), *pool(8)])
        assert signal in answer.refused["a"]
        assert "recorded:" in answer.refused["a"]
        assert len(answer.estimates) == 6


@every_method
def test_signals_a_method_does_not_name_do_not_matter(name):
    used = made(name).signals
    everything = pool(8)
    others = set(everything[0].observations[1].signals) - used
    assert others
    bare = [
        made_run(record.spec.model, record.curve("validation-accuracy"), drop=others)
        for record in everything
    ]
    same_answers(made(name).estimate(everything), made(name).estimate(bare))


@every_learning_method
def test_a_run_shorter_than_the_pool_is_refused(name):
    short = made_run("short", CURVES["rising"][:4])
    answer = made(name).estimate([short, *pool(8)])
    assert "4 epochs observed where the others have 8" in answer.refused["short"]
    assert "continue" in answer.refused["short"]


@every_method
def test_no_epochs_is_refused_by_methods_that_need_some(name):
    answer = made(name).estimate([made_run("a", []), made_run("model-1", [])])
    if made(name).least_epochs:
        assert not answer.estimates
        assert "0 epochs observed; observe" in answer.refused["a"]
    else:
        assert all(math.isfinite(one.score) for one in answer.estimates)
        assert len(answer.estimates) == 2


@every_method
def test_what_needs_no_training_does_not_look_at_it(name):
    if name in LEARNING:
        return
    curves = pool(8)
    short = [made_run(record.spec.model, [0.1]) for record in curves]
    same_answers(made(name).estimate(curves), made(name).estimate([short[0], *curves[1:]]))


@every_method
def test_a_score_that_was_not_measured_is_refused_with_its_reason(name):
    unmeasured = made_run("a", CURVES["rising"], scores={})
    reasons = {score: f"no {score} for you; do this" for score in SCORES}
    unmeasured = dataclasses.replace(unmeasured, unscored=reasons)
    answer = made(name).estimate([unmeasured, *pool(8)])
    if name in SCORES:
        assert answer.refused["a"] == f"no {name} for you; do this"
    else:
        assert "a" not in answer.refused or name in MAY_REFUSE


@every_learning_method
def test_percentages_are_refused(name):
    answer = made(name).estimate([made_run("a", [30.0, 40.0, 50.0])])
    assert "between 0 and 1" in answer.refused["a"]


@every_method
def test_an_empty_pool_has_an_empty_answer(name):
    answer = made(name).estimate([])
    assert answer.estimates == ()
    assert answer.refused == {}


@every_method
def test_a_candidate_given_twice_is_an_error(name):
    twice = [made_run("a", CURVES["rising"]), made_run("a", CURVES["falling"], seed=1)]
    with pytest.raises(InputError, match="records hold a more than once; give one run per"):
        made(name).estimate(twice)


@every_method
def test_an_unknown_option_is_an_error_that_lists_the_options(name):
    with pytest.raises(InputError, match=f"method '{name}' has no option 'windw'; it takes"):
        method(name, windw=3)


@every_method
def test_every_bad_option_value_is_an_error(name):
    bad = {
        "window": 0,
        "subset": "half",
        "scaling": "cubed",
        "definition": "base/exact/entrywise",
        "seed": -1,
        "walkers": 10,
        "steps": 0,
        "burn_in": -1,
        "hyperparameters": "nowhere.json",
        "kind": "folded",
        "feature": "closeness",
        "target": "start",
    }
    for option in METHODS[name].options:
        with pytest.raises(InputError, match=f"{option} is '?{bad[option]}'?"):
            method(name, **{option: bad[option]})


@every_method
def test_the_size_of_the_validation_set_may_be_unknown(name):
    records = [made_run("a", CURVES["rising"], validation=None)]
    (one,) = made(name).estimate(records).estimates
    says_something(name, one)


@every_method
def test_a_note_says_when_there_was_no_window_to_choose(name):
    has_window = "window" in METHODS[name].options
    short, long = made(name).estimate(pool(5)), made(name).estimate(pool(6))
    assert any("t0 fixed" in note for note in short.notes) == has_window
    assert not any("t0 fixed" in note for note in long.notes)


def test_an_unknown_method_offers_the_nearest():
    with pytest.raises(UnknownNameError, match=r"unknown method 'capacitence'.*capacitance"):
        method("capacitence")


def test_the_table_needs_no_deep_learning_library():
    code = (
        "import sys, ncselect.methods, ncselect.comparison; "
        "heavy = {'keras', 'tensorflow', 'jax', 'torch', 'sklearn'} & set(sys.modules); "
        "print(sorted(heavy)); sys.exit(bool(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
