"""Where the taps of a kernel fall: convolutions and poolings written as sparse matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Indices = NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Taps:
    """The pairs of an input and an output pixel that a tap of a kernel connects.

    Pixels are the places of an image of any number of axes, numbered row by row.

    Attributes
    ----------
    size
        Of the output, one number per axis.
    source, target, tap
        Pixel of the input, pixel of the output, tap of the kernel, each of shape (pairs,).
        A source of −1 lies in the padding.
    taps
        Number of taps of the kernel.
    sums
        Shape (rows, taps), or None: with it ``tap`` counts rows, each a sum of the kernel's taps.
    """

    size: tuple[int, ...]
    source: Indices
    target: Indices
    tap: Indices
    taps: int
    sums: sparse.csr_array | None = None

    def on(self, there: NDArray[np.bool_]) -> Taps:
        """Keep the pairs whose source is a pixel that is there, shape (pixels,)."""
        kept = (self.source >= 0) & there[self.source]
        return replace(self, source=self.source[kept], target=self.target[kept], tap=self.tap[kept])

    def aliased(self, there: NDArray[np.bool_]) -> Taps:
        """Let every tap that falls beside the image fall on its first pixel instead.

        Taps that then connect the same two pixels become one, of their summed weight.
        """
        beside = (self.source < 0) | ~there[self.source]
        source = np.where(beside, np.flatnonzero(there)[0], self.source)
        pair = source * math.prod(self.size) + self.target
        _, first, row = np.unique(pair, return_index=True, return_inverse=True)
        ones = np.ones(len(pair), dtype=np.float32)
        sums = sparse.csr_array((ones, (row, self.tap)), shape=(len(first), self.taps))
        return Taps(
            self.size, source[first], self.target[first], np.arange(len(first)), self.taps, sums
        )


def taps_of(
    size: Sequence[int],
    kernel: Sequence[int],
    *,
    strides: Sequence[int],
    padding: str,
    dilation: Sequence[int] | None = None,
) -> Taps:
    """Return where a kernel's taps fall as it moves over an image.

    Parameters
    ----------
    size, kernel, strides, dilation
        One number per axis; a dilation of None is 1 on every axis.
    padding
        ``valid``, ``same`` or ``causal``, as Keras means them.

    Returns
    -------
    Taps
        Every tap of every output pixel, those that fall in the padding included.
    """
    axes = [
        _along_axis(*along, padding)
        for along in zip(size, kernel, strides, dilation or [1] * len(kernel), strict=True)
    ]
    output = tuple(len(place) for place in axes)
    source = np.zeros((1, 1), dtype=np.int64)
    for place, width in zip(axes, size, strict=True):
        before, after = source[:, None, :, None], place[None, :, None, :]
        joined = np.where((before < 0) | (after < 0), -1, before * width + after)
        source = joined.reshape(len(source) * len(place), -1)
    target, tap = np.indices(source.shape)
    return Taps(output, source.ravel(), target.ravel(), tap.ravel(), math.prod(kernel))


def _along_axis(size: int, kernel: int, stride: int, dilation: int, padding: str) -> Indices:
    """Return the place of every tap of every output along one axis, −1 in the padding."""
    reach = (kernel - 1) * dilation
    if padding == "valid":
        outputs, before = (size - reach - 1) // stride + 1, 0
    else:
        outputs = -(-size // stride)
        missing = max((outputs - 1) * stride + reach + 1 - size, 0)
        before = reach if padding == "causal" else missing // 2
    place = np.arange(outputs)[:, None] * stride + np.arange(kernel) * dilation - before
    return np.where((place >= 0) & (place < size), place, -1)


class TapMatrix:
    """The sparse matrix of a convolution, its pattern known before its weights.

    Parameters
    ----------
    taps
        Where the kernel falls; no source in the padding.
    channels, filters
        Of the input and the output.
    groups
        Into how many parts both are cut, each part seeing only its own.
    rows
        Entries of the input, pixel · channels + channel, that are rows of the matrix.
    """

    def __init__(
        self, taps: Taps, *, channels: int, filters: int, groups: int, rows: NDArray[np.int64]
    ) -> None:
        order = np.lexsort((taps.target, taps.source))
        pixel, channel = np.divmod(rows, channels)
        pairs = np.bincount(taps.source, minlength=int(pixel.max(initial=-1)) + 1)
        count = pairs[pixel]
        first = np.cumsum(pairs) - pairs
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        pair = order[np.repeat(first[pixel], count) + within]
        member, group = channel % (channels // groups), channel // (channels // groups)
        self._taps, self._groups = taps, groups
        self._together = filters // groups  # edges that differ in their filter alone
        self._column = taps.target[pair] * filters + np.repeat(group * self._together, count)
        self._kernel_row = taps.tap[pair] * channels + np.repeat(member * groups + group, count)
        self._ends = np.concatenate([[0], np.cumsum(count)]) * self._together
        self.edges = int(self._ends[-1])
        self.shape = (len(rows), math.prod(taps.size) * filters)

    def filled(self, kernel: NDArray[np.float32]) -> sparse.csr_array:
        """Return the matrix for the present weights.

        Parameters
        ----------
        kernel
            Shape (taps, channels / groups, filters).

        Returns
        -------
        scipy.sparse.csr_array
            Shape (rows, output pixels · filters), in the precision of the kernel; an edge
            whose weight is 0 is stored.
        """
        rows = kernel.reshape(self._taps.taps, -1)
        if self._taps.sums is not None:
            rows = self._taps.sums @ rows
        data = rows.reshape(-1, self._together)[self._kernel_row].ravel()
        indices, ends = self._pattern
        matrix = sparse.csr_array((data, indices, ends), shape=self.shape)
        matrix.has_canonical_format = True  # by construction; spares a look at every edge
        return matrix

    @cached_property
    def _pattern(self) -> tuple[Indices, Indices]:
        kind = np.int32 if max(self.edges, *self.shape) <= np.iinfo(np.int32).max else np.int64
        filters = np.arange(self._together, dtype=kind)
        indices = (self._column.astype(kind)[:, None] + filters).ravel()
        return indices, self._ends.astype(kind)
