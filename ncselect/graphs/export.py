"""A graph for other tools: a SciPy matrix, igraph, or a GraphML file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ncselect.graphs.blocks import Block, BlockGraph
from zoo.errors import InputError, UnknownNameError

Edges = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


def to_scipy(graph: BlockGraph) -> sparse.csr_array:
    """Return the symmetric weighted adjacency matrix of a graph.

    Parameters
    ----------
    graph
        Of any kind.

    Returns
    -------
    scipy.sparse.csr_array
        Shape (nodes, nodes); an edge of weight 0 is a stored 0. Edges between the same two nodes
        are one, of the sum of their weights.
    """
    first, second, weights = _edges(graph)
    shape = (graph.nodes, graph.nodes)
    rows, columns = np.concatenate([first, second]), np.concatenate([second, first])
    return sparse.coo_array((np.tile(weights, 2), (rows, columns)), shape=shape).tocsr()


def to_igraph(graph: BlockGraph) -> Any:
    """Return a graph as igraph's.

    Parameters
    ----------
    graph
        Of any kind.

    Returns
    -------
    igraph.Graph
        Undirected, nodes numbered alike; nodes have ``layer``, the name of their layer, and
        ``index``, their number in it, from 0; edges have ``weight``, and ``operation``, the name
        of what they come from. Parallel edges stay apart.

    Raises
    ------
    InputError
        If igraph is not installed.
    """
    try:
        import igraph
    except ImportError as error:
        raise InputError(
            "to_igraph needs the package igraph, which is not installed. Run `pip install "
            "igraph`, or use to_scipy or to_graphml."
        ) from error
    first, second, weights = _edges(graph)
    operations = [block.name for block in graph.blocks for _ in range(block.edges)]
    layers, indices = zip(*_nodes(graph), strict=True) if graph.nodes else ((), ())
    return igraph.Graph(
        n=graph.nodes,
        edges=np.column_stack([first, second]),
        vertex_attrs={"layer": list(layers), "index": list(indices)},
        edge_attrs={"weight": weights.tolist(), "operation": operations},
    )


def to_graphml(graph: BlockGraph, path: str | Path) -> None:
    """Write a graph as a GraphML file, edge by edge, so that memory stays at the graph's own.

    Nodes are ``n0``, ``n1``, … with the data ``layer`` and ``index``, edges have ``weight`` and
    ``operation``, as in :func:`to_igraph`. Source of the format: U. Brandes et al., "GraphML
    Primer", http://graphml.graphdrawing.org/primer/graphml-primer.html.

    Parameters
    ----------
    graph
        Of any kind; expect 100 bytes an edge.
    path
        Of the file, which is replaced; its folder must exist.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    try:
        with Path(path).open("w", encoding="utf-8") as file:
            file.writelines(_graphml(graph))
    except OSError as error:
        raise InputError(
            f"path: {path} cannot be written: {error.strerror}. Name a file in a folder that "
            "exists and is yours."
        ) from error


def export_graph(
    model: str | Path,
    path: str | Path,
    *,
    graph: str = "rolled",
    mode: str = "junction",
    counting: str = "correct",
) -> BlockGraph:
    """Write the graph of a saved network to a file.

    Parameters
    ----------
    model
        A ``.keras`` file, loaded in safe mode.
    path
        Ends in ``.graphml``, see :func:`to_graphml`, or in ``.npz``: the matrix of
        :func:`to_scipy`, which ``scipy.sparse.load_npz`` reads. The file is replaced.
    graph
        ``rolled`` or ``unrolled``.
    mode
        Of the rolled graph, see ``rolled.RolledNetwork``.
    counting
        Of the unrolled graph, see ``unrolled.UnrolledNetwork``.

    Returns
    -------
    BlockGraph
        What was written.

    Raises
    ------
    InputError
        If the path ends otherwise or cannot be written, or the network has no such graph.
    UnknownNameError
        If there is no such graph, mode or counting.
    WeightsUnavailableError
        If there is no such network, or it is damaged.
    """
    from zoo.saved import load_safely

    path = Path(path)
    if path.suffix not in (".graphml", ".npz"):
        raise InputError(f"path: '{path}' came; give a file that ends in .graphml or .npz")
    if graph not in ("rolled", "unrolled"):
        raise UnknownNameError("graph", graph, ("rolled", "unrolled"))
    network = load_safely(Path(model), "model")
    built: BlockGraph
    if graph == "rolled":
        from ncselect.graphs.rolled import rolled_graph

        built = rolled_graph(network, mode)  # type: ignore[arg-type]
    else:
        from ncselect.graphs.unrolled import unrolled_graph

        built = unrolled_graph(network, counting=counting)  # type: ignore[arg-type]
    if path.suffix == ".graphml":
        to_graphml(built, path)
        return built
    try:
        sparse.save_npz(path, to_scipy(built))
    except OSError as error:
        raise InputError(
            f"path: {path} cannot be written: {error.strerror}. Name a file in a folder that "
            "exists and is yours."
        ) from error
    return built


_KEYS = (
    ("node", "layer", "string"),
    ("node", "index", "int"),
    ("edge", "weight", "double"),
    ("edge", "operation", "string"),
)


def _graphml(graph: BlockGraph) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    for owner, name, kind in _KEYS:
        yield f'<key id="{name}" for="{owner}" attr.name="{name}" attr.type="{kind}"/>\n'
    yield '<graph edgedefault="undirected">\n'
    for number, (layer, index) in enumerate(_nodes(graph)):
        data = f'<data key="layer">{escape(layer)}</data><data key="index">{index}</data>'
        yield f'<node id="n{number}">{data}</node>\n'
    for block in graph.blocks:
        operation = f'<data key="operation">{escape(block.name)}</data>'
        for source, target, value in zip(*_edges_of(block), strict=True):
            weight = f'<data key="weight">{float(value)!r}</data>'
            yield f'<edge source="n{source}" target="n{target}">{weight}{operation}</edge>\n'
    yield "</graph>\n</graphml>\n"


def _nodes(graph: BlockGraph) -> Iterator[tuple[str, int]]:
    """Yield every node's layer and its number there."""
    for layer in graph.layers:
        for index in range(layer.nodes):
            yield layer.name, index


def _edges(graph: BlockGraph) -> Edges:
    """Return sources, targets and weights of all edges, block by block."""
    parts = [_edges_of(block) for block in graph.blocks]
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    first, second, weights = (np.concatenate(column) for column in zip(*parts, strict=True))
    return first, second, weights


def _edges_of(block: Block) -> Edges:
    """Return sources, targets and weights of a block's edges, those of weight 0 too."""
    if sparse.issparse(block.weights):
        found = sparse.coo_array(block.weights)
        return block.sources[found.row], block.targets[found.col], found.data
    sources, targets = np.meshgrid(block.sources, block.targets, indexing="ij")
    return sources.reshape(-1), targets.reshape(-1), np.asarray(block.weights).reshape(-1)
