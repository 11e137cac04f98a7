"""Families of curves against closed forms; their fits against curves drawn from them."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest

from ncselect.numerics.curve_families import FAMILIES
from ncselect.numerics.curve_fit import MARGIN, fitted_parameters, recency_weights

# Table 1 of Domhan et al. (2015) with the defaults of the authors' implementation written in.
AT_DEFAULTS = {
    "pow3": lambda x: 0.84 - 0.52 / x**0.01,
    "log power": lambda x: 0.77 / (1 + exp(-0.51 * (log(x) - 2.98))),
    "weibull": lambda x: 0.7 - 0.6 * exp(-x / 100),
    "mmf": lambda x: (0.1 + 0.7 * (x / 100) ** 5) / (1 + (x / 100) ** 5),
    "janoschek": lambda x: 0.73 - 0.66 * exp(-0.355 * exp(0.46 * log(x))),
    "ilog2": lambda x: 0.78 - 0.43 / log(1 + x),
    "hill3": lambda x: 0.77232 * x**0.586449 / (2.460843**0.586449 + x**0.586449),
    "vapor pressure": lambda x: exp(-0.622028) * exp(-0.47005 / x) * x**0.042322,
    "log log linear": lambda x: log(1 + log(x)),
    "exp4": lambda x: 0.7 - exp(-0.8) / exp(0.8 * x**0.3),
    "pow4": lambda x: 0.8 - (200 * x) ** -0.1,
}
OTHERS = {
    "pow3": (0.9, 0.6, 0.8),
    "log power": (0.9, 1.5, -1.2),
    "weibull": (0.85, 0.2, 0.12, 0.8),
    "mmf": (0.9, 0.2, 0.2, 1.3),
    "janoschek": (0.9, 0.3, 0.25, 0.9),
    "ilog2": (0.9, 0.3),
    "hill3": (0.95, 0.9, 1.5),
    "vapor pressure": (-0.3, -0.8, 0.05),
    "log log linear": (0.2, 1.4),
    "exp4": (0.85, 0.6, -0.4, 0.7),
    "pow4": (0.95, 2.0, 1.0, 0.6),
}
every_family = pytest.mark.parametrize("name", list(FAMILIES))


def test_there_are_eleven():
    assert list(FAMILIES) == list(AT_DEFAULTS)


@every_family
def test_a_family_at_its_defaults_is_its_closed_form(name):
    family = FAMILIES[name]
    epochs = np.array([1.0, 2.0, 7.5, 50.0, 400.0])
    expected = [AT_DEFAULTS[name](float(epoch)) for epoch in epochs]
    np.testing.assert_allclose(family.values(family.defaults, epochs), expected, rtol=1e-12)


@every_family
def test_defaults_lie_within_the_bounds(name):
    least, greatest = FAMILIES[name].bounds
    assert np.all(least <= FAMILIES[name].defaults)
    assert np.all(FAMILIES[name].defaults <= greatest)
    assert np.all(least < greatest)


@every_family
def test_parameter_sets_do_not_mix(name):
    family = FAMILIES[name]
    least, greatest = family.bounds
    sets = least + (greatest - least) * np.random.default_rng(0).random((4, 3, least.size))
    epochs = np.array([1.0, 3.0, 10.0])
    together = family.values(sets, epochs)
    assert together.shape == (4, 3, 3)
    for row in range(4):
        for column in range(3):
            for position, epoch in enumerate(epochs):
                alone = family.values(sets[row, column], np.array([epoch]))
                assert together[row, column, position] == pytest.approx(alone[0], rel=1e-12)


@every_family
def test_curves_are_finite_all_over_the_bounds(name):
    family = FAMILIES[name]
    least, greatest = family.bounds
    corners = np.array(np.meshgrid(*zip(least, greatest, strict=True))).reshape(least.size, -1).T
    assert np.isfinite(family.values(corners, np.array([1.0, 2.0, 50.0, 1000.0]))).all()


@every_family
def test_a_fit_recovers_the_curve_it_was_drawn_from(name):
    family, truth = FAMILIES[name], np.array(OTHERS[name])
    later = np.array([50.0, 100.0])
    curve = family.values(truth, np.arange(1.0, 31.0))
    fitted = fitted_parameters(family, curve, horizon=50)
    np.testing.assert_allclose(family.values(fitted, later), family.values(truth, later), atol=1e-6)
    np.testing.assert_allclose(fitted, truth, rtol=1e-3)


@every_family
@pytest.mark.parametrize(
    "curve",
    [[0.5], [0.3, 0.4], [1.0] * 8, [0.0] * 8, np.linspace(0.9, 0.2, 8), [0.1, 0.9] * 4],
    ids=["one", "two", "perfect", "zero", "falling", "jumping"],
)
def test_any_fit_keeps_what_the_prior_demands(name, curve):
    family = FAMILIES[name]
    fitted = fitted_parameters(family, np.array(curve), horizon=50)
    least, greatest = family.bounds
    assert np.all((least < fitted) & (fitted < greatest))
    first, final = family.values(fitted, np.array([1.0, 50.0]))
    assert 0 < final < 1
    assert first < final + MARGIN


def test_late_epochs_count_more():
    np.testing.assert_allclose(recency_weights(4), [1.0, 10**0.25, 10**0.5, 10**0.75])
    family, curve = FAMILIES["ilog2"], np.array([0.1, 0.9, 0.3, 0.8, 0.4, 0.6])
    fitted = fitted_parameters(family, curve, horizon=50)
    design = np.stack([np.ones(6), -1 / np.log(np.arange(2.0, 8.0))], axis=1)
    weight = np.diag(10.0 ** (np.arange(6) / 6))
    normal = np.linalg.solve(design.T @ weight @ design, design.T @ weight @ curve)
    np.testing.assert_allclose(fitted, normal, atol=1e-6)
