"""β_eff of all kernels of a small network, against P written out."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from probed import randomised, sample

from ncselect.measuring.whole import WholeNetwork
from ncselect.numerics import mlp
from ncselect.numerics.mixed_hessian import mixed_hessian
from zoo.errors import InputError


@pytest.fixture
def float64():
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(before)
    keras.config.set_dtype_policy(before)


def test_all_kernels_of_a_small_network(float64):
    x, y = sample()
    layers = [keras.layers.Dense(w, activation="tanh") for w in (5, 4, 4)]
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(3)])
    randomised(model)
    dense = [mlp.Dense(*(np.asarray(w.value) for w in layer.weights)) for layer in model.layers]
    plain = [layer for one in dense for layer in (one, mlp.Activation("tanh"))][:-1]
    P = mixed_hessian(plain, x, y, [[(at, "kernel")] for at in (0, 2, 4, 6)])
    found = WholeNetwork(model, x, y, probabilities=False).measure()
    assert found.denominator == pytest.approx(P.sum(), rel=1e-6)
    assert found.value == pytest.approx((P @ P).sum() / P.sum(), rel=1e-6)
    soft = keras.Sequential([keras.Input((4,)), *model.layers, keras.layers.Softmax()])
    again = WholeNetwork(soft, x, y, probabilities=True).measure()
    assert again.value == pytest.approx(found.value, rel=1e-9)


def test_networks_that_cannot_be_measured_say_why():
    x, y = sample()
    bare = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    with pytest.raises(InputError, match="has 1 layers with a kernel"):
        WholeNetwork(bare, x, y, probabilities=False)
    deep = [keras.layers.Dense(40) for _ in range(4)]
    big = keras.Sequential([keras.Input((4,)), *deep])
    with pytest.raises(InputError, match="4,960 kernel entries, more than the limit of 4,000"):
        WholeNetwork(big, x, y, probabilities=False, limit=4000)
