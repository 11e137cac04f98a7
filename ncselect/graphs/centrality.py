"""Eigenvector centrality: a node counts for as much as the nodes it is connected to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import eigh_tridiagonal

from ncselect.graphs.blocks import Block, BlockGraph
from zoo.errors import InputError


def eigenvector_centrality(
    graph: BlockGraph, *, tolerance: float = 1e-10, max_products: int = 500
) -> NDArray[np.float64]:
    """Return the principal eigenvector v of the adjacency matrix, A·v = λ_max·v.

    Bonacich 1972; Vahedian et al., "Convolutional Neural Network Dynamics: A Graph Perspective",
    section 2.1. Found by the Lanczos method from the vector of ones, so that A is needed only in
    products with vectors. A chain of layers is bipartite, its spectrum lies symmetric around 0
    and plain power iteration swings between λ_max and −λ_max for ever; the Lanczos method does
    not mind, and on networks needs a third to a fifteenth of the products of power iteration on
    A + (λ/2)·I.

    On a connected graph v is the Perron vector, which is unique. On a graph of several
    components it is defined as the limit of power iteration on A + c·I, c > 0, from the vector
    of ones: that vector's projection on the eigenspace of λ_max. So a node is 0 outside the
    component of largest λ; components that tie share, each in proportion to the sum of its own
    Perron vector (of unit length); and where no edge has weight, all nodes are equal. Poolings
    cut the negative part of an unrolled graph into components.

    Parameters
    ----------
    graph
        Of non-negative weights.
    tolerance
        Largest residual ‖A·v − λ·v‖₂ in units of λ at which to stop. Entries smaller than it
        cannot be told from 0 and are given as 0.
    max_products
        Products of A with a vector after which to give up. Each also keeps one vector of
        8 bytes per node in memory.

    Returns
    -------
    numpy.ndarray
        Shape (nodes,), non-negative, ‖v‖₂ = 1.

    Raises
    ------
    InputError
        If the graph has no nodes, a weight is NaN, infinite or negative, the tolerance is not
        between 0 and 1, ``max_products`` is below 1, or the residual is still above the tolerance
        after that many.
    """
    if not 0 < tolerance < 1:
        raise InputError(f"tolerance: needs 0 < tolerance < 1; got {tolerance}")
    if max_products < 1:
        raise InputError(f"max_products: needs at least 1; got {max_products}")
    if graph.nodes == 0:
        raise InputError("graph: needs at least one node; got none")
    return _projected_ones(_in_double_precision(graph), tolerance, max_products)


def _projected_ones(graph: BlockGraph, tolerance: float, max_products: int) -> NDArray[np.float64]:
    """Project the vector of ones on the eigenspace of λ_max, by Lanczos iteration.

    Golub and Van Loan, "Matrix Computations", section 10.1, with full reorthogonalisation (section
    10.3.1), and a second time where the first took away so much that rounding errors count
    (Daniel, Gragg, Kaufman and Stewart, Mathematics of Computation 30, 1976). The Krylov space of a
    vector holds one direction of every eigenspace: that vector's projection. It is never left, so
    ties need no care; implementations that restart from a random vector once the space is
    exhausted, ARPACK's for one, lose the projection.
    """
    longest = min(max_products, graph.nodes)
    basis = np.empty((longest, graph.nodes))
    diagonal, beside = np.empty(longest), np.empty(longest)
    basis[0] = graph.nodes**-0.5
    for last in range(longest):
        known = basis[: last + 1]
        product = graph.matvec(known[-1])
        if last:
            product -= beside[last - 1] * known[-2]
        diagonal[last] = known[-1] @ product
        product -= diagonal[last] * known[-1]
        before, beside[last] = np.linalg.norm(product), _orthogonalised(product, known)
        if beside[last] < before * np.sqrt(0.5):
            beside[last] = _orthogonalised(product, known)
        (eigenvalue,), vectors = eigh_tridiagonal(
            diagonal[: last + 1], beside[:last], select="i", select_range=(last, last)
        )
        residual = beside[last] * abs(vectors[-1, 0])  # Golub and Van Loan, theorem 10.1.3
        if residual <= tolerance * eigenvalue:
            found = vectors[:, 0] @ known
            found *= np.sign(found.sum())
            found[found < tolerance] = 0
            return np.asarray(found / np.linalg.norm(found))
        if last + 1 < longest:
            basis[last + 1] = product / beside[last]
    raise InputError(
        f"max_products: after {longest} products with the adjacency matrix the centrality's "
        f"residual is {residual / eigenvalue:.1e} of the eigenvalue, above the tolerance of "
        f"{tolerance:g}; raise either"
    )


def _orthogonalised(vector: NDArray[np.float64], known: NDArray[np.float64]) -> float:
    """Take from a vector, in place, what lies along known ones; return the norm that is left."""
    vector -= (known @ vector) @ known
    return float(np.linalg.norm(vector))


def _in_double_precision(graph: BlockGraph) -> BlockGraph:
    """Return the graph with weights that a product need not convert first; refuse bad ones."""
    blocks = []
    for block in graph.blocks:
        weights = block.weights.astype(np.float64, copy=False)
        stored = weights.data if sparse.issparse(weights) else weights
        if not np.isfinite(stored).all():
            raise InputError(
                f"graph: weights of {block.name or 'a block'} are NaN or infinite, so no node has "
                "a centrality; a network that diverged has no graph: leave its epoch out"
            )
        if stored.size and stored.min() < 0:
            raise InputError(
                f"graph: eigenvector centrality needs weights of 0 or more; the smallest of "
                f"{block.name or 'a block'} is {stored.min():g}. Take the centralities of "
                "graph.positive() and graph.negative()"
            )
        blocks.append(Block(block.sources, block.targets, weights, name=block.name))
    return BlockGraph(graph.layers, tuple(blocks))
