from __future__ import annotations

import itertools
import math

import networkx
import numpy as np
import pytest
from scipy import sparse

from ncselect.graphs.blocks import Block, BlockGraph, Layer
from ncselect.graphs.degree import weighted_degree
from ncselect.graphs.export import to_scipy
from zoo.errors import InputError


def chain(rng, widths, density=1.0):
    """Return a chain of layers; blocks alternate between dense and sparse."""
    starts = np.concatenate([[0], np.cumsum(widths)])
    blocks = []
    for index, shape in enumerate(itertools.pairwise(widths)):
        weights = rng.normal(size=shape) * (rng.uniform(size=shape) < density)
        blocks.append(
            Block(
                np.arange(starts[index], starts[index + 1]),
                np.arange(starts[index + 1], starts[index + 2]),
                sparse.csr_array(weights) if index % 2 else weights,
                name=f"block {index}",
            )
        )
    layers = [Layer(f"layer {index}", width) for index, width in enumerate(widths)]
    return BlockGraph(tuple(layers), tuple(blocks))


def as_networkx(graph):
    found = networkx.Graph()
    found.add_nodes_from(range(graph.nodes))
    matrix = to_scipy(graph).tocoo()
    ends = matrix.row.tolist(), matrix.col.tolist()
    found.add_weighted_edges_from(zip(*ends, matrix.data, strict=True))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_degrees_are_those_of_networkx(seed):
    graph = chain(np.random.default_rng(seed), [3, 7, 5, 8, 2], density=0.5)
    for part in (graph, graph.positive(), graph.negative()):
        expected = dict(as_networkx(part).degree(weight="weight"))
        found = weighted_degree(part)
        np.testing.assert_allclose(found, [expected[node] for node in range(25)], atol=1e-12)


def test_degrees_of_a_complete_bipartite_graph():
    graph = BlockGraph(
        (Layer("a", 3), Layer("b", 5)),
        (Block(np.arange(3), np.arange(3, 8), np.full((3, 5), 0.5)),),
    )
    np.testing.assert_array_equal(weighted_degree(graph), [2.5] * 3 + [1.5] * 5)


def test_parallel_edges_add_up_and_nodes_without_edges_have_degree_0():
    half = sparse.csr_array(np.array([[0.5]]))
    graph = BlockGraph(
        (Layer("a", 2), Layer("b", 2)),
        (
            Block(np.array([1]), np.array([2]), np.array([[2.0]])),
            Block(np.array([1]), np.array([2]), half),
        ),
    )
    np.testing.assert_array_equal(weighted_degree(graph), [0.0, 2.5, 2.5, 0.0])


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_weights_of_single_precision_are_summed_in_double(kind):
    weights = np.random.default_rng(0).uniform(1, 2, size=(20_000, 1)).astype(np.float32)
    graph = BlockGraph(
        (Layer("a", 20_000), Layer("b", 1)),
        (Block(np.arange(20_000), np.array([20_000]), kind(weights)),),
    )
    exact = math.fsum(weights[:, 0].astype(float))
    assert weighted_degree(graph)[-1] == pytest.approx(exact, rel=1e-13)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_weights_that_are_no_numbers_are_refused_by_name(bad):
    graph = chain(np.random.default_rng(0), [2, 3, 4])
    graph.blocks[1].weights.data[3] = bad
    with pytest.raises(InputError, match=r"graph: weights of block 1 are NaN, infinite"):
        weighted_degree(graph)
