"""Weighted degree: how strongly a node is connected."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ncselect.graphs.blocks import BlockGraph
from zoo.errors import InputError


def weighted_degree(graph: BlockGraph) -> NDArray[np.float64]:
    """Return the sum of the weights of every node's edges, d = A·1.

    Vahedian et al., "Convolutional Neural Network Dynamics: A Graph Perspective", section 2.1.
    Summed in double precision whatever the precision of the weights. In a signed graph weights
    of opposite sign cancel: take the degree of ``graph.positive()`` and ``graph.negative()``.

    Parameters
    ----------
    graph
        Of any weights.

    Returns
    -------
    numpy.ndarray
        Shape (nodes,), in the unit of the weights; 0 for a node without edges.

    Raises
    ------
    InputError
        If a weight is NaN or infinite.
    """
    degree = graph.matvec(np.ones(graph.nodes))
    if not np.isfinite(degree).all():
        culprits = [block.name for block in graph.blocks if not _finite(block.weights.sum())]
        raise InputError(
            f"graph: weights of {', '.join(culprits) or 'it'} are NaN, infinite or too large to "
            "be summed, so a degree is no number; a network that diverged has no graph: leave "
            "its epoch out"
        )
    return degree


def _finite(value: float) -> bool:
    return bool(np.isfinite(value))
