"""The small networks of the numerical notes: their derivatives, training and measurement."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest

from bench.perceptrons import (
    Exact,
    Ruler,
    adam,
    descent,
    digits,
    kernel_nodes,
    parameters,
    perceptron,
    probe,
)
from bench.shallow_probe import plain, printed, ratio, sample_matrices, size, with_biases
from bench.theorem_one import CASES, labelled, network, sign_changes, slope
from ncselect.measuring.probe import MeasuredProbe
from ncselect.numerics import mlp
from ncselect.numerics.held import flow
from ncselect.numerics.mixed_hessian import mixed_hessian
from zoo.ncp import probe_unit

UNITS = [
    pytest.param(*point, id="-".join(point))
    for point in itertools.product(("bn-dense", "dense-bn"), ("batch", "inference"))
]


def probed(order, statistics, seed=0):
    """Return a base of one layer below a probe unit, where the unit begins, images and labels."""
    rng = np.random.default_rng(seed)
    base = [*perceptron(rng, [4, 5]), mlp.Activation("relu")]
    layers = [*base, *probe(rng, 5, (4, 3), 3, order=order, statistics=statistics)]
    return with_biases(layers, rng), 2, rng.normal(size=(12, 4)), np.arange(12) % 3


@pytest.mark.parametrize(("order", "statistics"), UNITS)
def test_probe_has_the_layers_of_the_products_own(order, statistics):
    features = keras.Input((5,))
    logits = probe_unit(features, 3, units=(4, 3), order=order, statistics=statistics)
    theirs = MeasuredProbe(tuple(keras.Model(features, logits).layers[1:])).layers()
    unit = probe(np.random.default_rng(0), 5, (4, 3), 3, order=order, statistics=statistics)
    assert [type(layer) for layer in unit] == [type(layer) for layer in theirs]
    for mine, other in zip(unit, theirs, strict=True):
        if isinstance(mine, mlp.Norm):
            for name in ("gamma", "beta", "mean", "variance", "epsilon"):
                np.testing.assert_array_equal(getattr(mine, name), getattr(other, name))
        elif isinstance(mine, mlp.Dense):
            assert mine.kernel.shape == other.kernel.shape


@pytest.mark.parametrize(("order", "statistics"), UNITS)
def test_measured_beta_is_that_of_p_written_out(order, statistics):
    layers, start, x, labels = probed(order, statistics)
    found = Ruler(layers, 0, start)(layers, x, labels).beta
    P = mixed_hessian(layers, x, labels, kernel_nodes(layers))
    assert abs(found["exact/signed"].value) == pytest.approx(ratio([P]), rel=1e-5)
    unit, features = layers[start:], mlp.forward(layers[:start], x)[-1]
    P = mixed_hessian(unit, features, labels, kernel_nodes(unit, norms=True))
    assert abs(found["norm/exact/signed"].value) == pytest.approx(ratio([P]), rel=1e-5)
    samples = sample_matrices(flow(layers, x, labels))
    assert abs(found["held/signed"].value) == pytest.approx(ratio(samples), rel=1e-9)
    mean = np.mean(samples, axis=0)
    assert abs(found["held/signed/batch"].value) == pytest.approx(ratio([mean]), rel=1e-9)
    absolute = [np.abs(P) for P in samples]
    assert found["held/entrywise"].value == pytest.approx(ratio(absolute), rel=1e-9)


def test_exact_follows_weights_that_change():
    layers, _, x, labels = probed("bn-dense", "batch")
    exact = Exact(layers, kernel_nodes(layers))
    other = probed("bn-dense", "batch", seed=1)[0]
    assert exact(layers, x, labels).value != exact(other, x, labels).value
    fresh = Exact(other, kernel_nodes(other))(other, x, labels)
    assert exact(other, x, labels).value == pytest.approx(fresh.value, rel=1e-12)


def test_gradients_of_samples_are_put_together_rightly():
    layers, _, x, labels = probed(None, "batch")
    seen = Ruler(layers, 0)(layers, x, labels)
    kernels = [(at, name) for at, name in parameters(layers) if name == "kernel"]

    def norm(images, classes):
        found = mlp.gradients(layers, images, classes)
        return np.sqrt(sum((found[at][name] ** 2).sum() for at, name in kernels))

    own = [norm(x[i : i + 1], labels[i : i + 1]) for i in range(len(x))]
    assert seen.gradient == pytest.approx(norm(x, labels), rel=1e-9)
    assert seen.sample_gradient == pytest.approx(np.mean(own), rel=1e-9)


def test_adam_first_moves_each_weight_by_the_rate_and_what_is_frozen_not_at_all():
    layers, start, x, labels = probed("bn-dense", "batch")
    after = next(adam(layers, x, labels, parameters(layers, start), rate=0.01))
    gradient = mlp.gradients(layers, x, labels)[0]["kernel"]
    moved = layers[0].kernel - after[0].kernel
    used = np.abs(gradient) > 1e-8
    assert used.any()
    np.testing.assert_allclose(moved[used], 0.01 * np.sign(gradient[used]), rtol=1e-3)
    assert all(a is b for a, b in zip(layers[start:], after[start:], strict=True))


def test_adam_takes_the_steps_of_keras():
    layers, _, x, labels = probed("dense-bn", "inference")
    optimizer = keras.optimizers.Adam(0.02, epsilon=1e-12)
    weights = keras.Variable(layers[0].kernel, dtype="float64")
    for after in itertools.islice(adam(layers, x, labels, [(0, "kernel")], rate=0.02), 20):
        gradient = mlp.gradients(
            [mlp.Dense(np.array(weights), layers[0].bias), *layers[1:]], x, labels
        )[0]["kernel"]
        optimizer.apply([gradient], [weights])
        np.testing.assert_allclose(after[0].kernel, np.array(weights), rtol=1e-4, atol=1e-6)


def test_conflicting_labels_end_at_the_loss_they_must_keep():
    rng = np.random.default_rng(0)
    x, labels = labelled(CASES["conflicting"], rng)
    x, labels = x.reshape(3, -1, 64)[:, :6].reshape(-1, 64), labels.reshape(3, -1)[:, :6].ravel()
    layers = perceptron(rng, [64, 16, 16, 10])
    *_, end = descent(layers, x, labels, parameters(layers), steps=400)
    loss = mlp.cross_entropy(mlp.forward(end, x)[-1], labels).mean()
    assert loss == pytest.approx(np.log(3) - 2 / 3 * np.log(2), abs=1e-4)


@pytest.mark.parametrize("name", list(CASES))
def test_a_case_trains_what_it_says(name):
    case = CASES[name]
    rng = np.random.default_rng(0)
    x, labels = labelled(case, rng)
    layers, start, stop = network(case, rng)
    assert mlp.forward(layers, x)[-1].shape == (len(labels), 10)
    assert isinstance(layers[start], mlp.Dense)
    dense = [at for at, layer in enumerate(layers) if isinstance(layer, mlp.Dense)]
    assert len([at for at in dense if at >= start]) == 4
    assert stop == len(layers) if case.probed is None else dense[-4] < stop <= dense[-3]


def test_digits_are_standardised_and_drawn_by_the_generator():
    x, labels = digits(1797, np.random.default_rng(0))
    assert x.shape == (1797, 64)
    assert (round(x.mean(), 9), round(x.std(), 9)) == (0.0, 1.0)
    again, _ = digits(1797, np.random.default_rng(1))
    assert np.bincount(labels).min() > 150
    assert not np.array_equal(x, again)


def test_shallow_counts_vanish_to_rounding_and_others_do_not():
    deep, shallow = plain(4, 0), plain(3, 0)
    assert shallow["exact, P written out, size"] < 1e-10 < deep["exact, P written out, size"]
    assert shallow["held, P written out, size"] < 1e-14 < deep["held, P written out, size"]
    assert shallow["denominator, P written out, size"] > 1e-3
    assert shallow["held, |P| written out"] == pytest.approx(shallow["held, |P| closed form"])
    assert shallow["held, |P| closed form"] > 1e-2
    unit = printed("dense-bn", "batch", 0)
    assert unit["exact, kernels, size"] < 1e-9
    assert unit["exact, kernels and biases, size"] < 1e-9
    assert unit["exact, batch norms as layers, size"] > 1e-6
    assert unit["exact, one kernel below, size"] > 1e-6


def test_size_and_ratio_of_written_out_matrices():
    rng = np.random.default_rng(0)
    matrices = list(rng.normal(size=(3, 4, 4)))
    one = np.ones(4)
    above = sum(one @ P @ P @ one for P in matrices)
    below = sum(one @ P @ one for P in matrices)
    assert ratio(matrices) == pytest.approx(abs(above / below))
    largest = sum(one @ np.abs(P) @ np.abs(P) @ one for P in matrices)
    assert size(matrices) == pytest.approx(abs(above) / largest)
    assert size([np.zeros((4, 4))]) == ratio([np.zeros((4, 4))]) == 0.0


def test_slopes_and_sign_changes():
    residuals = np.array([1e-1, 1e-3, 1e-4])
    assert slope(residuals, -3 * residuals**2) == pytest.approx(2.0)
    assert sign_changes([1.0, -2.0, -3.0, 4.0, 5.0]) == 2
    assert sign_changes([1.0, 0.0, 1.0]) == 0
