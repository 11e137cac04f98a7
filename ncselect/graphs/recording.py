"""Graph signatures of a network as it stands, by the names under which runs record them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ncselect.graphs.names import GRAPH_SIGNALS, RECORDED
from ncselect.graphs.signature import snapshot
from zoo.errors import InputError

if TYPE_CHECKING:
    from ncselect.graphs.blocks import BlockGraph


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
    """

    def __init__(self, model: Any, recorded: str = "rolled") -> None:
        kinds = RECORDED[recorded]
        self.absent = {
            name: f"graphs: '{recorded}' leaves it out; record 'rolled+unrolled'"
            for name in GRAPH_SIGNALS
            if name.split("/")[1] not in kinds
        }
        self._networks: list[tuple[tuple[str, ...], Any]] = []
        if kinds:
            self._follow(model, kinds)

    def measure(self) -> dict[str, float]:
        """Return the signals of the present weights, but the absent ones.

        Raises
        ------
        InputError
            If a weight is NaN or infinite.
        """
        return {
            f"graph/{kind}/{name}": value
            for kinds, network in self._networks
            for kind, graph in _named(kinds, network.graph())
            for name, value in snapshot(graph).items()
        }

    def _follow(self, model: Any, kinds: tuple[str, ...]) -> None:
        from ncselect.graphs.rolled import RolledNetwork
        from ncselect.graphs.unrolled import UnrolledNetwork

        networks: tuple[tuple[tuple[str, ...], Callable[[Any], Any]], ...] = (
            (kinds[:1], RolledNetwork),
            (kinds[1:], UnrolledNetwork),
        )
        for wanted, made in networks:
            if not wanted:
                continue
            try:
                self._networks.append((wanted, made(model)))
            except InputError as error:
                lost = [name for name in GRAPH_SIGNALS if name.split("/")[1] in wanted]
                self.absent |= dict.fromkeys(lost, str(error))


def _named(kinds: tuple[str, ...], graph: BlockGraph) -> Iterator[tuple[str, BlockGraph]]:
    """Yield a network's graphs by kind; of a signed one its two parts."""
    if kinds == ("rolled",):
        yield "rolled", graph
        return
    yield "unrolled-positive", graph.positive()
    yield "unrolled-negative", graph.negative()
