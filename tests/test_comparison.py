from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from made_runs import graph_signals, made_run, rising_curve
from scipy import stats

from ncselect.comparison import compare
from ncselect.methods import METHODS, method
from ncselect.types import Background, Curve, Estimate, Estimates, Outcome
from zoo.errors import InputError, UnknownNameError

SIMPLE = {name: method(name) for name in ("last-value", "best-value", "capacitance")}


def finished_pool(models=8, epochs=10, horizon=10):
    rng = np.random.default_rng(2)
    finals = 0.5 + 0.05 * np.arange(models)
    return [
        made_run(
            f"model-{position}",
            rising_curve(final, 0.4 + rng.random(), epochs, rng, 0.02),
            truth={horizon: float(final), 1: 0.1},
        )
        for position, final in enumerate(finals)
    ]


def row(comparison, name, epochs):
    (found,) = [r for r in comparison.rows if (r.method, r.epochs) == (name, epochs)]
    return found


def test_every_method_is_scored_at_every_length():
    records = finished_pool()
    rng = np.random.default_rng(5)
    history = tuple(
        Curve("there", f"earlier-{turn}", seen, signals=graph_signals(np.append(0.1, seen), turn))
        for turn in range(30)
        for seen in [rising_curve(rng.uniform(0.4, 1.1), 1.0, 10, rng, 0.02)]
    )
    experience = tuple(
        Outcome(one.spec.model, dataset, rng.uniform(0.4, 0.9))
        for one in records
        for dataset in ("there", "elsewhere")
    )
    told = Background(horizon=10, history=history, experience=experience)
    quick = {"lc": {"walkers": 100, "steps": 24, "burn_in": 8}}
    every = {name: method(name, told, **quick.get(name, {})) for name in METHODS}
    found = compare(records, methods=every, epochs=[2, 5, 10], resamples=50)
    assert [(r.epochs, r.method) for r in found.rows] == [
        (length, name) for length in (2, 5, 10) for name in METHODS
    ]
    assert found.horizon == 10
    for r in found.rows:
        truth = [found.truth[model] for model in r.models]
        predicted = [r.scores[model] for model in r.models]
        assert r.n == 8 - len(found.excluded[r.epochs]) >= 7
        assert r.reason is None
        expected = stats.spearmanr(truth, predicted).statistic
        assert r.agreement.rho.value == pytest.approx(expected)
        assert r.agreement.regret_points.value >= 0
    assert {one.reference for one in found.differences} == {"best-value", "combined"}
    assert len(found.differences) == 2 * 3 * (len(METHODS) - 1)


def test_methods_see_the_observed_epochs_only():
    records = finished_pool()
    other_ends = [
        made_run(
            record.spec.model, [*record.curve("validation-accuracy")[:5], *[0.3] * 5],
            truth={10: 0.9 - record.truth[10]},
        )
        for record in records
    ]  # fmt: skip
    first, second = (
        compare(pool, methods=SIMPLE, epochs=[5], resamples=10) for pool in (records, other_ends)
    )
    for name in SIMPLE:
        assert row(first, name, 5).predictions == row(second, name, 5).predictions
        rho = row(first, name, 5).agreement.rho.value
        assert row(second, name, 5).agreement.rho.value == pytest.approx(-rho)


def test_a_method_is_given_neither_truth_nor_later_epochs():
    given = []

    @dataclasses.dataclass(frozen=True)
    class Looking:
        name = "looking"
        summary = "keeps what it is given"
        signals = frozenset({"validation-accuracy"})

        def estimate(self, records):
            given.extend(records)
            return method("last-value").estimate(records)

    compare(
        finished_pool(), methods={"looking": Looking()}, epochs=[4], references=(), resamples=10
    )
    assert len(given) == 8
    assert all(record.truth == {} and record.epochs == 4 for record in given)


def test_what_one_method_refuses_is_scored_for_none_and_named():
    records = finished_pool()
    accuracy = records[3].curve("validation-accuracy")
    records[3] = made_run("model-3", accuracy, beta=np.full(10, np.nan), truth={10: 0.6})
    found = compare(records, methods=SIMPLE, epochs=[5], resamples=10)
    for name in SIMPLE:
        assert row(found, name, 5).n == 7
        assert "model-3" not in row(found, name, 5).models
    assert "model-3" in row(found, "last-value", 5).predictions
    assert found.excluded[5]["model-3"].startswith("capacitance: signal 'beta/")
    assert "model-3" in row(found, "capacitance", 5).refused


def test_a_method_that_refuses_everyone_is_a_row_and_costs_the_others_nothing():
    found = compare(
        finished_pool(), methods=SIMPLE, epochs=[1], references=["capacitance"], resamples=10
    )
    refused = row(found, "capacitance", 1)
    assert refused.agreement is None
    assert refused.reason == "1 epoch observed; observe 2 or more"
    assert row(found, "last-value", 1).n == 8
    assert row(found, "last-value", 1).agreement is not None
    assert found.differences == ()


def test_what_a_method_predicts_and_costs_is_in_its_row():
    found = row(compare(finished_pool(), methods=SIMPLE, epochs=[5], resamples=2), "last-value", 5)
    assert set(found.sds) == set(found.predictions)
    assert all(0 < sd < 0.05 for sd in found.sds.values())  # binomial, of 500 images
    assert found.seconds > 0
    assert found.agreement.crps_points.value > 0
    errors = [found.predictions[m] - compare_truth(m) for m in found.models]
    assert found.agreement.rmse_points.value == pytest.approx(
        100 * np.sqrt(np.mean(np.square(errors)))
    )


def compare_truth(model):
    return {one.spec.model: one.truth[10] for one in finished_pool()}[model]


def test_before_any_training_only_methods_that_need_none_are_scored():
    @dataclasses.dataclass(frozen=True)
    class Known:
        name = "known"
        signals = frozenset()
        pooled = False

        def estimate(self, records):
            names = [one.spec.model for one in records]
            each = [Estimate(name, math.nan, score=float(name[-1])) for name in names]
            return Estimates("known", tuple(each))

    found = compare(
        finished_pool(), methods={"known": Known(), **SIMPLE}, epochs=[0], resamples=5
    )  # fmt: skip
    known = row(found, "known", 0).agreement
    assert known.rho.value == pytest.approx(1)
    assert math.isnan(known.rmse_points.value)
    assert row(found, "last-value", 0).reason == "0 epochs observed; observe 1 or more"


def test_a_method_that_takes_a_horizon_is_told_that_of_the_comparison():
    told = []

    @dataclasses.dataclass(frozen=True)
    class Far:
        name = "far"
        signals = frozenset({"validation-accuracy"})
        pooled = True
        horizon: int = 50

        def estimate(self, records):
            told.append(self.horizon)
            return method("last-value").estimate(records)

    compare(finished_pool(), methods={"far": Far()}, epochs=[4], references=(), resamples=2)
    assert told == [10]


def test_a_history_on_the_dataset_by_another_name_teaches_the_same():
    rng = np.random.default_rng(7)
    curves = [rising_curve(rng.uniform(0.5, 0.9), 0.6, 10, rng, 0.02) for _ in range(40)]
    seen = [one.observed(3) for one in finished_pool()]
    said = {
        name: method(
            "combined",
            Background(
                horizon=10,
                history=tuple(Curve(name, f"x{turn}", curve) for turn, curve in enumerate(curves)),
            ),
        ).estimate(seen)
        for name in ("digits", "tfds:Digits", "elsewhere")
    }
    assert said["digits"].estimates == said["tfds:Digits"].estimates
    assert said["digits"].estimates != said["elsewhere"].estimates


def test_the_recommended_method_is_always_a_reference():
    @dataclasses.dataclass(frozen=True)
    class Combined:
        name = "combined"
        signals = frozenset({"validation-accuracy"})
        pooled = True

        def estimate(self, records):
            return method("last-value").estimate(records)

    found = compare(
        finished_pool(), methods={"combined:x": Combined(), **SIMPLE}, epochs=[4], resamples=2
    )  # fmt: skip
    pairs = {(one.method, one.reference) for one in found.differences}
    assert ("best-value", "combined:x") in pairs
    assert ("combined:x", "best-value") in pairs


def test_failed_short_and_truthless_runs_are_excluded_with_reasons():
    curve = rising_curve(0.7, 1, 10)
    extra = [
        made_run("failed", curve, status="failed", error="loss is nan at epoch 8"),
        made_run("short", curve[:3], truth={}),
        made_run("truthless", curve, truth={4: 0.5}),
    ]
    found = compare([*extra, *finished_pool()], methods=SIMPLE, epochs=[5], resamples=10)
    assert "loss is nan at epoch 8" in found.excluded[5]["failed"]
    assert found.excluded[5]["short"] == "only 3 of 5 epochs were run; continue its run"
    assert "no test accuracy at epoch 10" in found.excluded[5]["truthless"]
    assert row(found, "capacitance", 5).n == 8


def test_one_model_is_too_few_to_agree_on():
    found = compare(finished_pool(models=1), methods=SIMPLE, epochs=[5])
    for r in found.rows:
        assert r.agreement is None
        assert "1 models are left to be scored on" in r.reason
        assert r.predictions


def test_intervals_are_seeded_and_shared_by_the_methods():
    records = finished_pool()
    twins = {"one": method("last-value"), "two": method("last-value")}
    first, again, other = (
        compare(records, methods=twins, epochs=[5], references=["two"], resamples=100, seed=seed)
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
    assert row(first, "one", 5).agreement == row(first, "two", 5).agreement
    (difference,) = first.differences
    assert (difference.method, difference.reference, difference.epochs) == ("one", "two", 5)
    assert (difference.agreement.rho.low, difference.agreement.rho.high) == (0, 0)


def test_json_holds_everything_and_only_plain_values():
    found = compare(finished_pool(models=2), methods=SIMPLE, epochs=[1, 5], resamples=3, seed=4)
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert set(document) == {field.name for field in dataclasses.fields(found)}
    assert document["rows"][0]["method"] == "last-value"
    assert document["rows"][0]["agreement"]["rho"]["value"] == pytest.approx(
        found.rows[0].agreement.rho.value
    )
    assert document["rows"][2]["agreement"] is None
    assert document["excluded"]["5"] == {}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"records": []}, "records is empty"),
        ({"epochs": [11]}, "epochs holds 11; .* between 0 and the horizon, 10"),
        ({"epochs": [-1]}, "epochs holds -1"),
        ({"epochs": []}, "one or more different lengths"),
        ({"epochs": [5, 5]}, "one or more different lengths"),
        ({"horizon": 9}, "no run has a test accuracy at epoch 9"),
        ({"horizon": 0}, "horizon: 0 came; give a whole number of at least 1"),
        ({"horizon": 2.5}, "horizon: 2.5 came"),
        ({"records": finished_pool() + finished_pool()[:1]}, "hold model-0 more than once"),
        (
            {"records": [*finished_pool(), made_run("x", [0.1], dataset="mnist")]},
            "mix the datasets digits, mnist",
        ),
        ({"records": [made_run("x", [0.1, 0.2])]}, "hold no test accuracy"),
        ({"methods": {}}, "methods is empty"),
        ({"seed": -1}, "seed is -1; give"),
        (
            {"records": [*finished_pool(), made_run("x", [0.1], validation=7)]},
            "different images or splits",
        ),
    ],
)
def test_bad_input_is_named(change, text):
    given = {"records": finished_pool(), "methods": SIMPLE, "epochs": [5], **change}
    with pytest.raises(InputError, match=text):
        compare(given.pop("records"), **given)


def test_an_unknown_reference_is_named():
    with pytest.raises(UnknownNameError, match=r"unknown reference 'best'.*best-value"):
        compare(finished_pool(), methods=SIMPLE, epochs=[5], references=["best"])
