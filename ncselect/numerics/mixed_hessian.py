"""P written out, by central differences of gradients: the oracle for small networks.

It shares nothing with automatic differentiation: float64 numpy alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics import mlp
from zoo.errors import InputError

Array = NDArray[np.float64]
Node = tuple[int, str]
"""A layer's position in the network and its parameter: kernel, bias, gamma or beta."""


def mixed_hessian(
    layers: Sequence[mlp.Layer],
    x: Array,
    labels: NDArray[np.integer],
    nodes: Sequence[Sequence[Node]],
    *,
    step: float = 1e-5,
    limit: int = 4000,
) -> Array:
    """P of the mean cross-entropy (paper, Eq. 8).

    P(l, l+1) = ∂²C/∂W(l)∂W(l+1), row = receiver in W(l), column = sender in W(l+1); every other
    block is 0.

    Parameters
    ----------
    layers
        A perceptron, its last layer gives the logits.
    x, labels
        Shapes (n, inputs) and (n,), integers.
    nodes
        Whose entries are weights, by layer W(1) … W(L).
    step
        Half the distance between the two gradients of a difference.
    limit
        Largest number of weights.

    Returns
    -------
    ndarray
        Shape (weights, weights), weights in the order of ``nodes``, each parameter row by row.

    Raises
    ------
    InputError
        If there are more weights than ``limit``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> net = [mlp.Dense(rng.normal(size=(2, 2))), mlp.Dense(rng.normal(size=(2, 2)))]
    >>> mixed_hessian(net, rng.normal(size=(5, 2)), np.arange(5) % 2, [[(0, "kernel")],
    ...               [(1, "kernel")]]).shape
    (8, 8)
    """
    sizes = [sum(getattr(layers[at], name).size for at, name in group) for group in nodes]
    if (total := sum(sizes)) > limit:
        raise InputError(
            f"nodes holds {total:,} weights, so P would have {total**2:,} entries; give a network "
            f"with at most {limit:,} weights, or use ncselect.numerics.autodiff.degrees, which "
            "does not form P"
        )
    P = np.zeros((total, total))
    starts = np.concatenate([[0], np.cumsum(sizes)])
    for receiver in range(len(nodes) - 1):
        rows = slice(starts[receiver], starts[receiver + 1])
        column = starts[receiver + 1]
        for at, name in nodes[receiver + 1]:
            for entry in range(getattr(layers[at], name).size):
                above, below = (
                    _gradient(_moved(layers, at, name, entry, by), x, labels, nodes[receiver])
                    for by in (step, -step)
                )
                P[rows, column] = (above - below) / (2.0 * step)
                column += 1
    return P


def _gradient(
    layers: Sequence[mlp.Layer], x: Array, labels: NDArray[np.integer], group: Sequence[Node]
) -> Array:
    """Return the gradient by a layer's weights, one after the other."""
    found = mlp.gradients(layers, x, labels)
    return np.concatenate([found[at][name].ravel() for at, name in group])


def _moved(
    layers: Sequence[mlp.Layer], at: int, name: str, entry: int, by: float
) -> list[mlp.Layer]:
    """Return the network with one weight moved."""
    weights = getattr(layers[at], name).copy()
    weights.flat[entry] += by
    moved = list(layers)
    moved[at] = dataclasses.replace(layers[at], **{name: weights})
    return moved
