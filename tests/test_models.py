"""Built networks: the right pixels in, the features that Keras itself would give out."""

import csv
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


@pytest.mark.parametrize("name", sorted(name for name, card in MODELS.items() if card.application))
def test_cards_state_preprocessing_and_arguments_of_keras(name: str) -> None:
    card, function = MODELS[name], exported()[name]
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 3, 3, 3)).astype("float32")
    expected = sys.modules[function.__module__].preprocess_input(pixels.copy())
    np.testing.assert_allclose(preprocessed(pixels, card.preprocessing), expected, atol=1e-4)
    assert set(card.arguments) <= set(inspect.signature(function).parameters)


@pytest.mark.parametrize("name", ["MobileNetV3Small", "VGG16"])
def test_cards_state_the_parameters_of_a_real_build(name: str) -> None:
    size = MODELS[name].smallest_size
    base = build(random(name), (size, size, 3), seed=0)
    assert base.facts["parameters"] == MODELS[name].parameters == base.model.count_params()
    assert base.facts["resized_to"] is None
    assert base.model.output_shape == (None, base.facts["features"])


def test_the_cards_agree_with_the_published_table() -> None:
    table = Path(__file__).parent / "reference" / "keras_applications_table.csv"
    source, *lines = table.read_text(encoding="utf-8").splitlines()
    assert "https://keras.io/api/applications/" in source
    published = {
        row["model"]: (
            int(row["depth"]) if row["depth"] else None,
            *(
                float(row[key]) / 100 if row[key] else None
                for key in ("top1_percent", "top5_percent")
            ),
        )
        for row in csv.DictReader(lines)
    }
    assert len(published) == 38
    for name, card in MODELS.items():
        expected = published.pop(name, (None, None, None))
        assert (card.depth, card.top1, card.top5) == pytest.approx(expected), name
    assert published == {}


def test_megabytes_are_those_of_float32() -> None:
    # 3,228,864 parameters of 4 bytes.
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


def test_calling_a_resizing_base_without_training_leaves_its_statistics(images: Any) -> None:
    base = build(random("MobileNet", alpha=0.25), (20, 48, 3), seed=0)
    assert base.facts["resized_to"] == [32, 48]
    before = [np.array(variable.value) for variable in base.model.variables]
    base.model(images[:, :20])
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


B0 = {"include_top": False, "pooling": "avg", "input_shape": (32, 32, 3)}


@pytest.fixture(scope="module")
def efficientnet() -> Any:
    """Return an EfficientNetB0 with the statistics of its ImageNet weights."""
    plain = keras.applications.EfficientNetB0(weights=None, **B0)
    normalization = next(
        layer for layer in plain.layers if isinstance(layer, keras.layers.Normalization)
    )
    normalization.set_weights(
        [np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]), np.array(0)]
    )
    normalization.finalize_state()
    return plain


def test_a_saved_efficientnet_keeps_its_adapted_statistics(
    tmp_path: Path, images: Any, efficientnet: Any
) -> None:
    [candidate] = candidates(efficientnet, scratch=tmp_path)
    base = build(candidate, (32, 32, 3), seed=0)
    squares = images[:, :32, :32].astype("float32")
    expected = np.asarray(efficientnet(squares, training=False))
    scale = np.abs(expected).max()
    np.testing.assert_allclose(features(base, squares) / scale, expected / scale, atol=1e-5)


def test_efficientnet_weights_give_what_imagenet_gives(
    tmp_path: Path, images: Any, efficientnet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "b0.weights.h5"
    efficientnet.save_weights(path)
    # Keras's own branch for "imagenet", given this file for its download, whose md5 is pinned.
    module = sys.modules[keras.applications.EfficientNetB0.__module__]
    monkeypatch.setattr(module.file_utils, "get_file", lambda *args, **kwargs: str(path))
    genuine = keras.applications.EfficientNetB0(**B0)
    base = build(
        Candidate("b0", "application", "EfficientNetB0", {}, str(path)), (32, 32, 3), seed=0
    )
    squares = images[:, :32, :32].astype("float32")
    expected = np.asarray(genuine(squares, training=False))
    scale = np.abs(expected).max()
    np.testing.assert_allclose(features(base, squares) / scale, expected / scale, atol=1e-3)
    without = np.asarray(efficientnet(squares, training=False))
    assert np.abs(without - expected).max() > 0.05 * scale


def test_imagenet_comes_from_the_cache_of_keras_or_not_at_all(
    tmp_path: Path,
    images: Any,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    twin = keras.applications.MobileNet(include_top=False, weights=None, alpha=0.25, pooling="avg")
    cached = tmp_path / "models" / "mobilenet_2_5_224_tf_no_top.h5"
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
        candidate = Candidate("m", "application", "MobileNet", {"alpha": alpha}, "imagenet")
        return build(candidate, images.shape[1:], seed=0)

    expected = np.asarray(twin(images / np.float32(127.5) - 1, training=False))
    np.testing.assert_allclose(features(imagenet(0.25), images), expected, atol=1e-5)
    with pytest.raises(WeightsUnavailableError) as caught:
        imagenet(0.5)
    message = str(caught.value)
    assert message.startswith("m: no ImageNet weights: URL fetch failure on https://storage.")
    assert message.endswith("give a weights path, or ask for weights 'random'.")
    assert "\n" not in message
    assert str(cached.parent) in message
    assert capfd.readouterr().out == ""


def test_jax_without_tensorflow_gives_the_same_features(tmp_path: Path, images: Any) -> None:
    image = keras.ops.convert_to_numpy(keras.ops.image.resize(images[:1], (67, 67)))
    cases = {"AlexNet": build(random("AlexNet"), (67, 67, 3), seed=0)}
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
    cases["saved"] = build(saved, (67, 67, 3), seed=0)
    pool.append({**saved.to_json(), "name": "saved"})
    np.save(tmp_path / "image.npy", image)
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
image = np.load({str(tmp_path / "image.npy")!r})
features = {{}}
for document in {pool!r}:
    candidate = Candidate.from_json(document)
    base = build(candidate, (67, 67, 3), seed=0)
    features[candidate.name] = np.asarray(base.model(image, training=False))
np.savez({str(tmp_path / "features.npz")!r}, **features)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": "--xla_backend_optimization_level=0",  # compiles in half the time
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "features.npz") as found:
        for name, base in cases.items():
            expected = features(base, image)
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
    with pytest.raises(InputError, match=r"MobileNet cannot be built with arguments .*alpha.*-1"):
        build(random("MobileNet", alpha=-1), (32, 32, 3), seed=0)
