"""Graph signatures of a network as it stands, by the names under which runs record them."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from ncselect.graphs.names import FEATURES, GRAPH_SIGNALS, GRAPHS, RECORDED
from ncselect.graphs.signature import snapshot
from zoo.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    from ncselect.graphs.blocks import BlockGraph

ROLLED = RECORDED["rolled"]


class GraphRecorder:
    """Measures the graphs of a network; their structure is worked out once.

    Parameters
    ----------
    model
        A built ``keras.Model``.
    recorded
        One of ``RECORDED``.

    Attributes
    ----------
    absent
        Signal → why this network cannot have it.

    Raises
    ------
    UnknownNameError
        If nothing of that name can be recorded.
    """

    def __init__(self, model: Any, recorded: str = "rolled") -> None:
        if recorded not in RECORDED:
            raise UnknownNameError("graphs", recorded, RECORDED)
        kinds = RECORDED[recorded]
        self.absent = dict.fromkeys(
            _signals_of(set(GRAPHS) - set(kinds)),
            f"graphs: '{recorded}' leaves it out; record 'rolled+unrolled'",
        )
        self._networks: list[tuple[tuple[str, ...], Any]] = []
        for wanted in (kinds[:1], kinds[1:]):
            if wanted:
                self._follow(model, wanted)

    def measure(self) -> dict[str, float]:
        """Return the signals of the present weights, but the absent ones.

        What cannot be measured, as the graph of a network that diverged, is nan, and a warning
        says why: a graph is seen beside a training, and must not end it.
        """
        measured: dict[str, float] = {}
        for kinds, network in self._networks:
            try:
                graphs = _parts(kinds, network.graph())
            except (InputError, MemoryError) as error:
                measured |= _unknown(_signals_of(kinds), error)
                continue
            for (kind, graph), feature in product(graphs, FEATURES):
                try:
                    found = snapshot(graph, (feature,))
                    measured |= {f"graph/{kind}/{name}": value for name, value in found.items()}
                except (InputError, MemoryError) as error:
                    measured |= _unknown(_signals_of({kind}, feature), error)
        return measured

    def _follow(self, model: Any, kinds: tuple[str, ...]) -> None:
        from ncselect.graphs.rolled import RolledNetwork
        from ncselect.graphs.unrolled import UnrolledNetwork

        made = RolledNetwork if kinds == ROLLED else UnrolledNetwork
        try:
            self._networks.append((kinds, made(model)))
        except (InputError, MemoryError) as error:
            self.absent |= dict.fromkeys(_signals_of(kinds), str(error) or type(error).__name__)


def _signals_of(kinds: Collection[str], feature: str | None = None) -> list[str]:
    """Return the signals of some kinds of graph, of all features or of one."""
    return [
        name
        for name in GRAPH_SIGNALS
        if name.split("/")[1] in kinds and feature in (None, name.split("/")[2])
    ]


def _parts(kinds: tuple[str, ...], graph: BlockGraph) -> list[tuple[str, BlockGraph]]:
    """Return a network's graphs by kind; of a signed one its two parts."""
    if kinds == ROLLED:
        return [("rolled", graph)]
    return [("unrolled-positive", graph.positive()), ("unrolled-negative", graph.negative())]


def _unknown(names: Sequence[str], error: Exception) -> dict[str, float]:
    warnings.warn(
        f"graph signatures are nan: {str(error) or type(error).__name__}",
        RuntimeWarning,
        stacklevel=3,
    )
    return dict.fromkeys(names, float("nan"))
