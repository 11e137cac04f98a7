"""Derivatives of pure functions; the only file that knows which Keras backend is in use.

A pure function takes and returns tensors and depends on nothing else; :func:`pure` makes one of
a call that reads Keras variables. TensorFlow (``GradientTape``, ``ForwardAccumulator``) and JAX
(``grad``, ``jvp``) give the same numbers up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
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
    return value_and_cotangent(function, point, weights)[1]


def value_and_cotangent(
    function: Callable[[Tensor], Tensor], point: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Return ``function(point)`` and what :func:`cotangent` does, from one pass."""
    if _backend() == "jax":
        import jax

        value, pulled = jax.vjp(function, point)
        return value, pulled(weights)[0]
    import tensorflow as tf

    point = tf.convert_to_tensor(point)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(point)
        value = function(point)
    return value, tape.gradient(value, point, weights, unconnected_gradients="zero")


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
    return degrees_along([range(len(groups))], loss, groups, *data)[0]


def degrees_along(
    chains: Sequence[Sequence[int]], loss: Callable[..., Tensor], groups: Groups, *data: Tensor
) -> list[tuple[list[list[Tensor]], list[list[Tensor]]]]:
    """Degrees as in :func:`degrees`, for several choices of what the layers of a network are.

    Each ∂S_l/∂W(m) is taken once, however many choices hold that pair of neighbours. On
    TensorFlow one pass through the loss serves all of them; on JAX each layer differentiates the
    loss anew, and what they share is left to the compiler.

    Parameters
    ----------
    chains
        Positions in ``groups`` of W(1) … W(L), for each choice.
    loss, groups, data
        As in :func:`degrees`; ``groups`` holds the layers of all choices.

    Returns
    -------
    list
        δin and δout of each choice's layers.
    """
    layers = [list(group) for group in groups]
    if not layers or not all(layers):
        raise InputError("groups has a layer without weights; give at least one tensor per layer")
    wanted: dict[int, list[int]] = {}  # l → those m of which ∂S_l/∂W(m) is needed
    for chain in chains:
        for lower, upper in pairwise(chain):
            wanted.setdefault(upper, []).append(lower)
            wanted.setdefault(lower, []).append(upper)
    wanted = {layer: sorted(set(others)) for layer, others in sorted(wanted.items())}
    between = _jax_between if _backend() == "jax" else _tensorflow_between
    slopes = between(loss, layers, wanted, data)
    found = []
    for chain in chains:
        received = [slopes[upper, lower] for lower, upper in pairwise(chain)]
        sent = [slopes[lower, upper] for lower, upper in pairwise(chain)]
        last, first = ([ops.zeros_like(one) for one in layers[chain[at]]] for at in (-1, 0))
        found.append(([*received, last], [first, *sent]))
    return found


Slopes = dict[tuple[int, int], list[Tensor]]
"""(l, m) → ∂S_l/∂W(m)."""


def _tensorflow_between(
    loss: Callable[..., Tensor],
    groups: list[list[Tensor]],
    wanted: Mapping[int, list[int]],
    data: Sequence[Tensor],
) -> Slopes:
    """Return ∂S_l/∂W(m) for every l and the m that are wanted of it."""
    import tensorflow as tf

    groups = [[tf.convert_to_tensor(w) for w in group] for group in groups]
    found: Slopes = {}
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as second:
        second.watch(groups)
        with tf.GradientTape(watch_accessed_variables=False) as first:
            first.watch(groups)
            cost = loss(groups, *data)
        gradients = first.gradient(cost, groups, unconnected_gradients="zero")
        sums = [tf.add_n([tf.reduce_sum(g) for g in group]) for group in gradients]
    for layer, others in wanted.items():
        by = [groups[other] for other in others]
        slopes = second.gradient(sums[layer], by, unconnected_gradients="zero")
        found |= {(layer, other): one for other, one in zip(others, slopes, strict=True)}
    del second
    return found


def _jax_between(
    loss: Callable[..., Tensor],
    groups: list[list[Tensor]],
    wanted: Mapping[int, list[int]],
    data: Sequence[Tensor],
) -> Slopes:
    """Return ∂S_l/∂W(m) for every l and the m that are wanted of it."""
    import jax

    found: Slopes = {}
    for layer, others in wanted.items():

        def total(
            around: list[list[Tensor]], layer: int = layer, others: list[int] = others
        ) -> Tensor:
            whole = list(groups)
            for other, group in zip(others, around, strict=True):
                whole[other] = group

            def of_layer(own: list[Tensor]) -> Tensor:
                return loss([*whole[:layer], own, *whole[layer + 1 :]], *data)

            return sum(g.sum() for g in jax.grad(of_layer)(groups[layer]))

        slopes = jax.grad(total)([groups[other] for other in others])
        found |= {(layer, other): one for other, one in zip(others, slopes, strict=True)}
    return found


def _backend() -> str:
    """Return the Keras backend's name if derivatives can be had from it."""
    name = str(keras.backend.backend())
    if name not in ("tensorflow", "jax"):
        raise InputError(
            f"the Keras backend is '{name}'; neural capacitance needs KERAS_BACKEND=tensorflow "
            "or KERAS_BACKEND=jax"
        )
    return name
