"""A multi-layer perceptron in plain numpy: forward values and first derivatives.

The yardstick for what automatic differentiation returns, and the source of the activations
that the closed forms of the paper's Appendix B are made of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Dense:
    """a = x·kernel + bias, kernel of shape (inputs, outputs), bias (outputs,) or None."""

    kernel: Array
    bias: Array | None = None


@dataclass(frozen=True)
class Norm:
    """Batch normalisation γ·(x − mean)/√(variance + ε) + β, all of shape (features,).

    ``mean`` and ``variance`` None: those of the batch.
    """

    gamma: Array
    beta: Array
    mean: Array | None = None
    variance: Array | None = None
    epsilon: float = 1e-3


@dataclass(frozen=True)
class Activation:
    """``relu`` (its slope at 0 is 0), ``tanh`` or ``linear``, entry by entry."""

    name: str


Layer = Dense | Norm | Activation


def forward(layers: Sequence[Layer], x: Array) -> list[Array]:
    """Return the input and every layer's output, ``len(layers) + 1`` arrays of shape (n, ·)."""
    found = [np.asarray(x, dtype=np.float64)]
    for layer in layers:
        found.append(_output(layer, found[-1]))
    return found


def softmax(logits: Array) -> Array:
    """Return class probabilities of logits, shape (n, classes)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def cross_entropy(logits: Array, labels: NDArray[np.integer]) -> Array:
    """Return each sample's −log p(label), shape (n,), from logits (n, classes)."""
    top = logits.max(axis=1)
    total = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    return np.asarray(total - logits[np.arange(len(labels)), labels])


def residuals(logits: Array, labels: NDArray[np.integer]) -> Array:
    """Return p − y, the gradient of :func:`cross_entropy` by the logits, shape (n, classes)."""
    found = softmax(logits)
    found[np.arange(len(labels)), labels] -= 1.0
    return found


def slope(layer: Layer, x: Array) -> Array:
    """Return the layer's derivative as a diagonal scale, statistics held, shape (n, features).

    Raises
    ------
    InputError
        If the layer is dense: it has no diagonal derivative.
    """
    if isinstance(layer, Norm):
        _, variance = _statistics(layer, x)
        scale = layer.gamma / np.sqrt(variance + layer.epsilon)
        return np.asarray(np.broadcast_to(scale, x.shape))
    if isinstance(layer, Activation):
        if layer.name == "relu":
            return (x > 0).astype(np.float64)
        if layer.name == "tanh":
            return np.asarray(1.0 - np.tanh(x) ** 2)
        return np.ones_like(x)
    raise InputError("slope of a dense layer was asked for; give a norm or an activation")


def gradients(
    layers: Sequence[Layer], x: Array, labels: NDArray[np.integer]
) -> list[Mapping[str, Array]]:
    """Gradients of the mean cross-entropy of softmax outputs by every parameter.

    Batch statistics are differentiated through.

    Parameters
    ----------
    layers
        The last one gives the logits.
    x, labels
        Shapes (n, inputs) and (n,), integers.

    Returns
    -------
    list
        Per layer: ``kernel`` and ``bias``, or ``gamma`` and ``beta``, or nothing.
    """
    outputs = forward(layers, x)
    back = residuals(outputs[-1], labels) / len(x)
    found: list[Mapping[str, Array]] = []
    for layer, inputs in zip(reversed(layers), reversed(outputs[:-1]), strict=True):
        if isinstance(layer, Dense):
            by_name = {"kernel": inputs.T @ back}
            if layer.bias is not None:
                by_name["bias"] = back.sum(axis=0)
            found.append(by_name)
            back = back @ layer.kernel.T
        elif isinstance(layer, Norm):
            mean, variance = _statistics(layer, inputs)
            deviation = np.sqrt(variance + layer.epsilon)
            unit = (inputs - mean) / deviation
            found.append({"gamma": (back * unit).sum(axis=0), "beta": back.sum(axis=0)})
            back = back * layer.gamma
            if layer.mean is None:
                back = back - back.mean(axis=0) - unit * (back * unit).mean(axis=0)
            back = back / deviation
        else:
            found.append({})
            back = back * slope(layer, inputs)
    return found[::-1]


def _output(layer: Layer, x: Array) -> Array:
    """Return one layer's output."""
    if isinstance(layer, Dense):
        return np.asarray(x @ layer.kernel + (0.0 if layer.bias is None else layer.bias))
    if isinstance(layer, Norm):
        mean, variance = _statistics(layer, x)
        return layer.gamma * (x - mean) / np.sqrt(variance + layer.epsilon) + layer.beta
    if layer.name == "relu":
        return np.maximum(x, 0.0)
    if layer.name == "tanh":
        return np.asarray(np.tanh(x))
    if layer.name == "linear":
        return x
    raise InputError(f"activation is '{layer.name}'; give relu, tanh or linear")


def _statistics(layer: Norm, x: Array) -> tuple[Array, Array]:
    """Return the mean and the variance that the layer normalises by."""
    if layer.mean is None or layer.variance is None:
        return x.mean(axis=0), x.var(axis=0)
    return layer.mean, layer.variance
