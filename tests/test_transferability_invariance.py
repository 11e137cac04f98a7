"""What must not change an estimator of transferability, and what it makes of input at the edge."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_features import ON_FEATURES, ON_SOURCE, made, probabilities
from sklearn.datasets import load_digits

from ncselect.numerics.transferability.logme import logme
from zoo.errors import InputError

every_estimator = pytest.mark.parametrize("name", ON_FEATURES)


def close(first, second, *, tolerance=1e-6):
    assert first == pytest.approx(second, rel=tolerance, abs=tolerance)


@every_estimator
def test_the_names_of_the_classes_do_not_matter(name):
    train, y, validation, asked = made(classes=4)
    other = np.array([70, 3, 11, -2])
    score = ON_FEATURES[name]
    close(score((train, y, validation, asked)), score((train, other[y], validation, other[asked])))


@pytest.mark.parametrize("name", ON_SOURCE)
def test_the_names_of_target_and_source_classes_do_not_matter(name):
    theta, y = probabilities()
    score, other = ON_SOURCE[name], np.array([8, 2, 5])
    order = np.random.default_rng(0).permutation(theta.shape[1])
    close(score(theta, y), score(theta[:, order], other[y]))


def rotated(seen):
    train, y, validation, asked = (np.asarray(one, dtype=float) for one in seen)
    Q, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(train.shape[1],) * 2))
    return train @ Q, y.astype(int), validation @ Q, asked.astype(int)


def scaled(seen, by=250.0):
    train, y, validation, asked = seen
    return by * train, y, by * validation, asked


def shifted(seen):
    train, y, validation, asked = seen
    move = np.linspace(-2, 2, train.shape[1])
    return train + move, y, validation + move, asked


@pytest.mark.parametrize("name", [name for name in ON_FEATURES if name != "linear-head"])
def test_rotating_the_features_changes_nothing(name):
    seen = made(n=120, d=7)
    close(ON_FEATURES[name](seen), ON_FEATURES[name](rotated(seen)))


@every_estimator
@pytest.mark.parametrize("by", [1e-3, 250.0])
def test_the_unit_of_the_features_does_not_matter(name, by):
    seen = made(n=120, d=7)
    close(ON_FEATURES[name](seen), ON_FEATURES[name](scaled(seen, by)))


@pytest.mark.parametrize("name", [name for name in ON_FEATURES if name not in ("knn", "logme")])
def test_shifting_the_features_changes_nothing(name):
    seen = made(n=120, d=7)
    close(ON_FEATURES[name](seen), ON_FEATURES[name](shifted(seen)), tolerance=1e-5)


@every_estimator
def test_classes_further_apart_score_higher(name):
    near, far = made(n=120, d=7, apart=0.3), made(n=120, d=7, apart=2.0)
    assert ON_FEATURES[name](near) < ON_FEATURES[name](far)


@every_estimator
def test_the_same_input_gives_the_same_output_and_is_left_alone(name):
    seen = made()
    before = [one.copy() for one in seen]
    assert ON_FEATURES[name](seen) == ON_FEATURES[name](seen)
    for one, other in zip(seen, before, strict=True):
        np.testing.assert_array_equal(one, other)


# Input at the edge


def made_hard(kind):
    train, y, validation, asked = made(n=60, d=6)
    if kind == "one image in a class":
        y = np.where(y == 0, 1, y)
        y[0] = 0
    elif kind == "more features than images":
        train, y, validation, asked = made(n=20, d=50)
    elif kind == "features always 0":
        train[:, 2:] = validation[:, 2:] = 0.0
    elif kind == "an image without features":
        train[3] = validation[4] = 0.0
    elif kind == "perfectly apart":
        train += 1000 * np.eye(6, dtype=np.float32)[y]
        validation += 1000 * np.eye(6, dtype=np.float32)[asked]
    elif kind == "tiny":
        train, validation = train * 1e-30, validation * 1e-30
    elif kind == "huge":
        train, validation = train * 1e30, validation * 1e30
    elif kind == "a class not in training":
        asked = np.where(asked == 0, 9, asked)
    elif kind == "every image twice":
        train, y = np.tile(train, (2, 1)), np.tile(y, 2)
    elif kind == "two different images":
        train = train[[0, 1]][y % 2]
    return train, y, validation, asked


HARD = (
    "one image in a class", "more features than images", "features always 0",
    "an image without features", "perfectly apart", "tiny", "huge", "a class not in training",
    "every image twice", "two different images",
)  # fmt: skip


REASONS = {
    ("n-leep", "more features than images"): "20 images are too few for a Gaussian mixture; give",
    ("gbc", "one image in a class"): "1 of 3 classes have no spread, such as one of 1 training",
    ("gbc", "two different images"): "3 of 3 classes have no spread, such as one of .* give at",
}


@every_estimator
@pytest.mark.parametrize("kind", HARD)
def test_hard_input_gives_a_number_or_a_reason(name, kind):
    seen = made_hard(kind)
    if (name, kind) in REASONS:
        with pytest.raises(InputError, match=REASONS[name, kind]):
            ON_FEATURES[name](seen)
    else:
        assert math.isfinite(ON_FEATURES[name](seen))


def test_an_image_twice_does_not_make_the_evidence_grow_without_bound():
    train, y, _, _ = made(n=100, d=150)
    twice = np.concatenate([train, train[:1]]), np.concatenate([y, y[:1]])
    assert logme(*twice) == pytest.approx(logme(train, y), abs=0.2)


def test_features_that_reproduce_the_labels_score_above_all_others():
    train, y, _, _ = made(n=60, d=3)
    perfect = np.eye(3)[y]
    assert logme(perfect, y) > logme(perfect + 1e-3 * train, y) > logme(train, y)


@every_estimator
def test_features_that_never_differ_are_refused(name):
    seen = made()
    with pytest.raises(InputError, match="all images have the same features"):
        ON_FEATURES[name]((np.full_like(seen[0], 0.3), *seen[1:]))


@every_estimator
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused(name, value):
    seen = made()
    seen[0][[2, 5], 1] = value
    with pytest.raises(InputError, match="features of 2 of 60 images are not finite; check"):
        ON_FEATURES[name](seen)


@pytest.mark.parametrize("name", ["knn", "linear-head"])
def test_validation_features_that_are_not_finite_are_refused(name):
    seen = made()
    seen[2][7, 0] = math.nan
    with pytest.raises(InputError, match="validation features of 1 of 60 images are not finite"):
        ON_FEATURES[name](seen)


@every_estimator
def test_one_class_is_refused(name):
    train, y, validation, asked = made()
    with pytest.raises(InputError, match="the images are of 1 class; give images of at least 2"):
        ON_FEATURES[name]((train, np.zeros_like(y), validation, asked))


@every_estimator
def test_labels_of_another_number_of_images_are_refused(name):
    train, y, validation, asked = made()
    with pytest.raises(InputError, match=r"features of shape \(60, 5\).*labels of shape \(59,\)"):
        ON_FEATURES[name]((train, y[1:], validation, asked))


@pytest.mark.parametrize("name", ON_SOURCE)
def test_outputs_before_the_softmax_are_refused(name):
    theta, y = probabilities()
    with pytest.raises(InputError, match="give the head's outputs after its softmax"):
        ON_SOURCE[name](np.log(theta + 0.1), y)


@pytest.mark.parametrize("name", ["knn", "linear-head"])
def test_a_single_validation_image_is_enough_and_none_is_refused(name):
    train, y, validation, asked = made()
    assert ON_FEATURES[name]((train, y, validation[:1], asked[:1])) in (0.0, 1.0)
    with pytest.raises(InputError, match=r"validation features of shape \(0, 5\)"):
        ON_FEATURES[name]((train, y, validation[:0], asked[:0]))


@every_estimator
def test_real_images_score_higher_with_their_labels_than_with_shuffled_ones(name):
    digits = load_digits()
    images, y = digits.data.astype(np.float32), digits.target
    seen = images[:400], y[:400], images[400:600], y[400:600]
    shuffled = np.random.default_rng(0).permutation(y)
    without = seen[0], shuffled[:400], seen[2], shuffled[400:600]
    assert ON_FEATURES[name](seen) > ON_FEATURES[name](without)
