"""Small networks under a probe unit, and data for them."""

from __future__ import annotations

import keras
import numpy as np

from ncselect.measuring.probe import MeasuredProbe
from ncselect.measuring.split import split
from ncselect.numerics import mlp
from ncselect.signals import Measurement
from zoo.ncp import probe_unit


def measurement(model, x, y, classes=3, validation=None, **arguments):
    held_out = [(x, y)] if validation is None else validation
    return Measurement(
        model,
        probe_images=x,
        probe_labels=y,
        validation=lambda: held_out,
        classes=classes,
        **arguments,
    )


def randomised(model, seed=0):
    """Give all weights, batch norms' included, values that no closed form can shrug off."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if "seed" in weight.name:
            continue
        positive = weight.name.endswith("variance")
        draw = rng.uniform(0.5, 1.5, weight.shape) if positive else rng.normal(size=weight.shape)
        weight.assign(draw / (np.sqrt(weight.shape[0]) if len(weight.shape) > 1 else 1.0))
    return model


def perceptron_network(order="bn-dense", statistics="batch", units=(5, 4)):
    """A dense base under a probe unit, and what of it is the base's kernel."""
    x = keras.Input((4,))
    base = keras.layers.Dense(6, activation="relu", name="base")(x)
    unit = probe_unit(base, 3, order=order, statistics=statistics, units=units)
    return randomised(keras.Model(x, unit))


def written_out(model):
    """The network as a plain perceptron, for measuring."""
    kernel, bias = (np.asarray(w.value) for w in model.get_layer("base").weights)
    probe = MeasuredProbe(split(model).probe).layers()
    return [mlp.Dense(kernel, bias), mlp.Activation("relu"), *probe]


def sample(n=30):
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, 4)), rng.integers(0, 3, n)


def images(n, size, classes=3):
    rng = np.random.default_rng(2)
    return rng.integers(0, 256, (n, size, size, 3), dtype=np.uint8), np.arange(n) % classes


def convolutional(layers, size=9):
    x = keras.Input((size, size, 3), dtype="uint8")
    h = keras.layers.Rescaling(1 / 127.5, -1)(x)
    for layer in layers:
        h = layer(h)
    return randomised(keras.Model(x, probe_unit(h, 3, units=(5, 4))))
