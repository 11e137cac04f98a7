"""P by central differences: against its own mathematics, and against automatic differentiation."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from ncselect.numerics import mlp
from ncselect.numerics.capacitance import beta_eff
from ncselect.numerics.mixed_hessian import mixed_hessian
from zoo.errors import InputError


def network(seed, *, bias, norm, activation, widths=(4, 5, 4, 4, 3)):
    """A random perceptron with layers of these widths; norm is none, frozen or batch."""
    rng = np.random.default_rng(seed)
    layers = []
    for above, (fan_in, fan_out) in enumerate(itertools.pairwise(widths), start=2):
        offset = rng.normal(size=fan_out) if bias else None
        layers.append(mlp.Dense(rng.normal(size=(fan_in, fan_out)), offset))
        if above == len(widths):
            break
        if norm != "none":
            held = norm == "frozen"
            layers.append(
                mlp.Norm(
                    rng.uniform(0.5, 1.5, fan_out),
                    rng.normal(size=fan_out),
                    rng.normal(size=fan_out) if held else None,
                    rng.uniform(0.5, 1.5, fan_out) if held else None,
                )
            )
        layers.append(mlp.Activation(activation))
    x = rng.normal(size=(20, widths[0]))
    return layers, x, rng.integers(0, widths[-1], 20)


def nodes(layers, *, bias=False, norms=False):
    """Weights by layer: kernels, with their biases, and with batch norms as layers."""
    found = []
    for at, layer in enumerate(layers):
        if isinstance(layer, mlp.Dense):
            with_bias = bias and layer.bias is not None
            found.append([(at, "kernel"), (at, "bias")] if with_bias else [(at, "kernel")])
        elif norms and isinstance(layer, mlp.Norm):
            found.append([(at, "gamma"), (at, "beta")])
    return found


CASES = [
    pytest.param(bias, norm, activation, id=f"{activation}-{norm}{'-bias' if bias else ''}")
    for bias in (False, True)
    for norm in ("none", "frozen", "batch")
    for activation in ("relu", "tanh")
]


@pytest.mark.parametrize(("bias", "norm", "activation"), CASES)
def test_gradients_are_slopes_of_the_loss(bias, norm, activation):
    layers, x, labels = network(1, bias=bias, norm=norm, activation=activation)

    def loss(moved):
        return mlp.cross_entropy(mlp.forward(moved, x)[-1], labels).mean()

    rng = np.random.default_rng(2)
    for at, by_name in enumerate(mlp.gradients(layers, x, labels)):
        for name, gradient in by_name.items():
            direction = rng.normal(size=gradient.shape)
            up, down = (
                loss(
                    [
                        *layers[:at],
                        dataclasses.replace(
                            layers[at], **{name: getattr(layers[at], name) + by * direction}
                        ),
                        *layers[at + 1 :],
                    ]
                )
                for by in (1e-6, -1e-6)
            )
            assert (up - down) / 2e-6 == pytest.approx((gradient * direction).sum(), abs=1e-8)


@pytest.mark.parametrize(("bias", "norm", "activation"), CASES)
def test_matrix_free_degrees_are_those_of_p(bias, norm, activation):
    from keras import ops

    from ncselect.numerics import autodiff

    layers, x, labels = network(3, bias=bias, norm=norm, activation=activation)
    groups = nodes(layers, bias=bias, norms=norm != "none")
    P = mixed_hessian(layers, x, labels, groups)

    def loss(weights, x, labels):
        replaced = {at: {} for group in groups for at, _ in group}
        for group, values in zip(groups, weights, strict=True):
            for (at, name), value in zip(group, values, strict=True):
                replaced[at][name] = value
        for at, layer in enumerate(layers):
            have = {**vars(layer), **replaced.get(at, {})}
            if isinstance(layer, mlp.Dense):
                x = ops.matmul(x, have["kernel"])
                x = x if layer.bias is None else x + have["bias"]
            elif isinstance(layer, mlp.Norm):
                mean = ops.mean(x, 0) if layer.mean is None else layer.mean
                spread = ops.mean(ops.square(x - mean), 0) if layer.mean is None else layer.variance
                x = have["gamma"] * (x - mean) / ops.sqrt(spread + layer.epsilon) + have["beta"]
            else:
                x = getattr(ops, layer.name)(x)
        chosen = ops.one_hot(labels, x.shape[-1], dtype="float64")
        return -ops.mean(ops.sum(chosen * ops.log_softmax(x), -1))

    weights = [
        [ops.convert_to_tensor(getattr(layers[at], name)) for at, name in group] for group in groups
    ]
    received, sent = autodiff.compiled(lambda w, x, y: autodiff.degrees(loss, w, x, y))(
        weights, ops.convert_to_tensor(x), labels
    )
    received, sent = (
        np.concatenate([ops.convert_to_numpy(w).ravel() for group in side for w in group])
        for side in (received, sent)
    )
    size = np.abs(P.sum(axis=1)).max()
    np.testing.assert_allclose(received, P.sum(axis=1), rtol=1e-6, atol=1e-7 * size)
    np.testing.assert_allclose(sent, P.sum(axis=0), rtol=1e-6, atol=1e-7 * size)
    assert received.sum() == pytest.approx(sent.sum(), rel=1e-10)
    found = beta_eff([received], [sent])
    assert found.numerator == pytest.approx((P @ P).sum(), rel=1e-6)
    assert found.denominator == pytest.approx(P.sum(), rel=1e-6)
    assert found.value == pytest.approx((P @ P).sum() / P.sum(), rel=1e-6)


def test_degrees_along_several_chains_are_those_of_each_alone():
    from keras import ops

    from ncselect.numerics import autodiff

    a, b, c = [1.0, 2.0], [3.0, 4.0, 5.0], [6.0]

    def loss(groups, scale):  # scale·Σa·Σb·Σc
        total = scale
        for (group,) in groups:
            total = total * ops.sum(group)
        return total

    groups = [[ops.convert_to_tensor(values, dtype="float64")] for values in (a, b, c)]
    two = ops.convert_to_tensor(2.0, dtype="float64")
    whole, short = autodiff.degrees_along([(0, 1, 2), (0, 2)], loss, groups, two)
    # S_l = 2·(entries of l)·(the sums of the others)
    for (received, sent), expected in (
        (whole, ([3 * 12, 1 * 6, 0], [0, 2 * 12, 3 * 6])),
        (short, ([1 * 24, 0], [0, 2 * 24])),
    ):
        for side, values in zip((received, sent), expected, strict=True):
            for (tensor,), value in zip(side, values, strict=True):
                np.testing.assert_array_equal(ops.convert_to_numpy(tensor), value)
    assert [len(one.shape) for (one,) in short[0]] == [1, 1]
    assert [one.shape[0] for (one,) in short[1]] == [2, 1]


def test_only_neighbouring_layers_are_linked():
    layers, x, labels = network(4, bias=False, norm="none", activation="tanh", widths=(2, 3, 2, 2))
    P = mixed_hessian(layers, x, labels, nodes(layers))
    filled = np.zeros((16, 16), dtype=bool)
    filled[:6, 6:12] = filled[6:12, 12:] = True
    assert (P[~filled] == 0).all()
    assert (np.abs(P[filled]) > 1e-12).all()


def test_large_units_are_refused():
    layers = [mlp.Dense(np.zeros((100, 50))), mlp.Dense(np.zeros((50, 2)))]
    with pytest.raises(InputError, match=r"nodes holds 5,100 weights.*at most 4,000"):
        mixed_hessian(layers, np.zeros((3, 100)), np.arange(3) % 2, nodes(layers))
