"""A probe unit on given features, run and differentiated for measuring."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from ncselect.numerics import autodiff, mlp
from zoo.errors import InputError
from zoo.ncp import FixedBatchNormalization

Array = NDArray[np.float64]


class MeasuredProbe:
    """Logits and weighted degrees of a probe unit as it stands.

    Parameters
    ----------
    layers
        The unit's layers, first to last, as ``zoo.ncp.probe_unit`` makes them.

    Raises
    ------
    InputError
        If there are other layers among them.
    """

    def __init__(self, layers: tuple[Any, ...]) -> None:
        for layer in layers:
            if not isinstance(
                layer,
                keras.layers.Dense
                | FixedBatchNormalization
                | keras.layers.Activation
                | keras.layers.Dropout,
            ):
                raise InputError(
                    f"the probe unit has layer '{layer.name}' of type {type(layer).__name__}; "
                    "build it with zoo.ncp.probe_unit"
                )
        self._layers = layers
        self._variables = tuple(variable for layer in layers for variable in layer.variables)
        self._infer = autodiff.compiled(autodiff.pure(self._inference, self._variables))
        self._degrees = autodiff.compiled(self._degrees_of_all())

    def logits(self, features: Array) -> Array:
        """Return logits as in inference, shape (n, classes), of features (n, d)."""
        return _array(self._infer(autodiff.values(self._variables), self._cast(features)))

    def layers(self) -> list[mlp.Layer]:
        """Return the unit as it is measured: without dropout, batch norms as in training."""
        found: list[mlp.Layer] = []
        for layer in self._layers:
            if isinstance(layer, keras.layers.Dense):
                bias = None if layer.bias is None else _array(layer.bias.value)
                found.append(mlp.Dense(_array(layer.kernel.value), bias))
            elif isinstance(layer, FixedBatchNormalization):
                moving = (layer.moving_mean, layer.moving_variance)
                mean, variance = (
                    (None, None)
                    if layer.statistics == "batch"
                    else (_array(weight.value) for weight in moving)
                )
                gamma, beta = _array(layer.gamma.value), _array(layer.beta.value)
                found.append(mlp.Norm(gamma, beta, mean, variance, layer.epsilon))
            elif isinstance(layer, keras.layers.Activation):
                found.append(mlp.Activation(layer.activation.__name__))
        return found

    def degrees(
        self, features: Array, reach: Array, labels: NDArray[Any]
    ) -> dict[str, tuple[list[Array], list[Array]]]:
        """Return in- and out-degrees for ``kernels``, ``norm`` and ``base``, exact.

        For ``base`` the weights of the layer below move together, by t·1, which moves the
        features by t·reach: P's blocks with that layer are needed only summed over its weights,
        and δin's single entry there is their sum of in-degrees. Biases are no nodes.

        A reach that is not finite leaves nothing to say of ``base``: it is nan there, and touches
        neither of the others.

        What the last layer sends to the one below it is exactly 0 in sum, P(L−1,L)·1 = 0, because
        each sample's residuals sum to 0; it is put there in place of its rounding errors.
        """
        finite = bool(np.isfinite(reach).all())
        moving = self._cast(reach if finite else np.zeros_like(reach))
        all_degrees = self._degrees(
            autodiff.values(self._variables), self._cast(features), moving, labels
        )
        found = {}
        for name, (received, sent) in zip(("kernels", "norm", "base"), all_degrees, strict=True):
            delta_in = [[_array(weight) for weight in group] for group in received]
            delta_in[-2] = [np.zeros_like(weight) for weight in delta_in[-2]]
            delta_out = [_array(weight) for group in sent for weight in group]
            found[name] = [weight for group in delta_in for weight in group], delta_out
        if not finite:
            received, sent = found["base"]
            found["base"] = (
                [np.full_like(weight, np.nan) for weight in received],
                [np.full_like(weight, np.nan) for weight in sent],
            )
        return found

    def _cast(self, array: Array) -> Any:
        """Return a tensor of the weights' type."""
        return ops.convert_to_tensor(array, dtype=self._variables[0].dtype)

    def _inference(self, features: Any) -> Any:
        """Return logits as in inference."""
        for layer in self._layers:
            features = layer(features, training=False)
        return features

    def _measured(self, features: Any) -> Any:
        """Return logits without dropout, batch norms as in training."""
        for layer in self._layers:
            features = layer(features, training=isinstance(layer, FixedBatchNormalization))
        return features

    def _degrees_of_all(self) -> Any:
        """Return the function that gives degrees of ``kernels``, ``norm`` and ``base``."""
        run = autodiff.pure(self._measured, self._variables)
        weighted = [(layer, nodes) for layer in self._layers if (nodes := _nodes(layer))]
        places = [
            [autodiff.position(self._variables, node) for node in nodes] for _, nodes in weighted
        ]
        norm = list(range(1, 1 + len(weighted)))  # group 0 is t
        kernels = [
            at
            for at, (layer, _) in zip(norm, weighted, strict=True)
            if isinstance(layer, keras.layers.Dense)
        ]

        def loss(groups: Any, values: Any, features: Any, reach: Any, labels: Any) -> Any:
            whole = list(values)
            for group, indices in zip(groups[1:], places, strict=True):
                for weight, index in zip(group, indices, strict=True):
                    whole[index] = weight
            logits = run(whole, features + groups[0][0] * reach)
            chosen = ops.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
            return -ops.mean(ops.sum(chosen * ops.log_softmax(logits), axis=-1))

        def degrees(values: Any, features: Any, reach: Any, labels: Any) -> Any:
            together = [ops.zeros((), dtype=features.dtype)]
            groups = [together, *([values[index] for index in indices] for indices in places)]
            chains = (kernels, norm, [0, *kernels])
            return autodiff.degrees_along(chains, loss, groups, values, features, reach, labels)

        return degrees


def _nodes(layer: Any) -> list[Any]:
    """Return the weights of a layer that may be nodes."""
    if isinstance(layer, keras.layers.Dense):
        return [layer.kernel]
    if isinstance(layer, FixedBatchNormalization):
        return [layer.gamma, layer.beta]
    return []


def _array(tensor: Any) -> Array:
    """Return a tensor as a float64 array."""
    return np.asarray(ops.convert_to_numpy(tensor), dtype=np.float64)
