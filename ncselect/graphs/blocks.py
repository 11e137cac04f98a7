"""A weighted graph of layers, kept as one matrix per pair of layers that are connected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Weights = Any
"""A dense (sources, targets) array or a SciPy sparse array of that shape."""


@dataclass(frozen=True)
class Layer:
    """Nodes that belong together: input channels, the filters or the units of a layer.

    Attributes
    ----------
    name
        Of the Keras layer, or ``input``.
    nodes
        How many.
    """

    name: str
    nodes: int


@dataclass(frozen=True, eq=False)
class Block:
    """The edges of one weighted operation.

    Attributes
    ----------
    sources, targets
        Nodes, numbered over the whole graph, shapes (k,) and (l,), without repetition.
    weights
        Entry (i, j) is the weight of the edge between ``sources[i]`` and ``targets[j]``: dense,
        where every pair is an edge whatever its weight, or sparse, where every stored entry is.
    name
        Of the operation they come from.
    """

    sources: NDArray[np.int64]
    targets: NDArray[np.int64]
    weights: Weights
    name: str = ""

    @property
    def edges(self) -> int:
        """Number of edges; one whose weight happens to be 0 is one."""
        return int(self.weights.nnz if sparse.issparse(self.weights) else self.weights.size)


@dataclass(frozen=True, eq=False)
class BlockGraph:
    """An undirected weighted graph; parallel edges of several blocks add up.

    Attributes
    ----------
    layers
        In the order of the forward pass; nodes are numbered through them.
    blocks
        The edges.
    """

    layers: tuple[Layer, ...]
    blocks: tuple[Block, ...]

    @cached_property
    def nodes(self) -> int:
        """Number of nodes, |V|."""
        return sum(layer.nodes for layer in self.layers)

    @cached_property
    def edges(self) -> int:
        """Number of edges, |E|."""
        return sum(block.edges for block in self.blocks)

    def matvec(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Multiply the symmetric adjacency matrix by a vector, shapes (nodes,) → (nodes,)."""
        product = np.zeros(self.nodes)
        for block, upwards in self._transposed:
            product[block.targets] += upwards @ values[block.sources]
            product[block.sources] += block.weights @ values[block.targets]
        return product

    @cached_property
    def _transposed(self) -> tuple[tuple[Block, Weights], ...]:
        """Each block with its weights transposed: SciPy builds and checks a new array for that."""
        return tuple((block, block.weights.T) for block in self.blocks)

    def degrees(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return weighted in- and out-degrees, equal, as ``ncselect.numerics.resilience`` asks."""
        degree = self.matvec(np.ones(self.nodes))
        return degree, degree

    def positive(self) -> BlockGraph:
        """Return the subgraph of the edges of positive weight; all nodes stay."""
        return self._reweighted(lambda weights: np.maximum(weights, 0))

    def negative(self) -> BlockGraph:
        """Return the subgraph of the edges of negative weight, by their magnitude."""
        return self._reweighted(lambda weights: np.maximum(-weights, 0))

    def _reweighted(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> BlockGraph:
        return BlockGraph(
            self.layers,
            tuple(
                Block(block.sources, block.targets, _only(block.weights, change), name=block.name)
                for block in self.blocks
            ),
        )


def _only(weights: Weights, change: Callable[[NDArray[Any]], NDArray[Any]]) -> sparse.csr_array:
    """Return the entries that a change leaves above 0, as a sparse array."""
    changed = sparse.csr_array(weights, copy=True)
    changed.data = change(changed.data)
    changed.eliminate_zeros()
    return changed
