"""Built networks: the right pixels in, the features that Keras itself would give out."""

import inspect
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from zoo.errors import InputError, WeightsUnavailableError
from zoo.models import MODELS, Candidate, build, candidates
from zoo.preprocessing import preprocessed


@pytest.fixture(scope="module")
def images() -> Any:
    return np.random.default_rng(3).integers(0, 256, (3, 40, 48, 3), dtype=np.uint8)


def features(base: Any, images: Any) -> Any:
    return np.asarray(base.model(images, training=False))


def random(name: str, **arguments: float) -> Candidate:
    return Candidate(name, "application", name, arguments, "random")


def exported() -> dict[str, Any]:
    names = [name for name in dir(keras.applications) if name[0].isupper()]
    return {name: getattr(keras.applications, name) for name in names}


def test_the_cards_are_what_keras_exports() -> None:
    assert {card.application for card in MODELS.values()} - {None} == set(exported())


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"AlexNet"}))
def test_cards_state_preprocessing_and_arguments_of_keras(name: str) -> None:
    card, function = MODELS[name], exported()[name]
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 3, 3, 3)).astype("float32")
    expected = sys.modules[function.__module__].preprocess_input(pixels.copy())
    np.testing.assert_allclose(preprocessed(pixels, card.preprocessing), expected, atol=1e-4)
    assert set(card.arguments) <= set(inspect.signature(function).parameters)


@pytest.mark.parametrize(
    "name", ["MobileNet", "MobileNetV2", "MobileNetV3Small", "VGG16", "ConvNeXtTiny", "ResNet50V2"]
)
def test_cards_state_the_parameters_of_a_real_build(name: str) -> None:
    size = MODELS[name].smallest_size
    base = build(random(name), (size, size, 3), seed=0)
    assert base.facts["parameters"] == MODELS[name].parameters == base.model.count_params()
    assert base.facts["resized_to"] is None
    assert base.model.output_shape == (None, base.facts["features"])


def test_the_cards_agree_with_the_published_table() -> None:
    # https://keras.io/api/applications
    card = MODELS["NASNetMobile"]
    assert (card.top1, card.top5, card.depth) == (0.744, 0.919, 389)
    assert MODELS["MobileNetV3Small"].top1 is None
    assert MODELS["MobileNet"].megabytes == pytest.approx(12.317, abs=1e-3)


@pytest.mark.parametrize("index", [0, 5])
def test_real_weights_give_the_features_of_plain_keras(
    real_data: Path, images: Any, index: int
) -> None:
    candidate = candidates(real_data / "mobilenets.toml")[index]
    base = build(candidate, images.shape[1:], seed=0)
    twin = getattr(keras.applications, candidate.source)(
        include_top=False,
        weights=candidate.weights,
        input_shape=images.shape[1:],
        **candidate.arguments,
    )
    expected = np.asarray(twin(images / np.float32(127.5) - 1, training=False)).mean((1, 2))
    assert expected.max() > 0.5
    np.testing.assert_allclose(features(base, images), expected, atol=1e-4)
    assert base.facts["weights"] == f"file {Path(candidate.weights).name}"
    assert base.facts["preprocessing"] == "tf"


def test_images_below_the_smallest_input_are_resized(images: Any) -> None:
    base = build(random("Xception"), images.shape[1:], seed=0)
    assert base.facts["input_size"] == base.facts["resized_to"] == [71, 71]
    larger = keras.ops.image.resize(images.astype("float32"), (71, 71))
    whole = build(random("Xception"), (71, 71, 3), seed=0)
    np.testing.assert_allclose(features(base, images), features(whole, larger), atol=1e-4)


def test_image_size_is_one_size_for_all_but_never_too_small(images: Any) -> None:
    base = build(random("MobileNet", alpha=0.25), images.shape[1:], seed=0, image_size=64)
    assert base.facts["resized_to"] == [64, 64]
    base = build(random("AlexNet"), images.shape[1:], seed=0, image_size=32)
    assert base.facts["resized_to"] == [67, 67]


def test_calling_a_resizing_base_without_training_leaves_its_statistics(images: Any) -> None:
    base = build(random("MobileNet", alpha=0.25), images.shape[1:], seed=0, image_size=64)
    before = [np.array(variable.value) for variable in base.model.variables]
    base.model(images)
    for old, new in zip(before, base.model.variables, strict=True):
        np.testing.assert_array_equal(old, np.asarray(new.value))


def test_the_seed_decides_random_weights(images: Any) -> None:
    first, again, other = (
        features(build(random("MobileNet", alpha=0.25), (40, 48, 3), seed=seed), images)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0


def test_the_graph_is_flat_and_can_be_cut(images: Any) -> None:
    base = build(random("MobileNet", alpha=0.25), (40, 48, 3), seed=0)
    kernels = [layer for layer in base.model.layers if getattr(layer, "kernel", None) is not None]
    below = keras.Model(base.model.input, kernels[-1].output)
    above = keras.Model(kernels[-1].output, base.model.output)
    halves = np.asarray(above(below(images, training=False), training=False))
    np.testing.assert_allclose(halves, features(base, images), atol=1e-6)


def test_efficientnet_weights_give_what_imagenet_gives(
    tmp_path: Path, images: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"include_top": False, "pooling": "avg", "input_shape": images.shape[1:]}
    plain = keras.applications.EfficientNetB0(weights=None, **options)
    normalization = next(
        layer for layer in plain.layers if isinstance(layer, keras.layers.Normalization)
    )
    normalization.set_weights(
        [np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]), np.array(0)]
    )
    path = tmp_path / "b0.weights.h5"
    plain.save_weights(path)
    # Keras's own branch for "imagenet", given this file for its download, whose md5 is pinned.
    module = sys.modules[keras.applications.EfficientNetB0.__module__]
    monkeypatch.setattr(module.file_utils, "get_file", lambda *args, **kwargs: str(path))
    genuine = keras.applications.EfficientNetB0(**options)
    base = build(
        Candidate("b0", "application", "EfficientNetB0", {}, str(path)), (40, 48, 3), seed=0
    )
    expected = np.asarray(genuine(images.astype("float32"), training=False))
    scale = np.abs(expected).max()
    np.testing.assert_allclose(features(base, images) / scale, expected / scale, atol=1e-3)
    without = np.asarray(plain(images.astype("float32"), training=False))
    assert np.abs(without - expected).max() > 0.05 * scale


def test_imagenet_comes_from_the_cache_of_keras_or_not_at_all(tmp_path: Path, images: Any) -> None:
    twin = keras.applications.MobileNet(include_top=False, weights=None, alpha=0.25, pooling="avg")
    cached = tmp_path / "models" / "mobilenet_2_5_224_tf_no_top.h5"
    cached.parent.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras would rather save .keras; its cache holds .h5
        twin.save(cached)
    np.save(tmp_path / "images.npy", images)
    code = f"""
import warnings; warnings.simplefilter("error", UserWarning)
import numpy as np
from zoo.errors import WeightsUnavailableError
from zoo.models import Candidate, build
home = {str(tmp_path)!r}
def mobilenet(alpha):
    candidate = Candidate("m", "application", "MobileNet", dict(alpha=alpha), "imagenet")
    return build(candidate, (40, 48, 3), seed=0).model
images = np.load(home + "/images.npy")
np.save(home + "/features.npy", np.asarray(mobilenet(0.25)(images, training=False)))
try:
    mobilenet(0.5)
except WeightsUnavailableError as error:
    open(home + "/error.txt", "w").write(str(error))
"""
    unreachable = "http://127.0.0.1:9"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **os.environ,
            "KERAS_HOME": str(tmp_path),
            "https_proxy": unreachable,
            "HTTPS_PROXY": unreachable,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    expected = np.asarray(twin(images / np.float32(127.5) - 1, training=False))
    np.testing.assert_allclose(np.load(tmp_path / "features.npy"), expected, atol=1e-5)
    message = (tmp_path / "error.txt").read_text()
    assert message.startswith("m: no ImageNet weights: URL fetch failure on https://storage.")
    assert message.endswith("give a weights path, or ask for weights 'random'.")
    assert "\n" not in message
    assert str(cached.parent) in message


def test_jax_without_tensorflow_gives_the_same_features(tmp_path: Path, images: Any) -> None:
    cases = {"AlexNet": build(random("AlexNet"), (40, 48, 3), seed=0)}
    path = tmp_path / "alexnet.weights.h5"
    cases["AlexNet"].model.save_weights(path)
    pool = [Candidate("AlexNet", "application", "AlexNet", {}, str(path)).to_json()]
    net = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(5, activation="softmax"),
        ]
    )
    [saved] = candidates(net, scratch=tmp_path)
    cases["saved"] = build(saved, (40, 48, 3), seed=0)
    pool.append({**saved.to_json(), "name": "saved"})
    np.save(tmp_path / "images.npy", images)
    code = f"""
import sys
class NoTensorFlow:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tensorflow":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NoTensorFlow())
import keras, numpy as np
from zoo.models import Candidate, build
assert keras.backend.backend() == "jax"
images = np.load({str(tmp_path / "images.npy")!r})
features = {{}}
for document in {pool!r}:
    candidate = Candidate.from_json(document)
    base = build(candidate, (40, 48, 3), seed=0)
    features[candidate.name] = base.model.predict(images, verbose=0)
np.savez({str(tmp_path / "features.npz")!r}, **features)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "features.npz") as found:
        for name, base in cases.items():
            expected = features(base, images)
            scale = np.abs(expected).max()  # random kernels let features shrink
            np.testing.assert_allclose(
                found[name] / scale, expected / scale, atol=1e-4, err_msg=name
            )


@pytest.mark.parametrize(
    ("source", "arguments", "weights", "text"),
    [
        ("AlexNet", {}, "imagenet", "Keras has no ImageNet weights for AlexNet. Give the path"),
        ("MobileNet", {"alpha": 0.3}, "imagenet", "m: no ImageNet weights: .*alpha.*random"),
        ("MobileNet", {}, "/nowhere/w.weights.h5", "m: no weights file /nowhere/w.weights.h5"),
    ],
)
def test_weights_that_cannot_be_had_say_so(
    source: str, arguments: dict[str, float], weights: str, text: str
) -> None:
    with pytest.raises(WeightsUnavailableError, match=text):
        build(Candidate("m", "application", source, arguments, weights), (40, 48, 3), seed=0)


def test_weights_that_do_not_fit_say_so(tmp_path: Path) -> None:
    other = tmp_path / "other.weights.h5"
    build(random("MobileNet", alpha=0.5), (32, 32, 3), seed=0).model.save_weights(other)
    broken = tmp_path / "broken.weights.h5"
    broken.write_bytes(other.read_bytes()[:4000])
    for path in (other, broken):
        candidate = Candidate("m", "application", "MobileNet", {"alpha": 0.25}, str(path))
        with pytest.raises(WeightsUnavailableError, match=f"{path.name} does not fit"):
            build(candidate, (32, 32, 3), seed=0)


def test_build_refuses_what_is_no_rgb_image() -> None:
    with pytest.raises(InputError, match=r"image_shape is \(28, 28, 1\)"):
        build(random("MobileNet"), (28, 28, 1), seed=0)
    with pytest.raises(InputError, match="image_size is 0"):
        build(random("MobileNet"), (28, 28, 3), seed=0, image_size=0)
    with pytest.raises(InputError, match=r"MobileNet cannot be built with arguments .*alpha.*-1"):
        build(random("MobileNet", alpha=-1), (32, 32, 3), seed=0)
