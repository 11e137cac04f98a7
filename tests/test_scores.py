"""The table of scores, what is measured of it, and the methods made of it."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest
from made_runs import made_run, rising_curve

from ncselect.methods.scored import SCORED
from ncselect.numerics.transferability.h_score import h_score
from ncselect.numerics.transferability.knn import knn_accuracy
from ncselect.numerics.transferability.leep import leep
from ncselect.scores import SCORES, Features, card_scores, measured
from zoo.candidate import Candidate
from zoo.cards import MODELS
from zoo.errors import InputError, UnknownNameError

every_method = pytest.mark.parametrize("kind", SCORED, ids=lambda kind: kind.name)

OF_FEATURES = [name for name, score in SCORES.items() if score.needs == "features"]
OF_SOURCE = [name for name, score in SCORES.items() if score.needs == "source"]
OF_CARDS = [name for name, score in SCORES.items() if score.needs == "card"]


def made_features(*, source=True, **changes):
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    centres = rng.normal(size=(3, 8))
    theta = rng.dirichlet(np.ones(12), size=3)[labels] + rng.dirichlet(np.ones(12), size=90)
    made = Features(
        train=(centres[labels] + rng.normal(size=(90, 8))).astype(np.float32),
        train_labels=labels,
        validation=(centres[labels] + rng.normal(size=(90, 8))).astype(np.float32),
        validation_labels=labels,
        classes=3,
        source=(theta / 2).astype(np.float32) if source else None,
        no_source=None if source else "the file has no classifier; choose n-leep",
    )
    return dataclasses.replace(made, **changes)


def test_every_score_of_images_is_measured_where_all_is_there():
    values, reasons = measured(made_features(), SCORES)
    assert set(values) == {*OF_FEATURES, *OF_SOURCE}
    assert all(type(value) is float and math.isfinite(value) for value in values.values())
    assert reasons == {}


def test_only_what_is_named_is_measured_and_by_its_estimator():
    seen = made_features()
    values, reasons = measured(seen, {"h-score", "leep", "knn", "imagenet-top1"})
    assert values == {
        "h-score": h_score(seen.train, seen.train_labels),
        "leep": leep(seen.source, seen.train_labels),
        "knn": knn_accuracy(seen.train, seen.train_labels, seen.validation, seen.validation_labels),
    }
    assert reasons == {}


def test_without_a_source_head_its_scores_have_the_reason_given():
    values, reasons = measured(made_features(source=False), SCORES)
    assert set(values) == set(OF_FEATURES)
    assert reasons == dict.fromkeys(OF_SOURCE, "the file has no classifier; choose n-leep")


def test_what_cannot_be_measured_has_a_reason_and_leaves_the_others():
    seen = made_features()
    spoilt = seen.validation.copy()
    spoilt[4, 2] = math.nan
    values, reasons = measured(dataclasses.replace(seen, validation=spoilt), SCORES)
    assert set(reasons) == {"knn", "linear-head"}
    assert "validation features of 1 of 90 images are not finite" in reasons["knn"]
    assert set(values) == {*OF_FEATURES, *OF_SOURCE} - set(reasons)


def test_features_that_are_all_the_same_have_reasons():
    _, reasons = measured(made_features(train=np.zeros((90, 8), np.float32)), OF_FEATURES)
    assert set(reasons) == set(OF_FEATURES)
    assert all("all images have the same features" in reason for reason in reasons.values())


def test_an_unknown_score_offers_the_nearest():
    with pytest.raises(UnknownNameError, match=r"unknown score 'logm'.*logme"):
        measured(made_features(), ["logm"])


def test_the_table_says_what_a_score_is():
    for name, score in SCORES.items():
        assert score.summary
        assert "\n" not in score.summary
        assert score.source
        assert (score.measure is None) == (name in OF_CARDS)


# Cards


def application(name="MobileNetV2", **changes):
    return dataclasses.replace(Candidate(name, "application", name), **changes)


@pytest.mark.parametrize("name", ["MobileNetV2", "ResNet50", "EfficientNetB0"])
def test_a_network_as_published_has_its_published_facts(name):
    values, reasons = card_scores(application(name).identity())
    assert values == {
        "imagenet-top1": MODELS[name].top1,
        "parameters": float(MODELS[name].parameters),
    }
    assert reasons == {}
    assert 0.5 < values["imagenet-top1"] < 1


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (application(arguments={"alpha": 0.35}), "that of its default arguments, not of alpha=0.3"),
        (application(weights="random"), "Keras's ImageNet weights, not of its random weights"),
        (application(weights="/a/b.weights.h5"), "weights, not of its own weights file"),
        (application(preprocessing="caffe"), "that of its own preprocessing, 'tf', not of 'caffe'"),
        (application("AlexNet"), "no ImageNet accuracy is published for AlexNet"),
        (Candidate("a", "file", "/a.keras", {}, "included"), "it is a file, and no ImageNet"),
        (Candidate("a", "preset", "a_b", {}, "included"), "it is a preset, and no ImageNet"),
    ],
)
def test_what_was_not_published_has_no_imagenet_accuracy(candidate, reason):
    values, reasons = card_scores(candidate.identity())
    assert "imagenet-top1" not in values
    assert reason in reasons["imagenet-top1"]
    assert "choose a score of features" in reasons["imagenet-top1"]


def test_the_network_s_own_preprocessing_may_be_stated():
    values, reasons = card_scores(application(preprocessing="tf").identity())
    assert values["imagenet-top1"] == MODELS["MobileNetV2"].top1
    assert reasons == {}


def test_parameters_are_counted_where_the_card_does_not_know_them():
    candidate = application(arguments={"alpha": 0.35})
    values, reasons = card_scores(candidate.identity())
    assert "parameters" not in values
    assert "counted when it is built" in reasons["parameters"]
    values, reasons = card_scores(candidate.identity(), {"parameters": 410_208})
    assert values == {"parameters": 410_208.0}
    assert "parameters" not in reasons


# Methods


def scored_run(model, score, *, epochs=0, **changes):
    run = made_run(model, rising_curve(0.7, 1.0, epochs))
    scores = {} if score is None else dict.fromkeys(SCORES, score)
    return dataclasses.replace(run, scores=scores, **changes)


def test_every_score_is_a_method():
    assert [kind.name for kind in SCORED] == list(SCORES)
    for kind in SCORED:
        made = kind()
        assert made.scores == {kind.name}
        assert made.signals == frozenset()
        assert (kind.summary, kind.source) == (SCORES[kind.name].summary, SCORES[kind.name].source)
        assert made == kind()
        with pytest.raises(dataclasses.FrozenInstanceError):
            made.name = "another"


@every_method
def test_candidates_are_ordered_without_any_epoch_and_without_a_prediction(kind):
    answer = kind().estimate([scored_run("a", -1.5), scored_run("b", 2.0), scored_run("c", 0.0)])
    assert answer.method == kind.name
    assert [(one.model, one.score) for one in answer.estimates] == [
        ("a", -1.5), ("b", 2.0), ("c", 0.0)
    ]  # fmt: skip
    assert all(math.isnan(one.mean) and math.isnan(one.sd) for one in answer.estimates)
    assert answer.refused == {}


@every_method
def test_epochs_change_nothing_and_need_not_be_as_many_for_all(kind):
    answer = kind().estimate([scored_run("a", 1.0, epochs=5), scored_run("b", 2.0)])
    assert [one.score for one in answer.estimates] == [1.0, 2.0]
    assert answer.refused == {}


@every_method
def test_without_its_score_a_candidate_is_refused_with_reason_or_remedy(kind):
    told = scored_run("told", None, unscored={kind.name: "its head was removed; keep it"})
    answer = kind().estimate([scored_run("a", 1.0), told, scored_run("silent", None)])
    assert [one.model for one in answer.estimates] == ["a"]
    assert answer.refused == {
        "told": "its head was removed; keep it",
        "silent": f"score '{kind.name}' was not measured; "
        f"run `ncselect rank --method {kind.name}` on it",
    }


@every_method
def test_failed_runs_and_scores_that_are_no_numbers_are_refused(kind):
    failed = scored_run("failed", 3.0, status="failed", error="loss is nan at epoch 3")
    answer = kind().estimate([scored_run("a", 1.0), failed, scored_run("b", math.nan)])
    assert [one.model for one in answer.estimates] == ["a"]
    assert "loss is nan at epoch 3" in answer.refused["failed"]
    assert f"score '{kind.name}' is nan; measure it again" in answer.refused["b"]


@every_method
def test_a_candidate_given_twice_is_an_error(kind):
    with pytest.raises(InputError, match="records hold a more than once"):
        kind().estimate([scored_run("a", 1.0), scored_run("a", 2.0)])


def test_the_tables_load_neither_scikit_learn_nor_scipy():
    code = (
        "import sys, ncselect.scores, ncselect.methods.scored; "
        "heavy = {'keras', 'tensorflow', 'sklearn', 'scipy', 'pandas'} & set(sys.modules); "
        "print(sorted(heavy)); sys.exit(bool(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
