"""The unrolled graph: a node for every value that a network computes, an edge for every tap.

Sources: Rieck et al., "Neural Persistence" (ICLR 2019), which unrolls convolutions; "Convolutional
Neural Network Dynamics: A Graph Perspective" (ICLR 2022 submission), section 2.3 and Table 5.
Nodes are the entries of the input and of the outputs of every convolution, pooling and dense
layer. Edges are the kernel taps that fall on the image, one for each output that they help to
compute, with the tap's signed weight. What the papers leave open is defined here:

* Weights are those of the network alone. The text of section 2.3 multiplies them by the
  activations of an image, and does not say of which.
* An edge of an average pooling weighs what it does, 1 over the number of pixels averaged; an
  edge of a max pooling weighs 1, as does the pixel that it lets through. Both are positive and
  stay as they are in training, so they lie in the positive subgraph and dilute it.
* Where a model adds tensors the sums are nodes, with an edge of weight 1 from every summand; where
  it subtracts them, one of weight −1 from what is subtracted.
* Whatever the outputs are computed from has nodes, also values that lead nowhere, such as pixels
  that a stride leaves out.
* Biases, normalisations, activations and dropout leave no trace.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NoReturn

import keras
import numpy as np
from numpy.typing import NDArray

from ncselect.graphs.blocks import Block, BlockGraph, Layer, Weights
from ncselect.graphs.kernels import Kernel, kernels
from ncselect.graphs.origins import NOTHING, Ids, Origins, through
from ncselect.graphs.taps import TapMatrix, Taps, taps_of
from ncselect.graphs.wiring import Call, Tensor, wiring
from zoo.errors import InputError, UnknownNameError

Counting = Literal["correct", "published"]
COUNTINGS: tuple[Counting, ...] = ("correct", "published")

_WINDOWED = (
    keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D,
    keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv1D, keras.layers.SeparableConv2D,
)  # fmt: skip
_MAXIMA = (keras.layers.MaxPooling1D, keras.layers.MaxPooling2D, keras.layers.MaxPooling3D)
_AVERAGES = (
    keras.layers.AveragePooling1D, keras.layers.AveragePooling2D, keras.layers.AveragePooling3D,
)  # fmt: skip
_GLOBAL_MAXIMA = (
    keras.layers.GlobalMaxPooling1D, keras.layers.GlobalMaxPooling2D,
    keras.layers.GlobalMaxPooling3D,
)  # fmt: skip
_GLOBAL_AVERAGES = (
    keras.layers.GlobalAveragePooling1D, keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalAveragePooling3D,
)  # fmt: skip

_SUMS = {"Add": 1.0, "Subtract": -1.0}
"""Kind of call → the weight of all summands but the first."""


@dataclass(frozen=True, eq=False)
class _Edges:
    """A block whose weights are read when they are needed."""

    sources: Ids
    targets: Ids
    name: str
    number: int
    weights: Callable[[], Weights]


class UnrolledNetwork:
    """A Keras model as a signed graph of single values, its structure worked out once.

    Parameters
    ----------
    model
        A built ``keras.Model`` of convolutions (1 to 3 axes; strided, dilated, grouped,
        depthwise, separable), poolings, dense layers, sums and differences, and of what only moves
        entries or works on each alone; made for images of one size.
    counting
        ``correct``, or ``published``: Table 5 gives AlexNet and VGG the sizes that come about if
        every tap of a convolution that falls in the padding is taken for one on pixel 0 of its
        channel. Taps that then connect the same two nodes are one edge, of their summed weight.

    Raises
    ------
    InputError
        If the model cannot be walked, leaves a size open, or holds an operation whose edges are
        not defined here.
    UnknownNameError
        If the counting is unknown.
    """

    def __init__(self, model: Any, *, counting: Counting = "correct") -> None:
        if counting not in COUNTINGS:
            raise UnknownNameError("counting", counting, COUNTINGS)
        draft = _Draft(counting)
        wired = wiring(model)
        known = {}
        for position, tensor in enumerate(wired.inputs, start=1):
            name = f"input_{position}" if len(wired.inputs) > 1 else "input"
            known[tensor] = draft.new(name, _shape(tensor))
        for call in wired.calls:
            if len(call.outputs) > 1:
                _refuse(call)
            known[call.outputs[0]] = draft.output(call, [known[one] for one in call.inputs])
        self.layers = tuple(draft.layers)
        self._edges = tuple(draft.edges)

    @property
    def nodes(self) -> int:
        """Number of nodes, |V|."""
        return sum(layer.nodes for layer in self.layers)

    @property
    def edges(self) -> int:
        """Number of edges, |E|, known before any is built."""
        return sum(edges.number for edges in self._edges)

    def graph(self) -> BlockGraph:
        """Return the graph of the model's present weights.

        Returns
        -------
        BlockGraph
            Signed, in single precision. Blocks of dense layers on vectors are dense arrays, all
            others ``csr_array``; the graphs of one network share their indices.
        """
        return BlockGraph(
            self.layers,
            tuple(
                Block(edges.sources, edges.targets, edges.weights(), name=edges.name)
                for edges in self._edges
            ),
        )


def unrolled_graph(model: Any, *, counting: Counting = "correct") -> BlockGraph:
    """Return the unrolled graph of a model once; parameters as of :class:`UnrolledNetwork`."""
    return UnrolledNetwork(model, counting=counting).graph()


@dataclass
class _Draft:
    """Layers and edges found so far.

    The tensors of the model are followed as arrays of their shape that hold, for every entry, the
    number of its node, from 1 on, or ``NOTHING`` where it is padding.
    """

    counting: Counting
    layers: list[Layer] = field(default_factory=list)
    edges: list[_Edges] = field(default_factory=list)
    nodes: int = 0

    def new(self, name: str, shape: tuple[int, ...]) -> Ids:
        """Add a layer; return its nodes in the shape of its output."""
        first = self.nodes + 1
        self.nodes += math.prod(shape)
        self.layers.append(Layer(name, math.prod(shape)))
        return np.arange(first, self.nodes + 1).reshape(shape)

    def output(self, call: Call, inputs: list[Ids]) -> Ids:
        """Add the nodes and edges of a call; return the nodes of its output."""
        layer, shape = call.operation, _shape(call.outputs[0])
        weighted = kernels(call)
        if isinstance(layer, keras.layers.Dense):
            return self._dense(weighted[0], inputs[0])
        if isinstance(layer, _WINDOWED):
            return self._convolved(layer, weighted, inputs[0])
        if isinstance(layer, _MAXIMA + _AVERAGES + _GLOBAL_MAXIMA + _GLOBAL_AVERAGES):
            return self._pooled(call.name, layer, inputs[0]).reshape(shape)
        if type(layer).__name__ in _SUMS and len(inputs) > 1:  # the layer, or that of x + y
            signs = [1.0] + [_SUMS[type(layer).__name__]] * (len(inputs) - 1)
            return self._sum(call.name, inputs, signs, shape)
        try:
            moved = through(call, inputs, _Entries())
        except InputError as error:
            _refuse(call, error)
        return np.broadcast_to(moved[0], shape)

    def _convolved(self, layer: Any, weighted: tuple[Kernel, ...], given: Ids) -> Ids:
        """Add the kernels of a layer, of which the first moves over the image."""
        image = _channels_last(layer, given)
        size = image.shape[:-1]
        taps = taps_of(
            size, layer.kernel_size, strides=_per_axis(layer.strides, size),
            padding=layer.padding, dilation=_per_axis(layer.dilation_rate, size),
        )  # fmt: skip
        taps = taps.aliased(_there(image)) if self.counting == "published" else taps
        for kernel in weighted:
            found = self.new(kernel.name, (*taps.size, kernel.targets))
            read = partial(_read, kernel)
            self._connect(kernel.name, image, found, taps, groups=kernel.groups, weights=read)
            image, taps = found, _one_to_one(taps.size)
        return _channels_as_given(layer, image)

    def _pooled(self, name: str, layer: Any, given: Ids) -> Ids:
        image = _channels_last(layer, given)
        size, channels = image.shape[:-1], image.shape[-1]
        if isinstance(layer, _MAXIMA + _AVERAGES):
            taps = taps_of(size, layer.pool_size, strides=layer.strides, padding=layer.padding)
        else:
            taps = taps_of(size, size, strides=size, padding="valid")
        taps = taps.on(np.ones(math.prod(size), np.bool_))
        weight = np.ones(len(taps.target))
        if isinstance(layer, _AVERAGES + _GLOBAL_AVERAGES):
            weight /= np.bincount(taps.target)[taps.target]
        found = self.new(name, (*taps.size, channels))
        values = np.tile(weight.astype(np.float32)[:, None, None], (1, 1, channels))
        pairs = len(weight)  # the weight depends on the output, so every pair is a tap of its own
        own = Taps(taps.size, taps.source, taps.target, np.arange(pairs), pairs)
        self._connect(name, image, found, own, groups=channels, weights=lambda: values)
        return _channels_as_given(layer, found)

    def _sum(self, name: str, inputs: list[Ids], signs: list[float], shape: tuple[int, ...]) -> Ids:
        found = self.new(name, shape)
        taps = _one_to_one((found.size,))
        for summand, sign in zip(inputs, signs, strict=True):
            entries = np.broadcast_to(summand, shape).reshape(-1, 1)
            weights = partial(np.full, (1, 1, 1), sign, np.float32)
            self._connect(name, entries, found, taps, groups=1, weights=weights)
        return found

    def _dense(self, kernel: Kernel, given: Ids) -> Ids:
        """Add a dense layer, which works on the last axis."""
        places = given.shape[:-1]
        found = self.new(kernel.name, (*places, kernel.targets))
        if places:
            taps, read = _one_to_one(places), partial(_read, kernel)
            self._connect(kernel.name, given, found, taps, groups=1, weights=read)
            return found
        for rows in _without_repetition(given):
            weights = partial(_rows_of, kernel, rows)
            number = len(rows) * kernel.targets
            self.edges.append(_Edges(given[rows] - 1, found - 1, kernel.name, number, weights))
        return found

    def _connect(
        self,
        name: str,
        image: Ids,
        found: Ids,
        taps: Taps,
        *,
        groups: int,
        weights: Callable[[], NDArray[np.float32]],
    ) -> None:
        """Add the edges from an image, channels last, to the nodes that a kernel gives."""
        taps = taps.on(_there(image))
        entries, targets = image.ravel(), found.ravel()
        filters = found.size // math.prod(taps.size)
        for rows in _without_repetition(entries):
            matrix = TapMatrix(
                taps, channels=image.shape[-1], filters=filters, groups=groups, rows=rows
            )
            filled = partial(_filled, matrix, weights)
            self.edges.append(_Edges(entries[rows] - 1, targets - 1, name, matrix.edges, filled))


class _Entries(Origins):
    """Origins that are single entries; what would unite several is refused."""

    def united(self, ids: Ids) -> NoReturn:
        raise InputError(f"entries are united, of shape {ids.shape}")


def _refuse(call: Call, cause: InputError | None = None) -> NoReturn:
    raise InputError(
        f"model: the unrolled graph does not know the edges of {call.described}. It knows "
        "convolutions, poolings, dense layers, sums and differences, and what only moves entries "
        "or works on each alone; for this model use the rolled graph."
    ) from cause


def _shape(tensor: Tensor) -> tuple[int, ...]:
    known = tuple(size for size in tensor.shape if size is not None)
    if len(known) < len(tensor.shape):
        raise InputError(
            f"model: a tensor of shape {tensor.shape} leaves a size open, and the unrolled graph "
            "has a node for every pixel. Build the model for images of one size."
        )
    return known


def _read(kernel: Kernel) -> NDArray[np.float32]:
    return np.asarray(kernel.read(), dtype=np.float32)


def _rows_of(kernel: Kernel, rows: Ids) -> NDArray[np.float32]:
    return np.take(_read(kernel)[0], rows, axis=0)  # a copy: training changes the original


def _filled(matrix: TapMatrix, weights: Callable[[], NDArray[np.float32]]) -> Weights:
    return matrix.filled(weights())


def _channels_last(layer: Any, ids: Ids) -> Ids:
    return np.moveaxis(ids, 0, -1) if layer.data_format == "channels_first" else ids


def _channels_as_given(layer: Any, ids: Ids) -> Ids:
    return np.moveaxis(ids, -1, 0) if layer.data_format == "channels_first" else ids


def _per_axis(value: int | tuple[int, ...], size: tuple[int, ...]) -> tuple[int, ...]:
    return (value,) * len(size) if isinstance(value, int) else tuple(value)


def _one_to_one(size: tuple[int, ...]) -> Taps:
    pixels = np.arange(math.prod(size))
    return Taps(size, pixels, pixels, np.zeros_like(pixels), 1)


def _there(image: Ids) -> NDArray[np.bool_]:
    """Return which pixels of an image are no padding, shape (pixels,)."""
    return np.asarray((image != NOTHING).reshape(-1, image.shape[-1]).any(axis=1))


def _without_repetition(ids: Ids) -> Iterator[Ids]:
    """Yield the places of all that is no padding, cut so that no part holds a node twice."""
    places = np.flatnonzero(ids != NOTHING)
    while places.size:
        _, first = np.unique(ids[places], return_index=True)
        yield places[np.sort(first)]
        places = np.delete(places, first)
