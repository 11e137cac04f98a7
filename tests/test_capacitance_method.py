from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from made_runs import made_run

from ncselect.methods import method
from ncselect.methods.capacitance import DEFAULT_DEFINITION
from ncselect.numerics.ridge import ridge_line
from zoo.datasets import prepare

BETA = np.array([3.0, 2.2, 1.7, 1.4, 1.2, 1.05, 0.95, 0.9])


def one(ranked_by, record):
    (estimate,) = ranked_by.estimate([record]).estimates
    return estimate


def noisy_run(seed=0, epochs=8, scale=1.0, noise=0.01):
    rng = np.random.default_rng(seed)
    accuracy = 0.85 - 0.1 * BETA[:epochs] + noise * rng.normal(size=epochs)
    return made_run("a", accuracy, beta=scale * BETA[:epochs])


def test_a_straight_line_in_beta_ends_at_its_intercept():
    estimate = one(method("capacitance"), made_run("a", 0.85 - 0.1 * BETA, beta=BETA))
    assert estimate.mean == pytest.approx(0.85, abs=1e-3)
    assert estimate.diagnostics["slope"] == pytest.approx(-0.1, rel=1e-2)
    assert estimate.diagnostics["slope_over_least_squares"] == pytest.approx(1, abs=1e-2)
    assert estimate.sd < 0.01


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 1e3, 1e6, -1.0])
@pytest.mark.parametrize("epochs", [2, 5, 8])
def test_rescaling_beta_changes_no_estimate(factor, epochs):
    plain = one(method("capacitance"), noisy_run(epochs=epochs))
    scaled = one(method("capacitance"), noisy_run(epochs=epochs, scale=factor))
    assert scaled.mean == pytest.approx(plain.mean, rel=1e-9)
    assert scaled.sd == pytest.approx(plain.sd, rel=1e-9)
    for name in ("zero_distance", "slope_over_least_squares", "t0", "bic"):
        assert scaled.diagnostics[name] == pytest.approx(plain.diagnostics[name], rel=1e-9)


def test_raw_beta_is_an_option_and_depends_on_its_units():
    raw = method("capacitance", scaling="raw")
    plain, scaled = (one(raw, noisy_run(scale=scale, noise=0.04)) for scale in (1.0, 1e4))
    assert abs(plain.mean - scaled.mean) > 0.01


def test_the_definition_chooses_the_signal():
    assert f"beta/{DEFAULT_DEFINITION}" in method("capacitance").signals
    record = made_run(
        "a", 0.85 - 0.1 * BETA, beta=np.ones(8), **{"beta/norm/exact/signed": BETA}
    )  # fmt: skip
    chosen = method("capacitance", definition="norm/exact/signed")
    assert chosen.signals == {"validation-accuracy", "beta/norm/exact/signed"}
    assert one(chosen, record).mean == pytest.approx(0.85, abs=1e-3)
    window_mean = one(method("window-mean"), record).mean
    assert one(method("capacitance"), record).mean == pytest.approx(window_mean, abs=1e-9)


def test_the_window_and_its_diagnostics():
    accuracy = 0.85 - 0.1 * BETA
    accuracy[:3] = [0.2, 0.9, 0.1]
    estimate = one(method("capacitance"), made_run("a", accuracy, beta=BETA))
    assert estimate.diagnostics["t0"] == 4
    assert estimate.diagnostics["window"] == 5
    seen = BETA[3:]
    distance = seen.min() / (seen.max() - seen.min())
    assert estimate.diagnostics["zero_distance"] == pytest.approx(distance)
    wider = one(method("capacitance", window=8), made_run("a", accuracy, beta=BETA))
    assert (wider.diagnostics["t0"], wider.diagnostics["window"]) == (1, 8)


def test_what_is_beyond_an_accuracy_is_clipped_and_said():
    for slope, bound in ((-0.3, 1.0), (0.3, 0.0)):
        accuracy = (1.2 if slope < 0 else -0.2) + slope * BETA[3:]
        estimate = one(method("capacitance"), made_run("a", accuracy, beta=BETA[3:]))
        assert estimate.mean == bound
        assert estimate.score == pytest.approx(1.2 if slope < 0 else -0.2, abs=1e-2)


def test_a_beta_identically_zero_gives_the_mean_of_the_window():
    record = made_run("a", np.linspace(0.5, 0.7, 5), beta=np.zeros(5))
    estimate = one(method("capacitance"), record)
    assert estimate.mean == pytest.approx(0.6)
    assert estimate.diagnostics["zero_distance"] == 0
    assert math.isnan(estimate.diagnostics["slope_over_least_squares"])


def test_one_epoch_is_too_few_for_a_line():
    answer = method("capacitance").estimate([made_run("a", [0.5])])
    assert "1 epoch observed; observe 2 or more" in answer.refused["a"]


def test_raw_beta_beyond_squaring_is_refused_alone():
    wild = made_run("wild", 0.85 - 0.1 * BETA, beta=1e150 * BETA)
    answer = method("capacitance", scaling="raw").estimate([wild, noisy_run()])
    assert "too large to be squared; standardise it" in answer.refused["wild"]
    assert [estimate.model for estimate in answer.estimates] == ["a"]


@pytest.mark.parametrize("name", ["training-loss", "training-error", "residual"])
def test_a_control_does_to_its_input_what_capacitance_does_to_beta(name):
    record = made_run(
        "a", noisy_run().curve("validation-accuracy"), beta=np.ones(8), **{name: BETA}
    )
    control, capacitance = one(method(name), record), one(method("capacitance"), noisy_run())
    assert control == capacitance


def test_inverse_epoch_ends_at_the_limit_of_a_hyperbola():
    accuracy = 0.8 - 0.4 / np.arange(1, 9)
    assert one(method("inverse-epoch"), made_run("a", accuracy)).mean == pytest.approx(
        0.8, abs=2e-3
    )


def test_permuted_beta_is_one_of_the_orders_within_the_window_of_beta():
    record = noisy_run()
    accuracy = record.curve("validation-accuracy")
    t0 = int(one(method("capacitance", window=3), record).diagnostics["t0"])
    span = slice(t0 - 1, t0 + 2)
    possible = [
        ridge_line(np.array(order), accuracy[span]).mean
        for order in itertools.permutations(BETA[span])
    ]
    reached = set()
    for seed in range(40):
        estimate = one(method("permuted-beta", window=3, seed=seed), record)
        assert estimate.diagnostics["t0"] == t0
        distances = np.abs(np.array(possible) - estimate.score)
        assert distances.min() < 1e-12
        reached.add(int(distances.argmin()))
    assert len(reached) == 6


def test_random_inputs_belong_to_the_run_and_the_seed():
    a, b = (made_run(name, np.linspace(0.4, 0.7, 6)) for name in "ab")
    numbers = method("random-input").inputs
    assert not np.array_equal(numbers(a), numbers(b))
    assert not np.array_equal(numbers(a), method("random-input", seed=1).inputs(a))
    np.testing.assert_array_equal(numbers(a.observed(3)), numbers(a)[:3])
    assert 0 <= numbers(a).min() < numbers(a).max() < 1


def test_last_and_best_value_and_their_sampling_deviation():
    record = made_run("a", [0.3, 0.8, 0.5], validation=400)
    last, best = one(method("last-value"), record), one(method("best-value"), record)
    assert (last.mean, best.mean) == (0.5, 0.8)
    assert last.sd == pytest.approx(0.5 / 20)
    assert best.sd == pytest.approx(math.sqrt(0.8 * 0.2 / 400), rel=5e-3)
    assert (last.diagnostics["epoch"], best.diagnostics["epoch"]) == (3, 2)
    unknown = made_run("a", [0.3, 0.8, 0.5], validation=None)
    assert math.isnan(one(method("last-value"), unknown).sd)
    assert math.isnan(one(method("best-value"), unknown).sd)


def test_a_prepared_dataset_says_how_many_images_validate(tmp_path):
    dataset = prepare("digits", validation_size=200, cache=tmp_path)
    record = made_run("a", [0.4, 0.5])
    spec = dataclasses.replace(record.spec, data=dataset.identity())
    estimate = one(method("last-value"), dataclasses.replace(record, spec=spec))
    assert estimate.sd == pytest.approx(math.sqrt(0.25 / 200))


def test_a_signal_that_a_network_cannot_have_is_refused_with_the_reason():
    signal = "beta/base/held/entrywise"
    run = made_run("mixed", 0.85 - 0.1 * BETA, drop={signal})
    run = dataclasses.replace(run, facts={"absent_signals": {signal: "its channels mix"}})
    answer = method("capacitance", definition="base/held/entrywise").estimate([run])
    assert f"it has no signal '{signal}': its channels mix; choose" in answer.refused["mixed"]
