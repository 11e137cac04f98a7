"""How good networks were elsewhere, shrunk by how little is known."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from made_runs import made_run
from scipy.stats import f_oneway, spearmanr

from ncselect.experience import built_in
from ncselect.methods.prior import Prior
from ncselect.numerics.standardised import shrunken_means, standardised
from ncselect.published import published
from ncselect.spec import RunSpec
from ncselect.types import Outcome, RunRecord
from zoo.cards import MODELS
from zoo.errors import InputError


def run_of(name, dataset="leaves", **candidate):
    as_published = {"kind": "application", "source": name, "arguments": {}, "weights": "imagenet"}
    card = MODELS.get(candidate.get("source", name))
    own = {"preprocessing": "included" if card is None else card.preprocessing}
    return RunRecord(
        RunSpec(model=name, dataset=dataset, candidate=as_published | own | candidate, data={})
    )


def scores(method, records):
    return {one.model: one.score for one in method.estimate(records).estimates}


def test_columns_are_standardised_over_what_is_known():
    values = np.array([[1.0, 5.0, 0.3], [3.0, 5.0, np.nan], [np.nan, 5.0, np.nan], [8.0, 5, 0.7]])
    result = standardised(values)
    np.testing.assert_allclose(
        result[[0, 1, 3], 0], (np.array([1, 3, 8]) - 4) / np.std([1, 3, 8]), rtol=1e-12
    )
    assert np.isnan(result[2, 0])
    assert np.isnan(result[:, 1]).all()
    np.testing.assert_allclose(result[[0, 3], 2], [-1, 1])
    assert np.isnan(standardised(0.1 + np.full(3, 0.2))).all()
    np.testing.assert_allclose(
        standardised(1e-100 * values)[:, 0], result[:, 0], rtol=1e-9, equal_nan=True
    )


def test_variances_are_those_of_the_analysis_of_variance():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(7, 1)) + 0.5 * rng.normal(size=(7, 5))
    found = shrunken_means(values)
    ratio = (5 * found.between + found.within) / found.within
    assert ratio == pytest.approx(f_oneway(*values).statistic)
    share = found.between / (found.between + found.within / 5)
    np.testing.assert_allclose(found.mean, share * values.mean(axis=1))
    np.testing.assert_allclose(found.sd, math.sqrt(share * found.within / 5))


def test_shrunken_means_fit_rows_that_were_drawn():
    """Variances come back; errors are as large as said, and smaller than those of plain means."""
    rng = np.random.default_rng(1)
    truth = 0.8 * rng.normal(size=4000)
    values = truth[:, None] + 0.6 * rng.normal(size=(4000, 6))
    hidden = rng.random(values.shape) < 0.6
    hidden[:, 0] &= ~hidden[:, 1:].all(axis=1)
    values[hidden] = np.nan
    found = shrunken_means(values)
    assert math.sqrt(found.between) == pytest.approx(0.8, rel=0.05)
    assert math.sqrt(found.within) == pytest.approx(0.6, rel=0.05)
    errors = (found.mean - truth) / found.sd
    assert errors.std() == pytest.approx(1.0, abs=0.04)
    plain = np.nanmean(values, axis=1)
    assert ((found.mean - truth) ** 2).mean() < 0.9 * ((plain - truth) ** 2).mean()
    by_known = [np.abs(found.sd[found.known == n]).mean() for n in (1, 2, 4)]
    assert by_known == sorted(by_known, reverse=True)


def test_rows_that_differ_by_chance_alone_are_all_average():
    found = shrunken_means(np.array([[1.0, -1.0], [-1.0, 1.0]]))
    assert found.between == 0
    assert found.mean.tolist() == [0, 0]


@pytest.mark.parametrize("values", [np.full((3, 2), np.nan), np.array([[1.0, 2.0]]), np.eye(1)])
def test_too_little_to_tell_variances_is_an_error(values):
    with pytest.raises(InputError, match="give two rows or more, and two values"):
        shrunken_means(values)


def test_the_published_figures_come_out():
    """Mean ρ .84 and regret 1.0 points for the mean standardised accuracy elsewhere."""
    table = published()
    rho, regret = [], []
    for column, dataset in enumerate(table.datasets):
        found = scores(Prior(), [run_of(name, dataset) for name in table.models])
        score = np.array([found[name] for name in table.models])
        truth = table.accuracy[:, column]
        rho.append(spearmanr(truth, score)[0])
        regret.append(100 * (truth.max() - truth[score.argmax()]))
    assert np.mean(rho) == pytest.approx(0.84, abs=0.005)
    assert np.mean(regret) == pytest.approx(1.0, abs=0.05)


def test_a_score_is_the_shrunken_mean_over_other_datasets():
    """An independent computation, one candidate known also from the user's dataset."""
    own = (
        Outcome("ResNet50", "leaves", 0.9), Outcome("VGG16", "leaves", 0.7),
        Outcome("mine", "Leaves", 0.8), Outcome("mine", "stones", 0.99),
    )  # fmt: skip
    table = published()
    per_model = {name: [] for name in [*table.models, "mine"]}
    for column, dataset in enumerate(table.datasets):
        if dataset != "caltech_birds2011":
            accuracy = table.accuracy[:, column]
            for name, value in zip(table.models, accuracy, strict=True):
                per_model[name].append((value - accuracy.mean()) / accuracy.std())
    for name, value in (("ResNet50", 0.9), ("VGG16", 0.7), ("mine", 0.8)):
        per_model[name].append((value - 0.8) / np.std([0.9, 0.8, 0.7]))
    counts = np.array([len(values) for values in per_model.values()])
    means = np.array([np.mean(values) for values in per_model.values()])
    total, overall = counts.sum(), (counts * means).sum() / counts.sum()
    within = sum(((np.array(v) - np.mean(v)) ** 2).sum() for v in per_model.values()) / (
        total - len(counts)
    )
    among = (counts * (means - overall) ** 2).sum() / (len(counts) - 1)
    typical = (total - (counts**2).sum() / total) / (len(counts) - 1)
    between = (among - within) / typical
    expected = dict(
        zip(per_model, counts * between / (counts * between + within) * means, strict=True)
    )
    mine = run_of("mine", "birds", kind="file", source="sha256:1", weights="included")
    answer = Prior(experience=own).estimate([mine, run_of("ResNet50", "birds")])
    first, second = answer.estimates
    assert first.score == pytest.approx(expected["mine"], rel=1e-9)
    assert second.score == pytest.approx(expected["ResNet50"], rel=1e-9)
    assert first.diagnostics["datasets"] == 1
    assert second.diagnostics["datasets"] == 9
    assert first.diagnostics["score_sd"] > second.diagnostics["score_sd"] > 0
    assert math.isnan(first.mean)
    assert math.isnan(first.sd)


@pytest.mark.parametrize(
    "dataset",
    ["birds", "caltech_birds2011", "tfds:caltech_birds2011", "tfds-caltech_birds2011:0.1.1"],
)
def test_the_dataset_that_is_ranked_is_never_used(dataset):
    pool = [run_of(name, dataset) for name in ("ResNet50", "VGG16", "Xception")]
    plain = scores(Prior(), pool)
    there = tuple(Outcome(name, "Birds", n / 4) for n, name in enumerate(plain))
    assert scores(Prior(experience=there), pool) == plain
    assert all(one.diagnostics["datasets"] == 8 for one in Prior().estimate(pool).estimates)
    elsewhere = scores(Prior(), [dataclasses.replace(one, spec=run_of(one.spec.model).spec)
                                 for one in pool])  # fmt: skip
    assert elsewhere != plain


def test_the_order_of_experience_does_not_matter():
    own = tuple(
        Outcome(name, dataset, 0.1 + 0.07 * n)
        for n, (name, dataset) in enumerate((m, d) for m in ("a", "b", "VGG16") for d in ("x", "y"))
    )
    pool = [run_of("VGG16"), run_of("a", kind="file")]
    assert scores(Prior(experience=own), pool) == scores(Prior(experience=own[::-1]), pool)


def test_a_score_does_not_depend_on_the_pool():
    pool = [run_of(name) for name in published().models]
    together = scores(Prior(), pool)
    for one in pool[::4]:
        assert scores(Prior(), [one]) == {one.spec.model: together[one.spec.model]}


@pytest.mark.parametrize(
    "candidate",
    [
        {"weights": "random"},
        {"arguments": {"alpha": 0.5}},
        {"preprocessing": "caffe"},
        {"kind": "file", "source": "sha256:1", "weights": "included"},
        {"source": "ConvNeXtTiny"},
    ],
)
def test_nothing_known_is_refused_with_the_remedy(candidate):
    answer = Prior().estimate([run_of("MobileNet", **candidate), run_of("MobileNetV2")])
    assert [one.model for one in answer.estimates] == ["MobileNetV2"]
    assert "nothing is known of" in answer.refused["MobileNet"]
    assert "--experience FILE.csv" in answer.refused["MobileNet"]


def test_one_network_alone_on_a_dataset_tells_nothing():
    own = (Outcome("mine", "stones", 0.9),)
    answer = Prior(experience=own).estimate([run_of("mine", kind="file", source="sha256:1")])
    assert "two networks or more per dataset" in answer.refused["mine"]


def test_runs_of_ones_own_count():
    own = tuple(
        Outcome(model, dataset, accuracy)
        for dataset in ("x", "y", "z")
        for model, accuracy in (("good", 0.9), ("bad", 0.5), ("fair", 0.7))
    )
    pool = [made_run(name, [], dataset="leaves") for name in ("bad", "good", "fair")]
    found = scores(Prior(experience=own), pool)
    assert found["good"] > found["fair"] > found["bad"]
    assert abs(found["fair"]) < 1e-9


def test_training_does_not_matter_but_failing_does():
    trained = made_run("ResNet50", [0.2, 0.9])
    spec = run_of("ResNet50").spec
    bare = RunRecord(spec)
    longer = dataclasses.replace(trained, spec=spec)
    assert scores(Prior(), [bare]) == scores(Prior(), [longer])
    mixed = Prior().estimate([longer, run_of("VGG16")])
    assert not mixed.refused
    failed = dataclasses.replace(bare, status="failed", error="no memory")
    assert "no memory" in Prior().estimate([failed]).refused["ResNet50"]


def test_networks_given_twice_are_an_error():
    with pytest.raises(InputError, match="more than once"):
        Prior().estimate([run_of("VGG16"), run_of("VGG16")])
    assert Prior().estimate([]).estimates == ()


def test_all_of_the_table_is_known():
    pool = [run_of(name) for name in dict.fromkeys(one.model for one in built_in())]
    assert len(Prior().estimate(pool).estimates) == 19
