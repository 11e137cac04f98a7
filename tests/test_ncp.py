"""The probe unit: what it is made of, and that nothing thaws it."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo import ncp
from zoo.errors import InputError


def network(features=6, classes=3, **arguments):
    """A trainable base of one layer under a probe unit."""
    images = keras.Input((4,))
    base = keras.layers.Dense(features, activation="relu", name="base")(images)
    return keras.Model(images, ncp.probe_unit(base, classes, **{"units": (5, 4), **arguments}))


def data(n=32):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 4)).astype("float32"), np.arange(n) % 3


def frozen_weights(model):
    """Kernels, biases, γ and β of the probe unit, by path."""
    return {
        weight.path: np.asarray(weight.value)
        for layer in model.layers
        if layer.name.startswith(ncp.PREFIX)
        for weight in layer.weights
        if not weight.name.startswith("moving_")
    }


def train(model):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(0.05), loss=loss)
    model.fit(*data(), batch_size=16, verbose=0)


def assert_only_the_base_trains(model):
    assert {w.path for w in model.trainable_weights} == {"base/kernel", "base/bias"}


@pytest.mark.parametrize(
    ("order", "statistics"), [("bn-dense", "batch"), ("dense-bn", "inference")]
)
def test_training_moves_the_base_and_no_bit_of_the_probe(order, statistics):
    model = network(order=order, statistics=statistics)
    before = frozen_weights(model)
    base = np.asarray(model.get_layer("base").kernel.value)
    train(model)
    after = frozen_weights(model)
    assert len(before) == 10
    assert all((after[path] == before[path]).all() for path in before)
    assert np.abs(np.asarray(model.get_layer("base").kernel.value) - base).max() > 0.01


def test_a_clone_stays_frozen_and_begins_alike():
    model = network(seed=3)
    clone = keras.models.clone_model(model)
    assert_only_the_base_trains(clone)
    for path, weight in frozen_weights(model).items():
        np.testing.assert_array_equal(frozen_weights(clone)[path], weight)


def test_trainable_true_does_not_thaw():
    model = network()
    model.trainable = True
    for layer in model.layers:
        layer.trainable = True
    assert_only_the_base_trains(model)


def test_saved_and_loaded_in_safe_mode(tmp_path):
    model = network(order="dense-bn", initializer="he_normal_untruncated", momentum=0.5)
    train(model)
    model.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras", safe_mode=True)
    x, _ = data(9)
    np.testing.assert_array_equal(loaded(x), model(x))
    assert loaded.get_layer("probe_norm_1").get_config() == (
        model.get_layer("probe_norm_1").get_config()
    )
    assert_only_the_base_trains(loaded)


def test_the_order_of_layers():
    def kinds(model):
        return [layer.name for layer in model.layers if layer.name.startswith(ncp.PREFIX)]

    hidden = ["norm_{}", "dense_{}", "activation_{}", "dropout_{}"]
    literal = [f"probe_{name.format(n)}" for n in (1, 2) for name in hidden]
    assert kinds(network(order="bn-dense")) == [*literal, "probe_logits"]
    hidden[:2] = hidden[1::-1]
    usual = [f"probe_{name.format(n)}" for n in (1, 2) for name in hidden]
    assert kinds(network(order="dense-bn")) == [*usual, "probe_logits"]


def test_a_trained_head_is_the_only_layer_that_learns():
    model = network(head="trained")
    assert {w.path for w in model.trainable_weights} == {
        "base/kernel",
        "base/bias",
        "probe_logits/kernel",
        "probe_logits/bias",
    }


def test_output_is_logits():
    x, _ = data(50)
    logits = np.asarray(network(units=(32,))(x))
    assert logits.min() < 0
    assert np.abs(logits.sum(axis=1) - 1).max() > 0.1


@pytest.mark.parametrize("truncated", [True, False])
def test_kernels_have_kaiming_variance(truncated):
    kernel = np.asarray(ncp.KaimingNormal(0, truncated)((500, 400)))
    sd = np.sqrt(2 / 500)
    assert kernel.std() == pytest.approx(sd, rel=0.01)
    assert abs(kernel.mean()) < 4 * sd / np.sqrt(kernel.size)
    beyond = (np.abs(kernel) > 2.0 / 0.8796256610342398 * sd).mean()
    # Share of a normal beyond 2/.88 standard deviations.
    assert beyond == (0 if truncated else pytest.approx(0.02298, rel=0.1))


def test_the_seed_decides_the_kernels_and_no_two_are_alike():
    one, same, other = (frozen_weights(network(units=(6, 6), seed=s)) for s in (1, 1, 2))
    kernels = [path for path in one if path.endswith("kernel")]
    assert all((one[path] == same[path]).all() for path in kernels)
    assert all((one[path] != other[path]).any() for path in kernels)
    assert (one["probe_dense_1/kernel"] != one["probe_dense_2/kernel"]).any()


def test_batch_norm_in_training_and_inference():
    rng = np.random.default_rng(0)
    x = rng.normal(3.0, 2.0, size=(40, 5)).astype("float32")
    norm = ncp.FixedBatchNormalization("batch", momentum=0.75)
    got = np.asarray(norm(x, training=True))
    np.testing.assert_allclose(got, (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3), atol=1e-5)
    np.testing.assert_allclose(norm.moving_mean.numpy(), 0.25 * x.mean(0), rtol=1e-5)
    np.testing.assert_allclose(norm.moving_variance.numpy(), 0.75 + 0.25 * x.var(0), rtol=1e-5)
    for _ in range(60):
        norm(x, training=True)
    np.testing.assert_allclose(np.asarray(norm(x, training=False)), got, atol=1e-4)


def test_inference_statistics_never_move():
    x = np.full((8, 2), 5.0, dtype="float32") * [[1.0, -1.0]]
    norm = ncp.FixedBatchNormalization("inference")
    got = np.asarray(norm(x, training=True))
    np.testing.assert_allclose(got, x / np.sqrt(1.001), rtol=1e-6)
    assert (np.asarray(norm.moving_mean.value) == 0).all()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"order": "dense"}, r"order is 'dense'; give bn-dense or dense-bn"),
        ({"statistics": "moving"}, r"statistics is 'moving'; give batch or inference"),
        ({"head": "none"}, r"head is 'none'; give frozen or trained"),
        ({"activation": "gelu"}, r"activation is 'gelu'; give relu or linear"),
        ({"initializer": "zeros"}, r"initializer is 'zeros'; give he_normal or"),
        ({"classes": 1}, r"classes is 1; .*at least 2"),
        ({"units": (4, 0)}, r"units is \(4, 0\)"),
        ({"dropout": 1.0}, r"dropout is 1.0; give a rate in \[0, 1\)"),
        ({"momentum": 1.0}, r"momentum is 1.0; give a number in \[0, 1\)"),
        ({"seed": -1}, r"seed is -1"),
    ],
)
def test_bad_arguments_are_named(arguments, text):
    with pytest.raises(InputError, match=text):
        network(**arguments)


def test_unpooled_features_are_refused():
    with pytest.raises(InputError, match=r"features has shape \(None, 2, 2, 3\).*pool"):
        ncp.probe_unit(keras.Input((2, 2, 3)), 3)


def test_without_hidden_layers_the_unit_is_a_classifier():
    features = keras.Input((6,))
    model = keras.Model(features, ncp.probe_unit(features, 3, units=(), head="trained"))
    (classifier,) = model.layers[1:]
    assert [tuple(weight.shape) for weight in classifier.trainable_weights] == [(6, 3), (3,)]
