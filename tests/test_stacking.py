"""Scores and earlier results put together: against naive twins, draws and the built-in table."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm, spearmanr

from ncselect.experience import known_networks, score_weights
from ncselect.numerics.coregionalisation import (
    FREE_SHIFT,
    Cells,
    Component,
    Coregionalisation,
    conditioned,
    covariance,
)
from ncselect.numerics.score_weights import Line, ScoreWeights, logit, on_scale
from ncselect.numerics.stacking import Known, Stacked, pool_spread, stacked
from ncselect.published import published
from ncselect.types import Outcome
from zoo.errors import InputError

PROCESS = Coregionalisation(
    level=Component(np.array([[0.6, 0.4], [0.4, 0.5]]), 0.7),
    likeness=Component(np.array([[0.3, 0.2], [0.2, 0.25]]), 0.2),
    length=0.8,
    noise=np.array([0.05, 0.1]),
)
FAMILIES = np.array([0, 0, 1, 2])
IMAGES = np.array([1000.0, 1500.0, math.nan, 60_000.0])
ALL = Cells.where(np.ones((2, 4, 4), dtype=bool))


def entry(one, other):
    """The covariance of two places, from its definition."""
    (k, m, d), (k2, m2, d2) = one, other
    family = 1 if m == m2 else (FAMILIES[m] == FAMILIES[m2])
    level = 1 if m == m2 else 0.7 * family
    like = 1 if m == m2 else 0.2 * family
    ratio = math.log(IMAGES[d] / IMAGES[d2]) / 0.8
    alike = 1 if d == d2 else (0 if math.isnan(ratio) else math.exp(-(ratio**2) / 2))
    total = PROCESS.level.between[k, k2] * level + PROCESS.likeness.between[k, k2] * like * alike
    return total + (PROCESS.noise[k] if one == other else 0)


def test_the_covariance_is_that_of_the_definition():
    places = list(zip(ALL.quantity, ALL.network, ALL.dataset, strict=True))
    expected = [[entry(one, other) for other in places] for one in places]
    found = covariance(PROCESS, FAMILIES, IMAGES, ALL, ALL)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert np.linalg.eigvalsh(found).min() > 0


def test_conditioning_is_that_of_the_joint_normal():
    """By densities: p(wanted | seen) = p(wanted, seen) / p(seen)."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 4, 4))
    values[0, :, 3] = np.nan
    values[1, 2, 1] = np.nan
    wanted = Cells.of(0, np.array([0, 3]), 3)
    found = conditioned(PROCESS, FAMILIES, IMAGES, values, wanted)
    seen = Cells.where(np.isfinite(values))
    both = Cells(
        *(np.concatenate([getattr(wanted, f), getattr(seen, f)])
          for f in ("quantity", "network", "dataset"))
    )  # fmt: skip
    joint = covariance(PROCESS, FAMILIES, IMAGES, both, both)
    told = values[np.isfinite(values)]
    for guess in rng.normal(size=(5, 2)):
        density = multivariate_normal.logpdf([*guess, *told], cov=joint)
        density -= multivariate_normal.logpdf(told, cov=joint[2:, 2:])
        expected = multivariate_normal.logpdf(guess, found.mean, found.covariance)
        assert density == pytest.approx(expected, abs=1e-9)


def test_nothing_known_leaves_the_process_as_it_is():
    wanted = Cells.of(0, np.arange(4), 0)
    found = conditioned(PROCESS, FAMILIES, IMAGES, np.full((2, 4, 4), np.nan), wanted)
    assert found.mean.tolist() == [0] * 4
    np.testing.assert_allclose(
        found.covariance, covariance(PROCESS, FAMILIES, IMAGES, wanted, wanted)
    )


def test_values_known_up_to_a_shift_tell_little_of_their_mean():
    heads, truth = Cells.of(1, np.arange(4), 0), Cells.of(0, np.arange(4), 0)
    nothing = np.full((2, 4, 4), np.nan)
    joint = conditioned(PROCESS, FAMILIES, IMAGES, nothing, heads.followed_by(truth))
    values = np.array([1.0, 0.5, 0.0, -0.5])
    shift, contrast = np.full((4, 4), FREE_SHIFT), np.eye(4) - 0.25
    plain = joint.given(values, np.zeros((4, 4)))
    free, shifted = joint.given(values, shift), joint.given(values + 0.3, shift)
    assert 0 < shifted.mean.mean() - free.mean.mean() < 0.3 * 0.5
    assert free.covariance.sum() > plain.covariance.sum()
    np.testing.assert_allclose(contrast @ free.mean, contrast @ plain.mean, atol=0.05)


def test_the_expected_spread_of_a_pool_is_that_of_draws():
    found = conditioned(
        PROCESS, FAMILIES, IMAGES, np.ones((2, 4, 4)) * [[1], [-1], [2], [0.5]],
        Cells.of(0, np.arange(4), 3),
    )  # fmt: skip
    draws = np.random.default_rng(0).multivariate_normal(found.mean, found.covariance, 100_000)
    assert pool_spread(found) == pytest.approx(math.sqrt(draws.var(axis=1).mean()), rel=0.01)


def test_scales():
    np.testing.assert_allclose(logit(np.array([0.5, 0.9])), [0, math.log(9)])
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()
    assert on_scale("n-leep", np.array([-0.5]))[0] == pytest.approx(math.log(2))
    assert on_scale("linear-head", np.array([0.9]))[0] == pytest.approx(math.log(9))
    assert on_scale("logme", np.array([-3.0]))[0] == -3.0
    for score in score_weights().quantities:
        order = on_scale(score, np.array([-0.9, -0.5, -0.1]) + (score != "n-leep"))
        assert (np.diff(order) > 0).all()


def test_a_line_predicts_worse_far_out():
    line = Line(centre=1.0, height=2.0, slope=0.5, slope_sd=0.3, sd=0.4)
    assert line.at(1.0) == (2.0, 0.4)
    assert line.at(3.0) == (3.0, pytest.approx(math.hypot(0.4, 0.6)))


def pool(names, dataset="leaves", experience=()):
    return known_networks(names, experience, dataset, score_weights().quantities)


def heads(names, dataset):
    table = published()
    rows = [table.models.index(name) for name in names]
    column = table.datasets.index(dataset)
    return table.scores["frozen_head_accuracy"][rows, column], table.accuracy[rows, column]


NAMES = ("ResNet50", "VGG16", "DenseNet201", "EfficientNetB2", "NASNetMobile", "Xception")


def test_what_comes_back_is_in_units_of_the_pool():
    scores = {"linear-head": heads(NAMES, "dtd")[0]}
    known, rows = pool(NAMES, "dtd")
    found = stacked(scores, score_weights(), known, rows, images=1880)
    assert found.mean.mean() == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(found.covariance.sum(axis=1), 0, atol=1e-12)
    expected = found.mean.var() + np.trace(found.covariance) / len(NAMES)
    assert expected == pytest.approx(1)
    assert (found.sd > 0).all()
    assert np.linalg.eigvalsh(found.covariance).min() > -1e-12


def test_candidates_may_come_in_any_order():
    score, _ = heads(NAMES, "dtd")
    order = np.array([3, 0, 5, 1, 4, 2])
    known, rows = pool(NAMES, "dtd")
    straight = stacked({"linear-head": score}, score_weights(), known, rows)
    known, rows = pool([NAMES[place] for place in order], "dtd")
    turned = stacked({"linear-head": score[order]}, score_weights(), known, rows)
    np.testing.assert_allclose(turned.mean, straight.mean[order], atol=1e-9)
    np.testing.assert_allclose(
        turned.covariance, straight.covariance[np.ix_(order, order)], atol=1e-9
    )


def test_only_contrasts_of_a_score_matter():
    """LogME 3 + 7 x orders and spaces as x does; so does N-LEEP times a constant."""
    known, rows = pool(NAMES)
    score = np.linspace(0.2, 1.1, 6) ** 2
    for name, one, other in (("logme", score, 3 + 7 * score), ("n-leep", -score, -5 * score)):
        first = stacked({name: one}, score_weights(), known, rows)
        second = stacked({name: other}, score_weights(), known, rows)
        np.testing.assert_allclose(first.mean, second.mean, atol=1e-9)


def test_unknown_networks_without_scores_are_all_the_same():
    known, rows = pool(["a", "b", "c"])
    found = stacked({}, score_weights(), known, rows)
    np.testing.assert_allclose(found.mean, 0, atol=1e-12)
    assert np.ptp(found.sd) == pytest.approx(0, abs=1e-9)
    assert found.location_sd > 1


@pytest.mark.parametrize("score", ["linear-head", "n-leep", "logme", "imagenet-top1"])
def test_each_score_alone_orders_unknown_networks(score):
    known, rows = pool(["a", "b", "c", "d"])
    values = np.array([0.3, 0.6, 0.7, 0.8]) - (score == "n-leep")
    found = stacked({score: values}, score_weights(), known, rows)
    assert (np.diff(found.mean) > 0).all()
    nothing = stacked({}, score_weights(), known, rows)
    assert found.sd.mean() < nothing.sd.mean()


def test_missing_scores_widen_and_do_not_spoil():
    score, _ = heads(NAMES, "dtd")
    known, rows = pool(NAMES, "dtd")
    whole = stacked({"linear-head": score}, score_weights(), known, rows)
    gap = score.copy()
    gap[2] = np.nan
    found = stacked({"linear-head": gap}, score_weights(), known, rows)
    assert np.isfinite(found.mean).all()
    assert found.sd[2] > whole.sd[2]
    unheard = stacked(
        {"linear-head": gap, "h-score": score, "knn": score}, score_weights(), known, rows
    )
    np.testing.assert_array_equal(unheard.mean, found.mean)


def test_a_family_tells_of_a_size_that_is_not_in_the_table():
    known, rows = pool(["EfficientNetB4", "unheard of", "VGG16"])
    found = stacked({}, score_weights(), known, rows)
    assert found.mean[0] > found.mean[1] > found.mean[2]
    assert found.sd[1] > found.sd[0]


def test_own_experience_counts_and_that_of_the_dataset_does_not():
    names = ["a", "b", "c"]
    own = tuple(
        Outcome(name, dataset, accuracy)
        for dataset in ("x", "y")
        for name, accuracy in (("a", 0.8), ("b", 0.9), ("c", 0.7), ("VGG16", 0.6))
    )
    known, rows = pool(names, "z", own)
    found = stacked({}, score_weights(), known, rows)
    assert found.mean[1] > found.mean[0] > found.mean[2]
    here = tuple(dataclasses.replace(one, dataset="z") for one in own)
    known, rows = pool(names, "z", here)
    np.testing.assert_allclose(stacked({}, score_weights(), known, rows).mean, 0, atol=1e-12)


def test_one_candidate_is_the_pool():
    known, rows = pool(["VGG16"], "dtd")
    found = stacked({"linear-head": np.array([0.6])}, score_weights(), known, rows)
    assert found.mean.tolist() == [0]
    assert math.isfinite(found.log_scale)


def test_location_and_scale_follow_the_heads():
    known, rows = pool(NAMES, "dtd")
    low, high = (
        stacked({"linear-head": value}, score_weights(), known, rows)
        for value in (np.linspace(0.3, 0.4, 6), np.linspace(0.8, 0.98, 6))
    )
    blind = stacked({}, score_weights(), known, rows)
    assert low.location < high.location
    assert low.log_scale < high.log_scale
    assert blind.location_sd > max(low.location_sd, high.location_sd) * 2


def test_bad_input_is_told():
    known, rows = pool(NAMES)
    with pytest.raises(InputError, match="'logme' has shape"):
        stacked({"logme": np.zeros(5)}, score_weights(), known, rows)
    with pytest.raises(InputError, match="a row stands for two candidates"):
        stacked({}, score_weights(), known, np.array([0, 0]))


def test_worlds_drawn_from_the_process_are_covered():
    """Scores and accuracies drawn with the shipped weights: errors are about as large as said.

    Shipped intervals are wider than the process by ``inflation``, as networks are more unlike it
    than its own draws are; the spread of a pool, here not known, takes part of that.
    """
    weights = score_weights()
    rng = np.random.default_rng(3)
    n_networks, n_datasets = 10, 4
    families = np.arange(n_networks) // 2
    images = np.exp(rng.uniform(7, 11, n_datasets))
    shape = (len(weights.quantities), n_networks, n_datasets)
    cells = Cells.where(np.ones(shape, dtype=bool))
    world = covariance(weights.process, families, images, cells, cells)
    errors = []
    for values in rng.multivariate_normal(np.zeros(len(world)), world, 60, method="cholesky"):
        table = values.reshape(shape)
        raw = np.array([_back(q, t) for q, t in zip(weights.quantities, table, strict=True)])
        known = Known(families, images[:-1], raw[:, :, :-1], n_datasets - 1)
        scores = {name: raw[k, :, -1] for k, name in enumerate(weights.quantities) if k}
        found = stacked(scores, weights, known, np.arange(n_networks), images=float(images[-1]))
        truth = table[0, :, -1]
        errors += list(((truth - truth.mean()) / truth.std() - found.mean) / found.sd)
    for level in (0.5, 0.8):
        inside = np.abs(errors) < norm.ppf((1 + level) / 2)
        assert inside.mean() == pytest.approx(level, abs=0.07)


def _back(quantity, values):
    """Undo ``on_scale``."""
    if quantity in ("accuracy", "linear-head", "imagenet-top1"):
        return 1 / (1 + np.exp(-values))
    return -np.exp(-values) if quantity == "n-leep" else values


def test_the_table_is_ranked_as_well_as_was_published():
    """One dataset left out of what is known; the shipped hyperparameters have seen it.

    With everything learned from the other datasets: results/experience-table.json.
    """
    table = published()
    rho, regret, inside = [], [], []
    for column, dataset in enumerate(table.datasets):
        known, rows = pool(table.models, dataset)
        scores = {
            "linear-head": table.scores["frozen_head_accuracy"][:, column],
            "n-leep": table.scores["n_leep"][:, column],
            "logme": table.scores["logme"][:, column],
        }
        images = float(table.training_images[column])
        found = stacked(scores, score_weights(), known, rows, images=images)
        truth = table.accuracy[:, column]
        rho.append(spearmanr(truth, found.mean)[0])
        regret.append(100 * (truth.max() - truth[found.mean.argmax()]))
        z = (logit(truth) - logit(truth).mean()) / logit(truth).std()
        inside += list(np.abs(z - found.mean) / found.sd < norm.ppf(0.9))
    assert np.mean(rho) > 0.87  # best known: rank sum of N-LEEP and earlier results
    assert np.mean(regret) < 0.74  # best known: N-LEEP and earlier results, standardised
    assert 0.75 < np.mean(inside) < 0.92


def test_weights_survive_json():
    weights = score_weights()
    again = ScoreWeights.from_json(json.loads(json.dumps(weights.to_json())))
    assert again.to_json() == weights.to_json()
    known, rows = pool(NAMES)
    first, second = (stacked({}, one, known, rows) for one in (weights, again))
    assert isinstance(first, Stacked)
    np.testing.assert_array_equal(first.mean, second.mean)
