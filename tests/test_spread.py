"""Medians and rank correlations with intervals, as the numerical notes print them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from bench.equation_ten import compared, steadiness
from bench.full_network import ALL, BASE, BASE_EXACT, HORIZON, NORM, judged
from bench.spread import resampled_rho, rho, rounded, spread
from ncselect.spec import RunSpec
from ncselect.types import Observation, RunRecord


def test_rho_is_spearmans_with_ties():
    rng = np.random.default_rng(0)
    for _ in range(20):
        one, other = rng.integers(0, 5, (2, 9)).astype(float)
        assert rho(one, other) == pytest.approx(spearmanr(one, other).statistic, abs=1e-12)
    assert np.isnan(rho(np.ones(4), np.arange(4.0)))


def test_rho_of_the_same_order_is_one_at_both_ends():
    found = resampled_rho(np.arange(9.0), np.exp(np.arange(9.0)))
    assert found == {"rho": 1.0, "interval_95": [1.0, 1.0], "n": 9}


def test_interval_of_a_median_covers_it():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        low, high = spread(rng.normal(size=20), resamples=400)["interval_95"]
        covered += low <= 0.0 <= high
    assert covered >= 180


def test_a_pole_is_not_dropped():
    found = spread([np.inf, np.inf, 1.0])
    assert found["median"] is None
    assert found["n"] == 3


@pytest.mark.parametrize(("value", "text"), [(0.0123456, "0.0123"), (-1e-17, "-1e-17"), (0, "0.0")])
def test_rounding_keeps_three_digits(value, text):
    assert str(rounded(value)) == text


def test_proportional_definitions_agree_in_all_but_size():
    rng = np.random.default_rng(0)
    curves = {}
    for model in range(6):
        held = rng.normal(size=11)
        curves[model] = {"a": 3 * held, "b": held}
    found = compared(curves, [curves], "a", "b")
    assert found["same_sign"]["median"] == 1.0
    assert found["size_ratio"]["median"] == 3.0
    assert found["size_ratio_largest_over_smallest"]["median"] == 1.0
    assert found["rho_along_epochs_signed"]["median"] == 1.0
    assert found["rho_across_networks_absolute"]["mean_over_epochs"]["mean"] == 1.0
    assert found["rho_across_networks_signed"]["each_epoch"] == [1.0] * 11


def test_steadiness_is_of_sizes():
    assert steadiness(np.array([-2.0, 2.0, -2.0, 2.0])) == 1.0
    assert steadiness(np.geomspace(1, 1e10, 101)) == pytest.approx(1e8)


def pool(finals, signals, noise):
    """Return runs whose accuracy is a line in each β, so that h(0) is the final accuracy."""
    records = []
    for number, final in enumerate(finals):
        betas = noise.uniform(0.5, 1.0) / np.arange(1, 12)
        seen = [
            Observation(
                epoch,
                {"validation-accuracy": final - 0.3 * beta, **dict.fromkeys(signals, beta)},
                0.0,
            )
            for epoch, beta in enumerate(betas)
        ]
        spec = RunSpec(model=f"net {number}", dataset="made", candidate={}, data={})
        records.append(RunRecord(spec, tuple(seen), truth={HORIZON: final}))
    return records


def test_perfect_options_are_judged_perfect():
    noise = np.random.default_rng(0)
    finals = np.linspace(0.6, 0.9, 8)
    own = pool(finals, [ALL], noise)
    probed = pool(finals, [ALL, BASE, BASE_EXACT, NORM], noise)
    found = judged(own, probed)
    for budget in (5, 10):
        predictions = found[f"predictions, E = {budget}"]
        for name, value in predictions.items():
            if name != "mean_absolute_error_points" and not name.startswith("last value"):
                assert value["rho"] == 1.0, name
        assert predictions["mean_absolute_error_points"]["option 1"] < 0.1
        assert predictions["mean_absolute_error_points"]["last value, own head"] > 1.0
    same = found["beta"]["all, base and unit | base/held, same network"]
    assert same["rho_across_networks_signed"]["mean_over_epochs"] == 1.0
    assert same["same_sign"] == 1.0
    other = found["beta"]["all, own head | base/held, probe unit"]
    assert abs(other["rho_across_networks_signed"]["mean_over_epochs"]) < 1.0
