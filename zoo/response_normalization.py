"""Local response normalisation, a layer that Keras lacks. Importing this imports Keras."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="ncselect")
class ResponseNormalization(keras.layers.Layer):
    """Divide each activation by a measure of its neighbours in the channel direction.

    b_i = a_i / (k + α Σ_j a_j²)^β over the n channels around i: section 3.3 of A. Krizhevsky
    et al., "ImageNet classification with deep convolutional neural networks", NIPS 2012, whose
    constants are the defaults. Shapes stay as they are; there are no weights.

    Parameters
    ----------
    channels, offset, scale, power
        The paper's n, k, α and β.
    """

    def __init__(
        self,
        channels: int = 5,
        offset: float = 2.0,
        scale: float = 1e-4,
        power: float = 0.75,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channels = channels
        self.offset = offset
        self.scale = scale
        self.power = power

    def call(self, inputs: Any) -> Any:
        """Return the normalised activations, shape as ``inputs`` (n, height, width, channels)."""
        size = inputs.shape[-1]
        reach = self.channels // 2
        squares = keras.ops.pad(keras.ops.square(inputs), [[0, 0]] * 3 + [[reach, reach]])
        around = sum(squares[..., shift : shift + size] for shift in range(self.channels))
        return inputs / keras.ops.power(self.offset + self.scale * around, self.power)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``input_shape``."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        own = {
            "channels": self.channels,
            "offset": self.offset,
            "scale": self.scale,
            "power": self.power,
        }
        return {**super().get_config(), **own}
