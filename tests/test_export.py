"""Graphs that leave come back the same: SciPy, igraph, GraphML read by networkx."""

from __future__ import annotations

import sys

import keras
import numpy as np
import pytest
from scipy import sparse

from ncselect.graphs.blocks import Block, BlockGraph, Layer
from ncselect.graphs.export import export_graph, to_graphml, to_igraph, to_scipy
from ncselect.graphs.rolled import rolled_graph
from ncselect.graphs.unrolled import unrolled_graph
from zoo.errors import InputError, UnknownNameError, WeightsUnavailableError

LAYERS = (Layer("input", 3), Layer('conv <1> & "co"', 2), Layer("dense", 4))


@pytest.fixture
def graph():
    """Three layers, a dense and a sparse block, an edge of weight 0, one negative, one parallel."""
    generator = np.random.default_rng(0)
    dense = generator.normal(size=(3, 2))
    dense[1, 1] = 0.0
    bypass = sparse.csr_array(([0.5, -1.25], ([0, 2], [3, 0])), shape=(3, 4))
    blocks = (
        Block(np.arange(3), np.arange(3, 5), dense, "conv <1>"),
        Block(np.arange(3, 5), np.arange(5, 9), generator.normal(size=(2, 4)), "dense"),
        Block(np.arange(3), np.arange(5, 9), bypass, "shortcut"),
        Block(np.array([0]), np.array([8]), np.array([[2.0]]), "again"),
    )
    return BlockGraph(LAYERS, blocks)


def by_hand(graph):
    """Return the adjacency matrix, filled edge by edge."""
    matrix = np.zeros((graph.nodes, graph.nodes))
    for block in graph.blocks:
        weights = block.weights.toarray() if sparse.issparse(block.weights) else block.weights
        for row, source in enumerate(block.sources):
            for column, target in enumerate(block.targets):
                matrix[source, target] += weights[row, column]
                matrix[target, source] += weights[row, column]
    return matrix


def test_scipy_has_every_weight_both_ways_and_stores_zeros(graph):
    matrix = to_scipy(graph)
    np.testing.assert_allclose(matrix.toarray(), by_hand(graph))
    assert matrix.nnz == 2 * (graph.edges - 1)  # two parallel edges are one
    np.testing.assert_allclose(matrix @ np.arange(9.0), graph.matvec(np.arange(9.0)))


def test_igraph_keeps_nodes_edges_and_names(graph):
    pytest.importorskip("igraph")
    found = to_igraph(graph)
    assert (found.vcount(), found.ecount()) == (graph.nodes, graph.edges)
    assert not found.is_directed()
    assert found.vs["layer"] == [layer.name for layer in LAYERS for _ in range(layer.nodes)]
    assert found.vs["index"] == [0, 1, 2, 0, 1, 0, 1, 2, 3]
    assert found.es["operation"] == ["conv <1>"] * 6 + ["dense"] * 8 + ["shortcut"] * 2 + ["again"]
    matrix = np.zeros((9, 9))
    for edge in found.es:
        matrix[edge.tuple] += edge["weight"]
        matrix[edge.tuple[::-1]] += edge["weight"]
    np.testing.assert_array_equal(matrix, by_hand(graph))


def test_graphml_is_read_back_by_networkx(graph, tmp_path):
    networkx = pytest.importorskip("networkx")
    to_graphml(graph, tmp_path / "graph.graphml")
    found = networkx.read_graphml(tmp_path / "graph.graphml", force_multigraph=True)
    assert not found.is_directed()
    assert found.number_of_edges() == graph.edges
    assert [found.nodes[f"n{node}"]["layer"] for node in (2, 3, 5)] == [
        layer.name for layer in LAYERS
    ]
    assert [found.nodes[f"n{node}"]["index"] for node in range(9)] == [0, 1, 2, 0, 1, 0, 1, 2, 3]
    matrix = networkx.to_numpy_array(found, [f"n{node}" for node in range(9)], weight="weight")
    np.testing.assert_array_equal(matrix, by_hand(graph))
    named = {data["operation"] for _, _, data in found.edges(data=True)}
    assert named == {"conv <1>", "dense", "shortcut", "again"}


def test_a_graph_without_edges_leaves_too(tmp_path):
    networkx = pytest.importorskip("networkx")
    lonely = BlockGraph((Layer("input", 2),), ())
    assert to_scipy(lonely).shape == (2, 2)
    to_graphml(lonely, tmp_path / "lonely.graphml")
    assert networkx.read_graphml(tmp_path / "lonely.graphml").number_of_nodes() == 2


def test_what_stands_in_the_way_is_said(graph, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "igraph", None)
    with pytest.raises(InputError, match=r"to_igraph needs the package igraph.*pip install"):
        to_igraph(graph)
    with pytest.raises(InputError, match=r"path: .*absent.*cannot be written: No such file"):
        to_graphml(graph, tmp_path / "absent" / "graph.graphml")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A network with a padded convolution and a shortcut, and the file that it was saved in."""
    inputs = keras.Input((6, 6, 1))
    first = keras.layers.Conv2D(4, 3, padding="same")(inputs)
    second = keras.layers.Conv2D(4, 3, padding="same")(first)
    merged = keras.layers.Flatten()(keras.layers.Add()([first, second]))
    network = keras.Model(inputs, keras.layers.Dense(2)(merged))
    path = tmp_path_factory.mktemp("networks") / "network.keras"
    network.save(path)
    return network, path


@pytest.mark.parametrize(
    ("options", "made"),
    [
        ({}, rolled_graph),
        ({"mode": "chain"}, lambda network: rolled_graph(network, "chain")),
        ({"graph": "unrolled"}, unrolled_graph),
        (
            {"graph": "unrolled", "counting": "published"},
            lambda network: unrolled_graph(network, counting="published"),
        ),
    ],
    ids=["rolled", "chain", "unrolled", "published"],
)
def test_a_saved_network_s_graph_is_written_as_a_matrix(options, made, saved, tmp_path):
    network, path = saved
    written = export_graph(path, tmp_path / "graph.npz", **options)
    expected = made(network)
    assert (written.nodes, written.edges) == (expected.nodes, expected.edges)
    read = sparse.load_npz(tmp_path / "graph.npz")
    np.testing.assert_array_equal(read.toarray(), to_scipy(expected).toarray())


def test_a_saved_network_s_graph_is_written_as_graphml(saved, tmp_path):
    networkx = pytest.importorskip("networkx")
    network, path = saved
    written = export_graph(path, tmp_path / "graph.graphml")
    read = networkx.read_graphml(tmp_path / "graph.graphml", force_multigraph=True)
    assert (len(read.nodes), len(read.edges)) == (written.nodes, written.edges)
    degrees = dict(read.degree(weight="weight"))
    expected = to_scipy(rolled_graph(network)).sum(axis=1)
    np.testing.assert_allclose([degrees[f"n{node}"] for node in range(len(expected))], expected)


def test_what_cannot_be_exported_is_refused(saved, tmp_path):
    _, path = saved
    with pytest.raises(InputError, match=r"graph.csv' came; give a file that ends in .graphml or"):
        export_graph(path, tmp_path / "graph.csv")
    with pytest.raises(UnknownNameError, match=r"unknown graph 'roled'\. Did you mean rolled"):
        export_graph(path, tmp_path / "graph.npz", graph="roled")
    with pytest.raises(WeightsUnavailableError, match="no file"):
        export_graph(tmp_path / "gone.keras", tmp_path / "graph.npz")
    with pytest.raises(InputError, match="cannot be written"):
        export_graph(path, tmp_path / "gone" / "graph.npz")
