"""Networks of a user's own: loaded safely, flattened, without their classifier."""

import dataclasses
import re
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from zoo.candidate import content_digest
from zoo.errors import InputError, WeightsUnavailableError
from zoo.models import Candidate, build, candidates
from zoo.ncp import probe_unit

L = keras.layers


@pytest.fixture
def images() -> Any:
    return np.random.default_rng(5).integers(0, 256, (3, 20, 24, 3), dtype=np.uint8)


def saved(model: Any, folder: Path) -> Candidate:
    path = folder / "net.keras"
    model.save(path)
    [candidate] = candidates(path)
    return candidate


def built(model: Any, folder: Path, images: Any) -> tuple[Any, Any]:
    base = build(saved(model, folder), images.shape[1:], seed=0)
    return base, np.asarray(base.model(images, training=False))


def body() -> list[Any]:
    return [L.Rescaling(1 / 255), L.Conv2D(6, 3, activation="relu"), L.BatchNormalization()]


def sequential(*layers: Any, shape: tuple[int | None, ...] = (None, None, 3)) -> Any:
    return keras.Sequential([keras.Input(shape), *body(), *layers])


def test_a_classifier_is_removed_and_its_features_remain(tmp_path: Path, images: Any) -> None:
    model = sequential(
        L.GlobalAveragePooling2D(name="gap"),
        L.Dropout(0.5, name="drop"),
        L.Dense(4, name="logits"),
        L.Softmax(name="probabilities"),
    )
    base, features = built(model, tmp_path, images)
    assert base.facts["head_removed"] == ["probabilities", "logits", "drop"]
    assert base.facts["preprocessing"] == base.facts["weights"] == "included"
    assert base.facts["pooling"] is None
    twin = keras.Model(model.inputs[0], model.get_layer("gap").output)
    np.testing.assert_allclose(features, twin(images.astype("float32")), atol=1e-6)


@pytest.mark.parametrize(
    ("head", "removed", "width"),
    [
        ([L.GlobalAveragePooling2D(), L.Dense(4, activation="softmax", name="a")], ["a"], 6),
        ([L.GlobalMaxPooling2D(), L.Dense(1, activation="sigmoid", name="a")], ["a"], 6),
        ([L.GlobalMaxPooling2D(), L.Dense(9, activation="relu")], [], 9),
        ([L.GlobalMaxPooling2D(), L.Dense(9, activation=L.LeakyReLU())], [], 9),
        ([L.GlobalMaxPooling2D(), L.Activation(L.LeakyReLU())], [], 6),
        ([L.GlobalMaxPooling2D(), L.Dense(4, activation=L.Softmax(), name="a")], ["a"], 6),
        ([L.Conv2D(8, 3)], [], 8),
        (
            [
                L.GlobalAveragePooling2D(keepdims=True),
                L.Conv2D(4, 1, name="c"),
                L.Flatten(name="f"),
                L.Activation("softmax", name="s"),
            ],
            ["s", "f", "c"],
            6,
        ),
        ([L.Reshape((-1, 6)), L.LayerNormalization()], [], 6),
    ],
)
def test_what_is_a_classifier(
    tmp_path: Path, images: Any, head: list[Any], removed: list[str], width: int
) -> None:
    base, features = built(sequential(*head, shape=(20, 24, 3)), tmp_path, images)
    assert base.facts["head_removed"] == removed
    assert features.shape == (3, width)


def test_nested_networks_are_dissolved_and_thawed(tmp_path: Path, images: Any) -> None:
    inner = keras.applications.MobileNet(
        include_top=False, weights=None, alpha=0.25, input_shape=(32, 32, 3)
    )
    inner.trainable = False
    middle = keras.Sequential([keras.Input((32, 32, 3)), L.Rescaling(1 / 127.5, -1), inner])
    model = keras.Sequential(
        [keras.Input((32, 32, 3)), middle, L.GlobalAveragePooling2D(), L.Dense(3)]
    )
    base, features = built(model, tmp_path, images)
    assert base.facts["resized_to"] == [32, 32]
    assert not any(isinstance(layer, keras.Model) for layer in base.model.layers)
    assert base.facts["parameters"] == inner.count_params() == 218_544
    # 14 convolutions and 13 depthwise ones, each followed by a scale and a shift.
    assert len(base.model.trainable_variables) == 27 * 3
    larger = keras.ops.image.resize(images.astype("float32"), (32, 32))
    expected = np.asarray(middle(larger, training=False)).mean((1, 2))
    np.testing.assert_allclose(features, expected, atol=1e-6)
    kernels = [layer for layer in base.model.layers if isinstance(layer, L.Conv2D)]
    keras.Model(kernels[-1].output, base.model.output)


@pytest.mark.parametrize("wrapped", [False, True])
def test_adapted_statistics_remain(tmp_path: Path, images: Any, wrapped: bool) -> None:
    normalization = L.Normalization()
    seen = images.astype("float32") / 50
    normalization.adapt(seen.reshape(-1, 24, 3) if wrapped else seen)
    model = keras.Sequential(
        [
            keras.Input((20, 24, 3)),
            L.TimeDistributed(normalization) if wrapped else normalization,
            L.Conv2D(4, 3),
        ]
    )
    _, features = built(model, tmp_path, images)
    expected = np.asarray(model(images.astype("float32"))).mean((1, 2))
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-5)


def test_layers_inside_wrappers_are_thawed(tmp_path: Path, images: Any) -> None:
    head = keras.Sequential([keras.Input((24, 3)), L.Dense(5), L.BatchNormalization()])
    head.layers[1].set_weights([np.full(5, value) for value in (2.0, 3.0, 4.0, 5.0)])
    head.trainable = False
    model = keras.Sequential(
        [
            keras.Input((20, 24, 3)),
            L.TimeDistributed(head),
            L.TimeDistributed(L.Dense(4, trainable=False)),
            L.Reshape((20, 96)),
            L.Bidirectional(L.SimpleRNN(2, trainable=False)),
        ]
    )
    base, features = built(model, tmp_path, images)
    # Two dense layers, a scale with a shift, and a recurrent layer of three weights twice.
    assert len(base.model.trainable_variables) == 2 * 2 + 2 + 2 * 3
    expected = np.asarray(model(images.astype("float32"), training=False))
    np.testing.assert_allclose(features, expected, atol=1e-5)


def test_nested_networks_may_use_the_same_layer_names(tmp_path: Path, images: Any) -> None:
    def part(channels: int) -> Any:
        return keras.Sequential([keras.Input((None, None, channels)), L.Conv2D(3, 3, name="c")])

    base, features = built(keras.Sequential([part(3), part(3)]), tmp_path, images)
    assert features.shape == (3, 3)
    assert base.facts["parameters"] == 2 * (27 * 3 + 3)


@pytest.mark.parametrize("name", ["pooling", "pooling_1", "images", "probe_logits", "probe_norm_1"])
def test_a_layer_may_have_a_name_that_is_used_here(tmp_path: Path, images: Any, name: str) -> None:
    base, features = built(sequential(L.Conv2D(4, 3, name=name)), tmp_path, images)
    assert base.facts["pooling"] == "average"
    plain, expected = built(sequential(L.Conv2D(4, 3, name="plain")), tmp_path, images)
    for variable, other in zip(base.model.variables, plain.model.variables, strict=True):
        variable.assign(other)
    np.testing.assert_array_equal(base.model(images, training=False), expected)
    assert features.shape == expected.shape == (3, 4)
    model = keras.Model(base.model.inputs, probe_unit(base.model.outputs[0], 3, units=(8,)))
    unit = model.layers[len(base.model.layers) :]
    assert [layer.name.split("_")[0] for layer in unit] == ["probe"] * 5
    assert not any(layer.name.startswith("probe_") for layer in base.model.layers)


def test_images_below_the_stated_size_are_enlarged(tmp_path: Path, images: Any) -> None:
    candidate = saved(sequential(L.Conv2D(4, 3)), tmp_path)
    stated = dataclasses.replace(candidate, smallest_size=22)
    base = build(stated, images.shape[1:], seed=0)
    assert base.facts["input_size"] == base.facts["resized_to"] == [22, 24]
    below = dataclasses.replace(candidate, smallest_size=20)
    assert build(below, images.shape[1:], seed=0).facts["resized_to"] is None
    half = dataclasses.replace(candidate, kind="application", source="MobileNet",
                               arguments={"alpha": 0.25}, weights="random")  # fmt: skip
    larger = dataclasses.replace(half, smallest_size=40)
    assert build(half, (20, 24, 3), seed=0).facts["input_size"] == [32, 32]
    assert build(larger, (20, 48, 3), seed=0).facts["input_size"] == [40, 48]
    fixed = saved(sequential(L.Conv2D(4, 3), shape=(32, 32, 3)), tmp_path)
    with pytest.raises(InputError, match="22, and takes images of 32 x 32 px alone"):
        build(dataclasses.replace(fixed, smallest_size=22), images.shape[1:], seed=0)


def test_grey_and_integer_inputs_get_what_they_take(tmp_path: Path, images: Any) -> None:
    model = keras.Sequential(
        [keras.Input((28, 28, 1), dtype="uint8"), *body(), L.GlobalAveragePooling2D()]
    )
    base, features = built(model, tmp_path, images)
    assert base.facts["resized_to"] == [28, 28]
    larger = keras.ops.image.resize(images.astype("float32"), (28, 28))
    grey = np.round(np.asarray(keras.ops.image.rgb_to_grayscale(larger))).astype("uint8")
    np.testing.assert_allclose(features, model(grey), atol=1e-6)


def test_a_pool_file_overrides_preprocessing(tmp_path: Path, images: Any) -> None:
    model = keras.Sequential([keras.Input((None, None, 3)), L.Conv2D(4, 3)])
    saved(model, tmp_path)
    (tmp_path / "pool.toml").write_text(
        "[[model]]\nname='mine'\nfile='net.keras'\npreprocessing='tf'"
    )
    [candidate] = candidates(tmp_path / "pool.toml")
    base = build(candidate, images.shape[1:], seed=0)
    assert base.facts["preprocessing"] == "tf"
    expected = np.asarray(model(images / np.float32(127.5) - 1)).mean((1, 2))
    np.testing.assert_allclose(base.model(images), expected, atol=1e-5)


IN_ANOTHER_PROCESS = """
import sys
import numpy as np
from zoo.models import build, candidates
from zoo.source_head import build_source_head
[file, images, out] = sys.argv[1:]
images = np.load(images)
for candidate in candidates(file):
    base = build(candidate, images.shape[1:], seed=0)
    head = build_source_head(candidate, images.shape[1:])
    np.savez(
        f"{out}/{candidate.name}.npz",
        features=base.model(images, training=False),
        probabilities=head.model(images, training=False),
        head_removed=base.facts["head_removed"],
    )
"""


def test_names_that_keras_gave_in_another_process_are_in_nobody_s_way(
    tmp_path: Path, images: Any
) -> None:
    """Of operations and layers, in front of the network, in it and behind it."""

    def named_as_in_a_fresh_process(model: Any) -> Any:
        given: Counter[str] = Counter()
        for part in model.operations:
            stem = re.sub(r"_\d+$", "", part.name)
            part.name = f"{stem}_{given[stem]}" if given[stem] else stem
            given[stem] += 1
        return model

    ops = keras.ops
    size = (16, 16)
    raw = keras.Input((*size, 3))
    x = ops.image.resize(ops.round(ops.flip(raw, axis=-1)), (12, 12))
    x = L.Conv2D(5, 3)(x * 0.01)
    x = ops.cast(ops.mean(ops.convert_to_tensor(x), (1, 2)), "float32")
    logits = L.Dense(3, name="logits")(ops.softmax(x))
    operations = named_as_in_a_fresh_process(keras.Model(raw, logits))

    raw = keras.Input((*size, 3))
    x = L.Conv2D(4, 3, name="preprocessing")(raw)
    x = L.Subtract()([L.Concatenate()([x, -x]), L.Concatenate()([x, x])])
    x = L.GlobalAveragePooling2D(name="cast")(x)
    layers = named_as_in_a_fresh_process(
        keras.Model(raw, L.Dense(1, activation="sigmoid", name="head")(x))
    )

    def part() -> Any:
        entry = keras.Input((*size, 3))
        return named_as_in_a_fresh_process(
            keras.Model(entry, ops.maximum(L.Conv2D(3, 3, padding="same")(entry), 0.1))
        )

    first, second = part(), part()
    first.name, second.name = "preprocessing", "second"
    raw = keras.Input((*size, 3))
    x = L.GlobalMaxPooling2D()(second(L.Conv2D(3, 1, name="conv2d")(first(raw))))
    nested = keras.Model(raw, L.Dense(2, activation="softmax", name="head")(x))

    wholes = {"operations": operations, "layers": layers, "nested": nested}
    for name, model in wholes.items():
        model.save(tmp_path / f"{name}.keras")
    (tmp_path / "pool.toml").write_text(
        "".join(
            f"[[model]]\nname = '{name}'\nfile = '{name}.keras'\npreprocessing = 'tf'\n"
            for name in wholes
        )
    )
    np.save(tmp_path / "images.npy", images)
    subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS,
         str(tmp_path / "pool.toml"), str(tmp_path / "images.npy"), str(tmp_path)],
        check=True,
    )  # fmt: skip
    pixels = ops.image.resize(images / np.float32(127.5) - 1, size, antialias=True)
    for name, model in wholes.items():
        found = np.load(tmp_path / f"{name}.npz")
        head = model.layers[-1]
        assert found["head_removed"].tolist() == [head.name]
        features, outputs = (
            np.asarray(keras.Model(model.inputs, tensor)(pixels))
            for tensor in (head.input, head.output)
        )
        np.testing.assert_allclose(found["features"], features, atol=1e-5)
        if name == "operations":
            outputs = np.asarray(ops.softmax(outputs))
        if name == "layers":
            outputs = np.concatenate([1 - outputs, outputs], axis=1)
        np.testing.assert_allclose(found["probabilities"], outputs, atol=1e-5)


def test_a_model_object_is_saved_once_and_known_by_its_content(tmp_path: Path) -> None:
    model = sequential(L.GlobalAveragePooling2D())
    [first], [again], [elsewhere] = (
        candidates(model, scratch=tmp_path / folder) for folder in ("a", "a", "b")
    )
    assert first == again
    assert len(list((tmp_path / "a").iterdir())) == 1
    assert elsewhere.source != first.source
    assert elsewhere.identity() == first.identity()
    model.layers[1].bias.assign(np.ones(6))
    [changed] = candidates([model], scratch=tmp_path / "a")
    assert changed.identity() != first.identity()
    with pytest.raises(InputError, match="no scratch folder"):
        candidates(model)


def test_writers_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    models = [
        keras.Sequential([keras.Input((8, 8, 3)), L.Conv2D(width, 3)], name="net")
        for width in (2, 3, 4, 5)
    ]
    start = threading.Barrier(len(models))

    def saved_paths(model: Any) -> list[str]:
        start.wait()
        return [candidates(model, scratch=tmp_path)[0].source for _ in range(5)]

    with ThreadPoolExecutor(len(models)) as pool:
        paths = list(pool.map(saved_paths, models))
    for model, found in zip(models, paths, strict=True):
        [path] = map(Path, set(found))
        assert path.stem == f"net-{content_digest(path).removeprefix('sha256:')[:16]}"
        assert keras.saving.load_model(path).count_params() == model.count_params()
    assert len(list(tmp_path.iterdir())) == len(models)


@pytest.mark.parametrize(
    ("before", "change"),
    [
        (b"\x89HDF", 200),  # inside the weights
        (b"PK\x01\x02", 10),  # the directory's compression method
    ],
)
def test_a_damaged_file_has_an_identity_and_fails_alone(
    tmp_path: Path, before: bytes, change: int
) -> None:
    candidate = saved(sequential(L.GlobalAveragePooling2D()), tmp_path)
    intact = candidate.identity()
    path = Path(candidate.source)
    content = bytearray(path.read_bytes())
    content[content.rindex(before) + change] ^= 64
    path.write_bytes(content)
    damaged = candidate.identity()
    assert damaged != intact
    assert damaged["source"].startswith("sha256:")
    with pytest.raises(WeightsUnavailableError, match=r"net\.keras is damaged or no \.keras file"):
        build(candidate, (8, 8, 3), seed=0)


def test_code_in_a_file_is_never_run(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((8, 8, 3)), L.Lambda(lambda x: x * 2), L.Conv2D(2, 3)])
    with pytest.raises(InputError, match=r"safe mode: .*Lambda.*never run"):
        build(saved(model, tmp_path), (8, 8, 3), seed=0)


def test_files_that_are_no_networks_of_images_are_refused(tmp_path: Path, images: Any) -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = L.Dense(2)

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs)

    own = Own()
    own(np.zeros((1, 4), "float32"))
    with pytest.raises(InputError, match="is a Own without a graph of layers"):
        candidates(own, scratch=tmp_path)
    vectors = keras.Sequential([keras.Input((4,)), L.Dense(2)])
    with pytest.raises(InputError, match=r"takes inputs of shape \[\(None, 4\)\]"):
        build(saved(vectors, tmp_path), (8, 8, 3), seed=0)
    entry = keras.Input((8, 8, 3))
    two = keras.Model(entry, [L.Conv2D(2, 3)(entry), L.Conv2D(2, 3)(entry)])
    with pytest.raises(InputError, match="has 2 outputs"):
        build(saved(two, tmp_path), (8, 8, 3), seed=0)
    linear = keras.Sequential([keras.Input((20, 24, 3)), L.Flatten(), L.Dense(2)])
    with pytest.raises(InputError, match="no weights besides its classifier"):
        built(linear, tmp_path, images)
    deep = keras.Sequential([keras.Input((None, None, 3)), L.Conv2D(2, 9), L.Conv2D(2, 9)])
    with pytest.raises(InputError, match=r"cannot take images of 8 x 8 px.*larger image_size"):
        build(saved(deep, tmp_path), (8, 8, 3), seed=0)
    (tmp_path / "text.keras").write_text("no archive")
    with pytest.raises(WeightsUnavailableError, match=r"no \.keras file: File is not a zip file"):
        build(candidates(tmp_path / "text.keras")[0], (8, 8, 3), seed=0)
    with pytest.raises(WeightsUnavailableError, match=r"no file .*gone\.keras"):
        build(candidates(tmp_path / "gone.keras")[0], (8, 8, 3), seed=0)


def test_a_preset_is_scaled_as_it_says(tmp_path: Path, images: Any) -> None:
    hub = pytest.importorskip("keras_hub", reason="keras-hub (extra 'hub') is not installed")
    backbone = hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64],
        stackwise_num_blocks=[1],
        stackwise_num_strides=[1],
        block_type="basic_block",
        image_shape=(None, None, 3),
    )
    scale, offset = np.array([1 / 58, 1 / 57, 1 / 56]), np.array([-2.1, -2.0, -1.8])
    converter = hub.layers.ResNetImageConverter(scale=list(scale), offset=list(offset))
    backbone.save_to_preset(str(tmp_path / "preset"))
    (tmp_path / "pool.toml").write_text(
        "[[model]]\nname='mine'\npreset='preset'\npreprocessing='tf'"
    )
    [stated] = candidates(tmp_path / "pool.toml")
    assert stated.source == str(tmp_path / "preset")
    assert stated.identity()["source"].startswith("sha256:")
    base = build(stated, images.shape[1:], seed=0)
    expected = np.asarray(backbone(images / 127.5 - 1, training=False)).mean((1, 2))
    np.testing.assert_allclose(base.model(images, training=False), expected, atol=1e-4)
    [candidate] = candidates(f"hub:{tmp_path / 'preset'}")
    with pytest.raises(WeightsUnavailableError, match="does not say how images are scaled"):
        build(candidate, images.shape[1:], seed=0)
    converter.save_to_preset(str(tmp_path / "preset"))
    [candidate] = candidates(f"hub:{tmp_path / 'preset'}")
    assert (candidate.name, candidate.kind) == ("preset", "preset")
    base = build(candidate, images.shape[1:], seed=0)
    expected = np.asarray(backbone(images * scale + offset, training=False)).mean((1, 2))
    np.testing.assert_allclose(base.model(images, training=False), expected, atol=1e-4)
    missing = Candidate("p", "preset", "no_such_preset", {}, "included")
    with pytest.raises(WeightsUnavailableError, match="no preset 'no_such_preset'"):
        build(missing, images.shape[1:], seed=0)
