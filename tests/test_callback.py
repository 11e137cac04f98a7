from __future__ import annotations

import keras
import numpy as np
import pytest

import ncselect
from zoo.errors import InputError
from zoo.ncp import probe_unit


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 96)
    return rng.normal(size=(96, 6)).astype("float32") + y[:, None], y


def small(output="softmax"):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            *(keras.layers.Dense(8, activation="tanh") for _ in range(3)),
            keras.layers.Dense(3, activation=output),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def test_beta_eff_is_in_the_history_and_is_the_oracle_s(data):
    from ncselect.numerics import mlp
    from ncselect.numerics.capacitance import beta_eff
    from ncselect.numerics.mixed_hessian import mixed_hessian

    x, y = data
    model = small()
    history = model.fit(
        x, y, epochs=2, verbose=0, callbacks=[ncselect.NeuralCapacitance(x[:32], y[:32])]
    )
    values = history.history["beta_eff"]
    assert len(values) == 2
    layers = []
    for place, layer in enumerate(model.layers):
        kernel, bias = (np.asarray(w.value, dtype=float) for w in layer.weights)
        layers.append(mlp.Dense(kernel, bias))
        if place < 3:
            layers.append(mlp.Activation("tanh"))
    nodes = [[(2 * place, "kernel")] for place in range(4)]
    P = mixed_hessian(layers, x[:32].astype(float), y[:32], nodes)
    wanted = beta_eff([P.sum(axis=1)], [P.sum(axis=0)]).value
    assert values[-1] == pytest.approx(wanted, rel=1e-3)


def test_a_probed_network_is_measured_on_its_probe_unit(data):
    x, y = data
    inputs = keras.Input((6,))
    features = keras.layers.Dense(16, activation="relu")(inputs)
    model = keras.Model(inputs, probe_unit(features, 3, units=(12, 8)))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    one_hot = np.eye(3)[y]
    watch = ncselect.NeuralCapacitance(x[:64], one_hot[:64])
    values = model.fit(x, y, epochs=2, verbose=0, callbacks=[watch]).history["beta_eff"]
    assert np.isfinite(values).all()
    assert values[0] != values[1]


def test_labels_as_keras_data_sets_give_them_are_the_same_labels(data):
    x, y = data
    values = []
    for labels in (y, y[:, None], np.eye(3)[y]):
        watch = ncselect.NeuralCapacitance(x[:32], labels[:32])
        values += small().fit(x, y, epochs=1, verbose=0, callbacks=[watch]).history["beta_eff"]
    assert values[0] == values[1] == values[2]


@pytest.mark.parametrize("labels", [np.full(32, 3), np.full(32, -1), np.full(32, 0.5)])
def test_labels_outside_the_classes_are_refused(data, labels):
    watch = ncselect.NeuralCapacitance(data[0][:32], labels)
    with pytest.raises(InputError, match="y "):
        small().fit(*data, epochs=1, verbose=0, callbacks=[watch])


def test_a_saturated_softmax_gives_what_its_logits_give(data):
    x, y = data
    values = []
    for output in ("softmax", "linear"):
        model = small(output)
        for layer in model.layers:
            layer.kernel.assign(layer.kernel * 1.5)
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(output == "linear"))
        model.optimizer.learning_rate = 0.0
        watch = ncselect.NeuralCapacitance(x[:32], y[:32])
        values += model.fit(x, y, epochs=1, verbose=0, callbacks=[watch]).history["beta_eff"]
    assert values[0] == pytest.approx(values[1], rel=1e-3)


def test_a_softmax_layer_is_a_softmax(data):
    x, y = data
    logits = small("linear")
    model = keras.Sequential([*logits.layers, keras.layers.Softmax()])
    model.compile("adam", "sparse_categorical_crossentropy")
    watch = ncselect.NeuralCapacitance(x[:32], y[:32])
    assert np.isfinite(model.fit(x, y, verbose=0, callbacks=[watch]).history["beta_eff"]).all()


@pytest.mark.parametrize(
    ("model", "definition", "reason"),
    [
        (small("sigmoid"), None, "ends in 'sigmoid'"),
        (small(), "base/held/signed", "has no probe unit; use all/exact/signed"),
    ],
)
def test_a_model_that_cannot_be_measured_is_refused_when_fit_starts(
    data, model, definition, reason
):
    x, y = data
    watch = ncselect.NeuralCapacitance(x[:32], y[:32], definition=definition)
    with pytest.raises(InputError, match=reason):
        model.fit(x, y, epochs=1, verbose=0, callbacks=[watch])


def test_an_unknown_definition_is_refused_at_once(data):
    with pytest.raises(InputError, match="definition"):
        ncselect.NeuralCapacitance(*data, definition="base/exact/entrywise")
