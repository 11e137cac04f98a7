"""Derivatives of pure functions; the only file that knows which Keras backend is in use.

A pure function takes and returns tensors and depends on nothing else; :func:`pure` makes one of
a call that reads Keras variables. TensorFlow (``GradientTape``, ``ForwardAccumulator``) and JAX
(``grad``, ``jvp``) give the same numbers up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from zoo.errors import InputError

Tensor = Any
Groups = Sequence[Sequence[Tensor]]
"""Weights by layer, W(1) … W(L); a layer may hold several tensors, such as γ and β."""


def pure(call: Callable[..., Any], variables: Sequence[Any]) -> Callable[..., Any]:
    """Return ``function(values, *data)``: the call with these values in the variables' place.

    Updates that the call makes to variables are dropped.

    Parameters
    ----------
    call
        A layer or any function of tensors; variables that it reads and that are not listed
        are frozen at their present value when compiled on JAX.
    variables
        Keras variables, in the order in which ``values`` will come.
    """

    def function(values: Sequence[Tensor], *data: Tensor) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return call(*data)

    return function


def values(variables: Sequence[Any]) -> list[Tensor]:
    """Return the variables' values as the backend holds them, without a copy."""
    return [variable.value for variable in variables]


def position(variables: Sequence[Any], variable: Any) -> int:
    """Return where a variable stands among others; they cannot be compared by ``==``."""
    return [id(other) for other in variables].index(id(variable))


def compiled(function: Callable[..., Any]) -> Any:
    """Return the function compiled; it is traced once for each set of argument shapes."""
    if _backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function, reduce_retracing=False, autograph=False)


def tangent(
    function: Callable[[Tensor], Tensor], point: Tensor, direction: Tensor
) -> tuple[Tensor, Tensor]:
    """Return a function's value and its derivative along a direction (forward mode).

    Parameters
    ----------
    function
        Pure, of one tensor.
    point, direction
        Tensors of one shape.

    Returns
    -------
    tuple
        ``function(point)`` and ``d function(point + t·direction) / dt`` at t = 0.
    """
    if _backend() == "jax":
        import jax

        return tuple(jax.jvp(function, (point,), (direction,)))
    import tensorflow as tf

    point = tf.convert_to_tensor(point)
    with tf.autodiff.ForwardAccumulator(point, direction) as accumulator:
        value = function(point)
    return value, accumulator.jvp(value, unconnected_gradients="zero")


def cotangent(function: Callable[[Tensor], Tensor], point: Tensor, weights: Tensor) -> Tensor:
    """Return the gradient of ``Σ weights·function(point)`` at the point (reverse mode).

    Parameters
    ----------
    function
        Pure, of one tensor.
    point
        Where.
    weights
        Shape of the function's value.

    Returns
    -------
    Tensor
        Shape of the point.
    """
    if _backend() == "jax":
        import jax

        return jax.vjp(function, point)[1](weights)[0]
    import tensorflow as tf

    point = tf.convert_to_tensor(point)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(point)
        value = function(point)
    return tape.gradient(value, point, weights, unconnected_gradients="zero")


def degrees(
    loss: Callable[..., Tensor], groups: Groups, *data: Tensor
) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    """Weighted in- and out-degrees of every weight, without forming P (paper, Eq. 3 and 8).

    P(l, l+1) = ∂²C/∂W(l)∂W(l+1), every other block is 0. With S_l = 1ᵀ∇_{W(l)}C the in-degrees
    P·1 are δin(l) = ∂S_{l+1}/∂W(l) and the out-degrees 1ᵀ·P are δout(l) = ∂S_{l−1}/∂W(l).

    Parameters
    ----------
    loss
        Pure: ``loss(groups, *data)`` is the scalar C.
    groups
        The weights by layer, at least one layer.
    data
        Passed on to the loss.

    Returns
    -------
    tuple
        δin and δout, each with the structure and shapes of ``groups``; zeros where the text
        has none: δin of the last layer, δout of the first.
    """
    layers = [list(group) for group in groups]
    if not layers or not all(layers):
        raise InputError("groups has a layer without weights; give at least one tensor per layer")
    neighbours = _jax_neighbours if _backend() == "jax" else _tensorflow_neighbours
    below, above = neighbours(loss, layers, data)
    delta_in = [*below[1:], [ops.zeros_like(weight) for weight in layers[-1]]]
    delta_out = [[ops.zeros_like(weight) for weight in layers[0]], *above[:-1]]
    return delta_in, delta_out


def _tensorflow_neighbours(
    loss: Callable[..., Tensor], groups: list[list[Tensor]], data: Sequence[Tensor]
) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    """Return ∂S_l/∂W(l−1) and ∂S_l/∂W(l+1) by layer, empty where there is no such layer."""
    import tensorflow as tf

    groups = [[tf.convert_to_tensor(w) for w in group] for group in groups]
    below: list[list[Tensor]] = []
    above: list[list[Tensor]] = []
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as second:
        second.watch(groups)
        with tf.GradientTape(watch_accessed_variables=False) as first:
            first.watch(groups)
            cost = loss(groups, *data)
        gradients = first.gradient(cost, groups, unconnected_gradients="zero")
        sums = [tf.add_n([tf.reduce_sum(g) for g in group]) for group in gradients]
    for layer, total in enumerate(sums):
        lower = groups[layer - 1] if layer > 0 else []
        upper = groups[layer + 1] if layer + 1 < len(groups) else []
        found = second.gradient(total, [*lower, *upper], unconnected_gradients="zero")
        below.append(found[: len(lower)])
        above.append(found[len(lower) :])
    del second
    return below, above


def _jax_neighbours(
    loss: Callable[..., Tensor], groups: list[list[Tensor]], data: Sequence[Tensor]
) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    """Return ∂S_l/∂W(l−1) and ∂S_l/∂W(l+1) by layer, empty where there is no such layer."""
    import jax

    below: list[list[Tensor]] = []
    above: list[list[Tensor]] = []
    for layer in range(len(groups)):
        lower = groups[layer - 1] if layer > 0 else []
        upper = groups[layer + 1] if layer + 1 < len(groups) else []

        def total(around: list[list[Tensor]], layer: int = layer) -> Tensor:
            whole = list(groups)
            if layer > 0:
                whole[layer - 1] = around[0]
            if layer + 1 < len(groups):
                whole[layer + 1] = around[1]

            def of_layer(own: list[Tensor]) -> Tensor:
                return loss([*whole[:layer], own, *whole[layer + 1 :]], *data)

            return sum(g.sum() for g in jax.grad(of_layer)(groups[layer]))

        found = jax.grad(total)([lower, upper])
        below.append(found[0])
        above.append(found[1])
    return below, above


def _backend() -> str:
    """Return the Keras backend's name if derivatives can be had from it."""
    name = str(keras.backend.backend())
    if name not in ("tensorflow", "jax"):
        raise InputError(
            f"the Keras backend is '{name}'; neural capacitance needs KERAS_BACKEND=tensorflow "
            "or KERAS_BACKEND=jax"
        )
    return name
