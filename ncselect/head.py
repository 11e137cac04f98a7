"""What a run puts on a base: the probe unit, or a plain classifier, by its settings."""

from __future__ import annotations

from typing import Any

from ncselect.spec import Settings
from zoo.ncp import probe_unit

KERAS_MOMENTUM = 0.99  # of Keras's BatchNormalization


def logits(
    features: Any, classes: int, settings: Settings, *, seed: int, momentum: float = KERAS_MOMENTUM
) -> Any:
    """Put on a base what runs with these settings have there.

    Parameters
    ----------
    features
        The base's output, a Keras tensor of shape (batch, features).
    classes
        Number of classes K.
    settings, seed
        The run's.
    momentum
        Of the probe's batch norms.

    Returns
    -------
    keras.KerasTensor
        Shape (batch, K), before any softmax.
    """
    probes = settings.unit == "probe"
    return probe_unit(
        features,
        classes,
        order=settings.probe_order,
        statistics=settings.probe_statistics,
        head=settings.probe_head if probes else "trained",
        units=settings.probe_units if probes else (),
        dropout=settings.probe_dropout,
        activation=settings.probe_activation,
        initializer=settings.probe_initializer,
        momentum=momentum,
        seed=seed,
    )
