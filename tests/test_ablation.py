from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from made_runs import made_run, rising_curve

from bench.ablation.added import added, together
from bench.ablation.chance import exchanged_inputs, random_inputs, tail
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
from bench.ablation.grid import best, grid
from bench.ablation.intervals import Figures, Plan, Said, points
from bench.ablation.lines import ridge_lines
from bench.ablation.picking import picks
from bench.ablation.power import power
from bench.ablation.report import Question, filled, of_epochs
from bench.ablation.rivals import Asked
from bench.ablation.stored import DEFAULT, Pool, read_pools
from bench.ablation.tables import interval, plain, sections
from bench.ablation.training import pairs, repeats, seen, truths
from ncselect.methods import METHODS, method
from ncselect.numerics.agreement import compare
from ncselect.numerics.capacitance import DEFINITIONS
from ncselect.numerics.predicted import Predicted
from ncselect.numerics.rank_agreement import regret_points, spearman_rho
from ncselect.numerics.ridge import ridge_line
from ncselect.store import RunStore
from ncselect.types import Settings
from zoo.errors import InputError

HORIZON = 12
MODELS = [f"net-{letter}" for letter in "abcdefgh"]
GOOD, BAD = "norm/exact/signed", "base/held/signed"
KEPT = (GOOD, BAD, "base/exact/signed", "kernels/held/signed")
DROPPED = tuple(f"beta/{one}" for one in DEFINITIONS if str(one) not in KEPT)


def pool(target="digits", setting=DEFAULT, seed=0, models=MODELS, **signals):
    """Return a pool in which one definition tells how far each model still has to rise."""
    records = []
    for place, name in enumerate(models):
        rng = np.random.default_rng([place, seed, *target.encode(), *setting.encode()])
        final = 0.55 + 0.04 * ((5 * place + 3) % 8)
        left = (0.2 + 0.25 * rng.random()) / np.arange(1, HORIZON + 1) ** 0.5
        accuracy = final - left
        made = made_run(
            name,
            accuracy,
            truth={HORIZON: final},
            dataset=target,
            seed=seed,
            validation=5000,
            drop=DROPPED,
            **{f"beta/{GOOD}": left, f"beta/{BAD}": rng.random(HORIZON), **signals},
        )
        records.append(dataclasses.replace(made, facts={"steps_per_epoch": 20}))
    return Pool(target, setting, seed, HORIZON, tuple(records), {})


def with_truth(like, truth, **changes):
    records = tuple(
        dataclasses.replace(one, truth={HORIZON: value})
        for one, value in zip(like.records, truth, strict=True)
    )
    return dataclasses.replace(like, records=records, **changes)


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


def test_points_are_the_measures_of_the_product_for_many_orders_at_once():
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 5, 7) / 10
    scores = rng.integers(0, 4, (3, 20, 7)).astype(float)
    rho, regret = points(truth, scores)
    once = np.ones((1, 7), dtype=np.int64)
    for place in np.ndindex(3, 20):
        assert rho[place] == pytest.approx(spearman_rho(truth, scores[place], once)[0])
        assert regret[place] == pytest.approx(regret_points(truth, scores[place], once)[0])
    rho, regret = points(truth, np.where(scores == 3, np.nan, scores)[0])
    assert np.isnan(rho).any()
    assert np.isnan(regret[np.isnan(rho)]).all()


def said_of(*rows):
    scores = np.array(rows, dtype=float)
    return Said(scores, np.clip(scores, 0, 1))


def test_the_interval_over_targets_is_the_plain_one_with_one_target():
    one = pool()
    rng = np.random.default_rng(3)
    scores = {"first": one.truth + 0.1 * rng.normal(size=8), "second": rng.random(8)}
    plan = Plan([one], resamples=500, seed=4)
    figures = Figures([one], plan)
    for label, values in scores.items():
        figures.add(one, label, said_of(values))
    theirs = compare(
        one.truth,
        {label: Predicted.ordering(values) for label, values in scores.items()},
        rng=np.random.default_rng(4),
        references=("second",),
        resamples=500,
    )
    for measure in ("rho", "regret_points"):
        plain = getattr(theirs.of["first"], measure)
        value, low, high, low_targets, high_targets = figures.of("first", measure)
        assert [value, low, high] == pytest.approx([plain.value, *plain.bounds], abs=6e-3)
        assert (low, high) == (low_targets, high_targets)
        plain = getattr(theirs.differences["first", "second"], measure)
        found = figures.difference("first", "second", measure)
        assert found[:3] == pytest.approx([plain.value, *plain.bounds], abs=6e-3)
        assert found[1:3] == found[3:]


def test_seeds_are_averaged_before_targets_and_targets_widen_the_interval():
    values = {("a", 0): 0.9, ("a", 1): 0.7, ("b", 0): 0.2, ("c", 0): 0.5}
    pools = [pool(target, seed=seed) for target, seed in values]
    plan = Plan(pools, resamples=4000, seed=0)
    given = {one: np.full(4001, value) for one, value in zip(pools, values.values(), strict=True)}
    value, low, high, low_targets, high_targets = plan.interval(given)
    assert value == pytest.approx((0.8 + 0.2 + 0.5) / 3, abs=1e-3)
    assert (low, high) == pytest.approx(((0.7 + 0.7) / 3, (0.9 + 0.7) / 3), abs=1e-3)
    assert (low_targets, high_targets) == pytest.approx((0.2, 0.8), abs=0.03)
    assert plan.interval({}) == [None] * 5


def test_pools_of_the_same_models_draw_the_same_models():
    one, other = pool("a"), pool("b", models=MODELS[:5])
    plan = Plan([one, other], resamples=200, seed=0)
    assert plan.counts(one)[0].tolist() == [1] * 8
    assert (plan.counts(one)[:, :5] == plan.counts(other)).all()
    assert (plan.counts(one).sum(axis=1) == 8).all()


def test_a_difference_is_taken_on_the_models_that_both_answered():
    one = pool()
    plan = Plan([one], resamples=50, seed=0)
    figures = Figures([one], plan)
    refusing = one.truth.copy()
    refusing[[0, 1]] = np.nan
    figures.add(one, "perfect on six", said_of(refusing))
    reversed_there = one.truth.copy()
    reversed_there[[0, 1]] = [9.0, -9.0]
    figures.add(one, "wrong on two", said_of(reversed_there))
    assert figures.of("wrong on two", "rho")[0] < 0.9
    assert figures.difference("perfect on six", "wrong on two", "rho")[0] == 0.0


def test_variants_of_a_control_are_averaged():
    one = pool()
    figures = Figures([one], Plan([one], resamples=20, seed=0))
    figures.add(one, "half right", said_of(one.truth, -one.truth))
    assert figures.of("half right", "rho")[0] == 0.0
    assert figures.of("half right", "mae_points")[0] == pytest.approx(
        50 * np.mean(one.truth), abs=0.01
    )


def test_errors_of_predicted_accuracy_are_in_points():
    one = pool()
    figures = Figures([one], Plan([one], resamples=20, seed=0))
    figures.add(one, "high", said_of(one.truth + np.array([0.01, 0.03] * 4)))
    assert figures.of("high", "mae_points")[:3] == pytest.approx([2.0, 1.25, 2.75], abs=0.3)
    assert figures.of("high", "bias_points")[0] == pytest.approx(2.0)


def made_reads(epochs=6):
    pools = [pool(target) for target in ("a", "b", "c")]
    return {one: Read(one, epochs) for one in pools}


def test_the_known_best_definition_is_picked_and_beats_chance():
    reads = made_reads()
    real = grid(reads, [BAD, GOOD, "base/exact/signed"], 6)
    rho, _ = measured = real.measured()
    assert rho.shape == (3, 3 * len(readings(6)))
    for held in range(3):
        tuned = [one for one in range(3) if one != held]
        picked = int(best(measured, tuned, real.families()["definition"]))
        assert real.label(picked) == f"{GOOD}; {DEFAULT_READING}"
    good = rho[:, len(readings(6))].mean()
    rng = np.random.default_rng(0)
    for kind in (random_inputs, exchanged_inputs):
        chance, _ = kind(reads, real, 200, rng)
        assert chance.shape == (200, 3, len(real))
        assert tail(good, chance[..., 0].mean(axis=-1))["p"] <= 0.05


def test_where_no_choice_is_better_the_first_stays():
    figures = np.zeros((2, 4)), np.array([[1.0, 1, 0, 1], [1, 1, 2, 1]])
    assert best(figures, [0, 1], np.arange(4)) == 0
    assert best(figures, [0], np.arange(4)) == 2
    assert best(figures, [0], np.array([1, 3])) == 1


def test_chance_exchanges_all_definitions_of_a_model_alike():
    reads = made_reads()
    real = grid(reads, [GOOD, GOOD], 6)
    rho, _ = exchanged_inputs(reads, real, 50, np.random.default_rng(0))
    ways = len(readings(6))
    assert rho[..., :ways].tolist() == rho[..., ways:].tolist()
    rho, _ = random_inputs(reads, real, 50, np.random.default_rng(0))
    assert (rho[..., :ways] != rho[..., ways:]).any()


def test_a_tail_counts_the_value_itself():
    assert tail(0.5, np.array([0.1, 0.2, 0.5])) == {"median": 0.2, "q95": 0.47, "p": 0.5}


def test_a_figure_that_is_not_defined_has_no_tail():
    nothing = {"median": None, "q95": None, "p": None}
    assert tail(float("nan"), np.array([0.1, 0.2])) == nothing
    assert tail(0.5, np.array([float("nan")])) == nothing


def test_a_definition_that_refuses_a_model_is_no_choice():
    reads = made_reads()
    gone = pool("d", **{f"beta/{BAD}": [0.1] * 3 + [float("nan")] * (HORIZON - 3)})
    assert grid(reads | {gone: Read(gone, 6)}, [BAD, GOOD], 6).names == (GOOD,)


def test_what_is_added_is_what_the_other_lacks():
    pools = [pool(target) for target in ("a", "b", "c")]
    figures = Figures(pools, Plan(pools, resamples=200, seed=0))
    for one in pools:
        rng = np.random.default_rng(len(one.target))
        half = one.truth.argsort().argsort() // 2 + 0.1 * rng.random(8)
        figures.add(one, "coarse", said_of(half))
        figures.add(one, "truth", said_of(one.truth))
        figures.add(one, "noise", said_of(*rng.random((20, 8))))
    helps = added(figures, pools, "coarse", "truth")
    assert helps["partial_rho"][0] == 1.0
    assert helps["half"]["rho"][0] > 0
    assert set(helps["weights"].values()) <= {0.1, 0.2, 0.3, 0.4, 0.5}
    idle = added(figures, pools, "truth", "noise")
    assert idle["partial_rho"][0] == 0.0  # the truth is given: nothing is left to explain
    assert idle["weights"] == {"a": 0.0, "b": 0.0, "c": 0.0}
    assert idle["learned"]["rho"][0] == 0.0
    assert idle["half"]["rho"][0] < 0


def test_nothing_is_added_to_what_is_the_same_for_all_and_no_weight_is_learned_of_it():
    pools = [pool(target) for target in ("a", "b")]
    figures = Figures(pools, Plan(pools, resamples=20, seed=0))
    for one in pools:
        figures.add(one, "same", said_of(np.ones(8)))
        figures.add(one, "truth", said_of(one.truth))
    assert added(figures, pools, "same", "truth")["partial_rho"] == [None] * 5
    assert added(figures, pools, "same", "truth")["weights"] == {"a": 0.1, "b": 0.1}
    assert added(figures, pools, "same", "same")["weights"] == {"a": 0.0, "b": 0.0}


def resized(like, target):
    """Return a pool of the same dataset under another name of its target."""
    return dataclasses.replace(like, target=target)


def test_sizes_of_one_dataset_are_one_draw_and_are_not_chosen_on_for_each_other():
    pools = [pool("a"), resized(pool("a"), "a (small)"), pool("b")]
    plan = Plan(pools, resamples=400, seed=0)
    values = {one: np.full(401, value) for one, value in zip(pools, (0.0, 0.4, 1.0), strict=True)}
    _, _, _, low, high = plan.interval(values)
    assert (low, high) == (0.2, 1.0)  # both sizes or neither
    found = picks(
        {one: Read(one, 6) for one in pools}, Figures(pools, plan), names=[BAD, GOOD], epochs=6,
        tune=None, report=None, against=[], draws=5, seed=0,
    )  # fmt: skip
    assert [(one["chosen_on"], one["reported_on"]) for one in found["definition"]["rotations"]] == [
        (["b"], "a"),
        (["b"], "a (small)"),
        (["a", "a (small)"], "b"),
    ]
    figures = Figures(pools[:2], plan)
    for one in pools[:2]:
        figures.add(one, "truth", said_of(one.truth))
    alone = added(figures, pools[:2], "truth", "truth")
    assert "learned" not in alone
    assert alone["half"]["rho"][0] == 0.0


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


def test_a_constant_signal_leaves_a_report_that_can_be_written():
    pools = [
        pool(target, **{f"beta/{BAD}": np.full(HORIZON, 3.0), "training-loss": np.zeros(HORIZON)})
        for target in ("a", "b")
    ]
    same = pool("c", **{"validation-accuracy": np.full(HORIZON, 0.5)})
    for held in (pools, [*pools, same]):
        figures = Figures(held, Plan(held, resamples=20, seed=0))
        question = Question(6, asked=Asked(without=frozenset(METHODS)), draws=5)
        reads, _ = filled(figures, held, question, slow=False, watch=lambda _: None)
        found = of_epochs(figures, reads, question, ())
        json.dumps(found, allow_nan=False)
    rows = found["rows"]
    assert rows[f"β {BAD}"]["failures"]["zero_distance"] is None  # its range is 0, 0 outside
    assert "rho" not in rows[f"β {BAD}"]  # in c all models are predicted alike
    assert found["picking"]["definition"]["chance"]["default"]["rho"] is None


def test_power_rises_with_the_gain_and_equal_rankings_are_told_apart_seldom():
    def seen(gain, seeds=1):
        rng = np.random.default_rng(0)
        return power(3, 12, seeds, gain, trials=30, resamples=60, rng=rng)

    equal, better = seen(0.0), seen(0.7, seeds=3)
    assert equal.fixed <= 0.1
    assert equal.resampled <= 0.1
    assert better.fixed >= 0.9
    assert better.fixed >= better.resampled > 0.5
    assert seen(0.0) == equal


def test_ranks_are_joined_on_models_that_both_answered():
    joined = together(said_of([0.1, 0.5, 0.9]), said_of([np.nan, 7.0, 3.0]), 0.25)
    assert np.isnan(joined.scores[0, 0])
    assert joined.scores[0, 1:].tolist() == [1.25, 1.75]


def test_two_protocols_are_paired_by_model_target_and_seed():
    frozen = pool()
    better = with_truth(frozen, frozen.truth[::-1] + 0.02, setting="probe_head=trained")
    apart = pool("elsewhere", setting="probe_head=trained")
    found, left_out = pairs([better, frozen, apart])
    assert left_out == {}
    assert list(found) == [(DEFAULT, "probe_head=trained")]
    ((both),) = found[DEFAULT, "probe_head=trained"]
    assert both == (frozen, better)
    plan = Plan([frozen, better, apart], resamples=300, seed=0)
    said = truths(plan, [both])
    assert said["gain_points"][0] == pytest.approx(2.0)
    assert said["rho"][0] == pytest.approx(spearman_rho(
        frozen.truth, better.truth, np.ones((1, 8), dtype=np.int64)
    )[0], abs=1e-3)  # fmt: skip
    lost = 100 * (better.truth.max() - better.truth[frozen.truth.argmax()])
    assert said["regret_points"][0] == pytest.approx(lost)
    figures = Figures([frozen, better, apart], plan)
    figures.add(frozen, "oracle", said_of(frozen.truth))
    figures.add(better, "oracle", said_of(better.truth))
    oracle = seen(figures, [both], ["oracle", "unknown"])
    assert list(oracle) == ["oracle"]
    assert oracle["oracle"]["rho"]["first"][0] == oracle["oracle"]["rho"]["second"][0] == 1.0
    assert oracle["oracle"]["rho"]["difference"][0] == 0.0
    assert oracle["oracle"]["regret_points"]["across"][0] == pytest.approx(lost)


def test_two_protocols_are_held_against_each_other_on_the_models_that_both_answered():
    first, second = pool(), pool(models=MODELS[:6], setting="probe_head=trained")
    second = with_truth(second, first.truth[:6])
    rng = np.random.default_rng(0)
    same = rng.random(8)
    figures = Figures([first, second], Plan([first, second], resamples=50, seed=0))
    figures.add(first, "alike on six", said_of(same))
    figures.add(second, "alike on six", said_of(same[:6]))
    figures.add(first, "refuses one", said_of(same))
    figures.add(second, "refuses one", said_of([np.nan, *same[1:6]]))
    found = seen(figures, [(first, second)], ["alike on six", "refuses one"])
    for label, kept in (("alike on six", slice(0, 6)), ("refuses one", slice(1, 6))):
        by_hand = points(first.truth[kept], same[kept])
        for measure, value in zip(("rho", "regret_points"), by_hand, strict=True):
            of = found[label][measure]
            assert of["difference"] == [0.0] * 5
            assert of["first"] == of["second"] == of["across"]
            assert of["first"][0] == pytest.approx(value, abs=1e-3)


def test_trainings_of_different_length_are_not_paired():
    first = pool()
    longer = dataclasses.replace(pool(setting="longer"), horizon=HORIZON - 1)
    more, unknown = (
        dataclasses.replace(
            pool(setting=setting),
            records=tuple(dataclasses.replace(one, facts=facts) for one in pool().records),
        )
        for setting, facts in (
            ("more", {"steps_per_epoch": 20, "steps_per_observation": 21}),
            ("unknown", {}),
        )
    )
    found, left_out = pairs([first, longer, more, unknown])
    assert found == {}
    assert left_out == {
        "default → longer, digits, seed 0": "the first has its truth at epoch 12 after 240 steps, "
        "the second at epoch 11 after 220 steps",
        "default → more, digits, seed 0": "the first has its truth at epoch 12 after 240 steps, "
        "the second at epoch 12 after 252 steps",
        "default → unknown, digits, seed 0": "the first has its truth at epoch 12 after 240 steps, "
        "the second at epoch 12 after unknown steps",
    }


def test_repeats_say_how_much_the_seed_moves():
    first = pool()
    second = with_truth(first, first.truth + np.array([0.01, -0.01] * 4), seed=1)
    figures = Figures([first, second], Plan([first, second], resamples=20, seed=0))
    for one in (first, second):
        figures.add(one, "oracle", said_of(one.truth))
    found = repeats(figures, [first, second, pool("alone")], ["oracle"])
    assert list(found) == ["digits"]
    assert found["digits"]["truth_difference_points"] == pytest.approx(1.0)
    assert found["digits"]["rho"] == {"oracle": [1.0, 1.0]}
    assert 0.9 < found["digits"]["truth_rho"] <= 1.0


def stored(folder, records):
    """Write runs as a store holds them."""
    store = RunStore(folder)
    for record in records:
        with store.run(record.spec).writer() as writer:
            for seen_ in record.observations:
                writer.append(seen_, [])
            writer.keep_facts(record.facts)
            for epoch, accuracy in record.truth.items():
                writer.keep_truth(epoch, accuracy)
    return folder


def changed(records, **settings):
    return [
        dataclasses.replace(one, spec=dataclasses.replace(one.spec, settings=Settings(**settings)))
        for one in records
    ]


def test_stores_are_read_as_pools_by_target_setting_and_seed(tmp_path):
    short = [made_run("net-z", rising_curve(0.8, 0.5, 4), validation=5000)]
    first = stored(tmp_path / "first", [*pool().records, *pool(seed=1).records, *short])
    second = stored(
        tmp_path / "second",
        [
            *changed(pool().records, probe_head="trained"),
            *changed(pool().records[:3], measure_whole=True),
            *pool("other").records[:2],
        ],
    )
    pools, left_out = read_pools([first, second], epochs=6)
    assert [(one.target, one.setting, one.seed) for one in pools] == [
        ("digits", DEFAULT, 0),
        ("digits", DEFAULT, 1),
        ("digits", "probe_head=trained", 0),
    ]
    assert pools[0].models == tuple(MODELS)
    assert [one.spec.settings.measure_whole for one in pools[0].records] == [True] * 3 + [False] * 5
    assert "net-z" in pools[0].excluded
    assert pools[0].truth == pytest.approx(pool().truth)
    assert list(left_out) == ["other, default, seed 0"]
    with pytest.raises(InputError, match="no pool can be made"):
        read_pools([first], epochs=6, horizon=50)


def test_targets_of_one_name_are_told_apart_by_their_images(tmp_path):
    small = [
        dataclasses.replace(
            one,
            spec=dataclasses.replace(one.spec, data={"counts": {"train": 100, "validation": 5000}}),
        )
        for one in pool().records
    ]
    folder = stored(tmp_path, [*small, *pool().records])
    pools, _ = read_pools([folder], epochs=6)
    assert [one.target for one in pools] == ["digits (100 images)", "digits (? images)"]


def test_one_name_for_two_candidates_is_refused(tmp_path):
    twins = [
        dataclasses.replace(
            one, spec=dataclasses.replace(one.spec, candidate={"source": "another"})
        )
        for one in pool().records[:1]
    ]
    folder = stored(tmp_path, [*pool().records, *twins])
    with pytest.raises(InputError, match="'net-a' stands for different candidates"):
        read_pools([folder], epochs=6)


def test_scores_of_one_store_serve_the_runs_of_another(tmp_path):
    stored(tmp_path / "old", pool().records)
    first, *_ = pool().records
    with RunStore(tmp_path / "old").features_of(first.spec).writer() as writer:
        writer.keep_scores({"knn": 0.75}, {"leep": "it has no source head"})
    new = changed(pool().records, measure_whole=True)
    stored(tmp_path / "new", new)
    for order in (("old", "new"), ("new", "old")):
        ((one,), _) = read_pools([tmp_path / name for name in order], epochs=6)
        assert all(record.spec.settings.measure_whole for record in one.records)
        assert [record.scores.get("knn") for record in one.records] == [0.75, *[None] * 7]
        assert one.records[0].unscored["leep"] == "it has no source head"


def test_two_runs_of_one_training_that_disagree_are_refused(tmp_path):
    stored(tmp_path / "old", pool().records)
    (first, *others) = changed(pool().records, measure_whole=True)
    stored(tmp_path / "new", [dataclasses.replace(first, truth={HORIZON: 0.123}), *others])
    with pytest.raises(InputError, match="two runs of 'net-a' on digits, default, seed 0, have"):
        read_pools([tmp_path / "old", tmp_path / "new"], epochs=6)


def test_numbers_of_tables_are_short_and_intervals_the_widest():
    assert interval([0.523, -0.204, 1.0, -0.404, 1.0]) == ".52 [−.40, 1.00]"
    assert interval([12.3456, 1.0, 20.0]) == "12.35 [1.00, 20.00]"
    assert interval([None, None, None]) == "–"
    assert plain(-0.001) == ".00"
    assert plain(1 / 301, 3) == ".003"


def test_the_command_reports_every_part(tmp_path, capsys, monkeypatch):
    from bench.ablation.__main__ import main

    plain = [
        made_run(
            one.spec.model,
            one.curve("validation-accuracy"),
            truth=dict(one.truth),
            dataset="b",
            validation=5000,
            drop=[name for name in one.observations[1].signals if name.startswith("beta")],
        )
        for one in pool("b").records
    ]
    plain = [dataclasses.replace(one, facts={"steps_per_epoch": 20}) for one in plain]
    runs = [
        *(record for target in ("a", "b", "c") for record in pool(target).records),
        *pool("a", seed=1).records,
        *changed(pool("a").records[:7], probe_head="trained"),
        *changed([pool("a").records[7].observed(4)], probe_head="trained"),
        *changed(plain, unit="classifier"),
        *pool("missing").records[:2],
    ]
    folder = stored(tmp_path / "runs", runs)
    asked = [
        "ablation",
        str(folder),
        "--epochs",
        "5,6",
        "--without",
        "lc,bgrn",
        "--resamples",
        "50",
    ]
    monkeypatch.setattr("sys.argv", [*asked, "--draws", "20", "--tune", "a,b", "--report", "c"])
    assert main() == 0
    document = json.loads(capsys.readouterr().out)
    rows = document["choices"]["6"]["rows"]
    assert rows[f"β {GOOD}"]["rho"][0] > rows[f"β {BAD}"]["rho"][0]
    assert {"last-value", "training-loss", "random-input", f"permuted {GOOD}"} <= set(
        rows[f"β {GOOD}"]["less"]
    )
    (rotation,) = document["choices"]["6"]["picking"]["definition"]["rotations"]
    assert rotation["chosen_on"] == ["a", "b"]
    assert rotation["reported_on"] == "c"
    assert rotation["picked"]["picked definition"] == f"{GOOD}; {DEFAULT_READING}"
    assert set(document["truths"]) == {"default → probe_head=trained", "default → unit=classifier"}
    assert f"β {BAD}" not in document["protocols"]["5"]["unit=classifier"]
    assert document["repeats"]["5"][DEFAULT]["a"]["seeds"] == [0, 1]
    assert document["budget"][f"β {BAD}"]["6 less 5"][0] is not None
    text = "\n\n".join(sections(document))
    assert f"| c | {GOOD}; {DEFAULT_READING} |" in text
    assert f"| β {GOOD} | 4 | {interval(rows[f'β {GOOD}']['rho'])} |" in text
    assert "## Seeds" in text
    assert "| prior | nothing is known of net-a on other datasets" in text
    assert "| missing, default, seed 0 | 2 of 2 runs can be scored" in text
    assert "a, probe_head=trained, seed 0: net-h | only 4 of 6 epochs were run" in text
    assert all(len({row.count("|") for row in part.splitlines()}) == 1
               for part in text.split("\n\n") if part.startswith("|"))  # fmt: skip
    for options, expected in (
        (["--report", "nowhere"], "report: target 'nowhere' is not among a, b, c"),
        (["--tune", "a,d", "--report", "b"], "tune: target 'd' is not among a, b, c"),
        (["--tune", "a"], "tune: nothing is reported of what is chosen on a; name the target"),
        (["--tune", "a,b", "--report", "a"], "report: 'a' is chosen on, too, as a; name targets"),
        (["--hyperparameters", "d=f.json"], "hyperparameters: target 'd' is not among a, b, c"),
        (["--hyperparameters", "f.json"], "hyperparameters: 'f.json' is no TARGET=FILE"),
        (["--without", "bgm"], "unknown method 'bgm'. Did you mean bgrn"),
    ):
        monkeypatch.setattr("sys.argv", [*asked, *options])
        assert main() == 2
        assert expected in capsys.readouterr().err
