from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
import scipy.stats

from ncselect.graphs.blocks import Block, BlockGraph, Layer
from ncselect.graphs.centrality import eigenvector_centrality
from ncselect.graphs.degree import weighted_degree
from ncselect.graphs.names import STATISTICS
from ncselect.graphs.signature import signature, snapshot
from ncselect.graphs.temporal import (
    exponentially_averaged,
    linearly_weighted,
    temporal_signature,
)
from zoo.errors import InputError, UnknownNameError

SIGNATURES = np.array([[1.0, 10.0], [4.0, 0.0], [0.0, -5.0], [2.0, 1.0]])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("scale", [1e-200, 1e-6, 1.0, 1e150])
def test_statistics_are_those_of_scipy(seed, scale):
    values = np.random.default_rng(seed).gamma(2.0, size=101 + seed)
    found = dict(zip(STATISTICS, signature(scale * values), strict=True))
    assert found["median"] == pytest.approx(scale * statistics.median(values), rel=1e-12)
    assert found["mean"] == pytest.approx(scale * statistics.fmean(values), rel=1e-12)
    assert found["sd"] == pytest.approx(scale * statistics.pstdev(values), rel=1e-12)
    assert found["skewness"] == pytest.approx(scipy.stats.skew(values), rel=1e-10)
    assert found["kurtosis"] == pytest.approx(scipy.stats.kurtosis(values), rel=1e-10)


@pytest.mark.parametrize("ones", [1, 3, 10, 17])
def test_statistics_of_zeros_and_ones(ones):
    p = ones / 20
    q = 1 - p
    found = signature([1.0] * ones + [0.0] * (20 - ones))
    median = 0.5 if ones == 10 else float(ones > 10)
    expected = [median, p, math.sqrt(p * q), (q - p) / math.sqrt(p * q), 1 / (p * q) - 6]
    np.testing.assert_allclose(found, expected, atol=1e-12)  # the Bernoulli distribution's


@pytest.mark.parametrize("value", [0.0, 0.1, -3e200, 1e-300])
@pytest.mark.parametrize("nodes", [1, 2, 7])
def test_values_that_agree_have_no_shape(value, nodes):
    found = signature([value] * nodes)
    np.testing.assert_allclose(found[:2], value, rtol=1e-15)
    assert found[2:].tolist() == [0, 0, 0]


def test_rounding_is_no_spread_but_little_is_some():
    values = np.full(1000, 0.1)
    values[::3] = np.nextafter(0.1, 1)
    assert signature(values)[2:].tolist() == [0, 0, 0]
    values[::3] = 0.1 * (1 + 1e-8)  # a third of them: skewness 1/√2, kurtosis −1.5
    np.testing.assert_allclose(signature(values)[2:], [0.047e-8, 0.705, -1.5], rtol=0.01)


@pytest.mark.parametrize("bad", [[], [1.0, math.nan], [math.inf], [[1.0], [2.0]], 3.0])
def test_values_must_be_one_finite_number_per_node(bad):
    with pytest.raises(InputError, match="values: need one finite number per node"):
        signature(bad)


def test_linear_weights_are_the_numbers_of_the_epochs():
    found = linearly_weighted(SIGNATURES)
    for time in range(1, 5):
        expected = sum(j * SIGNATURES[j - 1] for j in range(1, time + 1)) / sum(range(time + 1))
        np.testing.assert_allclose(found[time - 1], expected, rtol=1e-14)


@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0])
def test_exponential_averages_are_the_closed_form(alpha):
    found = exponentially_averaged(SIGNATURES, alpha=alpha)
    for time in range(4):
        weights = [alpha * (1 - alpha) ** (time - j) for j in range(1, time + 1)]
        weights.insert(0, (1 - alpha) ** time)
        assert sum(weights) == pytest.approx(1)
        np.testing.assert_allclose(found[time], weights @ SIGNATURES[: time + 1], atol=1e-14)


@pytest.mark.parametrize("average", [linearly_weighted, exponentially_averaged])
def test_a_network_that_stands_still_keeps_its_signature(average):
    still = np.tile([[3.0, -1.0, 0.25]], (6, 1))
    np.testing.assert_allclose(average(still), still, rtol=1e-14)


def test_temporal_signatures_follow_one_another():
    assert temporal_signature(SIGNATURES).tolist() == [1, 10, 4, 0, 0, -5, 2, 1]
    linear = linearly_weighted(SIGNATURES)
    assert temporal_signature(SIGNATURES, form="linear").tolist() == linear.ravel().tolist()
    exponential = exponentially_averaged(SIGNATURES, alpha=0.3)
    found = temporal_signature(SIGNATURES, form="exponential", alpha=0.3)
    assert found.tolist() == exponential.ravel().tolist()
    assert SIGNATURES[1].tolist() == [4.0, 0.0]  # what came in is left as it was


def test_what_makes_no_temporal_signature_is_refused():
    with pytest.raises(UnknownNameError, match="unknown form 'exponent'"):
        temporal_signature(SIGNATURES, form="exponent")
    for alpha in (0.0, 1.1, math.nan):
        with pytest.raises(InputError, match=r"alpha: needs 0 < alpha ≤ 1"):
            temporal_signature(SIGNATURES, form="exponential", alpha=alpha)
    for bad in ([1.0, 2.0], np.empty((0, 5)), [[math.nan]]):
        for form in ("concatenated", "linear", "exponential"):
            with pytest.raises(InputError, match=r"shape \(times, numbers\)"):
                temporal_signature(bad, form=form)


def test_a_snapshot_holds_every_statistic_of_every_feature_by_name():
    rng = np.random.default_rng(0)
    graph = BlockGraph(
        (Layer("a", 4), Layer("b", 6)),
        (Block(np.arange(4), np.arange(4, 10), rng.uniform(size=(4, 6))),),
    )
    found = snapshot(graph)
    assert list(found) == [
        "degree/median", "degree/mean", "degree/sd", "degree/skewness", "degree/kurtosis",
        "eigenvector/median", "eigenvector/mean", "eigenvector/sd", "eigenvector/skewness",
        "eigenvector/kurtosis",
    ]  # fmt: skip
    expected = [*signature(weighted_degree(graph)), *signature(eigenvector_centrality(graph))]
    assert list(found.values()) == expected
    assert found["degree/mean"] == pytest.approx(2 * graph.blocks[0].weights.sum() / 10)
