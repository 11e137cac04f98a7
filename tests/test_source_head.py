"""Source heads: the probabilities that the whole network itself would give."""

import sys
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from zoo.errors import WeightsUnavailableError
from zoo.models import Candidate, build, candidates
from zoo.source_head import NoSourceHead, SourceHead, build_source_head

L = keras.layers


@pytest.fixture
def images() -> Any:
    return np.random.default_rng(5).integers(0, 256, (3, 20, 24, 3), dtype=np.uint8)


def network(*head: Any) -> Any:
    """Return a network of this head on random features that differ between images."""
    keras.utils.set_random_seed(1)
    body = [L.Rescaling(1 / 255), L.Conv2D(6, 3, activation="relu"), L.BatchNormalization()]
    return keras.Sequential([keras.Input((16, 16, 3)), *body, *head])


def head_of(model: Any, folder: Path, images: Any) -> SourceHead | NoSourceHead:
    [candidate] = candidates(model, scratch=folder)
    return build_source_head(candidate, images.shape[1:])


def outputs(model: Any, images: Any) -> Any:
    smaller = keras.ops.image.resize(images.astype("float32"), (16, 16), antialias=True)
    return np.asarray(model(smaller, training=False))


def softmax(logits: Any) -> Any:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


POOL = L.GlobalAveragePooling2D


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (lambda: [POOL(), L.Dense(4, activation="softmax")], lambda seen: seen),
        (lambda: [POOL(), L.Dropout(0.5), L.Dense(4), L.Softmax()], lambda seen: seen),
        (lambda: [POOL(), L.Dense(4, activation=L.Softmax())], lambda seen: seen),
        (
            lambda: [POOL(), L.Dense(4, activation="linear"), L.Activation("softmax")],
            lambda seen: seen,
        ),
        (lambda: [POOL(), L.Dense(4)], softmax),
        (lambda: [POOL(keepdims=True), L.Conv2D(4, 1)], lambda seen: softmax(seen[:, 0, 0])),
        (
            lambda: [POOL(keepdims=True), L.Conv2D(4, 1), L.Flatten(), L.Activation("softmax")],
            lambda seen: seen,
        ),
        (
            lambda: [POOL(), L.Dense(1, activation="sigmoid")],
            lambda seen: np.concatenate([1 - seen, seen], axis=1),
        ),
    ],
)
def test_probabilities_are_those_of_the_whole_network(
    tmp_path: Path, images: Any, head: Any, expected: Any
) -> None:
    model = network(*head())
    found = head_of(model, tmp_path, images)
    assert isinstance(found, SourceHead)
    probabilities = np.asarray(found.model(images, training=False))
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, expected(outputs(model, images)), atol=1e-5)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert np.ptp(probabilities, axis=0).max() > 1e-4


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (lambda: [POOL(), L.Dense(4, activation="relu")], "it ends in no classifier. Give the wh"),
        (lambda: [], "it ends in no classifier"),
        (
            lambda: [POOL(), L.Dense(4, activation="sigmoid")],
            "its 4 sigmoid outputs are no distribution over classes. If its classes exclude",
        ),
        (lambda: [POOL(), L.Dense(1)], "its one output is no distribution over classes. Save it"),
        (lambda: [POOL(), L.Dense(1, activation="softmax")], "its one output is no distribution"),
    ],
)
def test_what_is_no_distribution_is_a_reason(
    tmp_path: Path, images: Any, head: Any, reason: str
) -> None:
    found = head_of(network(*head()), tmp_path, images)
    assert isinstance(found, NoSourceHead)
    assert reason in found.reason
    assert found.reason.endswith(".")


@pytest.mark.parametrize(
    ("source", "weights", "reason"),
    [
        ("MobileNet", "random", "MobileNet has no source head: its weights are random. Ask for"),
        ("MobileNet", "/somewhere/w.weights.h5", "its weights file holds the headless base alone"),
        ("AlexNet", "imagenet", "Keras has no ImageNet weights for AlexNet"),
    ],
)
def test_networks_without_their_classifier_say_so_and_are_not_built(
    images: Any, source: str, weights: str, reason: str
) -> None:
    candidate = Candidate(source, "application", source, {}, weights)
    found = build_source_head(candidate, images.shape[1:])
    assert isinstance(found, NoSourceHead)
    assert reason in found.reason


def test_imagenet_classifiers_come_from_the_cache_of_keras_or_not_at_all(
    tmp_path: Path, images: Any, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    keras.utils.set_random_seed(2)
    twin = keras.applications.MobileNet(weights=None, alpha=0.25)
    # Random kernels let features shrink from layer to layer until all images look the same.
    twin.set_weights([w * 8 if w.ndim == 4 else w for w in twin.get_weights()])
    cached = tmp_path / "models" / "mobilenet_2_5_224_tf.h5"
    cached.parent.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras would rather save .keras; its cache holds .h5
        twin.save(cached)
    # Keras reads KERAS_HOME once, when it is imported.
    module = sys.modules[keras.applications.MobileNet.__module__]
    monkeypatch.setattr(module.file_utils.config, "_KERAS_DIR", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    def imagenet(alpha: float) -> Any:
        return Candidate("m", "application", "MobileNet", {"alpha": alpha}, "imagenet")

    found = build_source_head(imagenet(0.25), images.shape[1:])
    assert isinstance(found, SourceHead)
    assert found.model.output_shape == (None, 1000)
    larger = keras.ops.image.resize(images.astype("float32"), (224, 224), antialias=True)
    expected = np.asarray(twin(np.asarray(larger) / np.float32(127.5) - 1, training=False))
    seen = np.asarray(found.model(images, training=False))
    np.testing.assert_allclose(seen, expected, atol=2e-4)
    assert np.ptp(expected, axis=0).max() > 1e-3
    with pytest.raises(WeightsUnavailableError) as caught:
        build_source_head(imagenet(0.5), images.shape[1:])
    assert "m: no ImageNet classifier: URL fetch failure" in str(caught.value)
    assert str(caught.value).endswith(f"Put the file into {tmp_path / 'models'}.")
    assert capfd.readouterr().out == ""


def test_the_source_head_sits_on_the_features_that_are_scored(tmp_path: Path, images: Any) -> None:
    model = network(POOL(), L.Dense(4, name="head"))
    [candidate] = candidates(model, scratch=tmp_path)
    base = build(candidate, images.shape[1:], seed=0)
    kernel, bias = model.get_layer("head").get_weights()
    logits = np.asarray(base.model(images, training=False)) @ kernel + bias
    found = build_source_head(candidate, images.shape[1:])
    assert isinstance(found, SourceHead)
    seen = np.asarray(found.model(images, training=False))
    np.testing.assert_allclose(seen, softmax(logits), atol=1e-5)
