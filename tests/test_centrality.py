from __future__ import annotations

import itertools
import math

import networkx
import numpy as np
import pytest
from scipy import sparse

from ncselect.graphs.blocks import Block, BlockGraph, Layer
from ncselect.graphs.centrality import eigenvector_centrality
from ncselect.graphs.export import to_scipy
from zoo.errors import InputError


def chain(rng, widths, density=1.0):
    """Return a chain of layers of non-negative weights; blocks alternate dense and sparse."""
    starts = np.concatenate([[0], np.cumsum(widths)])
    blocks = []
    for index, shape in enumerate(itertools.pairwise(widths)):
        weights = rng.uniform(0.1, 1, size=shape) * (rng.uniform(size=shape) < density)
        blocks.append(
            Block(
                np.arange(starts[index], starts[index + 1]),
                np.arange(starts[index + 1], starts[index + 2]),
                sparse.csr_array(weights.astype(np.float32)) if index % 2 else weights,
                name=f"block {index}",
            )
        )
    layers = [Layer(f"layer {index}", width) for index, width in enumerate(widths)]
    return BlockGraph(tuple(layers), tuple(blocks))


def of_edges(nodes, *edges):
    """Return a graph of single edges, one block each: (one node, other node, weight)."""
    blocks = tuple(
        Block(np.array([one]), np.array([other]), np.array([[float(weight)]]))
        for one, other, weight in edges
    )
    return BlockGraph((Layer("all", nodes),), blocks)


def power_iteration(graph, shift, steps=20_000):
    """Return the limit of power iteration on A + shift · I from the vector of ones."""
    matrix = to_scipy(graph).toarray() + shift * np.eye(graph.nodes)
    v = np.ones(graph.nodes)
    for _ in range(steps):
        v = matrix @ v
        v /= np.linalg.norm(v)
    return v


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("widths", [(2, 3), (3, 6, 16, 12, 10), (5, 40, 4, 4, 4, 30, 1)])
def test_centralities_are_those_of_the_dense_eigenvector(seed, widths):
    graph = chain(np.random.default_rng(seed), widths)
    eigenvalues, vectors = np.linalg.eigh(to_scipy(graph).toarray())
    found = eigenvector_centrality(graph)
    np.testing.assert_allclose(found, np.abs(vectors[:, -1]), atol=1e-7)
    error = graph.matvec(found) - eigenvalues[-1] * found
    assert np.linalg.norm(error) <= 2e-10 * eigenvalues[-1]
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-14)
    assert found.min() > 0


@pytest.mark.parametrize("seed", range(5))
def test_centralities_are_those_of_networkx(seed):
    graph = chain(np.random.default_rng(seed), [3, 7, 5, 8, 2], density=0.8)
    other = networkx.Graph(to_scipy(graph).toarray())
    assert networkx.is_connected(other)
    expected = networkx.eigenvector_centrality_numpy(other, weight="weight", tol=1e-12)
    np.testing.assert_allclose(
        eigenvector_centrality(graph), [expected[node] for node in range(25)], atol=1e-8
    )


def test_centralities_of_a_star():
    graph = of_edges(5, *((0, leaf, 3.0) for leaf in range(1, 5)))
    np.testing.assert_allclose(
        eigenvector_centrality(graph), [math.sqrt(0.5)] + [math.sqrt(1 / 8)] * 4, rtol=1e-10
    )


@pytest.mark.parametrize("nodes", [2, 7, 60])
def test_centralities_of_a_path(nodes):
    graph = of_edges(nodes, *((node, node + 1, 1.0) for node in range(nodes - 1)))
    wave = np.sin(np.arange(1, nodes + 1) * math.pi / (nodes + 1))  # λ = 2 cos(π/(n + 1))
    np.testing.assert_allclose(
        eigenvector_centrality(graph), wave / np.linalg.norm(wave), atol=1e-8
    )


@pytest.mark.parametrize("factor", [1e-30, 1e-3, 1e30])
def test_the_unit_of_the_weights_does_not_matter(factor):
    graph = chain(np.random.default_rng(3), [4, 9, 5])
    scaled = BlockGraph(
        graph.layers,
        tuple(
            Block(block.sources, block.targets, block.weights.astype(float) * factor)
            for block in graph.blocks
        ),
    )
    np.testing.assert_allclose(
        eigenvector_centrality(scaled), eigenvector_centrality(graph), atol=1e-9
    )


def test_the_same_graph_has_the_same_centralities_bit_for_bit():
    graph = chain(np.random.default_rng(4), [4, 90, 50, 10])
    np.testing.assert_array_equal(eigenvector_centrality(graph), eigenvector_centrality(graph))


def test_only_the_component_of_the_largest_eigenvalue_counts():
    graph = of_edges(6, (0, 1, 1.0), (2, 3, 1.5), (3, 4, 1.5))
    expected = np.array([0, 0, 0.5, math.sqrt(0.5), 0.5, 0])
    found = eigenvector_centrality(graph)
    np.testing.assert_allclose(found, expected, atol=1e-10)
    assert found[expected == 0].tolist() == [0, 0, 0]  # exactly


def test_what_cannot_be_told_from_0_is_0():
    weights = [1.0, *[1e-4] * 4]  # each node further away counts for a ten-thousandth
    graph = of_edges(6, *((node, node + 1, weight) for node, weight in enumerate(weights)))
    coarse, fine = (eigenvector_centrality(graph, tolerance=10.0**-p) for p in (6, 14))
    np.testing.assert_allclose(fine[1:4], [math.sqrt(0.5) * 1e-4**k for k in range(3)], rtol=1e-6)
    assert (coarse > 0).tolist() == [True, True, True, False, False, False]


def test_components_that_tie_share():
    pair, star = [(0, 1, 2.0)], [(2, leaf, 1.0) for leaf in range(3, 7)]  # both have λ = 2
    graph = of_edges(8, *pair, *star)
    # Unit Perron vectors (1, 1)/√2 and (2, 1, 1, 1, 1)/√8, of sums √2 and 3/√2.
    shared = np.array([1, 1, 1.5, 0.75, 0.75, 0.75, 0.75, 0])
    expected = shared / np.linalg.norm(shared)
    found = eigenvector_centrality(graph)
    np.testing.assert_allclose(found, expected, atol=1e-10)
    for shift in (0.5, 3.0):
        np.testing.assert_allclose(found, power_iteration(graph, shift), atol=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_sparse_graphs_in_pieces_have_the_limit_of_power_iteration(seed):
    graph = chain(np.random.default_rng(seed), [8, 12, 9, 7], density=0.15)
    assert networkx.number_connected_components(networkx.Graph(to_scipy(graph).toarray())) > 1
    np.testing.assert_allclose(
        eigenvector_centrality(graph), power_iteration(graph, 1.0), atol=1e-8
    )


@pytest.mark.parametrize(
    "graph",
    [of_edges(4), of_edges(4, (0, 1, 0.0)), of_edges(4, (0, 1, 1.0), (2, 3, 1.0)), of_edges(1)],
    ids=["no edges", "weights of 0", "alike pairs", "one node"],
)
def test_where_nothing_tells_nodes_apart_they_are_equal(graph):
    np.testing.assert_allclose(
        eigenvector_centrality(graph), np.full(graph.nodes, graph.nodes**-0.5), atol=1e-14
    )


def test_negative_weights_are_refused_with_the_way_out():
    graph = of_edges(3, (0, 1, 1.0), (1, 2, -0.25))
    with pytest.raises(InputError, match=r"smallest of a block is -0.25.*\.positive\(\) and gra"):
        eigenvector_centrality(graph)
    for part, expected in ((graph.positive(), [1, 1, 0]), (graph.negative(), [0, 1, 1])):
        np.testing.assert_allclose(
            eigenvector_centrality(part), np.array(expected) / math.sqrt(2), atol=1e-12
        )


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("index", [0, 1], ids=["dense", "sparse"])
def test_weights_that_are_no_numbers_are_refused_by_name(bad, index):
    graph = chain(np.random.default_rng(0), [2, 3, 4])
    weights = graph.blocks[index].weights
    (weights.data if sparse.issparse(weights) else weights.reshape(-1))[3] = bad
    with pytest.raises(InputError, match=f"weights of block {index} are NaN or infinite"):
        eigenvector_centrality(graph)


def test_what_does_not_converge_says_how_far_it_came():
    graph = of_edges(300, *((node, node + 1, 1.0) for node in range(299)))
    with pytest.raises(InputError, match=r"max_products: after 20 products .* residual is .*e-"):
        eigenvector_centrality(graph, max_products=20)


def test_a_graph_without_nodes_is_refused():
    with pytest.raises(InputError, match="needs at least one node"):
        eigenvector_centrality(BlockGraph((), ()))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"tolerance": 0.0}, "tolerance: needs 0 < tolerance < 1; got 0.0"),
        ({"tolerance": math.nan}, "tolerance: needs 0 < tolerance < 1; got nan"),
        ({"max_products": 0}, "max_products: needs at least 1; got 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, text):
    with pytest.raises(InputError, match=text):
        eigenvector_centrality(of_edges(2, (0, 1, 1.0)), **settings)
