"""The rolled graph of a network: a node per channel or unit, an edge per pair with weights.

Source: "Convolutional Neural Network Dynamics: A Graph Perspective" (ICLR 2022 submission),
section 3.1, which defines it for chains of convolutions and dense layers: the edge from filter k
to filter l has weight ‖K[:, :, k, l]‖₂, kernels being (height, width, in, out), that between two
units |W|. Biases, normalisations and dropout leave no trace.

What the paper leaves open is defined here for any Keras model:

* A dense layer on flattened channels has one edge per channel and unit, the norm over the
  channel's positions (the paper's Table 5 counts them so).
* Filters of a grouped or depthwise convolution have edges from their own group alone; the
  depthwise filters of a separable convolution are nodes of their own.
* Where tensors meet in a sum, an average, a maximum or a product, ``mode`` decides:
  ``junction`` puts a node at every channel of the result, with an edge of weight 1 from
  everything that meets there; ``union`` lets whatever follows be connected to all of it directly;
  ``chain`` follows the way with the most weighted layers alone (the first of several) and leaves
  out what then leads nowhere, shortcut convolutions for one, as Table 5 does; in a product with a
  gate (a tensor of one position per channel, as in squeeze-and-excitation) it follows what is
  gated. A tensor that meets itself, as in x · sigmoid(x), stays what it was, and so does a tensor
  that is divided by another: that is a normalisation.
* Layers that reach no output have no nodes, except the inputs. A layer of which some channels
  reach one has all its nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from ncselect.graphs.blocks import Block, BlockGraph, Layer
from ncselect.graphs.edges import Edges, Pairs, Scaling, scales
from ncselect.graphs.kernels import Kernel, kernels
from ncselect.graphs.origins import Ids, Origins, through, unknown, without_padding
from ncselect.graphs.wiring import Call, Tensor, Wiring, wiring
from zoo.errors import InputError

Mode = Literal["junction", "union", "chain"]

MODES: tuple[Mode, ...] = ("junction", "union", "chain")

_MEETING = frozenset(("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"))
_NORMALISING = frozenset(("Divide", "FloorDivide", "TrueDivide"))


class RolledNetwork:
    """A model whose rolled graph is taken again and again while it trains.

    The wiring is followed once; :meth:`graph` only reads the present weights.

    Parameters
    ----------
    model
        A built Keras model of any kind.
    mode
        ``junction``, ``union`` or ``chain``: what becomes of sums and products, see the module.
    fold_batch_norm
        Whether weights are multiplied by |γ| / √(σ² + ε) of Keras batch normalisations, with the
        moving variance: those of the filters that a normalisation directly follows, else those
        of the edges that leave the normalised channels. As published it is not done.

    Raises
    ------
    InputError
        If ``mode`` is none of those, the model cannot be followed, or it has weights of a kind
        that the graph does not know.
    """

    def __init__(self, model: Any, mode: Mode = "junction", fold_batch_norm: bool = False) -> None:
        if mode not in MODES:
            raise InputError(f"mode is '{mode}'. Give one of {', '.join(MODES)}.")
        grown = _Growth(wiring(model), mode, fold_batch_norm)
        self._scalings = tuple(grown.scalings)
        self._layers, self._edges = grown.connected()

    def graph(self) -> BlockGraph:
        """Return the graph of the model's present weights, which are 64-bit norms, never < 0."""
        factors = np.ones(1)
        for scaling in self._scalings:
            own = scales(scaling.norm)[scaling.channels]
            factors = np.concatenate([factors, own * factors[scaling.parents]])
        blocks = (
            Block(one.sources, one.targets, one.weights(factors), one.name) for one in self._edges
        )
        return BlockGraph(self._layers, tuple(blocks))


def rolled_graph(model: Any, mode: Mode = "junction", fold_batch_norm: bool = False) -> BlockGraph:
    """Return the rolled graph of a model once; arguments and errors as :class:`RolledNetwork`."""
    return RolledNetwork(model, mode, fold_batch_norm).graph()


class _Growth:
    """The graph as it grows call by call.

    A source in ``origins`` is the number of a signal: a node and a factor on the way from it,
    where factor 0 is 1.
    """

    def __init__(self, wired: Wiring, mode: Mode, fold: bool) -> None:
        self._wired, self._mode, self._fold = wired, mode, fold
        self.scalings: list[Scaling] = []
        self._factors = 1
        self._layers: list[Layer] = []
        self._first: list[int] = []  # node of each layer, and behind the last
        self._edges: list[Edges] = []
        self._signals: list[tuple[int, int]] = []
        self._origins = Origins()
        self._ids: dict[Tensor, Ids] = {}
        self._depths: dict[Tensor, int] = {}
        self._linear: dict[Tensor, tuple[Edges, int]] = {}
        self._uses: dict[Tensor, int] = {}
        for tensor in (*(one for call in wired.calls for one in call.inputs), *wired.outputs):
            self._uses[tensor] = self._uses.get(tensor, 0) + 1
        self._take_inputs()
        for call in wired.calls:
            self._take(call)

    def connected(self) -> tuple[tuple[Layer, ...], tuple[Edges, ...]]:
        """Return layers and edges, without the layers that reach no output."""
        first = np.array([*self._first, self._nodes])
        reached = set(range(len(self._wired.inputs)))

        def reach(nodes: NDArray[np.int64]) -> None:
            reached.update(np.unique(np.searchsorted(first, nodes, "right") - 1).tolist())

        for tensor in self._wired.outputs:
            numbers = np.unique(self._ids[tensor]).tolist()
            signals = {signal for number in numbers for signal in self._origins[number]}
            reach(np.array([self._signals[one][0] for one in signals], np.int64))
        kept = []
        for edges in reversed(self._edges):
            if int(np.searchsorted(first, edges.targets[0], "right")) - 1 in reached:
                reach(edges.sources)
                kept.append(edges)
        alive = np.repeat([one in reached for one in range(len(self._layers))], np.diff(first))
        renumbered = np.cumsum(alive) - 1
        for edges in kept:
            edges.sources = renumbered[edges.sources]
            edges.targets = renumbered[edges.targets]
        layers = tuple(self._layers[one] for one in sorted(reached))
        return layers, tuple(reversed(kept))

    @property
    def _nodes(self) -> int:
        return self._first[-1] + self._layers[-1].nodes if self._layers else 0

    def _new(self, name: str, nodes: int) -> tuple[NDArray[np.int64], Ids]:
        """Add a layer; return its nodes and the origins of what they give."""
        first = self._nodes
        self._layers.append(Layer(name, nodes))
        self._first.append(first)
        numbers = np.arange(first, first + nodes)
        return numbers, self._sourced((node, 0) for node in numbers.tolist())

    def _sourced(self, signals: Iterable[tuple[int, int]]) -> Ids:
        before = len(self._signals)
        self._signals.extend(signals)
        return self._origins.each(range(before, len(self._signals)))

    def _take_inputs(self) -> None:
        formats = (getattr(call.operation, "data_format", None) for call in self._wired.calls)
        self._channels_first = next(filter(None, formats), None) == "channels_first"
        several = len(self._wired.inputs) > 1
        for position, tensor in enumerate(self._wired.inputs, start=1):
            axis = 0 if self._channels_first else -1
            channels = tensor.shape[axis] if tensor.shape else None
            if channels is None:
                raise InputError(
                    f"input {position} of the model has shape {tensor.shape} with an open number "
                    "of channels. Build the model for images of a known number of channels."
                )
            _, ids = self._new(f"input_{position}" if several else "input", channels)
            self._ids[tensor] = _laid(ids, len(tensor.shape), axis)
            self._depths[tensor] = 0

    def _take(self, call: Call) -> None:
        """Follow one call."""
        found = [self._ids[one] for one in call.inputs]
        depth = max((self._depths[one] for one in call.inputs), default=0)
        parts = kernels(call)
        kind = type(call.operation).__name__
        if parts:
            [ids] = found
            for part in parts:
                edges, ids = self._weigh(part, ids)
            if part.linear:
                self._linear[call.outputs[0]] = (edges, part.axis % ids.ndim)
            results = [ids]
        elif self._fold and isinstance(call.operation, keras.layers.BatchNormalization):
            results = [self._normalise(call, found[0])]
        elif len(found) > 1 and kind in _NORMALISING:
            results, depth = found[:1], self._depths[call.inputs[0]]
        elif len(found) > 1 and kind in _MEETING:
            ids, depth = self._meet(call, found)
            results = [ids]
        else:
            results = through(call, found, self._origins)
        for tensor, ids in zip(call.outputs, results, strict=True):
            self._ids[tensor] = ids
            self._depths[tensor] = depth + len(parts)

    def _weigh(self, kernel: Kernel, ids: Ids) -> tuple[Edges, Ids]:
        """Connect the filters of a kernel to where its features come from."""
        features = self._origins.per_feature(ids, kernel.axis, kernel.features)
        targets, given = self._new(kernel.name, kernel.targets)
        edges = self._connect(kernel.name, [features], targets, kernel)
        return edges, _laid(given, ids.ndim, kernel.axis)

    def _connect(
        self, name: str, found: Sequence[Ids], targets: NDArray[np.int64], kernel: Kernel | None
    ) -> Edges:
        """Add the edges from origins of each feature to targets."""
        pairs = np.array(
            [
                (feature, *self._signals[signal])
                for ids in found
                for feature, number in enumerate(ids.tolist())
                for signal in self._origins[number]
            ],
            np.int64,
        ).reshape(-1, 3)
        sources, positions = np.unique(pairs[:, 1], return_inverse=True)
        edges = Edges(
            name, sources, targets, Pairs(pairs[:, 0], positions.reshape(-1), pairs[:, 2]), kernel
        )
        self._edges.append(edges)
        return edges

    def _meet(self, call: Call, found: Sequence[Ids]) -> tuple[Ids, int]:
        """Join tensors that a sum or a product brings together; return also the depth."""
        depths = [self._depths[one] for one in call.inputs]
        found = [without_padding(ids, self._positions(ids)) for ids in found]
        if len({ids.ndim for ids in found}) > 1:
            raise unknown(call)
        wide = np.broadcast_arrays(*found)
        if all((ids == wide[0]).all() for ids in wide):
            return wide[0], max(depths)
        if self._mode == "chain":
            whole = [one.shape == call.outputs[0].shape for one in call.inputs]
            main = max(range(len(wide)), key=lambda one: (whole[one], depths[one]))
            return wide[main], depths[main]
        if self._mode == "union":
            return self._origins.united(np.stack(wide, axis=-1)), max(depths)
        nodes, given = self._new(call.name, wide[0].size)
        self._connect(call.name, [ids.reshape(-1) for ids in wide], nodes, None)
        return given.reshape(wide[0].shape), max(depths)

    def _positions(self, ids: Ids) -> tuple[int, ...]:
        """Return the axes of an image's positions."""
        return tuple(range(1, ids.ndim) if self._channels_first else range(ids.ndim - 1))

    def _normalise(self, call: Call, ids: Ids) -> Ids:
        """Fold a batch normalisation into the filters before it, else into what follows."""
        norm, tensor = call.operation, call.inputs[0]
        axis = norm.axis % (ids.ndim + 1) - 1
        edges, filters = self._linear.get(tensor, (None, axis))
        if edges is not None and filters == axis and self._uses[tensor] == 1:
            edges.norm = norm
            return ids
        shape = list(ids.shape)
        shape[axis] = tensor.shape[axis]
        channels = _laid(np.arange(shape[axis]), ids.ndim, axis)
        wide, channels = (np.broadcast_to(one, shape).reshape(-1) for one in (ids, channels))
        sets: list[range] = []
        scaled: list[tuple[int, int]] = []
        chosen, parents = [], []
        for number, channel in zip(wide.tolist(), channels.tolist(), strict=True):
            signals = [self._signals[signal] for signal in self._origins[number]]
            start = len(self._signals) + len(scaled)
            sets.append(range(start, start + len(signals)))
            for node, factor in signals:
                scaled.append((node, self._factors + len(scaled)))
                chosen.append(channel)
                parents.append(factor)
        self._signals.extend(scaled)
        self._factors += len(scaled)
        self.scalings.append(Scaling(norm, np.array(chosen, int), np.array(parents, int)))
        return np.array([self._origins.number(one) for one in sets], np.int64).reshape(shape)


def _laid(ids: NDArray[np.int64], axes: int, axis: int) -> NDArray[np.int64]:
    """Lay a vector along one of several axes."""
    shape = [1] * axes
    shape[axis] = -1
    return ids.reshape(shape)
