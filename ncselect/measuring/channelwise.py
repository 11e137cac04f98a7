"""How far features are moved by the kernel below them, channel by channel.

Possible where channel i of the base's last kernel layer alone feeds feature i: then
∂feature_i/∂w = Σ_p r_i(p)·x(p), with r_i(p) = ∂feature_i/∂channel_i(p) at position p and x(p)
the patch that meets w's channel there; one reverse pass gives r for all channels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from ncselect.measuring.split import Split
from ncselect.numerics import autodiff
from zoo.errors import InputError

# Numbers in the largest array, (images, weights per channel, channels or positions): 64 MB of
# float32.
_ENTRIES = 1 << 24
_SCALES = (0.1, 1.0, 10.0)  # of the inputs on which a base is tried out


class ChannelwiseReach:
    """Σ_w ∂feature_i/∂w and Σ_w |∂feature_i/∂w| over the weights w of the base's last kernel.

    Parameters
    ----------
    parts
        The split network.
    chunk
        Images per call.

    Raises
    ------
    InputError
        If the layer is not a Dense or an ungrouped Conv2D that is used once and has as many
        channels as there are features.
    """

    def __init__(self, parts: Split, *, chunk: int) -> None:
        layer = parts.layer
        named = f"the base's last layer with a kernel, '{layer.name}' ({type(layer).__name__}),"
        if parts.above is None:
            raise InputError(f"{named} is used more than once")
        if type(layer) not in (keras.layers.Dense, keras.layers.Conv2D):
            raise InputError(f"{named} is neither a Dense nor a Conv2D")
        if isinstance(layer, keras.layers.Conv2D) and (
            layer.groups != 1 or layer.data_format != "channels_last"
        ):
            raise InputError(f"{named} is grouped or has its channels first")
        channels, features = parts.kernel.shape[-1], parts.tail.part.outputs[0].shape[-1]
        if channels != features:
            raise InputError(f"{named} has {channels} channels for {features} features")
        self._named = named
        self._parts = parts
        self._above = parts.above
        self._chunk = chunk
        self._slopes = autodiff.compiled(self._slopes_of)
        self._reaches = autodiff.compiled(self._reaches_of)
        self._sums = autodiff.compiled(self._sums_of)
        self._ones = np.ones((chunk, channels), parts.kernel.dtype)

    def __call__(self, values: list[Any], frontier: list[Any]) -> tuple[Any, Any, Any]:
        """Return features and both sums for a chunk's frontier, shapes (chunk, features).

        ``values`` are those of the tail's variables.
        """
        features, slopes = self._slopes(values, frontier, self._ones)
        inputs = frontier[self._above.layer_input]
        reach, absolute, exact = self._reaches(inputs, slopes)
        if not exact:
            step = self._at_once(slopes.shape[1])
            absolute = np.concatenate(
                [
                    ops.convert_to_numpy(
                        self._sums(inputs[start : start + step], slopes[start : start + step])
                    )
                    for start in range(0, self._chunk, step)
                ]
            )
        return features, reach, absolute

    def check(self, frontier: list[Any], tangent: Callable[..., tuple[Any, Any]]) -> None:
        """Refuse a base whose channels mix on their way up, or whose layer is no plain product.

        Tried out on drawn weights and inputs, the same in every process, so that neither what is
        learnt nor a dead unit decides, and a resumed run decides as it did before.

        Parameters
        ----------
        frontier
            A chunk's, of which only shapes and types matter.
        tangent
            Values of the tail's variables and a frontier → features and their derivative as all
            weights of the kernel move together.

        Raises
        ------
        InputError
            If a channel feeds more than its own feature, if no feature moves with its channel, or
            if features or derivatives are not those of ``tangent``.
        """
        rng = np.random.default_rng(0)
        weights = np.asarray(rng.uniform(0.5, 1.5, self._ones.shape), self._ones.dtype)
        moves = False
        for scale in _SCALES:
            values = [_drawn_value(variable, rng) for variable in self._parts.tail_variables]
            inputs = [_drawn_like(tensor, scale, rng) for tensor in frontier]
            features, slopes = self._slopes(values, inputs, self._ones)
            weighed = ops.convert_to_numpy(self._slopes(values, inputs, weights)[1])
            expected = ops.convert_to_numpy(slopes) * weights[:, None, :]
            reach, bound, _ = self._reaches(inputs[self._above.layer_input], slopes)
            true = [ops.convert_to_numpy(tensor) for tensor in tangent(values, inputs)]
            size = np.abs(expected).max(axis=(1, 2))
            alive = np.isfinite(size) & (size > 1e-30)
            for tensor in (weighed.sum(axis=2), *true):
                alive &= np.isfinite(tensor).all(axis=1)
            difference = np.abs(weighed[alive] - expected[alive]).max(axis=(1, 2))
            if (difference > 1e-5 * size[alive]).any():
                raise InputError(f"{self._named} has channels that feed more than one feature")
            if _differ(features, true[0], np.abs(true[0]), alive) or _differ(
                reach, true[1], bound, alive
            ):
                raise InputError(f"{self._named} makes more of its kernel than a plain product")
            moves = moves or bool(alive.any())
        if not moves:
            raise InputError(f"{self._named} moves no feature on any of the inputs tried")

    def _at_once(self, positions: int) -> int:
        """Return how many images' patches and derivatives fit; it divides the chunk."""
        kernel = self._parts.kernel.shape
        per_image = int(np.prod(kernel[:-1])) * max(positions, kernel[-1])
        fitting = max(1, _ENTRIES // per_image)
        return max(n for n in range(1, self._chunk + 1) if self._chunk % n == 0 and n <= fitting)

    def _slopes_of(self, values: list[Any], frontier: list[Any], weights: Any) -> tuple[Any, Any]:
        """Return features, and r of Σ weights·features, shape (images, positions, channels)."""
        parts, layer, above = self._parts, self._parts.layer, self._above
        beside = [frontier[at] for at in above.beside]
        kernel = values[autodiff.position(parts.tail_variables, parts.kernel)]
        inputs = ops.cast(frontier[above.layer_input], kernel.dtype)
        if isinstance(layer, keras.layers.Conv2D):
            channels = ops.conv(
                inputs,
                kernel,
                strides=layer.strides,
                padding=layer.padding,
                data_format="channels_last",
                dilation_rate=layer.dilation_rate,
            )
        else:
            channels = ops.matmul(inputs, kernel)
        if layer.use_bias:
            channels = channels + values[autodiff.position(parts.tail_variables, layer.bias)]

        def features(point: Any) -> Any:
            run = autodiff.pure(above.part.run, parts.tail_variables)
            return run(values, [layer.activation(point), *beside])

        found, slopes = autodiff.value_and_cotangent(features, channels, weights)
        return found, ops.reshape(slopes, (slopes.shape[0], -1, slopes.shape[-1]))

    def _reaches_of(self, inputs: Any, slopes: Any) -> tuple[Any, Any, Any]:
        """Return Σ_w Σ_p r(p)·x(p), Σ_w Σ_p |r(p)|·|x(p)|, and whether no term cancels another.

        Then the second is Σ_w |Σ_p r(p)·x(p)|, without an array of images × weights × features:
        so with a ReLU below the kernel and a batch norm, ReLU and mean above, or a single
        position.
        """
        inputs = ops.cast(inputs, slopes.dtype)
        flat = ops.reshape(inputs, (inputs.shape[0], -1, inputs.shape[-1]))
        same_sign = ops.logical_and(_one_sign(flat), _one_sign(slopes))
        return (
            ops.sum(slopes * self._patch_sums(inputs), axis=1),
            ops.sum(ops.abs(slopes) * self._patch_sums(ops.abs(inputs)), axis=1),
            same_sign if slopes.shape[1] > 1 else ops.ones_like(same_sign),
        )

    def _patch_sums(self, inputs: Any) -> Any:
        """Return Σ x(p) over each position's patch, shape (images, positions, 1)."""
        total = ops.sum(inputs, axis=-1, keepdims=True)
        layer = self._parts.layer
        if isinstance(layer, keras.layers.Conv2D):
            total = ops.conv(
                total,
                ops.ones((*layer.kernel_size, 1, 1), dtype=total.dtype),
                strides=layer.strides,
                padding=layer.padding,
                data_format="channels_last",
                dilation_rate=layer.dilation_rate,
            )
        return ops.reshape(total, (total.shape[0], -1, 1))

    def _sums_of(self, inputs: Any, slopes: Any) -> Any:
        """Return Σ_w |Σ_p r(p)·x(p)|, shape (images, features)."""
        patches = _patches(ops.cast(inputs, slopes.dtype), self._parts.layer)
        patches = ops.reshape(patches, (patches.shape[0], -1, patches.shape[-1]))
        return ops.sum(ops.abs(ops.matmul(ops.transpose(patches, (0, 2, 1)), slopes)), axis=1)


def _patches(inputs: Any, layer: Any) -> Any:
    """Return what meets a layer's kernel at each position, weights of a channel last.

    Cut out tap by tap: Keras's own ``extract_patches`` multiplies by a matrix of as many rows and
    columns as a channel has weights.
    """
    if not isinstance(layer, keras.layers.Conv2D):
        return inputs
    padded, sizes = [(0, 0)], []
    for length, taps, stride, step in zip(
        inputs.shape[1:3], layer.kernel_size, layer.strides, layer.dilation_rate, strict=True
    ):
        wide = (taps - 1) * step + 1
        same = layer.padding == "same"
        size = -(-length // stride) if same else (length - wide) // stride + 1
        missing = max((size - 1) * stride + wide - length, 0)
        padded.append((missing // 2, missing - missing // 2) if same else (0, 0))
        sizes.append(size)
    inputs = ops.pad(inputs, [*padded, (0, 0)])
    taps = [
        inputs[
            :,
            down : down + (sizes[0] - 1) * layer.strides[0] + 1 : layer.strides[0],
            right : right + (sizes[1] - 1) * layer.strides[1] + 1 : layer.strides[1],
        ]
        for down in range(0, layer.kernel_size[0] * layer.dilation_rate[0], layer.dilation_rate[0])
        for right in range(0, layer.kernel_size[1] * layer.dilation_rate[1], layer.dilation_rate[1])
    ]
    return taps[0] if len(taps) == 1 else ops.concatenate(taps, axis=-1)


def _one_sign(terms: Any) -> Any:
    """Return whether no two positions differ in sign, terms of shape (·, positions, ·)."""
    return ops.all(ops.logical_or(ops.min(terms, axis=1) >= 0, ops.max(terms, axis=1) <= 0))


def _drawn_value(variable: Any, rng: np.random.Generator) -> Any:
    """Return a value for a variable: kernels of either sign, scales and variances positive."""
    if not keras.backend.is_float_dtype(variable.dtype):
        return variable.value
    shape = tuple(variable.shape)
    if len(shape) > 1:
        drawn = rng.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))
    else:
        drawn = rng.uniform(0.5, 1.5, shape)
    return ops.convert_to_tensor(drawn, dtype=variable.dtype)


def _drawn_like(tensor: Any, scale: float, rng: np.random.Generator) -> Any:
    """Return a drawn tensor of the same shape and type."""
    dtype, shape = keras.backend.standardize_dtype(tensor.dtype), tuple(tensor.shape)
    if keras.backend.is_float_dtype(dtype):
        return ops.convert_to_tensor(scale * rng.normal(size=shape), dtype=dtype)
    return ops.convert_to_tensor(rng.integers(0, 8, shape), dtype=dtype)


def _differ(found: Any, true: Any, size: Any, rows: NDArray[np.bool_]) -> bool:
    """Return whether more than a hundredth of the entries are off by a hundredth of a row's size.

    Rounding, on graphics processors to ten bits, and units that it moves across a kink are less.
    """
    found, true, size = (ops.convert_to_numpy(tensor)[rows] for tensor in (found, true, size))
    off = ~(np.abs(found - true) <= 0.01 * size.max(axis=1, keepdims=True))
    return bool(off.size and off.mean() > 0.01)
