"""What is read from a pool: inputs, windows, lines through them, and how often they fail."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_ablation import BAD, GOOD, HORIZON, changed, pool
from made_runs import made_run

from bench.ablation.choices import (
    DEFAULT_READING,
    INPUTS,
    Read,
    Reading,
    along_the_run,
    definitions,
    denominator,
    is_nothing,
    readings,
)
from bench.ablation.lines import ridge_lines
from bench.ablation.stored import DEFAULT, Pool
from ncselect.methods import method
from ncselect.numerics.ridge import ridge_line


@pytest.mark.parametrize("scaling", ["standardised", "raw"])
def test_lines_are_those_of_the_product(scaling):
    rng = np.random.default_rng(1)
    n = rng.integers(2, 9, 60)
    for size in n:
        x = rng.normal(size=size) * 10.0 ** rng.uniform(-6, 4)
        y = 0.5 + 0.2 * rng.normal() * x / np.abs(x).max() + 0.05 * rng.normal(size=size)
        alone = ridge_line(x, y, scaling=scaling)
        ours = ridge_lines(x, y, scaling=scaling)
        assert ours.at_zero == pytest.approx(alone.mean, rel=1e-9)
        assert ours.residual_variance == pytest.approx(alone.residual_variance, rel=1e-6, abs=1e-15)


def test_lines_through_a_constant_are_flat_and_a_missing_input_gives_none():
    x = np.array([[3.0, 3.0, 3.0], [1.0, np.nan, 2.0], [0.0, 0.0, 0.0]])
    y = np.array([0.1, 0.2, 0.6])
    for scaling in INPUTS:
        at_zero = ridge_lines(x, y, scaling=scaling).at_zero
        assert at_zero[0] == pytest.approx(0.3)
        assert np.isnan(at_zero[1])
        assert at_zero[2] == pytest.approx(0.3)


def test_the_logarithm_of_the_input_keeps_0_and_knows_no_units():
    x, y = np.array([0.5, 2.0, 8.0, 1.0]), np.array([0.8, 0.6, 0.4, 0.7])
    by_hand = ridge_line(np.log1p(x / 1.5), y).mean
    assert ridge_lines(x, y, scaling="log").at_zero == pytest.approx(by_hand, rel=1e-9)
    assert ridge_lines(1e6 * x, y, scaling="log").at_zero == pytest.approx(by_hand, rel=1e-9)


@pytest.mark.parametrize("epochs", [4, 5, 8, 11])
def test_the_default_choice_and_the_controls_are_the_methods_of_the_product(epochs):
    one = pool()
    read = Read(one, epochs)
    records = [record.observed(epochs) for record in one.records]
    for name, options, label in (
        ("capacitance", {"definition": GOOD}, GOOD),
        ("training-loss", {}, "training-loss"),
        ("residual", {}, "residual"),
        ("inverse-epoch", {}, "inverse-epoch"),
        ("window-mean", {}, "window-mean"),
    ):
        theirs = [e.score for e in method(name, **options).estimate(records).estimates]
        ours = read.said(label, DEFAULT_READING.within(epochs)).scores[0]
        assert ours == pytest.approx(theirs, rel=1e-9), name
    raw = method("capacitance", definition=GOOD, scaling="raw", window=3).estimate(records)
    ours = read.said(GOOD, Reading("raw", 3, "bic").within(epochs)).scores[0]
    assert ours == pytest.approx([e.score for e in raw.estimates], rel=1e-9)


def test_fixed_windows_are_those_epochs():
    one = pool()
    read = Read(one, 9)
    for rule, kept in (("first", slice(0, 3)), ("last", slice(6, 9))):
        by_hand = [
            ridge_line(x[kept], y[kept]).mean
            for x, y in zip(read.inputs(GOOD), read.accuracy, strict=True)
        ]
        said = read.said(GOOD, Reading("standardised", 3, rule)).scores[0]
        assert said == pytest.approx(by_hand, rel=1e-9)


def test_readings_are_all_different_and_begin_with_the_default():
    one = Read(pool(), 8)
    every = readings(8)
    assert every[0] == DEFAULT_READING
    assert len(set(every)) == len(every) == 3 * (2 * 3 + 1)
    assert readings(5)[0] == Reading("standardised", 5, "all")
    said = {one.said("residual", way).scores.tobytes() for way in every}
    assert len(said) >= len(every) - 3  # BIC may choose the first or the last window for all


def test_inputs_given_at_once_and_exchanged_are_those_given_alone():
    one = pool()
    read = Read(one, 9)
    ways = readings(9)
    x = np.array([read.inputs(GOOD), read.inputs(BAD)])
    every = read.every(x, ways)
    exchanged = read.exchanged(x, ways)
    for place, way in enumerate(ways):
        assert every[place, 1] == pytest.approx(read.said(BAD, way).scores[0])
        assert np.diagonal(exchanged[place, 0]) == pytest.approx(read.said(GOOD, way).scores[0])
    foreign = pool(**{f"beta/{GOOD}": read.inputs(GOOD)[2].tolist() + [0.1] * (HORIZON - 9)})
    lent = Read(foreign, 9).said(GOOD, ways[1]).scores[0]
    assert exchanged[1, 0, :, 2] == pytest.approx(lent)


def test_permuted_and_random_inputs_keep_the_window_and_differ_from_pool_to_pool():
    one, other = Read(pool(), 8), Read(pool(seed=1), 8)
    way = DEFAULT_READING
    shuffled = one.permuted(GOOD, way, 50, 0).scores
    assert shuffled.shape == (50, 8)
    assert np.ptp(shuffled, axis=0).min() > 0
    assert one.permuted(GOOD, way, 50, 0).scores.tolist() == shuffled.tolist()
    numbers = one.random(way, 5, 0).scores - other.random(way, 5, 0).scores
    assert np.abs(numbers).min() > 0


def test_failures_are_counted_as_by_hand():
    beta = np.array([[1.0, -1, 1, -1, 1], [5, 6, 7, 8, 9], [1, 2, 3, 4, 5]])
    accuracy = np.array([[0.4, 0.4, 0.5, 0.5, 0.45], [0.1, 0.3, 0.5, 0.7, 0.9],
                         [0.4, 0.5, 0.6, 0.7, 0.8]])  # fmt: skip
    records = [
        made_run(f"m{k}", accuracy[k], truth={5: 0.5}, **{f"beta/{GOOD}": beta[k]})
        for k in range(3)
    ]
    records.append(made_run("m3", accuracy[2], truth={5: 0.4}, drop=(f"beta/{GOOD}",)))
    made = Pool("digits", DEFAULT, 0, 5, tuple(records), {})
    found = Read(made, 5).failures(GOOD, DEFAULT_READING.within(5))
    assert found["refused"] == 0.25
    assert found["sign_changes"] == pytest.approx(4 / 3)
    assert found["zero_distance"] == 0.25  # of 0, 5/4 and 1/4 the middle one
    assert found["zero_far"] == pytest.approx(1 / 3)
    assert found["mean_alone"] == pytest.approx(1 / 3)
    assert found["outside"] == pytest.approx(1 / 3)  # the second would reach 0.1 − 5 · 0.2


def test_denominators_near_zero_are_counted_over_the_whole_run():
    values = np.array([100.0, -90, 0.5, 110, 100, 80, 120, 0.9, 100, 100, 100, 95])
    made = pool(**{"denominator/base/held": values})
    found = along_the_run(made, BAD)
    assert found["denominator_near_zero"] == pytest.approx(2 / 12)
    assert found["denominator_crossings"] == pytest.approx(2 / 11)
    assert along_the_run(made, "base/held/signed/median") == {}
    assert denominator("base/held/entrywise@all") == "denominator/base/held/entrywise@all"
    assert denominator("norm/exact/absolute") == "denominator/norm/exact"


def test_definitions_are_those_recorded_the_default_first():
    names = definitions([pool()])
    assert names[0] == BAD
    assert GOOD in names
    assert is_nothing("kernels/held/signed", 2)
    assert is_nothing("kernels/exact/absolute@all", 2)
    assert not is_nothing("kernels/held/entrywise/median", 2)
    assert not is_nothing("base/exact/signed", 2)
    assert not is_nothing("kernels/held/signed", 3)


def test_a_definition_that_is_0_by_theorem_is_0_whatever_rounding_left():
    zero = "kernels/held/signed"
    noise = 1e-8 * np.random.default_rng(0).normal(size=HORIZON)
    one = pool(**{f"beta/{zero}": noise})
    read = Read(one, 8)
    assert not read.inputs(zero).any()
    said = [read.said(name, DEFAULT_READING).scores.tolist() for name in (zero, "window-mean")]
    assert said[0] == said[1]
    deeper = dataclasses.replace(one, records=changed(one.records, probe_units=(64, 64, 64)))
    assert Read(deeper, 8).inputs(zero)[0].tolist() == noise[:8].tolist()
    refused = pool(**{f"beta/{zero}": [float("nan"), *noise[1:]]})
    assert np.isnan(Read(refused, 8).inputs(zero)).all()
