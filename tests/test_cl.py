"""Mapped earlier curves against a direct minimiser, and what is rejected."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_runs import made_run, rising_curve
from scipy.optimize import minimize

from ncselect.methods.cl import SourceTaskCurves
from ncselect.numerics.source_task_curves import affine_fits, source_task_predictions
from ncselect.types import Curve
from zoo.errors import InputError


def earlier_curves(count, epochs=50, seed=0):
    rng = np.random.default_rng(seed)
    return np.array(
        [
            rising_curve(0.5 + 0.4 * rng.random(), 0.2 + rng.random(), epochs, rng, 0.01)
            for _ in range(count)
        ]
    )


def history(curves):
    return tuple(Curve("digits", f"earlier-{i}", curve) for i, curve in enumerate(curves))


@pytest.mark.parametrize("n", [1, 2, 3, 5, 10, 25])
def test_the_solution_is_the_minimum_of_the_printed_objective(n):
    curves = earlier_curves(6, n, seed=n)
    current, earlier = curves[0], curves[1:]
    fits = affine_fits(current, earlier)
    for f_p, slope, intercept in zip(earlier, fits.slope, fits.intercept, strict=True):

        def objective(theta, f_p=f_p):
            misses = current - theta[0] * f_p - theta[1]
            return np.sum(misses**2) / (2 * n) + (1 - theta[0]) ** 2 * math.exp(-n) / 2

        scale = 1 / objective([0.0, 0.0])
        found = minimize(
            lambda theta, scale=scale, objective=objective: scale * objective(theta),
            [1.0, 0.0],
            method="Nelder-Mead",
            options={"xatol": 1e-10, "fatol": 1e-16, "maxiter": 4000, "maxfev": 4000},
        )
        assert objective([slope, intercept]) <= found.fun / scale + 1e-15
        np.testing.assert_allclose(found.x, [slope, intercept], atol=1e-4)
    for f_p, residual, slope, intercept in zip(
        earlier, fits.residual, fits.slope, fits.intercept, strict=True
    ):
        expected = sum((current - slope * f_p - intercept) ** 2) / n
        assert residual == pytest.approx(expected, rel=1e-9, abs=1e-18)


def test_constant_curves_are_shifted():
    fits = affine_fits(np.array([0.2, 0.3, 0.4, 0.5]), np.full((1, 4), 0.25))
    np.testing.assert_allclose([fits.slope[0], fits.intercept[0]], [1.0, 0.1])
    long = affine_fits(np.full(1000, 0.5), np.full((1, 1000), 0.25))  # e^-1000 is 0 in floats
    np.testing.assert_allclose([long.slope[0], long.intercept[0]], [1.0, 0.25])


def test_an_affine_copy_is_continued_exactly():
    full = rising_curve(0.8, 0.6, 50)
    current = 0.7 * full + 0.1
    (predicted,) = source_task_predictions(current[:20], full[None, :20], full[-1:], keep=5)
    assert predicted == pytest.approx(current[-1], abs=1e-6)


def test_maps_that_end_below_what_was_seen_or_above_one_are_rejected():
    current = np.array([0.5, 0.6, 0.9, 0.7])
    earlier = np.array([[0.5, 0.6, 0.9, 0.7]] * 4)
    final = np.array([0.89, 0.90, 1.0, 1.01])
    np.testing.assert_allclose(
        source_task_predictions(current, earlier, final, keep=9), [0.9, 1.0], atol=1e-12
    )


def test_the_lowest_residuals_are_kept():
    current = rising_curve(0.7, 0.5, 10)
    rng = np.random.default_rng(0)
    noise = np.array([0.03, 0.001, 0.02, 0.0001, 0.01])
    earlier = current + noise[:, None] * rng.standard_normal((5, 10))
    every = source_task_predictions(current, earlier, np.full(5, 0.8), keep=5)
    best = source_task_predictions(current, earlier, np.full(5, 0.8), keep=2)
    np.testing.assert_array_equal(best, every[:2])
    fits = affine_fits(current, earlier)
    expected = fits.slope[[3, 1]] * 0.8 + fits.intercept[[3, 1]]
    np.testing.assert_allclose(best, expected)


def test_mean_and_deviation_are_those_of_the_hundred_best():
    curves = earlier_curves(160)
    seen = rising_curve(0.75, 0.6, 8)
    (one,) = SourceTaskCurves(history=history(curves)).estimate([made_run("a", seen)]).estimates
    predicted = []
    for curve in curves:
        design = np.stack([curve[:8], np.ones(8)], axis=1)
        pull = np.array([math.sqrt(8 * math.exp(-8)), 0.0])
        a, b = np.linalg.lstsq(
            np.vstack([design, pull]), np.append(seen, pull[0]), rcond=None
        )[0]  # fmt: skip
        end = a * curve[-1] + b
        if seen.max() <= end <= 1:
            predicted.append((np.sum((seen - a * curve[:8] - b) ** 2), end))
    kept = [end for _, end in sorted(predicted)[:100]]
    assert len(predicted) > 100
    assert one.diagnostics["curves"] == 100
    assert one.mean == pytest.approx(np.mean(kept), abs=1e-9)
    assert one.sd == pytest.approx(np.std(kept, ddof=1), abs=1e-9)


def test_the_horizon_is_the_epoch_that_is_predicted():
    full = rising_curve(0.8, 0.6, 50)
    method = SourceTaskCurves(horizon=30, history=history([full, full[:29], full[:30]]))
    (one,) = method.estimate([made_run("a", full[:20])]).estimates
    assert one.mean == pytest.approx(full[29])
    assert one.diagnostics["curves"] == 2
    later = method.estimate([made_run("a", full[:40])])
    assert "none of the 1 finished curves" in later.refused["a"]  # at 30 it was below its best


def test_one_curve_gives_no_deviation():
    full = rising_curve(0.8, 0.6, 50)
    (one,) = SourceTaskCurves(history=history([full])).estimate([made_run("a", full[:9])]).estimates
    assert one.mean == pytest.approx(full[-1])
    assert math.isnan(one.sd)


def test_without_history_every_candidate_is_refused_with_the_remedy():
    runs = [made_run("a", [0.3, 0.5]), made_run("b", [0.4, 0.5])]
    none = SourceTaskCurves().estimate(runs)
    assert set(none.refused) == {"a", "b"}
    assert "one finished curve or more and the history is empty" in none.refused["a"]
    assert "name a store or a file of finished curves with --history" in none.refused["a"]
    short = SourceTaskCurves(history=history(earlier_curves(7, 49))).estimate(runs)
    assert "0 of 7 curves in the history have 50 epochs or more" in short.refused["b"]


@pytest.mark.parametrize("curve", [[0.9, 0.6, 0.3], [0.2, 0.99, 0.2, 0.2, 0.2]])
def test_a_candidate_that_no_curve_fits_is_refused_alone(curve):
    answer = SourceTaskCurves(history=history(earlier_curves(20))).estimate(
        [made_run("odd", curve), made_run("even", rising_curve(0.7, 0.5, len(curve)))]
    )
    assert [one.model for one in answer.estimates] == ["even"]
    assert f"ends between the {max(curve):.3f} it has reached and 1" in answer.refused["odd"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1, 55.0])
def test_a_history_of_anything_but_accuracies_is_an_error(value):
    curves = earlier_curves(3)
    curves[1, 7] = value
    with pytest.raises(InputError, match=f"curve of earlier-1 on digits holds {value:g}; give"):
        SourceTaskCurves(history=history(curves))


def test_shapes_that_do_not_fit_are_an_error():
    with pytest.raises(InputError, match=r"shapes \(3,\) and \(2, 4\)"):
        affine_fits(np.zeros(3), np.zeros((2, 4)))
