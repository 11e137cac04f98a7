"""What is recorded of graphs, by name; needs neither SciPy nor Keras."""

from __future__ import annotations

from collections.abc import Mapping

STATISTICS = ("median", "mean", "sd", "skewness", "kurtosis")
"""Of the nodes' values, in the order of a signature."""

FEATURES = ("degree", "eigenvector")
"""Of a node: weighted degree, eigenvector centrality."""

GRAPHS: Mapping[str, str] = {
    "rolled": "rolled graph",
    "unrolled-positive": "positive edges of the unrolled graph",
    "unrolled-negative": "negative edges of the unrolled graph",
}
"""Kind → the graph that is meant."""

RECORDED: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "rolled": ("rolled",),
    "rolled+unrolled": ("rolled", "unrolled-positive", "unrolled-negative"),
}
"""What a run may record → the kinds that it holds."""

GRAPH_SIGNALS: Mapping[str, str] = {
    f"graph/{kind}/{feature}/{statistic}": f"{statistic} of the nodes' {feature}, {graph}"
    for kind, graph in GRAPHS.items()
    for feature in FEATURES
    for statistic in STATISTICS
}
"""Signal → what it is."""
