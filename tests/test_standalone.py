"""Networks that stand alone: the same numbers where this package cannot be imported."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import replace

import keras
import numpy as np
import pytest

from zoo.errors import InputError
from zoo.models import Candidate, build
from zoo.ncp import probe_unit
from zoo.standalone import HEAD, class_names, keep_class_names, standalone

L = keras.layers

ALONE = """
import sys
sys.modules.update(ncselect=None, zoo=None)
import keras, numpy as np
for file in sys.argv[1:]:
    network = keras.saving.load_model(file, safe_mode=True)
    np.save(file + "-p.npy", np.asarray(network(np.load(file + ".npy"), training=False)))
"""


def images(side, count=3):
    """Return pictures that differ in colour, each with a noise of its own."""
    rng = np.random.default_rng(side)
    colours = rng.integers(40, 216, (count, 1, 1, 3))
    return (colours + rng.integers(-40, 40, (count, side, side, 3))).astype(np.uint8)


def made(network, path):
    """Save a network and return it as a candidate."""
    network.save(path)
    return Candidate(path.stem, "file", str(path), {}, "included")


def random_values(candidate, side, classes):
    """Return values for all variables of a base and its classifier, and what they predict."""
    base = build(candidate, (side, side, 3), seed=0).model
    rng = np.random.default_rng(1)
    for variable in base.variables:
        if "seed" not in variable.path:
            variable.assign(variable + np.abs(rng.normal(0, 0.02, variable.shape)))
        if len(variable.shape) == 4:
            variable.assign(4 * variable)  # or images look alike after a few random layers
    features = np.asarray(base(images(side), training=False))
    kernel = rng.normal(size=(features.shape[1], classes)) / features.std()
    bias = -features.mean(axis=0) @ kernel
    powers = np.exp(features @ kernel + bias)
    values = [*(np.asarray(variable.value) for variable in base.variables), kernel, bias]
    return values, powers / powers.sum(axis=1, keepdims=True)


def body(*more, size=(None, None)):
    return keras.Sequential(
        [
            keras.Input((*size, 3)),
            L.Rescaling(1 / 255),
            L.Conv2D(5, 3, activation="relu"),
            L.BatchNormalization(momentum=0.93),
            L.Dropout(0.5),
            *more,
        ]
    )


CASES = {
    "free": (body, 20, (None, None, 3)),
    "fixed by a dense layer": (
        lambda: body(L.Flatten(), L.Dense(4, activation="relu"), size=(16, 16)), 16, (16, 16, 3),
    ),
    "resized inside": (
        lambda: body(L.Flatten(), L.Dense(4, activation="relu"), size=(16, 16)),
        20,
        (None, None, 3),
    ),
    "fixed by the number of its tokens": (
        lambda: body(L.Reshape((196, 5)), L.Conv1D(4, 3), size=(16, 16)), 16, (16, 16, 3),
    ),
    "a network inside": (
        lambda: body(keras.Sequential([keras.Input((14, 14, 5)), L.Conv2D(6, 3)]), size=(16, 16)),
        16,
        (None, None, 3),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("network", "side", "takes"), CASES.values(), ids=list(CASES))
def test_a_saved_network_predicts_what_base_and_classifier_do(tmp_path, network, side, takes):
    candidate = made(network(), tmp_path / "net.keras")
    values, expected = random_values(candidate, side, classes=4)
    whole = standalone(candidate, (side, side, 3), 4, values=[*values, np.zeros(7)])
    whole.save(tmp_path / "whole.keras")
    loaded = keras.saving.load_model(tmp_path / "whole.keras", safe_mode=True)
    predicted = np.asarray(loaded(images(side), training=False))
    np.testing.assert_allclose(predicted, expected, atol=1e-5)
    assert np.ptp(expected, axis=0).max() > 0.1
    assert loaded.input_shape[1:] == takes
    assert loaded.layers[-1].name == HEAD
    momenta = {one.momentum for one in loaded.layers if isinstance(one, L.BatchNormalization)}
    assert momenta == {0.93}
    if takes[0] is None:
        assert loaded(images(side + 3), training=False).shape == (3, 4)


def test_networks_load_where_this_package_is_not(tmp_path):
    """AlexNet has a layer of our own; the other wants BGR and gets 20 px enlarged."""
    small = made(body(size=(32, 32)), tmp_path / "small.keras")
    cases = {
        str(tmp_path / "alexnet.keras"): (
            Candidate("AlexNet", "application", "AlexNet", {}, "random"), 67,
        ),
        str(tmp_path / "bgr.keras"): (replace(small, preprocessing="caffe"), 20),
    }  # fmt: skip
    expected = {}
    for file, (candidate, side) in cases.items():
        values, expected[file] = random_values(candidate, side, classes=5)
        standalone(candidate, (side, side, 3), 5, values=values).save(file)
        np.save(f"{file}.npy", images(side))
    done = subprocess.run(
        [sys.executable, "-c", ALONE, *cases], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for file, probabilities in expected.items():
        np.testing.assert_allclose(np.load(f"{file}-p.npy"), probabilities, atol=1e-4)
        assert np.ptp(probabilities, axis=0).max() > 0.1


def test_what_stands_alone_is_a_candidate_again(tmp_path):
    """A second source stage: the first one's classifier goes, its base stays."""
    first = made(body(), tmp_path / "net.keras")
    values, _ = random_values(first, 20, classes=4)
    second = made(standalone(first, (20, 20, 3), 4, values=values), tmp_path / "second.keras")
    again, expected = random_values(second, 20, classes=7)
    whole = standalone(second, (20, 20, 3), 7, values=again)
    assert len(whole.variables) == len(values)
    np.testing.assert_allclose(whole(images(20), training=False), expected, atol=1e-5)


def test_a_base_may_have_a_layer_of_the_classifier_s_name(tmp_path):
    images = keras.Input((16, 16, 3))
    maps = keras.layers.Conv2D(4, 3, name=HEAD)(images)
    keras.Model(images, maps).save(tmp_path / "own.keras")
    own = Candidate("own", "file", str(tmp_path / "own.keras"), {}, "included")
    network = standalone(own, (16, 16, 3), 5)
    assert network.output_shape == (None, 5)
    assert network.get_layer(HEAD).kernel.shape == (3, 3, 3, 4)
    assert network.layers[-1].activation is keras.activations.softmax


def test_values_of_another_network_are_refused(tmp_path):
    candidate = made(body(), tmp_path / "net.keras")
    values, _ = random_values(candidate, 20, classes=4)
    for wrong in (values[:-1], values[1:], [value.T for value in values]):
        with pytest.raises(ValueError, match="not those of the 9 variables"):
            standalone(candidate, (20, 20, 3), 4, values=wrong)


def test_a_layer_of_another_package_is_refused_by_name(tmp_path):
    @keras.saving.register_keras_serializable(package="elsewhere")
    class Twice(L.Layer):
        def call(self, inputs):
            return 2 * inputs

    candidate = made(body(Twice()), tmp_path / "net.keras")
    with pytest.raises(InputError, match=r"net has a layer of \w+, Twice: .* Keras's own layers"):
        standalone(candidate, (20, 20, 3), 4)


@pytest.mark.parametrize("order", ["bn-dense", "dense-bn"])
@pytest.mark.parametrize("statistics", ["batch", "inference"])
@pytest.mark.parametrize("last", ["frozen", "trained"])
def test_a_probe_unit_is_saved_as_keras_s_own_layers(tmp_path, order, statistics, last):
    candidate = made(body(), tmp_path / "net.keras")

    def unit(features):
        return probe_unit(
            features, 4, order=order, statistics=statistics, head=last, units=(7, 6), momentum=0.9
        )

    base = build(candidate, (20, 20, 3), seed=0).model
    probed = keras.Model(base.inputs[0], unit(base.outputs[0]))
    probed.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for _ in range(3):  # moving statistics move
        probed.train_on_batch(images(20, 8), np.arange(8) % 4)
    logits = np.asarray(probed(images(20), training=False))
    powers = np.exp(logits)

    values = [np.asarray(variable.value) for variable in probed.variables]
    whole = standalone(candidate, (20, 20, 3), 4, head=unit, values=[*values, np.zeros(7)])
    whole.save(tmp_path / "whole.keras")
    with zipfile.ZipFile(tmp_path / "whole.keras") as archive:
        assert b"ncselect" not in archive.read("config.json")
    loaded = keras.saving.load_model(tmp_path / "whole.keras", safe_mode=True)
    predicted = np.asarray(loaded(images(20), training=False))
    np.testing.assert_allclose(predicted, powers / powers.sum(axis=1, keepdims=True), atol=1e-5)
    frozen = {layer.name for layer in loaded.layers if not layer.trainable}
    assert frozen == {
        "ncp_norm_1", "ncp_norm_2", "ncp_dense_1", "ncp_dense_2",
        *(["ncp_logits"] if last == "frozen" else []),
    }  # fmt: skip


def test_a_network_that_resizes_sees_what_it_was_trained_on(tmp_path):
    candidate = made(body(), tmp_path / "net.keras")
    values, expected = random_values(candidate, 20, classes=4)
    whole = standalone(candidate, (20, 20, 3), 4, values=values, resizes=True)
    assert whole.input_shape == (None, None, None, 3)
    np.testing.assert_allclose(whole(images(20), training=False), expected, atol=1e-6)
    large = images(20).repeat(3, axis=1).repeat(5, axis=2).astype(np.float32)
    small = np.asarray(
        keras.ops.image.resize(large, (20, 20), interpolation="bilinear", antialias=True)
    )
    seen = np.asarray(whole(large, training=False))
    np.testing.assert_allclose(seen, whole(small, training=False), atol=1e-6)
    free = standalone(candidate, (20, 20, 3), 4, values=values)
    assert np.abs(seen - np.asarray(free(large, training=False))).max() > 1e-3


def test_class_names_lie_in_the_file_and_load_with_it(tmp_path):
    names = ["daisy", "tulip, red", "Löwenzahn 🌼", '"']
    file = tmp_path / "net.keras"
    network = keras.Sequential([keras.Input((4,)), L.Dense(4)])
    network.save(file)
    keep_class_names(file, names)
    assert class_names(file) == tuple(names)
    loaded = keras.saving.load_model(file)
    np.testing.assert_array_equal(loaded(np.eye(4)), network(np.eye(4)))
