"""Small perceptrons in float64: made, trained, and measured by every definition of β_eff.

What the numerical notes of ``docs/notes`` share. Measuring ``exact`` goes through the product's
automatic differentiation, ``held`` through its closed forms.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ncselect.numerics import mlp
from ncselect.numerics.capacitance import Capacitance, beta_eff
from ncselect.numerics.held import flow, held_batch, held_terms
from ncselect.numerics.mixed_hessian import Node

Layers = list[mlp.Layer]
Parameter = tuple[int, str]


def digits(images, rng):
    """Return so many of the bundled digits, pixels standardised as a whole, and their classes."""
    from sklearn.datasets import load_digits

    data = load_digits()
    chosen = rng.permutation(len(data.target))[:images]
    x = (data.data - data.data.mean()) / data.data.std()
    return x[chosen], data.target[chosen]


def perceptron(rng, widths: Sequence[int]) -> Layers:
    """Return dense layers with ReLU between them, Kaiming normal kernels, biases 0."""
    layers: Layers = []
    for fan_in, fan_out in itertools.pairwise(widths):
        kernel = rng.normal(size=(fan_in, fan_out)) * np.sqrt(2 / fan_in)
        layers += [mlp.Dense(kernel, np.zeros(fan_out)), mlp.Activation("relu")]
    return layers[:-1]


def probe(rng, features: int, units: Sequence[int], classes: int, *, order, statistics) -> Layers:
    """Return the layers of a probe unit as ``zoo.ncp.probe_unit`` makes them, without dropout.

    ``order`` is ``bn-dense``, ``dense-bn`` or None: without batch norms; ``statistics`` is
    ``batch`` or ``inference``.
    """
    dense = perceptron(rng, [features, *units, classes])
    found: Layers = []
    for layer in dense[:-1]:
        if isinstance(layer, mlp.Dense) and order == "bn-dense":
            found.append(_norm(layer.kernel.shape[0], statistics))
        found.append(layer)
        if isinstance(layer, mlp.Dense) and order == "dense-bn":
            found.append(_norm(layer.kernel.shape[1], statistics))
    return [*found, dense[-1]]


def _norm(width: int, statistics: str) -> mlp.Norm:
    ones, zeros = np.ones(width), np.zeros(width)
    held = statistics == "inference"
    return mlp.Norm(ones, zeros, zeros if held else None, ones if held else None)


def parameters(layers: Layers, stop: int | None = None) -> list[Parameter]:
    """Return the kernels and biases of the layers before ``stop``."""
    return [
        (at, name)
        for at, layer in enumerate(layers[:stop])
        if isinstance(layer, mlp.Dense)
        for name in ("kernel", "bias")
    ]


def adam(layers: Layers, x, labels, trained: Sequence[Parameter], *, rate, batches=None):
    """Yield the network after each step of Adam, for ever (or as long as there are batches)."""
    moments = dict.fromkeys(trained, (0.0, 0.0))
    everything = itertools.repeat(np.arange(len(x)))
    for step, batch in enumerate(everything if batches is None else batches, start=1):
        found = mlp.gradients(layers, x[batch], labels[batch])
        values = {}
        for at, name in trained:
            gradient = found[at][name]
            first, second = moments[at, name]
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * gradient**2
            moments[at, name] = first, second
            scale = np.sqrt(second / (1 - 0.999**step)) + 1e-12
            values[at, name] = getattr(layers[at], name) - rate * first / (1 - 0.9**step) / scale
        layers = replaced(layers, values)
        yield layers


def descent(layers: Layers, x, labels, trained: Sequence[Parameter], *, steps) -> Iterator[Layers]:
    """Yield the network after each step of L-BFGS on the mean loss, until it finds no descent."""
    from scipy.optimize import minimize

    starts = [getattr(layers[at], name) for at, name in trained]
    ends = np.cumsum([start.size for start in starts])[:-1]

    def network(flat) -> Layers:
        parts = np.split(flat, ends)
        shaped = [part.reshape(start.shape) for part, start in zip(parts, starts, strict=True)]
        return replaced(layers, dict(zip(trained, shaped, strict=True)))

    def cost(flat):
        now = network(flat)
        found = mlp.gradients(now, x, labels)
        loss = mlp.cross_entropy(mlp.forward(now, x)[-1], labels).mean()
        return loss, np.concatenate([found[at][name].ravel() for at, name in trained])

    seen: list[np.ndarray] = []
    minimize(
        cost,
        np.concatenate([start.ravel() for start in starts]),
        jac=True,
        method="L-BFGS-B",
        callback=lambda flat: seen.append(flat.copy()),
        options={"maxiter": steps, "maxfun": 3 * steps, "ftol": 0.0, "gtol": 1e-10, "maxcor": 30},
    )
    yield from (network(flat) for flat in seen)


def replaced(layers: Layers, values) -> Layers:
    """Return the network with these values of parameters."""
    found = list(layers)
    for (at, name), value in values.items():
        found[at] = dataclasses.replace(found[at], **{name: value})
    return found


def kernel_nodes(layers: Layers, *, norms: bool = False) -> list[list[Node]]:
    """Return kernels as nodes, and γ and β of batch norms as layers of their own if ``norms``."""
    return [
        [(at, "kernel")] if isinstance(layer, mlp.Dense) else [(at, "gamma"), (at, "beta")]
        for at, layer in enumerate(layers)
        if isinstance(layer, mlp.Dense) or (norms and isinstance(layer, mlp.Norm))
    ]


class Exact:
    """β_eff of P, the mixed Hessian of the mean loss (paper, Eq. 3 and 8), for one architecture.

    Compiled at the first call; the network's weights, images and labels may change.
    """

    def __init__(self, layers: Layers, nodes: Sequence[Sequence[Node]]) -> None:
        from ncselect.numerics import autodiff

        self._nodes = nodes
        self._names = [
            (at, field.name)
            for at, layer in enumerate(layers)
            if not isinstance(layer, mlp.Activation)
            for field in dataclasses.fields(layer)
            if isinstance(getattr(layer, field.name), np.ndarray)
        ]
        self._layers = layers

        def degrees(groups, values, x, chosen):
            return autodiff.degrees(self._loss, groups, values, x, chosen)

        self._degrees = autodiff.compiled(degrees)

    def __call__(self, layers: Layers, x, labels) -> Capacitance:
        """Return β_eff of a network of this architecture."""
        from keras import ops

        def weights(names):
            return [ops.convert_to_tensor(getattr(layers[at], name)) for at, name in names]

        final = next(layer for layer in reversed(layers) if isinstance(layer, mlp.Dense))
        chosen = np.eye(final.kernel.shape[1])[labels]
        sides = self._degrees(
            [weights(group) for group in self._nodes],
            weights(self._names),
            ops.convert_to_tensor(x),
            ops.convert_to_tensor(chosen),
        )
        received, sent = ([ops.convert_to_numpy(w) for g in side for w in g] for side in sides)
        return beta_eff(received, sent)

    def _loss(self, groups, values, x, chosen):
        """Return the mean cross-entropy with the nodes' weights put in place."""
        from keras import ops

        have = dict(zip(self._names, values, strict=True))
        for group, weights in zip(self._nodes, groups, strict=True):
            have |= dict(zip(group, weights, strict=True))
        for at, layer in enumerate(self._layers):
            if isinstance(layer, mlp.Dense):
                x = ops.matmul(x, have[at, "kernel"]) + have.get((at, "bias"), 0.0)
            elif isinstance(layer, mlp.Norm):
                mean = ops.mean(x, 0) if layer.mean is None else have[at, "mean"]
                variance = (
                    ops.mean(ops.square(x - mean), 0)
                    if layer.mean is None
                    else have[at, "variance"]
                )
                unit = (x - mean) / ops.sqrt(variance + layer.epsilon)
                x = have[at, "gamma"] * unit + have[at, "beta"]
            else:
                x = getattr(ops, layer.name)(x)
        return -ops.mean(ops.sum(chosen * ops.log_softmax(x), -1))


@dataclass(frozen=True)
class Measured:
    """What is measured of a network at one point of its training.

    Attributes
    ----------
    residual
        Mean |p − y|.
    beta
        Definition → capacitance.
    cancelled
        Definition → |1ᵀP1| ÷ 1ᵀ|P|1 for the closed forms: how much of P its signs leave.
    gradient
        Norm of the mean gradient by the measured kernels.
    sample_gradient
        Mean over samples of the norm of their own gradients.
    """

    residual: float
    beta: dict[str, Capacitance]
    cancelled: dict[str, float]
    gradient: float
    sample_gradient: float


class Ruler:
    """Measures networks of one architecture from a layer upwards.

    Parameters
    ----------
    layers
        A network of the architecture.
    start
        Position of the lowest dense layer whose weights are nodes.
    norm_start
        Where the probe begins: for ``norm``; without it that is not measured.
    """

    def __init__(self, layers: Layers, start: int, norm_start: int | None = None) -> None:
        self._start, self._norm_start = start, norm_start
        part = layers[start:]
        self._exact = Exact(part, kernel_nodes(part))
        if norm_start is not None:
            unit = layers[norm_start:]
            self._norm = Exact(unit, kernel_nodes(unit, norms=True))

    def __call__(self, layers: Layers, x, labels) -> Measured:
        """Measure a network on images; batch norms as in training."""
        outputs = mlp.forward(layers, x)
        inputs = outputs[self._start]
        seen = flow(layers[self._start :], inputs, labels)
        signed, entrywise = held_terms(seen), held_terms(seen, entrywise=True)
        beta = {
            "held/signed": signed.pooled,
            "held/entrywise": entrywise.pooled,
            "exact/signed": self._exact(layers[self._start :], inputs, labels),
        }
        # The lowest dense layer stands for layer 1 through its reach, as below a probe unit.
        reach = seen.inputs[0].sum(axis=1, keepdims=True) * seen.slopes[0]
        above = dataclasses.replace(
            seen, inputs=seen.inputs[1:], slopes=seen.slopes[1:], errors=seen.errors[1:]
        )
        beta["held/signed/batch"] = held_batch(above, held_terms(above, reach=reach), reach=reach)
        if self._norm_start is not None:
            features = outputs[self._norm_start]
            beta["norm/exact/signed"] = self._norm(layers[self._norm_start :], features, labels)
        pairs = list(zip(seen.inputs, seen.errors, strict=True))
        own = sum((u**2).sum(axis=1) * (e**2).sum(axis=1) for u, e in pairs)
        mean = sum(((u.T @ e / len(u)) ** 2).sum() for u, e in pairs)
        return Measured(
            residual=float(np.abs(seen.errors[-1]).mean()),
            beta=beta,
            cancelled={
                "held/signed": abs(beta["held/signed"].denominator)
                / beta["held/entrywise"].denominator
            },
            gradient=float(np.sqrt(mean)),
            sample_gradient=float(np.sqrt(own).mean()),
        )
