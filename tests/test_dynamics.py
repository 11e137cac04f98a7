"""Final accuracies from graph signatures: known laws are learnt, the truth is covered, refusals."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_dynamics import DEGREE, trained_runs
from made_runs import made_run
from sklearn.linear_model import BayesianRidge
from sklearn.preprocessing import StandardScaler

from ncselect.graphs.prediction.inputs import signature_signals
from ncselect.methods.dynamics import Dynamics
from ncselect.types import Curve
from zoo.errors import InputError

EPOCHS, OBSERVED = 10, 3


def lawful(count, *, seed=0, noise=0.0, law=0.05):
    """Return curves whose gain after epoch 3 is 0.1 + law · (mean degree at epoch 2) + noise."""
    rng = np.random.default_rng(seed)
    curves = []
    for number in range(count):
        signals = {name: rng.standard_normal(EPOCHS + 1) for name in DEGREE}
        accuracy = np.linspace(0.3, 0.4, EPOCHS) + 0.1 * rng.random()
        gain = 0.1 + law * signals["graph/rolled/degree/mean"][2] + noise * rng.standard_normal()
        accuracy[-1] = accuracy[OBSERVED - 1] + gain
        curves.append(Curve("digits", f"net-{number}", accuracy, signals=signals))
    return tuple(curves)


def run_of(curve, observed=OBSERVED):
    signals = {name: values[1 : observed + 1] for name, values in curve.signals.items()}
    return made_run(curve.model, curve.accuracy[:observed], **signals)


def test_a_linear_law_of_the_signatures_is_learnt():
    method = Dynamics(history=lawful(60), horizon=EPOCHS)
    fresh = lawful(20, seed=1)
    answer = method.estimate([run_of(dataclasses.replace(one, model=f"x-{place}"))
                              for place, one in enumerate(fresh)])  # fmt: skip
    predicted = [one.mean for one in answer.estimates]
    np.testing.assert_allclose(predicted, [one.accuracy[-1] for one in fresh], atol=1e-3)


def test_the_ridge_is_scikit_learns_on_standardised_signatures():
    history, (fresh,) = lawful(30, noise=0.02), lawful(1, seed=5)
    told = np.array([[c.signals[n][e] for n in DEGREE for e in (1, 2, 3)] for c in history])
    own = np.array([[fresh.signals[n][e] for n in DEGREE for e in (1, 2, 3)]])
    scaler = StandardScaler().fit(told)
    for target, before in (("final", 0.0), ("gain", 1.0)):
        finals = [c.accuracy[-1] - before * c.accuracy[OBSERVED - 1] for c in history]
        mean, sd = (
            BayesianRidge()
            .fit(scaler.transform(told), finals)
            .predict(scaler.transform(own), return_std=True)
        )
        method = Dynamics(history=history, horizon=EPOCHS, target=target)
        (one,) = method.estimate([run_of(fresh)]).estimates
        assert one.score == pytest.approx(mean[0] + before * fresh.accuracy[OBSERVED - 1])
        assert one.sd == pytest.approx(sd[0])
        assert one.diagnostics["curves"] == 30
        assert one.diagnostics["distance"] == pytest.approx(
            np.sqrt(np.mean(scaler.transform(own) ** 2))
        )


def test_the_deviation_covers_the_truth_and_is_no_larger_than_the_noise_allows():
    noise = 0.05
    method = Dynamics(history=lawful(100, noise=noise), horizon=EPOCHS)
    fresh = lawful(400, seed=2, noise=noise)
    runs = [run_of(dataclasses.replace(one, model=f"x-{n}")) for n, one in enumerate(fresh)]
    answered = method.estimate(runs).estimates
    missed = np.array([one.score for one in answered]) - [one.accuracy[-1] for one in fresh]
    sd = np.array([one.sd for one in answered])
    assert 0.91 <= np.mean(np.abs(missed) <= 1.96 * sd) <= 0.99
    assert noise * 0.8 < sd.mean() < noise * 1.4


def test_without_a_law_the_mean_gain_is_added():
    history = lawful(40, law=0.0, noise=0.02)
    gains = [one.accuracy[-1] - one.accuracy[OBSERVED - 1] for one in history]
    (fresh,) = lawful(1, seed=9)
    (one,) = Dynamics(history=history, horizon=EPOCHS).estimate([run_of(fresh)]).estimates
    assert one.mean - fresh.accuracy[OBSERVED - 1] == pytest.approx(np.mean(gains), abs=0.02)


def test_a_candidate_unlike_the_history_has_a_larger_deviation_and_one_beyond_is_refused():
    history = lawful(40, noise=0.02)
    (fresh,) = lawful(1, seed=3)
    method = Dynamics(history=history, horizon=EPOCHS)
    far = {name: 50 * values for name, values in fresh.signals.items()}
    beyond = {name: np.full(EPOCHS + 1, 1e120) for name in fresh.signals}
    runs = [run_of(fresh)]
    runs += [run_of(dataclasses.replace(fresh, model=model, signals=signals))
             for model, signals in (("far", far), ("beyond", beyond))]  # fmt: skip
    answer = method.estimate(runs)
    near, away = answer.estimates
    assert away.sd > 2 * near.sd
    assert away.diagnostics["distance"] > 20 > near.diagnostics["distance"]
    assert "standard deviations from those of the history" in answer.refused["beyond"]


def test_epoch_zero_and_epochs_to_come_are_not_read():
    history = lawful(30)
    changed = tuple(
        dataclasses.replace(one, signals={
            name: np.concatenate([[7.0], values[1 : OBSERVED + 1], values[OBSERVED + 1 :] * 0])
            for name, values in one.signals.items()
        })
        for one in history
    )  # fmt: skip
    run = run_of(lawful(1, seed=4)[0])
    (first,) = Dynamics(history=history, horizon=EPOCHS).estimate([run]).estimates
    (second,) = Dynamics(history=changed, horizon=EPOCHS).estimate([run]).estimates
    assert first == second


def test_the_unrolled_graph_is_both_its_parts():
    method = Dynamics(kind="unrolled", feature="eigenvector")
    assert method.signals == {"validation-accuracy", *signature_signals("eigenvector", "unrolled")}
    assert len(method.signals) == 11


def test_on_trained_networks_the_gain_is_told_better_than_nothing_and_than_the_final():
    runs = trained_runs(60, epochs=EPOCHS, seed=5)
    history = tuple(
        Curve("digits", run.spec.model, run.curve("validation-accuracy"), signals={
            name: np.array([seen.signals[name] for seen in run.observations]) for name in DEGREE
        })
        for run in runs[:40]
    )  # fmt: skip
    judged = [run.observed(5) for run in runs[40:]]
    truth = np.array([run.curve("validation-accuracy")[-1] for run in runs[40:]])

    def missed(target):
        answer = Dynamics(history=history, horizon=EPOCHS, target=target).estimate(judged)
        assert not answer.refused
        return np.sqrt(np.mean((np.array([one.mean for one in answer.estimates]) - truth) ** 2))

    stayed = np.sqrt(np.mean([(r.curve("validation-accuracy")[4] - t) ** 2
                              for r, t in zip(runs[40:], truth, strict=True)]))  # fmt: skip
    assert missed("gain") < missed("final")
    assert missed("gain") < stayed


def test_too_little_history_is_refused_with_the_remedy():
    (fresh,) = lawful(1)
    run = run_of(fresh)
    none = Dynamics(horizon=EPOCHS).estimate([run]).refused[fresh.model]
    assert "6 finished curves with signatures or more and the history is empty" in none
    assert "--history" in none
    plain = tuple(dataclasses.replace(one, signals={}) for one in lawful(3))
    short = tuple(dataclasses.replace(one, accuracy=one.accuracy[:5]) for one in lawful(4))
    history = (*lawful(5), *plain, *short)
    few = Dynamics(history=history, horizon=EPOCHS).estimate([run]).refused[fresh.model]
    assert (
        "of 12 curves in the history 8 have 10 epochs or more and 5 of these rolled degree" in few
    )
    spoilt = {name: np.full(EPOCHS + 1, np.nan) for name in DEGREE}
    spoilt = dataclasses.replace(lawful(1)[0], signals=spoilt)
    assert Dynamics(history=(*lawful(5), spoilt), horizon=EPOCHS).estimate([run]).refused
    assert not Dynamics(history=lawful(6), horizon=EPOCHS).estimate([run]).refused


@pytest.mark.parametrize(
    ("option", "value"),
    [("kind", "curled"), ("feature", "closeness"), ("target", "start"), ("horizon", 0)],
)
def test_bad_options_are_refused(option, value):
    with pytest.raises(InputError, match=f"{option} is '?{value}'?; "):
        Dynamics(**{option: value})
