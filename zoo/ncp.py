"""The neural capacitance probe unit (NCP): frozen random layers on top of a headless base.

Source: "Neural Capacitance: A New Perspective of Neural Network Selection via Edge Dynamics"
(ICLR 2022 text), Algorithm 1 and section 5: dense 256, dense 128, batch normalisations,
dropout 0.4, Kaiming normal initialisation, frozen. What the text leaves open is an argument of
:func:`probe_unit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.errors import InputError

PREFIX = "probe_"
"""Every layer of a probe unit has a name that begins like this."""

_CHOICES = {
    "order": ("bn-dense", "dense-bn"),
    "statistics": ("batch", "inference"),
    "head": ("frozen", "trained"),
    "activation": ("relu", "linear"),
    "initializer": ("he_normal", "he_normal_untruncated"),
}
# Standard deviation of a standard normal truncated at ±2.
_TRUNCATED_SD = 0.8796256610342398


@keras.saving.register_keras_serializable(package="ncselect")
class KaimingNormal(keras.initializers.Initializer):
    """Normal kernels with variance 2 / fan-in (He et al. 2015), drawn by numpy.

    Every backend gets the same numbers, and a clone gets those of the original.

    Parameters
    ----------
    seed
        Decides the kernel together with its shape.
    truncated
        Redraw what lies beyond two standard deviations and restore the variance, as Keras's
        ``HeNormal`` does.
    """

    def __init__(self, seed: int, truncated: bool = True) -> None:
        self.seed = seed
        self.truncated = truncated

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        """Return a kernel of the given shape, (fan-in, fan-out)."""
        generator = np.random.default_rng(self.seed)
        draws = generator.standard_normal(tuple(shape))
        sd = np.sqrt(2.0 / shape[0])
        if self.truncated:
            while (beyond := np.abs(draws) > 2.0).any():
                draws[beyond] = generator.standard_normal(int(beyond.sum()))
            sd /= _TRUNCATED_SD
        return ops.convert_to_tensor(draws * sd, dtype=dtype or keras.config.floatx())

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {"seed": self.seed, "truncated": self.truncated}


class _FixedWeights:
    """Creates every weight non-trainable, so that neither cloning nor ``trainable`` thaws it."""

    def add_weight(self, *args: Any, **arguments: Any) -> Any:
        """Add a weight that no optimiser sees."""
        return super().add_weight(*args, **{**arguments, "trainable": False})  # type: ignore[misc]


@keras.saving.register_keras_serializable(package="ncselect")
class FixedDense(_FixedWeights, keras.layers.Dense):
    """A dense layer whose kernel and bias never train."""


@keras.saving.register_keras_serializable(package="ncselect")
class FixedBatchNormalization(_FixedWeights, keras.layers.Layer):
    """Batch normalisation of features, shape (batch, features), with fixed γ = 1 and β = 0.

    Unlike Keras's own, the mean is differentiated through, so that second derivatives under
    batch statistics are right on every backend.

    Parameters
    ----------
    statistics
        ``batch``: in training normalise by the batch's mean and variance and move the moving
        statistics towards them, which inference uses. ``inference``: always normalise by the
        moving statistics, which keep mean 0 and variance 1.
    momentum
        What the moving statistics keep at each training step, in [0, 1).
    epsilon
        Added to the variance.
    """

    def __init__(
        self,
        statistics: str = "batch",
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.statistics = _choice("statistics", statistics)
        if not 0.0 <= momentum < 1.0:
            raise InputError(f"momentum is {momentum}; give a number in [0, 1)")
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create γ, β and the moving statistics, each of shape (features,)."""
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")
        self.moving_mean = self.add_weight(name="moving_mean", shape=shape, initializer="zeros")
        self.moving_variance = self.add_weight(
            name="moving_variance", shape=shape, initializer="ones"
        )

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Normalise; in training and with batch statistics also move the moving statistics."""
        if training and self.statistics == "batch":
            mean = ops.mean(inputs, axis=0)
            variance = ops.mean(ops.square(inputs - mean), axis=0)
            keep = self.momentum
            self.moving_mean.assign(keep * self.moving_mean + (1.0 - keep) * mean)
            self.moving_variance.assign(keep * self.moving_variance + (1.0 - keep) * variance)
        else:
            mean, variance = self.moving_mean, self.moving_variance
        return (inputs - mean) * self.gamma / ops.sqrt(variance + self.epsilon) + self.beta

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {
            **super().get_config(),
            "statistics": self.statistics,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        }


def probe_unit(
    features: Any,
    classes: int,
    *,
    order: str = "bn-dense",
    statistics: str = "batch",
    head: str = "frozen",
    units: Sequence[int] = (256, 128),
    dropout: float = 0.4,
    activation: str = "relu",
    initializer: str = "he_normal",
    momentum: float = 0.99,
    seed: int = 0,
) -> Any:
    """Put a probe unit on a base's features (paper, Algorithm 1 and section 5).

    Parameters
    ----------
    features
        The base's pooled output, a Keras tensor of shape (batch, features).
    classes
        Number of classes of the target dataset, at least 2.
    order
        Of each hidden layer: ``bn-dense`` (batch norm → dense → activation → dropout) or
        ``dense-bn`` (dense → batch norm → activation → dropout).
    statistics
        What the batch norms normalise by, see :class:`FixedBatchNormalization`.
    head
        ``frozen`` (Algorithm 1) or ``trained``: the classifier layer.
    units
        Widths of the hidden layers; without any the unit is a classifier alone.
    dropout
        Dropout rate, in [0, 1).
    activation
        ``relu`` or ``linear``.
    initializer
        ``he_normal`` (truncated, as Keras's) or ``he_normal_untruncated``.
    momentum
        Of the batch norms' moving statistics, in [0, 1).
    seed
        Decides all kernels and dropout masks.

    Returns
    -------
    keras.KerasTensor
        Logits, shape (batch, classes).

    Raises
    ------
    InputError
        If an argument cannot be used.
    """
    _choice("order", order), _choice("head", head)
    _choice("activation", activation), _choice("initializer", initializer)
    if len(features.shape) != 2:
        raise InputError(
            f"features has shape {tuple(features.shape)}; "
            "the probe unit needs (batch, features): pool the base's output first"
        )
    if classes < 2:
        raise InputError(f"classes is {classes}; a probe unit needs at least 2")
    if units and min(units) < 1:
        raise InputError(f"units is {tuple(units)}; give one positive width per hidden layer")
    if not 0.0 <= dropout < 1.0:
        raise InputError(f"dropout is {dropout}; give a rate in [0, 1)")
    if seed < 0:
        raise InputError(f"seed is {seed}; give a number of at least 0")
    seeds = iter(np.random.SeedSequence(seed).generate_state(2 * len(units) + 1).tolist())

    def kernels() -> KaimingNormal:
        return KaimingNormal(next(seeds), truncated=initializer == "he_normal")

    x = features
    for position, width in enumerate(units, start=1):
        norm = FixedBatchNormalization(statistics, momentum, name=f"{PREFIX}norm_{position}")
        dense = FixedDense(width, kernel_initializer=kernels(), name=f"{PREFIX}dense_{position}")
        x = dense(norm(x)) if order == "bn-dense" else norm(dense(x))
        x = keras.layers.Activation(activation, name=f"{PREFIX}activation_{position}")(x)
        x = keras.layers.Dropout(dropout, seed=next(seeds), name=f"{PREFIX}dropout_{position}")(x)
    classifier = FixedDense if head == "frozen" else keras.layers.Dense
    return classifier(classes, kernel_initializer=kernels(), name=f"{PREFIX}logits")(x)


def as_keras_layer(layer: Any, name: str) -> Any:
    """Return Keras's own layer that does in inference what a probe unit's layer does.

    Parameters
    ----------
    layer
        Of a probe unit, built.
    name
        What the new one is called.

    Returns
    -------
    keras.Layer
        With the layer's weights, which train if the layer's do.
    """
    frozen = isinstance(layer, _FixedWeights)
    if isinstance(layer, FixedBatchNormalization):
        plain = keras.layers.BatchNormalization(
            momentum=layer.momentum, epsilon=layer.epsilon, name=name
        )
    elif isinstance(layer, keras.layers.Dense):
        plain = keras.layers.Dense(layer.units, activation=layer.activation, name=name)
    else:
        return type(layer).from_config({**layer.get_config(), "name": name})
    plain.build(layer.input.shape)
    plain.trainable = not frozen
    weights = {variable.name: variable for variable in layer.variables}
    for variable in plain.variables:
        variable.assign(weights[variable.name])
    return plain


def _choice(argument: str, got: str) -> str:
    """Return ``got`` if it is one of the argument's values, else raise."""
    if got not in _CHOICES[argument]:
        raise InputError(f"{argument} is '{got}'; give {' or '.join(_CHOICES[argument])}")
    return got
