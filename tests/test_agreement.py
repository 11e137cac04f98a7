from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
import pytest
from scipy import stats

from ncselect.numerics.agreement import MEASURES, ORDER, bootstrap_counts
from ncselect.numerics.agreement import compare as compare_predicted
from ncselect.numerics.predicted import Predicted
from zoo.errors import InputError, UnknownNameError


def compare(truth, scores, **options):
    """Compare orders alone."""
    predictions = {name: Predicted.ordering(one) for name, one in scores.items()}
    return compare_predicted(truth, predictions, **options)


def by_definition(name, truth, predicted):
    """Return a measure written as its definition says, on plain arrays."""
    if name == "rho_better_half":
        half = np.argsort(-truth, kind="stable")[: (len(truth) + 1) // 2]
        return by_definition("rho", truth[half], predicted[half])
    if name in {"rho", "tau"}:
        if np.ptp(truth) == 0 or np.ptp(predicted) == 0:
            return math.nan
        coefficient = stats.spearmanr if name == "rho" else stats.weightedtau
        return float(coefficient(truth, predicted).statistic)
    if name == "hit3":
        return top_three_by_all_orders(truth, predicted)
    picks = [t for t, p in zip(truth, predicted, strict=True) if p == max(predicted)]
    if name == "regret_points":
        return sum(100 * (max(truth) - pick) for pick in picks) / len(picks)
    return sum(pick == max(truth) for pick in picks) / len(picks)


def top_three_by_all_orders(truth, predicted):
    """Return the share of ways to break ties at the third place that take in a best model."""
    third = sorted(predicted)[-min(3, len(predicted))]
    sure = [t for t, p in zip(truth, predicted, strict=True) if p > third]
    tied = [t for t, p in zip(truth, predicted, strict=True) if p == third]
    ways = list(itertools.combinations(tied, min(3, len(predicted)) - len(sure)))
    return sum(max([*sure, *way]) == max(truth) for way in ways) / len(ways)


def pool(rng, n, ties):
    """Return truth and prediction, where wanted on so coarse a grid that both have ties."""
    truth = rng.random(n)
    predicted = truth + 0.3 * rng.normal(size=n)
    return (np.round(4 * truth) / 4, np.round(4 * predicted) / 4) if ties else (truth, predicted)


@pytest.mark.parametrize("name", ORDER)
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [2, 3, 8, 17])
def test_every_resample_has_the_value_of_the_definition(name, ties, n):
    rng = np.random.default_rng([n, ties])
    for _ in range(4):
        truth, predicted = pool(rng, n, ties)
        counts = bootstrap_counts(n, 25, rng)
        found = ORDER[name](truth, predicted, counts)
        for value, copies in zip(found, counts, strict=True):
            expected = by_definition(name, np.repeat(truth, copies), np.repeat(predicted, copies))
            np.testing.assert_allclose(value, expected, atol=1e-12)


@pytest.mark.parametrize("n", [2, 5])
def test_all_orders_of_a_small_pool(n):
    truth = np.linspace(0.5, 0.9, n)
    ones = np.ones((1, n), dtype=np.int64)
    for order in itertools.permutations(truth):
        predicted = np.array(order)
        for name, measure in ORDER.items():
            expected = by_definition(name, truth, predicted)
            np.testing.assert_allclose(measure(truth, predicted, ones)[0], expected, atol=1e-12)


def test_regret_and_hit_are_expectations_over_tied_picks():
    truth = np.array([0.9, 0.7, 0.8, 0.1])
    predicted = np.array([0.6, 0.6, 0.6, 0.2])
    found = compare(truth, {"m": predicted}, rng=np.random.default_rng(0)).of["m"]
    assert found.regret_points.value == pytest.approx((0 + 20 + 10) / 3)
    assert found.hit.value == pytest.approx(1 / 3)


def test_a_perfect_and_a_reversed_ranking():
    truth = np.array([0.2, 0.5, 0.6, 0.9])
    found = compare(
        truth, {"best": truth**3, "worst": -truth}, rng=np.random.default_rng(0)
    ).of  # fmt: skip
    assert [found["best"].rho.value, found["best"].tau.value] == pytest.approx([1, 1])
    assert [found["best"].regret_points.value, found["best"].hit.value] == [0, 1]
    assert [found["worst"].rho.value, found["worst"].tau.value] == pytest.approx([-1, -1])
    assert found["worst"].regret_points.value == pytest.approx(70)
    assert found["worst"].hit.value == 0
    assert found["best"].rho.low == pytest.approx(1)


def test_intervals_are_quantiles_of_the_resamples():
    rng = np.random.default_rng(7)
    truth, predicted = pool(rng, 9, ties=False)
    counts = bootstrap_counts(9, 400, np.random.default_rng(3))
    found = compare(
        truth, {"m": predicted}, rng=np.random.default_rng(3), resamples=400, level=0.8
    ).of["m"]  # fmt: skip
    for name in ORDER:
        drawn = [
            by_definition(name, np.repeat(truth, copies), np.repeat(predicted, copies))
            for copies in counts
        ]
        drawn = [value for value in drawn if not math.isnan(value)]
        interval = getattr(found, name)
        np.testing.assert_allclose([interval.low, interval.high], np.quantile(drawn, [0.1, 0.9]))
        assert interval.dropped == 400 - len(drawn)


def test_differences_are_paired():
    rng = np.random.default_rng(8)
    truth, predicted = pool(rng, 9, ties=False)
    other = truth + 0.1 * rng.normal(size=9)
    counts = bootstrap_counts(9, 300, np.random.default_rng(3))
    found = compare(
        truth, {"m": predicted, "r": other}, rng=np.random.default_rng(3), resamples=300,
        references=("r",),
    )  # fmt: skip
    assert set(found.differences) == {("m", "r")}
    for name, measure in ORDER.items():
        drawn = measure(truth, predicted, counts) - measure(truth, other, counts)
        interval = getattr(found.differences["m", "r"], name)
        low, high = np.nanquantile(drawn, [0.025, 0.975])
        np.testing.assert_allclose([interval.low, interval.high], [low, high])
        value = getattr(found.of["m"], name).value - getattr(found.of["r"], name).value
        assert interval.value == pytest.approx(value)


def test_equal_rankings_do_not_differ_however_uncertain_they_are():
    truth, predicted = pool(np.random.default_rng(9), 8, ties=False)
    found = compare(
        truth, {"m": predicted, "r": np.exp(predicted)}, rng=np.random.default_rng(0),
        references=("r",),
    )  # fmt: skip
    rho = found.differences["m", "r"].rho
    assert [rho.value, rho.low, rho.high] == pytest.approx([0, 0, 0])
    assert found.of["m"].rho.high - found.of["m"].rho.low > 0.1


def test_resamples_without_a_correlation_are_dropped_and_counted():
    truth, predicted = np.array([0.3, 0.6]), np.array([0.1, 0.2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = compare(truth, {"m": predicted}, rng=np.random.default_rng(0)).of["m"]
    assert 900 < found.rho.dropped < 1100  # half the resamples of two models show one only
    assert found.rho.dropped == found.tau.dropped
    assert found.regret_points.dropped == found.hit.dropped == 0


def test_a_constant_prediction_has_no_correlation_but_a_regret():
    truth = np.array([0.3, 0.6, 0.9])
    found = compare(truth, {"m": np.full(3, 0.5)}, rng=np.random.default_rng(0)).of["m"]
    assert math.isnan(found.rho.value)
    assert math.isnan(found.tau.low)
    assert found.rho.dropped == 2000
    assert found.regret_points.value == pytest.approx(30)


def test_the_interval_covers_the_population_in_most_pools():
    rng = np.random.default_rng(0)
    correlation = 0.7
    population = 6 / math.pi * math.asin(correlation / 2)  # Pearson 1907, of normal variables
    covered = 0
    for _ in range(300):
        draws = rng.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], size=30)
        truth, predicted = stats.norm.cdf(draws[:, 0]), draws[:, 1]
        rho = compare(truth, {"m": predicted}, rng=rng, resamples=400).of["m"].rho
        covered += rho.low <= population <= rho.high
    assert 0.88 <= covered / 300 <= 0.99


def test_the_same_generator_gives_the_same_intervals():
    truth, predicted = pool(np.random.default_rng(1), 6, ties=False)
    first, second, third = (
        compare(truth, {"m": predicted}, rng=np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    assert first == second
    assert first != third


def test_counts_draw_every_model_equally_often():
    counts = bootstrap_counts(5, 4000, np.random.default_rng(0))
    assert (counts.sum(axis=1) == 5).all()
    np.testing.assert_allclose(counts.mean(axis=0), 1.0, atol=0.06)
    np.testing.assert_allclose(counts.var(axis=0), 0.8, atol=0.06)


@pytest.mark.parametrize(
    ("truth", "predicted", "options", "text"),
    [
        ([0.5], [0.5], {}, "two or more models"),
        ([0.5, 60.0], [0.5, 0.6], {}, "not percent"),
        ([0.5, math.nan], [0.5, 0.6], {}, "outside 0…1"),
        ([0.5, 0.6], [0.5], {}, r"predictions of 'm' have shape \(1,\)"),
        ([0.5, 0.6], [0.5, math.nan], {}, "are not finite"),
        ([0.5, 0.6], [0.5, 0.6], {"resamples": 0}, "resamples is 0"),
        ([0.5, 0.6], [0.5, 0.6], {"level": 95}, "level is 95"),
    ],
)
def test_bad_input_is_named(truth, predicted, options, text):
    with pytest.raises(InputError, match=text):
        compare(
            np.array(truth), {"m": np.array(predicted)}, rng=np.random.default_rng(0), **options
        )


def test_an_unknown_reference_is_named():
    truth = np.array([0.5, 0.6])
    with pytest.raises(UnknownNameError, match="unknown reference 'best'"):
        compare(truth, {"best-value": truth}, rng=np.random.default_rng(0), references=("best",))


def normal_pool(rng, n):
    truth = rng.uniform(0.2, 0.8, n)
    sd = rng.uniform(0.02, 0.1, n)
    mean = truth + sd * rng.normal(size=n)
    return truth, mean, sd


def test_resamples_of_predictions_have_the_values_of_the_definitions():
    truth, mean, sd = normal_pool(np.random.default_rng(2), 7)
    draws = mean + sd * np.random.default_rng(3).normal(size=(400, 7))
    found = compare_predicted(
        truth, {"m": Predicted(mean, mean, sd, draws)}, rng=np.random.default_rng(5), resamples=60
    ).of["m"]
    expected = {name: [] for name in MEASURES if name not in ORDER}
    for copies in bootstrap_counts(7, 60, np.random.default_rng(5)):
        t, m, s, d = (
            np.repeat(one, copies, axis=-1) for one in (truth, mean, sd, draws)
        )  # fmt: skip
        wins = d == d.max(axis=1, keepdims=True)
        said = (wins / wins.sum(axis=1, keepdims=True)).mean(axis=0)
        came = (t == t.max()) / (t == t.max()).sum()
        expected["rmse_points"].append(100 * math.sqrt(np.mean((t - m) ** 2)))
        expected["sd_points"].append(100 * s.mean())
        crps = [
            np.abs(x - y).mean() - np.abs(x[:, None] - x).mean() / 2
            for x, y in zip(d.T, t, strict=True)
        ]
        expected["crps_points"].append(100 * np.mean(crps))
        for level in (50, 80, 95):
            low, high = np.percentile(d, [50 - level / 2, 50 + level / 2], axis=0)
            expected[f"coverage_{level}"].append(np.mean((low <= t) & (t <= high)))
        expected["brier"].append(np.mean((said - came) ** 2))
        bins = np.minimum((10 * said).astype(int), 9)
        expected["calibration_error"].append(
            sum(abs((said - came)[bins == one].sum()) for one in range(10)) / len(t)
        )
    for name, values in expected.items():
        interval = getattr(found, name)
        ends = np.quantile(values, [0.025, 0.975])
        np.testing.assert_allclose([interval.low, interval.high], ends, atol=1e-12, err_msg=name)


def test_what_is_not_predicted_is_not_measured():
    truth, mean, sd = normal_pool(np.random.default_rng(2), 6)
    none = np.full(6, np.nan)
    found = compare_predicted(
        truth,
        {
            "order": Predicted(mean, none, none),
            "means": Predicted(mean, mean, none),
            "one without sd": Predicted(mean, mean, np.where(np.arange(6) == 2, np.nan, sd)),
            "normal": Predicted(mean, mean, sd),
        },
        rng=np.random.default_rng(0), resamples=20, references=("normal",),
    )  # fmt: skip
    with_sd = ("sd_points", "crps_points", "coverage_80", "brier", "calibration_error")
    for name in with_sd:
        assert math.isnan(getattr(found.of["order"], name).value)
        assert math.isnan(getattr(found.of["means"], name).value)
        assert math.isnan(getattr(found.of["one without sd"], name).value)
        assert getattr(found.of["normal"], name).value >= 0
        assert math.isnan(getattr(found.differences["order", "normal"], name).low)
    assert math.isnan(found.of["order"].rmse_points.value)
    assert found.of["means"].rmse_points == found.of["normal"].rmse_points
    assert found.of["order"].rho == found.of["normal"].rho


def test_a_well_calibrated_method_is_found_to_be_so():
    rng = np.random.default_rng(0)
    sd = np.full(1500, 0.05)
    mean = rng.uniform(0.3, 0.7, 1500)
    truth = mean + sd * rng.normal(size=1500)
    found = compare_predicted(
        truth, {"m": Predicted(mean, mean, sd)}, rng=rng, resamples=1
    ).of["m"]  # fmt: skip
    assert found.coverage_50.value == pytest.approx(0.5, abs=0.04)
    assert found.coverage_80.value == pytest.approx(0.8, abs=0.03)
    assert found.coverage_95.value == pytest.approx(0.95, abs=0.02)
    assert found.rmse_points.value == pytest.approx(found.sd_points.value, rel=0.06)


def test_draws_that_do_not_fit_the_pool_are_named():
    truth = np.array([0.5, 0.6])
    bad = Predicted(truth, truth, truth, np.zeros((10, 3)))
    with pytest.raises(InputError, match=r"draws of 'm' have shape \(10, 3\)"):
        compare_predicted(truth, {"m": bad}, rng=np.random.default_rng(0))
