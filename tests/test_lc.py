"""The posterior of weighted families against a plain loop, and how often its intervals hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from emcee import EnsembleSampler, State
from emcee.moves import StretchMove
from made_runs import made_run, rising_curve

from ncselect.methods.lc import ParametricCurves
from ncselect.numerics.curve_families import FAMILIES
from ncselect.numerics.curve_posterior import DIMENSIONS, WeightedFamilies, horizon_prediction
from ncselect.numerics.stretch import WholeArrayStretch
from zoo.errors import InputError

CURVE = rising_curve(0.8, 0.7, 8, np.random.default_rng(2), 0.01)


def prediction(curve, seed=0, horizon=50, walkers=100, steps=150, burn_in=50):
    return horizon_prediction(
        np.asarray(curve, dtype=float),
        horizon=horizon,
        walkers=walkers,
        steps=steps,
        burn_in=burn_in,
        rng=np.random.default_rng(seed),
    )


def slow_log_density(position, curve, horizon):
    """Write section 3 of the paper down, one number at a time."""
    rest, parts = list(position), []
    for family in FAMILIES.values():
        own = [rest.pop(0) for _ in family.parameters]
        for value, (_, least, greatest) in zip(own, family.parameters.values(), strict=True):
            if not least <= value <= greatest:
                return -math.inf
        parts.append((family, own))
    weights = [rest.pop(0) for _ in parts]
    (noise,) = rest
    if min(weights) < 0 or max(weights) > 1 or not 1e-4 <= noise <= 1:
        return -math.inf

    def f(epoch):
        each = (family.curve(float(epoch), *own) for family, own in parts)
        return sum(weight * value for weight, value in zip(weights, each, strict=True))

    if not max(0, f(1)) <= f(horizon) <= 1:
        return -math.inf
    n = len(curve)
    return sum(
        10 ** (i / n) * (-((value - f(i + 1)) ** 2) / (2 * noise**2) - math.log(noise))
        for i, value in enumerate(curve)
    )


def test_the_density_is_that_of_the_plain_loop():
    model, rng = WeightedFamilies(CURVE, 50), np.random.default_rng(0)
    near = model.start() * (1 + 0.05 * rng.standard_normal((60, DIMENSIONS)))
    expected = [slow_log_density(position, CURVE, 50) for position in near]
    assert 10 < np.isfinite(expected).sum() < 60
    np.testing.assert_allclose(model.log_density(near), expected, rtol=1e-9)


def test_the_prior_is_zero_outside():
    model = WeightedFamilies(CURVE, 50)
    start = model.start()
    assert np.isfinite(model.log_density(start[None])).all()
    for index, value in ((-1, 0.0), (-1, 1.1), (-2, -0.01), (-2, 1.01), (0, 2.0), (2, -0.01)):
        outside = start.copy()
        outside[index] = value
        assert model.log_density(outside[None])[0] == -math.inf
    above = start.copy()
    above[-12:-1] *= 1.05 / model.values(start[None], np.array([50.0]))[0, 0]
    assert above[-12:-1].max() < 1
    assert model.log_density(above[None])[0] == -math.inf
    falling = model.start()
    falling[-12:-1] = [0.9, *[0.0] * 10]  # pow3 alone
    falling[:3] = [0.5, -0.3, 1.0]
    assert model.log_density(falling[None])[0] == -math.inf
    falling[1] = 0.3
    assert np.isfinite(model.log_density(falling[None])[0])


def test_the_move_is_emcees_own():
    model, rng = WeightedFamilies(CURVE, 50), np.random.default_rng(4)
    ball = model.start() + 1e-6 * rng.standard_normal((100, DIMENSIONS))
    chains = []
    for move in (StretchMove(), WholeArrayStretch()):
        sampler = EnsembleSampler(100, DIMENSIONS, model.log_density, moves=move, vectorize=True)
        sampler.run_mcmc(State(ball, random_state=np.random.RandomState(7).get_state()), 60)
        chains.append(sampler.get_chain())
    assert 0.01 < sampler.acceptance_fraction.mean() < 0.9
    np.testing.assert_array_equal(*chains)


def test_the_start_follows_the_curve():
    model = WeightedFamilies(CURVE, 50)
    followed = model.values(model.start()[None], np.arange(1.0, 9.0))[0]
    assert np.abs(followed - CURVE).max() < 0.03
    np.testing.assert_allclose(model.start()[-12:-1], 1 / 11)


def test_intervals_hold_as_often_as_they_say():
    """Final values of simulated curves, each of one family with noise, after 10 of 50 epochs.

    Of 24 independent curves, 95 % intervals hold 20 or more with probability .994.
    """
    rng, names = np.random.default_rng(11), ("pow3", "mmf", "hill3", "exp4")
    hits = {0.674: 0, 1.96: 0}
    errors, last_errors = [], []
    for number in range(24):
        family = FAMILIES[names[number % 4]]
        epochs = np.arange(1.0, 51.0)
        while True:
            middle = {
                "pow3": (0.85, 0.5, 0.7), "mmf": (0.85, 0.2, 0.2, 1.2), "hill3": (0.9, 0.8, 1.5),
                "exp4": (0.85, 0.6, -0.6, 0.6),
            }[family.name]  # fmt: skip
            truth = np.array(middle) * rng.uniform(0.8, 1.15, len(middle))
            curve = family.values(truth, epochs)
            if curve.min() > 0 and curve.max() < 1:
                break
        seen = np.clip(curve + 0.01 * rng.standard_normal(50), 0, 1)
        found = prediction(seen[:10], seed=number, steps=300, burn_in=150)
        errors.append(found.mean - seen[-1])
        last_errors.append(seen[9] - seen[-1])
        for width in hits:
            hits[width] += abs(errors[-1]) <= width * found.sd
    assert hits[1.96] >= 20
    assert 7 <= hits[0.674] <= 18
    assert np.mean(np.square(errors)) < np.mean(np.square(last_errors))


def test_a_constant_curve_is_expected_to_stay_near():
    found = prediction([0.6] * 10, steps=400, burn_in=200)
    assert found.mean == pytest.approx(0.6, abs=0.05)
    assert 0 < found.acceptance < 1


@pytest.mark.parametrize(
    "curve",
    [[0.3, 0.4], [0.4, 0.3], [0.0, 0.0], [1.0, 1.0], [0.0] * 9, [1.0] * 9, [0.1] * 8 + [0.9]],
    ids=["rising", "falling", "zeros", "ones", "zero", "perfect", "late"],
)
def test_odd_curves_give_accuracies(curve):
    found = prediction(curve, steps=40, burn_in=10)
    assert 0 <= found.mean <= 1
    assert 0 < found.sd < 1


@pytest.mark.parametrize("horizon", [1, 5, 9, 500])
def test_any_horizon_can_be_asked_for(horizon):
    found = prediction(CURVE, horizon=horizon, steps=40, burn_in=10)
    assert 0 <= found.mean <= 1
    if horizon == 5:
        assert found.mean == pytest.approx(CURVE[4], abs=0.1)


def test_an_answer_belongs_to_the_run_and_the_seed():
    quick = {"steps": 40, "burn_in": 10}
    records = [made_run("a", CURVE), made_run("b", CURVE)]
    first, second = ParametricCurves(**quick).estimate(records).estimates
    (alone,) = ParametricCurves(**quick).estimate(records[1:]).estimates
    (reseeded,) = ParametricCurves(**quick, seed=1).estimate(records[1:]).estimates
    assert alone == second
    assert first.mean != second.mean
    assert alone.mean != reseeded.mean
    assert set(alone.diagnostics) == {"noise", "acceptance"}


def test_one_epoch_is_refused():
    answer = ParametricCurves().estimate([made_run("a", [0.3])])
    assert answer.refused["a"] == "1 epoch observed; observe 2 or more"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"walkers": 95}, "walkers is 95; give an even number of 96 or more"),
        ({"walkers": 99}, "walkers is 99; give an even number"),
        ({"steps": 500}, "steps is 500; give more than the burn-in of 500"),
        ({"burn_in": -1}, "burn_in is -1; give 0 or a positive integer"),
        ({"horizon": 0}, "horizon is 0; give the epoch to predict"),
        ({"seed": -1}, "seed is -1; give 0 or a positive integer"),
    ],
)
def test_bad_options_are_refused(options, text):
    with pytest.raises(InputError, match=text):
        ParametricCurves(**options)


def test_the_fewest_walkers_do():
    assert DIMENSIONS == 48
    assert 0 <= prediction(CURVE, walkers=96, steps=20, burn_in=0).mean <= 1
