"""How far each feature is moved by the entries of the kernel below it, taken in absolute value.

Possible where channel i of the base's last kernel layer alone feeds feature i: then
∂feature_i/∂w = Σ_p r_i(p)·x(p), with r_i(p) = ∂feature_i/∂channel_i(p) at position p and x(p)
the patch that meets w's channel there; one reverse pass gives r for all channels.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from ncselect.measuring.split import Split
from ncselect.numerics import autodiff
from zoo.errors import InputError

# Numbers in the largest array, (images, weights per channel, channels): 64 MB of float32.
_ENTRIES = 1 << 24


class EntrywiseReach:
    """Σ_w |∂feature_i/∂w| over the weights w of the base's last kernel, per image.

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
        channels as there are features. At the first call, if channels mix on their way up.
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
        per_image = int(np.prod(parts.kernel.shape))
        fitting = max(1, _ENTRIES // per_image)
        self._images = max(n for n in range(1, chunk + 1) if chunk % n == 0 and n <= fitting)
        self._bounds = autodiff.compiled(self._bounds_of)
        self._sums = autodiff.compiled(self._sums_of)
        self._mixing = autodiff.compiled(self._mixing_of)
        self._checked = False

    def __call__(self, frontier: list[Any]) -> NDArray[np.float64]:
        """Return the sums for a chunk's frontier, shape (chunk, features)."""
        values = autodiff.values(self._parts.tail_variables)
        found = []
        for start in range(0, frontier[0].shape[0], self._images):
            part = [tensor[start : start + self._images] for tensor in frontier]
            if not self._checked:
                self._check(values, part)
            sums, exact = self._bounds(values, part)
            found.append(ops.convert_to_numpy(sums if exact else self._sums(values, part)))
        return np.concatenate(found).astype(np.float64)

    def _check(self, values: list[Any], frontier: list[Any]) -> None:
        """Refuse a base whose channels mix, found out by weighing features at random."""
        shape = (self._images, self._parts.kernel.shape[-1])
        weights = np.random.default_rng(0).uniform(0.5, 1.5, shape)
        difference, size = self._mixing(values, frontier, weights.astype(self._parts.kernel.dtype))
        if float(difference) > 1e-5 * float(size):
            raise InputError(f"{self._named} has channels that feed more than one feature")
        self._checked = True

    def _sums_of(self, values: list[Any], frontier: list[Any]) -> Any:
        """Return Σ_w |Σ_p r(p)·x(p)|, shape (images, features)."""
        patches, slopes = self._patches_and_slopes(values, frontier, None)
        return ops.sum(ops.abs(ops.matmul(ops.transpose(patches, (0, 2, 1)), slopes)), axis=1)

    def _bounds_of(self, values: list[Any], frontier: list[Any]) -> tuple[Any, Any]:
        """Return Σ_w Σ_p |r(p)|·|x(p)|, and whether no term of a sum cancels another.

        Then it is Σ_w |Σ_p r(p)·x(p)|, without an array of images × weights × features: so with
        a ReLU below the kernel and a batch norm, ReLU and mean above, or a single position.
        """
        patches, slopes = self._patches_and_slopes(values, frontier, None)
        sizes = ops.sum(ops.abs(patches), axis=-1, keepdims=True)
        return (
            ops.sum(ops.abs(slopes) * sizes, axis=1),
            ops.logical_and(_one_sign(patches), _one_sign(slopes)),
        )

    def _mixing_of(self, values: list[Any], frontier: list[Any], weights: Any) -> tuple[Any, Any]:
        """Return by how much weighed features differ from weighed channels, and a scale."""
        _, plain = self._patches_and_slopes(values, frontier, None)
        _, weighed = self._patches_and_slopes(values, frontier, weights)
        expected = plain * weights[:, None, :]
        return ops.max(ops.abs(weighed - expected)), ops.max(ops.abs(expected))

    def _patches_and_slopes(
        self, values: list[Any], frontier: list[Any], weights: Any
    ) -> tuple[Any, Any]:
        """Return patches (images, positions, weights per channel) and r of Σ weights·features.

        r has shape (images, positions, channels).
        """
        parts, layer, above = self._parts, self._parts.layer, self._above
        beside = [frontier[at] for at in above.beside]
        kernel = values[autodiff.position(parts.tail_variables, parts.kernel)]
        inputs = ops.cast(frontier[above.layer_input], kernel.dtype)
        if isinstance(layer, keras.layers.Conv2D):
            patches = ops.image.extract_patches(
                inputs,
                tuple(layer.kernel_size),
                strides=layer.strides,
                dilation_rate=layer.dilation_rate,
                padding=layer.padding,
            )
        else:
            patches = inputs
        channels = ops.matmul(patches, ops.reshape(kernel, (-1, kernel.shape[-1])))
        if layer.use_bias:
            channels = channels + values[autodiff.position(parts.tail_variables, layer.bias)]

        def features(point: Any) -> Any:
            run = autodiff.pure(above.part.run, parts.tail_variables)
            return run(values, [layer.activation(point), *beside])

        if weights is None:
            weights = ops.ones((inputs.shape[0], kernel.shape[-1]), dtype=inputs.dtype)
        slopes = autodiff.cotangent(features, channels, weights)
        count = inputs.shape[0]
        return (
            ops.reshape(patches, (count, -1, patches.shape[-1])),
            ops.reshape(slopes, (count, -1, slopes.shape[-1])),
        )


def _one_sign(terms: Any) -> Any:
    """Return whether no two positions differ in sign, terms of shape (·, positions, ·)."""
    return ops.all(ops.logical_or(ops.min(terms, axis=1) >= 0, ops.max(terms, axis=1) <= 0))
