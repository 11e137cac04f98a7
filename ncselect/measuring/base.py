"""A base below its probe unit, run and differentiated chunk by chunk for measuring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from ncselect.measuring.channelwise import ChannelwiseReach
from ncselect.measuring.split import Split
from ncselect.numerics import autodiff
from zoo.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """What a base made of images.

    Attributes
    ----------
    features
        Shape (n, d).
    reach
        Σ_w ∂features/∂w over the weights w of the base's last kernel, shape (n, d); None where
        it was not asked for.
    entrywise_reach
        Σ_w |∂features/∂w|, shape (n, d); None where it cannot be had.
    """

    features: Array
    reach: Array | None = None
    entrywise_reach: Array | None = None


def joined(parts: Sequence[Seen]) -> Seen:
    """Return what was seen of several batches as one."""
    return Seen(
        np.concatenate([part.features for part in parts]),
        _concatenated([part.reach for part in parts]),
        _concatenated([part.entrywise_reach for part in parts]),
    )


class MeasuredBase:
    """Runs the base of a split network as it stands, in inference.

    The front is compiled once and serves every call. Only features and reaches are kept of a
    chunk, so memory does not grow with the images' activations.

    Parameters
    ----------
    parts
        The split network.
    chunk
        Images that pass at once; fewer are filled up, so that nothing is traced twice.

    Attributes
    ----------
    not_entrywise
        Why there is no entrywise reach; None if there is one, or until the first images tell
        by their shape alone.
    """

    def __init__(self, parts: Split, *, chunk: int) -> None:
        if chunk < 1:
            raise InputError(f"chunk is {chunk}; give at least 1 image")
        self._parts = parts
        self._chunk = chunk
        self._front = autodiff.compiled(autodiff.pure(parts.front.run, parts.front_variables))
        self._tail = autodiff.compiled(autodiff.pure(parts.tail.run, parts.tail_variables))
        self._with_reach = autodiff.compiled(self._value_and_reach)
        self._channelwise: ChannelwiseReach | None = None
        self._checked = False
        self.not_entrywise: str | None = None
        try:
            self._channelwise = ChannelwiseReach(parts, chunk=chunk)
        except InputError as reason:
            self.not_entrywise = str(reason)

    def features(self, images: NDArray[Any]) -> Array:
        """Return features, shape (n, d)."""
        found = []
        for count, frontier in self._frontiers(images):
            features = self._tail(autodiff.values(self._parts.tail_variables), frontier)
            found.append(_array(features)[:count])
        return np.concatenate(found)

    def seen(self, images: NDArray[Any]) -> Seen:
        """Return features and reaches of images of shape (n, height, width, channels)."""
        return joined([self._seen(count, frontier) for count, frontier in self._frontiers(images)])

    def _seen(self, count: int, frontier: list[Any]) -> Seen:
        """Return what is seen of a chunk, of which ``count`` images are wanted."""
        if self._channelwise is not None and not self._checked:
            try:
                self._channelwise.check(frontier, self._with_reach)
            except InputError as reason:
                self._channelwise, self.not_entrywise = None, str(reason)
            self._checked = True
        measured = self._with_reach if self._channelwise is None else self._channelwise
        found = measured(autodiff.values(self._parts.tail_variables), frontier)
        return Seen(*(_array(tensor)[:count] for tensor in found))

    def _frontiers(self, images: NDArray[Any]) -> Iterator[tuple[int, list[Any]]]:
        """Yield, chunk by chunk, how many images it holds and what of them enters the tail."""
        dtype = self._parts.front.part.inputs[0].dtype
        for start in range(0, len(images), self._chunk):
            batch = np.asarray(images[start : start + self._chunk])
            count = len(batch)
            if count < self._chunk:
                filling = np.repeat(batch[-1:], self._chunk - count, axis=0)
                batch = np.concatenate([batch, filling])
            yield (
                count,
                self._front(
                    autodiff.values(self._parts.front_variables),
                    ops.convert_to_tensor(batch, dtype=dtype),
                ),
            )

    def _value_and_reach(self, values: list[Any], frontier: list[Any]) -> tuple[Any, Any]:
        """Return features and their derivative as all weights of the kernel move together."""
        run = autodiff.pure(self._parts.tail.run, self._parts.tail_variables)
        place = autodiff.position(self._parts.tail_variables, self._parts.kernel)

        def of_kernel(kernel: Any) -> Any:
            return run([*values[:place], kernel, *values[place + 1 :]], frontier)

        kernel = ops.convert_to_tensor(values[place])
        return autodiff.tangent(of_kernel, kernel, ops.ones_like(kernel))


def _concatenated(parts: Sequence[Array | None]) -> Array | None:
    """Return the arrays as one, or None where one of them could not be had."""
    there = [part for part in parts if part is not None]
    return np.concatenate(there) if len(there) == len(parts) else None


def _array(tensor: Any) -> Array:
    """Return a tensor as a float64 array."""
    return np.asarray(ops.convert_to_numpy(tensor), dtype=np.float64)
