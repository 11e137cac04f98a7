"""ν-SVR on curves: its features by hand, functions that can be learnt, facts, refusals."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_runs import made_run, rising_curve
from scipy.stats import loguniform, uniform
from sklearn.model_selection import KFold, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import NuSVR

from ncselect.methods.bgrn import CurveSupportVectors
from ncselect.numerics.curve_regression import curve_features, curve_regression
from ncselect.spec import Settings
from ncselect.types import Curve
from zoo.errors import InputError


def finished(count, *, epochs=50, seed=0, facts=None):
    """Return curves; where facts are wanted, the final value is theirs to tell, not the curve's."""
    rng = np.random.default_rng(seed)
    curves = []
    for number in range(count):
        final, speed = 0.5 + 0.4 * rng.random(), 0.3 + rng.random()
        curve = rising_curve(final, speed, epochs, rng, 0.005)
        known = facts(rng) if facts else {}
        if facts:
            curve[10:] = 0.3 + 0.05 * np.log10(known["parameters"])
        curves.append(Curve("digits", f"earlier-{number}", curve, known))
    return tuple(curves)


def candidate(name, curve, facts):
    run = made_run(name, curve)
    spec = dataclasses.replace(run.spec, candidate={"source": name, "facts": facts})
    return dataclasses.replace(run, spec=spec)


def test_features_are_the_curve_and_its_differences():
    np.testing.assert_allclose(
        curve_features(np.array([[0.1, 0.4, 0.6, 0.7], [0.0, 1.0, 0.0, 1.0]])),
        [
            [0.1, 0.4, 0.6, 0.7, 0.3, 0.2, 0.1, -0.1, -0.1],
            [0.0, 1.0, 0.0, 1.0, 1.0, -1.0, 1.0, -2.0, 2.0],
        ],
        atol=1e-15,
    )
    assert curve_features(np.array([[0.5]])).tolist() == [[0.5]]
    assert curve_features(np.array([[0.5, 0.75]])).tolist() == [[0.5, 0.75, 0.25]]


def test_the_machine_is_that_of_the_chosen_parameters():
    rng = np.random.default_rng(0)
    features, other = rng.random((40, 5)), rng.random((6, 5))
    final = features @ rng.random(5)
    fitted = curve_regression(features, final, seed=3)
    scaler = StandardScaler().fit(features)
    by_hand = NuSVR(kernel="rbf", **fitted.parameters).fit(scaler.transform(features), final)
    np.testing.assert_allclose(fitted.predict(other), by_hand.predict(scaler.transform(other)))
    assert 1e-5 <= fitted.parameters["C"] <= 10
    assert 1e-5 <= fitted.parameters["gamma"] <= 10
    assert 0 < fitted.parameters["nu"] <= 1


@pytest.mark.parametrize("curves", [6, 40])
def test_the_search_is_that_of_scikit_learn(curves):
    rng = np.random.default_rng(curves)
    features, other = rng.random((curves, 5)), rng.random((6, 5))
    final = features @ rng.random(5)
    ranges = {
        "nusvr__C": loguniform(1e-5, 10),
        "nusvr__gamma": loguniform(1e-5, 10),
        "nusvr__nu": uniform(1e-3, 1 - 1e-3),
    }
    search = RandomizedSearchCV(
        make_pipeline(StandardScaler(), NuSVR()), ranges, n_iter=20, random_state=3,
        scoring="neg_mean_squared_error", cv=KFold(3, shuffle=True, random_state=3),
    ).fit(features, final)  # fmt: skip
    fitted = curve_regression(features, final, seed=3)
    assert {f"nusvr__{name}": value for name, value in fitted.parameters.items()} == (
        search.best_params_
    )
    assert fitted.residual_sd == pytest.approx(np.sqrt(-search.best_score_), rel=1e-12)
    np.testing.assert_allclose(fitted.predict(other), search.predict(other), rtol=1e-12)


def test_the_deviation_is_that_of_curves_not_seen():
    rng = np.random.default_rng(1)
    features, noise = rng.random((200, 2)), 0.05
    final = features[:, 0] + noise * rng.standard_normal(200)
    fitted = curve_regression(features, final, seed=0)
    fresh = rng.random((2000, 2))
    missed = np.sqrt(np.mean((fitted.predict(fresh) - fresh[:, 0]) ** 2) + noise**2)
    assert fitted.residual_sd == pytest.approx(missed, rel=0.2)
    assert fitted.residual_sd == pytest.approx(noise, rel=0.3)


def test_final_values_are_learnt_from_curves():
    curves = finished(150)
    fresh = finished(30, seed=1)
    runs = [made_run(one.model, one.accuracy[:8]) for one in fresh]
    answer = CurveSupportVectors(history=curves).estimate(runs)
    final = np.array([one.accuracy[-1] for one in fresh])
    missed = np.array([one.mean for one in answer.estimates]) - final
    stayed = np.array([one.accuracy[7] for one in fresh]) - final
    assert np.sqrt(np.mean(missed**2)) < 0.5 * np.sqrt(np.mean(stayed**2))
    assert np.mean(np.abs(missed) <= 1.96 * answer.estimates[0].sd) >= 0.8
    assert {one.diagnostics["facts"] for one in answer.estimates} == {0}
    assert {one.diagnostics["curves"] for one in answer.estimates} == {150}


def test_facts_are_used_where_all_have_them():
    def facts(rng):
        return {"parameters": 10 ** rng.uniform(5, 8), "same": 2.0}

    curves = finished(120, facts=facts)
    seen = rising_curve(0.7, 0.5, 5)
    runs = [
        candidate("small", seen, {"parameters": 2e5, "same": 2}),
        candidate("large", seen, {"parameters": 5e7, "same": 2, "only": 1}),
        candidate("unknown", seen, {"same": 2}),
        candidate("none", seen, {"parameters": 0}),
    ]
    answer = CurveSupportVectors(history=curves).estimate(runs)
    small, large, unknown, none = answer.estimates
    assert [one.diagnostics["facts"] for one in answer.estimates] == [1, 1, 0, 0]
    assert small.mean == pytest.approx(0.3 + 0.05 * np.log10(2e5), abs=0.03)
    assert large.mean == pytest.approx(0.3 + 0.05 * np.log10(5e7), abs=0.03)
    assert unknown.mean == none.mean
    assert unknown.sd > small.sd
    without = dataclasses.replace(curves[0], facts={})
    bare = CurveSupportVectors(history=(without, *curves[1:])).estimate(runs[:1])
    assert bare.estimates[0].diagnostics["facts"] == 0


def test_what_is_known_of_a_candidate_before_training():
    facts = {"parameters": 5, "trace_seconds": 1.5, "resized_to": [32, 32], "trained": True}
    run = dataclasses.replace(made_run("a", [0.5]), facts=facts)
    spec = dataclasses.replace(run.spec, settings=Settings(learning_rate=0.01))
    known = dataclasses.replace(run, spec=spec).known
    assert known["parameters"] == 5
    assert known["learning_rate"] == 0.01
    assert not {"trace_seconds", "resized_to", "trained", "optimizer"} & set(known)
    own = candidate("a", [0.5], {"parameters": 7, "lr": 0.1, "layers": float("nan"), "kind": "x"})
    assert dataclasses.replace(own, facts=facts).known == {"parameters": 7, "lr": 0.1}


def test_an_answer_depends_on_seed_and_history_not_on_the_pool():
    curves = finished(30)
    runs = [made_run("a", rising_curve(0.7, 0.5, 6)), made_run("b", rising_curve(0.8, 0.4, 6))]
    both = CurveSupportVectors(history=curves).estimate(runs).estimates
    (alone,) = CurveSupportVectors(history=curves).estimate(runs[1:]).estimates
    assert both[1] == alone
    (seeded,) = CurveSupportVectors(history=curves, seed=1).estimate(runs[1:]).estimates
    assert seeded.diagnostics != alone.diagnostics


@pytest.mark.parametrize("curve", [[0.5], [0.5, 0.4], [0.0] * 6, [1.0] * 6, [0.9, 0.1] * 3])
def test_odd_curves_give_accuracies(curve):
    answer = CurveSupportVectors(history=finished(12)).estimate([made_run("a", curve)])
    (one,) = answer.estimates
    assert 0 <= one.mean <= 1
    assert one.sd > 0


def test_a_prediction_beyond_one_is_clipped_and_its_score_is_not():
    epochs = np.arange(1, 51)
    curves = tuple(
        Curve("digits", f"{level}", np.clip(level + 0.02 * epochs, 0, 1))
        for level in np.linspace(-0.02, 0.5, 40)
    )
    method = CurveSupportVectors(history=curves, horizon=20)
    steep = made_run("a", [0.75, 0.8, 0.85, 0.9, 0.95])
    (one,) = method.estimate([steep]).estimates
    assert one.mean == min(one.score, 1.0)


def test_too_little_history_is_refused_with_the_remedy():
    run = made_run("a", [0.3, 0.5])
    none = CurveSupportVectors().estimate([run]).refused["a"]
    assert "6 finished curves or more and the history is empty" in none
    assert "name a store or a file of finished curves with --history" in none
    few = CurveSupportVectors(history=finished(5)).estimate([run]).refused["a"]
    assert "5 of 5 curves in the history have 50 epochs or more" in few
    assert not CurveSupportVectors(history=finished(6)).estimate([run]).refused


def test_bad_options_are_refused():
    with pytest.raises(InputError, match="seed is -1"):
        CurveSupportVectors(seed=-1)
    with pytest.raises(InputError, match="horizon is 0; give the epoch to predict, 1 or more"):
        CurveSupportVectors(horizon=0)
