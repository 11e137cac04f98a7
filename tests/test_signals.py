"""Signals of a network: against the network written out, and on both backends."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from probed import measurement, perceptron_network, sample, written_out

from ncselect.numerics import mlp
from ncselect.numerics.capacitance import DEFINITIONS
from ncselect.numerics.held import flow, held_capacitance
from ncselect.numerics.mixed_hessian import mixed_hessian
from ncselect.signals import SIGNALS
from zoo.errors import InputError
from zoo.ncp import probe_unit


@pytest.fixture
def float64():
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(before)
    keras.config.set_dtype_policy(before)


UNITS = [(order, stat) for order in ("bn-dense", "dense-bn") for stat in ("batch", "inference")]


@pytest.mark.parametrize(("order", "statistics"), UNITS)
def test_every_signal_of_a_network_written_out(order, statistics, float64):
    model, (x, y) = perceptron_network(order, statistics), sample()
    found = measurement(model, x, y, chunk=8).measure()
    layers = written_out(model)
    logits = mlp.forward(layers, x)[-1]
    assert list(found) == list(SIGNALS)
    assert found["training-loss"] == pytest.approx(mlp.cross_entropy(logits, y).mean(), rel=1e-9)
    assert found["training-error"] == (logits.argmax(axis=1) != y).mean()
    assert found["residual"] == pytest.approx(np.abs(mlp.residuals(logits, y)).mean(), rel=1e-9)
    dense = [at for at, layer in enumerate(layers) if isinstance(layer, mlp.Dense)]
    groups = {
        "base": [[(at, "kernel")] for at in dense],
        "norm": [
            [(at, "kernel")] if isinstance(layer, mlp.Dense) else [(at, "gamma"), (at, "beta")]
            for at, layer in enumerate(layers)
            if at > 0 and not isinstance(layer, mlp.Activation)
        ],
    }
    for name, nodes in groups.items():
        P = mixed_hessian(layers, x, y, nodes)
        assert found[f"denominator/{name}/exact"] == pytest.approx(P.sum(), rel=1e-6)
        assert found[f"beta/{name}/exact/signed"] == pytest.approx(
            (P @ P).sum() / P.sum(), rel=1e-6
        )
    assert abs(found["denominator/kernels/exact"]) > 1e-4
    assert abs(found["beta/kernels/exact/signed"]) < 1e-12
    assert found["beta/kernels/held/signed"] == 0.0
    for entrywise, sign in ((False, "signed"), (True, "entrywise")):
        base = held_capacitance(flow(layers, x, y), entrywise=entrywise)
        assert found[f"beta/base/held/{sign}"] == pytest.approx(base.value, rel=1e-9)
        kernels = held_capacitance(
            flow(layers[2:], mlp.forward(layers[:2], x)[-1], y), entrywise=entrywise
        )
        assert found[f"beta/kernels/held/{sign}"] == pytest.approx(kernels.value, rel=1e-9)


def test_measuring_changes_nothing_and_repeats_itself():
    model, (x, y) = perceptron_network(), sample()
    before = [np.asarray(v.value) for v in model.variables]
    measured = measurement(model, x, y)
    assert measured.measure() == measured.measure()
    assert all(
        (np.asarray(v.value) == b).all() for v, b in zip(model.variables, before, strict=True)
    )


def test_what_is_measured_follows_training():
    model, (x, y) = perceptron_network(), sample()
    measured = measurement(model, x, y)
    before = measured.measure()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, epochs=2, verbose=0)
    after = measured.measure()
    assert after == measurement(model, x, y).measure()
    assert after["training-loss"] != before["training-loss"]


def test_validation_is_inference_over_ragged_batches():
    model, (x, y) = perceptron_network(), sample(50)
    y = np.where(y == 2, 0, y)
    batches = [(x[:24], y[:24]), (x[24:48], y[24:48]), (x[48:], y[48:])]
    found = measurement(model, x[:20], y[:20], validation=batches, chunk=16).measure()
    logits = model.predict(x, verbose=0)
    right = logits.argmax(axis=1) == y
    assert found["validation-accuracy"] == pytest.approx(right.mean())
    assert found["validation-balanced-accuracy"] == pytest.approx(
        (right[y == 0].mean() + right[y == 1].mean()) / 2
    )
    assert found["validation-loss"] == pytest.approx(
        mlp.cross_entropy(logits.astype(float), y).mean(), rel=1e-5
    )


def test_networks_that_cannot_be_measured_say_why():
    x, y = sample()
    bare = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="top")])
    with pytest.raises(InputError, match=r"ends in layer 'top', not in a probe unit"):
        measurement(bare, x, y)
    kernelless = keras.Input((4,))
    kernelless = keras.Model(kernelless, probe_unit(kernelless, 3))
    with pytest.raises(InputError, match="no layer with a kernel below its probe unit"):
        measurement(kernelless, x, y)
    with pytest.raises(InputError, match="probe_labels lie in 0 … 2; give integers from 0 to 1"):
        measurement(perceptron_network(), x, y, classes=2)
    with pytest.raises(InputError, match=r"have shapes \(30, 4\) and \(29,\)"):
        measurement(perceptron_network(), x, y[1:])


def test_signals_are_named_without_keras():
    program = (
        "import sys; from ncselect.signals import SIGNALS; "
        "assert not {'keras', 'tensorflow', 'jax'} & set(sys.modules); print(len(SIGNALS))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert int(run.stdout) == len(SIGNALS)
    recorded = {f"beta/{d}" for d in DEFINITIONS if d.layers != "all"}
    assert recorded == {name for name in SIGNALS if name.startswith("beta/")}


BOTH = """
import importlib.abc, json, sys

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] == "tensorflow":
            raise ModuleNotFoundError(name)

if sys.argv[1] == "jax":
    sys.meta_path.insert(0, Blocked())
import keras, numpy as np
from ncselect.signals import Measurement
from zoo.ncp import probe_unit
x = keras.Input((9, 9, 3), dtype="uint8")
h = keras.layers.Rescaling(1 / 127.5, -1)(x)
h = keras.layers.Conv2D(8, 3, activation="relu")(h)
h = keras.layers.Add()([h, keras.layers.Conv2D(8, 3, padding="same", activation="relu")(h)])
h = keras.layers.GlobalAveragePooling2D()(h)
model = keras.Model(x, probe_unit(h, 3, units=(16, 8)))
rng = np.random.default_rng(0)
for weight in model.weights[:4]:
    weight.assign(rng.normal(size=weight.shape) / 4)
images, labels = rng.integers(0, 256, (40, 9, 9, 3), dtype=np.uint8), np.arange(40) % 3
found = Measurement(model, probe_images=images, probe_labels=labels, classes=3, chunk=16,
                    validation=lambda: [(images[:30], labels[:30])]).measure()
assert ("tensorflow" in sys.modules) == (sys.argv[1] != "jax")
print(json.dumps(found))
"""


def test_tensorflow_and_jax_agree_where_the_weights_are_the_same(monkeypatch, capsys):
    pytest.importorskip("jax")
    monkeypatch.setattr(sys, "argv", ["-c", "tensorflow"])
    exec(BOTH, {})
    run = subprocess.run(
        [sys.executable, "-c", BOTH, "jax"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
    )
    one, other = (
        json.loads(said.splitlines()[-1]) for said in (capsys.readouterr().out, run.stdout)
    )
    assert list(one) == list(other) == list(SIGNALS)
    for name in SIGNALS:
        if not name.startswith("beta/kernels/exact"):
            assert other[name] == pytest.approx(one[name], rel=2e-3, abs=1e-9), name
