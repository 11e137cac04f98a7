"""Where the entries of a tensor come from, followed through what has no weights.

The origin of an entry is a set of sources; sets are numbered. The origins of a tensor are an
integer array of its shape without the batch, in which an axis has length 1 where the origin
does not depend on it: an image of three channels has origins of shape (1, 1, 3).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from ncselect.graphs.wiring import Call, Tensor
from zoo.errors import InputError

Ids = NDArray[np.int64]

NOTHING = 0
"""Number of the empty set: what padding adds comes from no source."""


class Origins:
    """Sets of sources, equal ones under one number."""

    def __init__(self) -> None:
        self._sets: list[tuple[int, ...]] = [()]
        self._numbers: dict[tuple[int, ...], int] = {(): NOTHING}

    def __getitem__(self, number: int) -> tuple[int, ...]:
        """Return the sources of a set, ascending."""
        return self._sets[number]

    def number(self, sources: Iterable[int]) -> int:
        """Return the number of a set of sources."""
        key = tuple(sorted(set(sources)))
        if key not in self._numbers:
            self._numbers[key] = len(self._sets)
            self._sets.append(key)
        return self._numbers[key]

    def each(self, sources: Iterable[int]) -> Ids:
        """Return the number of the set of each source alone."""
        return np.array([self.number((source,)) for source in sources], np.int64)

    def united(self, ids: Ids) -> Ids:
        """Unite along the last axis, shapes (…, k) → (…)."""
        if _differs_by_padding(ids, (ids.ndim - 1,)):
            return np.asarray(ids.max(axis=-1))
        rows, inverse = np.unique(ids.reshape(-1, ids.shape[-1]), axis=0, return_inverse=True)
        numbers = np.array(
            [
                self.number(source for number in set(row) for source in self[number])
                for row in rows.tolist()
            ],
            np.int64,
        )
        return numbers[inverse.reshape(-1)].reshape(ids.shape[:-1])

    def along(self, ids: Ids, axes: Iterable[int]) -> Ids:
        """Unite along axes, which keep length 1."""
        for axis in axes:
            if ids.shape[axis] > 1:
                ids = np.expand_dims(self.united(np.moveaxis(ids, axis, -1)), axis)
        return ids

    def per_feature(self, ids: Ids, axis: int, length: int) -> Ids:
        """Return what the features along an axis come from, wherever they lie; shape (length,)."""
        axis %= ids.ndim
        flat = self.along(ids, [other for other in range(ids.ndim) if other != axis]).reshape(-1)
        return np.broadcast_to(flat, (length,))


def without_padding(ids: Ids, axes: Sequence[int]) -> Ids:
    """Return origins without the padding along axes, where it is all that differs there."""
    return ids.max(axis=tuple(axes), keepdims=True) if _differs_by_padding(ids, axes) else ids


def _differs_by_padding(ids: Ids, axes: Sequence[int]) -> bool:
    most = ids.max(axis=tuple(axes), keepdims=True, initial=NOTHING)
    return bool(((ids == most) | (ids == NOTHING)).all())


def compressed(ids: Ids) -> Ids:
    """Return origins with length 1 along every axis that they do not depend on."""
    for axis in range(ids.ndim):
        first = ids.take([0], axis)
        if (ids == first).all():
            ids = first
    return ids


def through(call: Call, found: Sequence[Ids], origins: Origins) -> list[Ids]:
    """Return the origins of what a call without weights gives, for one tensor or joined ones.

    Parameters
    ----------
    call
        Of a layer or operation that passes on, moves, pools or joins what it is given.
    found
        Origins of its inputs.
    origins
        Table that they are numbered in; unions are added.

    Returns
    -------
    list of NDArray
        Origins of its outputs.

    Raises
    ------
    InputError
        If it is of a kind whose wiring is not known here.
    """
    kind = type(call.operation).__name__
    if kind == "Concatenate":
        return [_joined(call, found)]
    if kind in _MOVING:
        return _moved(call, found)
    if len(found) != 1:
        raise unknown(call)
    [ids] = found
    if kind in _REDUCING:
        return [_reduced(call, ids, origins)]
    if kind.startswith("Global") and _family(call) == "pooling":
        return [_globally_pooled(call, ids, origins)]
    if kind in _SPATIAL or _family(call) == "pooling":
        return _within_channels(call, ids, origins)
    if (kind in _KEEPING or _family(call) in _KEEPING_FAMILIES) and not isinstance(
        call.operation, keras.layers.Wrapper
    ):
        return [_kept(call, ids)]
    raise unknown(call)


def unknown(call: Call) -> InputError:
    """Return the error for a call whose wiring is not known."""
    values = (call.args, call.kwargs)
    weighted = bool(getattr(call.operation, "weights", ())) or any(
        isinstance(one, keras.Variable) and len(one.shape) > 1 for one in keras.tree.flatten(values)
    )
    what = "has weights whose connections" if weighted else "connects in a way that"
    return InputError(
        f"{call.described} {what} this graph does not know. Express it by convolutions, dense "
        "layers, normalisation, activations, pooling, reshaping, concatenation and sums."
    )


# What computes each channel from itself, normalised by others at most.
_KEEPING_FAMILIES = ("activations", "normalization", "regularization", "image_preprocessing")
_KEEPING = (
    "Absolute", "Add", "BatchNorm", "Cast", "Ceil", "Celu", "Clip", "ConvertToTensor", "Copy",
    "Divide", "Elu",
    "Erf", "Exp", "Expm1", "Floor", "FloorDivide", "Gelu", "HardShrink", "HardSigmoid",
    "HardSilu", "HardTanh", "Identity", "LayerNorm", "LeakyRelu", "Log", "Log10", "Log1p",
    "Log2", "LogSigmoid", "LogSoftmax", "Masking", "Maximum", "Minimum", "Multiply", "NanToNum",
    "Negative", "Normalization", "Normalize", "Power", "RMSNorm", "Reciprocal", "Relu", "Relu6",
    "Rescaling", "Round", "Rsqrt", "Selu", "Sigmoid", "Sign", "Silu", "SoftShrink", "Softmax",
    "Softplus", "Softsign", "Sqrt", "Square", "SquarePlus", "StopGradient", "Subtract", "Tanh",
    "TanhShrink", "TrueDivide",
)  # fmt: skip
# What works on each channel's positions; the first ones only move them.
_PADDING = ("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D")
_MOVING_POSITIONS = (
    *_PADDING, "Cropping1D", "Cropping2D", "Cropping3D", "UpSampling1D", "UpSampling3D",
)  # fmt: skip
_SPATIAL = (
    *_MOVING_POSITIONS, "AveragePool", "CenterCrop", "MaxPool", "Resize", "Resizing",
    "UpSampling2D",
)  # fmt: skip
# What moves entries without computing: run on the origins themselves.
_MOVING = (
    "BroadcastTo", "ExpandDims", "Flatten", "Flip", "GetItem", "Moveaxis", "Pad", "Permute",
    "Ravel", "Repeat", "RepeatVector", "Reshape", "Roll", "Split", "Squeeze", "Stack",
    "Swapaxes", "Tile", "Transpose",
)  # fmt: skip
_REDUCING = ("Amax", "Amin", "Max", "Mean", "Min", "Prod", "Std", "Sum", "Var")


def _family(call: Call) -> str:
    """Return the package of ``keras.layers`` that the layer belongs to."""
    return next(
        (
            base.__module__.split(".")[-2]
            for base in type(call.operation).__mro__
            if base.__module__.startswith("keras.src.layers.")
        ),
        "",
    )


def _full(ids: Ids, tensor: Tensor) -> Ids:
    """Return one origin for every entry; of an open size there is one."""
    shape = tuple(
        size if size is not None else length
        for size, length in zip(tensor.shape, ids.shape, strict=True)
    )
    return np.broadcast_to(ids, shape)


def _moved(call: Call, found: Sequence[Ids]) -> list[Ids]:
    """Run what only moves entries on their origins."""
    of = {
        id(tensor): _full(ids, tensor)[None].astype(np.int32)
        for tensor, ids in zip(call.inputs, found, strict=True)
    }
    args, kwargs = keras.tree.map_structure(
        lambda one: keras.ops.convert_to_tensor(of[id(one)]) if isinstance(one, Tensor) else one,
        (call.args, call.kwargs),
    )
    kwargs.pop("constant_values", None)  # whatever is padded with comes from nothing: 0
    moved = keras.tree.flatten(call.operation.call(*args, **kwargs))
    if any(one.shape[0] != 1 for one in moved):
        raise InputError(
            f"{call.described} moves entries of an image to the axis of the batch. Leave that "
            "axis as it is."
        )
    return [compressed(np.asarray(one, np.int64)[0]) for one in moved]


def _joined(call: Call, found: Sequence[Ids]) -> Ids:
    axis = call.operation.axis
    if axis == 0:
        raise InputError(f"{call.described} joins the images of a batch. Join channels instead.")
    axis = axis % (len(call.outputs[0].shape) + 1) - 1
    lengths = np.max([ids.shape for ids in found], axis=0)
    parts = []
    for tensor, ids in zip(call.inputs, found, strict=True):
        shape = list(lengths)
        shape[axis] = _known(call, tensor.shape[axis])
        parts.append(np.broadcast_to(ids, shape))
    return np.concatenate(parts, axis=axis)


def _reduced(call: Call, ids: Ids, origins: Origins) -> Ids:
    operation = call.operation
    axes = [operation.axis] if isinstance(operation.axis, int) else operation.axis
    batched = ids.ndim + 1
    if axes is None or 0 in (positions := [axis % batched for axis in axes]):
        raise InputError(f"{call.described} reduces over the batch. Reduce over other axes.")
    merged = origins.along(ids, [axis - 1 for axis in positions])
    if operation.keepdims:
        return merged
    return np.squeeze(merged, tuple(axis - 1 for axis in positions))


def _globally_pooled(call: Call, ids: Ids, origins: Origins) -> Ids:
    first = call.operation.data_format == "channels_first"
    axes = tuple(range(1, ids.ndim) if first else range(ids.ndim - 1))
    merged = origins.along(ids, axes)
    return merged if call.operation.keepdims else np.squeeze(merged, axes)


def _within_channels(call: Call, ids: Ids, origins: Origins) -> list[Ids]:
    """Follow what works on positions: nothing changes where all of a channel's are alike.

    Zeros around an image are something else, unless the image has an open size: then nothing
    that follows can tell positions apart.
    """
    kind = type(call.operation).__name__
    first = getattr(call.operation, "data_format", None) == "channels_first"
    axes = tuple(range(1, ids.ndim) if first else range(ids.ndim - 1))
    known = None not in call.inputs[0].shape
    if max(ids.shape[axis] for axis in axes) == 1 and not (kind in _PADDING and known):
        return [ids]
    nearest = kind == "UpSampling2D" and call.operation.interpolation == "nearest"
    if kind in _MOVING_POSITIONS or nearest:
        return _moved(call, [ids])
    if _differs_by_padding(ids, axes):
        return [origins.along(ids, axes)]
    raise InputError(
        f"{call.described} mixes positions that come from different units. Give it what a "
        "convolution or the input gives."
    )


def _kept(call: Call, ids: Ids) -> Ids:
    if len(call.outputs[0].shape) != ids.ndim:
        raise InputError(
            f"{call.described} changes the number of axes. Reshape by keras.ops.reshape instead."
        )
    return ids


def _known(call: Call, size: int | None) -> int:
    if size is None:
        raise InputError(
            f"{call.described} has an open size. Build the model for images of one size."
        )
    return size
