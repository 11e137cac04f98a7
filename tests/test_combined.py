"""What combined makes of each kind of evidence."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from made_runs import made_run, rising_curve

from ncselect.methods import method
from ncselect.types import Background, Curve, Outcome
from zoo.errors import InputError

ZOO = ("ResNet50", "EfficientNetB0", "VGG16", "MobileNet", "DenseNet121")


def candidate(name, curve, *, weights="imagenet", scores=None, dataset="mine", **identity):
    record = made_run(name, curve, scores=scores or {}, dataset=dataset)
    identity = {
        "kind": "application", "source": name, "arguments": {}, "weights": weights,
        "preprocessing": "unlike the card's", **identity,
    }  # fmt: skip
    return dataclasses.replace(record, spec=dataclasses.replace(record.spec, candidate=identity))


def published(name, curve=(), **options):
    from zoo.cards import MODELS

    return candidate(name, curve, preprocessing=MODELS[name].preprocessing, **options)


def combined(records, background=None, **options):
    return method("combined", background or Background(), **options).estimate(records)


def means(answer):
    return {one.model: one.mean for one in answer.estimates}


CURVE = [0.4, 0.5, 0.55]


def test_like_curves_are_told_apart_by_what_their_features_promise():
    heads = {"a": 0.6, "b": 0.8, "c": 0.7, "d": 0.75}
    records = [candidate(name, CURVE, scores={"linear-head": head}) for name, head in heads.items()]
    scores = {one.model: one.score for one in combined(records).estimates}
    assert sorted(scores, key=scores.get) == ["a", "c", "d", "b"]
    bare = [candidate(name, CURVE) for name in heads]
    assert len({round(one.score, 9) for one in combined(bare).estimates}) == 1


def test_networks_known_elsewhere_are_ordered_before_training_and_surely_seen_curves_win():
    untrained = combined([published(name) for name in ZOO])
    scores = {one.model: one.score for one in untrained.estimates}
    assert scores["EfficientNetB0"] > scores["VGG16"]
    assert untrained.draws.shape == (2000, len(ZOO))
    long = [published(name, rising_curve(0.9 if name == "VGG16" else 0.6, 1.5, 45)) for name in ZOO]
    trained = means(combined(long))
    assert max(trained, key=trained.get) == "VGG16"


def test_what_is_known_of_the_dataset_itself_is_not_used():
    accuracies = (0.1, 0.9, 0.5, 0.99, 0.3)
    own = tuple(Outcome(name, "mine", one) for name, one in zip(ZOO, accuracies, strict=True))
    other = tuple(dataclasses.replace(one, dataset="another") for one in own)
    records = [published(name) for name in ZOO]
    plain = combined(records)
    assert combined(records, Background(experience=own)).estimates == plain.estimates
    assert combined(records, Background(experience=other)).estimates != plain.estimates


def test_a_history_that_goes_on_rising_promises_more_than_one_that_levels_off():
    rng = np.random.default_rng(1)

    def history(speed):
        return tuple(
            Curve("other", f"net-{k}", rising_curve(rng.uniform(0.6, 0.95), speed, 50, rng, 0.005))
            for k in range(60)
        )

    records = [candidate(name, CURVE, weights="random") for name in "abc"]
    slow, quick = (
        means(combined(records, Background(history=history(speed)))) for speed in (0.3, 3.0)
    )
    assert all(slow[name] > quick[name] + 0.02 for name in "abc")


def test_pre_trained_networks_are_expected_to_level_off_early():
    curve = rising_curve(0.8, 1.0, 10)
    tuned = means(combined([candidate(name, curve) for name in "abc"]))
    scratch = means(combined([candidate(name, curve, weights="random") for name in "abc"]))
    assert all(tuned[name] < scratch[name] for name in "abc")


def test_draws_belong_to_the_estimates_beside_them():
    finals = {"d": 0.5, "a": 0.9, "c": 0.6, "b": 0.7}
    answer = combined(
        [candidate(name, rising_curve(final, 1.0, 10)) for name, final in finals.items()]
    )
    assert [one.model for one in answer.estimates] == list(finals)
    for column, one in enumerate(answer.estimates):
        assert answer.draws[:, column].mean() == pytest.approx(one.mean, abs=3 * one.sd / 40)


def test_a_network_named_twice_is_known_twice():
    twice = [
        published("ResNet50"),
        dataclasses.replace(published("ResNet50"), spec=dataclasses.replace(
            published("ResNet50").spec, model="again")),
        published("VGG16"), published("EfficientNetB0"),
    ]  # fmt: skip
    scores = {one.model: one.score for one in combined(twice).estimates}
    assert scores["again"] == pytest.approx(scores["ResNet50"])
    assert scores["VGG16"] < scores["again"] < scores["EfficientNetB0"]
    names = [candidate(name, CURVE) for name in ("Foo", "foo", "bar")]
    assert len(combined(names).estimates) == 3


def test_a_dataset_that_was_learned_from_is_told():
    records = [candidate(name, CURVE, weights="random", dataset="cifar-10") for name in "ab"]
    assert "learned from curves on cifar-10" in combined(records).notes[0]
    assert combined([candidate(name, CURVE) for name in "ab"]).notes == ()


def test_nothing_known_before_training_is_refused_with_the_remedy():
    answer = combined([candidate(name, []) for name in "ab"])
    assert not answer.estimates
    assert "observe epochs" in answer.refused["a"]


def test_the_number_of_training_images_may_be_missing():
    record = published("ResNet50")
    data = {"counts": {"train": None}}
    records = [
        dataclasses.replace(one, spec=dataclasses.replace(one.spec, data=data))
        for one in (record, published("VGG16"))
    ]
    assert all(math.isfinite(one.mean) for one in combined(records).estimates)


@pytest.mark.parametrize(
    ("background", "text"),
    [
        (Background(horizon=0), "horizon is 0"),
        (Background(history=(Curve("d", "m", np.array([0.1, math.nan])),)), "between 0 and 1"),
        (Background(history=(Curve("d", "m", np.array([10.0, 20.0])),)), "between 0 and 1"),
    ],
)
def test_what_cannot_be_used_is_an_error(background, text):
    with pytest.raises(InputError, match=text):
        method("combined", background)
