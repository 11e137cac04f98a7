"""Neural capacitance in anyone's own ``fit``: a Keras callback."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ncselect.measuring.whole import WholeNetwork
from ncselect.numerics.capacitance import Definition
from ncselect.signals import Measurement
from zoo.errors import InputError
from zoo.ncp import PREFIX

PROBED = "base/held/signed"
WHOLE = "all/exact/signed"


class NeuralCapacitance(keras.callbacks.Callback):
    """Writes β_eff into the logs after every epoch, as ``beta_eff``.

    A network that ends in a probe unit (``zoo.ncp.probe_unit``) is measured on the unit and the
    base's last kernel; any other small classifier on all of its kernels (paper, section 4.3 and
    appendix I). Other callbacks and ``History`` see the value like any metric.

    Parameters
    ----------
    x, y
        A fixed part of the training set, some hundred samples: what the model takes, and labels
        as integers (n,) or one-hot (n, classes).
    definition
        What is meant by β_eff; ``base/held/signed`` under a probe unit and ``all/exact/signed``
        without one by default.
    limit
        Largest number of kernel entries of a network without a probe unit.

    Raises
    ------
    InputError
        When ``fit`` starts, for a model it cannot measure; the text says why.

    Examples
    --------
    >>> import ncselect
    >>> watch = ncselect.NeuralCapacitance(x[:512], y[:512])  # doctest: +SKIP
    >>> history = model.fit(x, y, epochs=5, callbacks=[watch])  # doctest: +SKIP
    >>> history.history["beta_eff"]  # doctest: +SKIP
    """

    def __init__(
        self,
        x: NDArray[Any],
        y: NDArray[Any],
        *,
        definition: str | None = None,
        limit: int = 2_000_000,
    ) -> None:
        super().__init__()
        self._images, self._labels = np.asarray(x), np.asarray(y)
        if not len(self._images) or len(self._images) != len(self._labels):
            raise InputError(
                f"x and y hold {len(self._images)} and {len(self._labels)} samples; "
                "give the same number, some hundred"
            )
        self._definition = None if definition is None else Definition.parse(definition)
        self._limit = limit
        self._measure: Any = None

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Take the model apart, or say why it cannot be measured."""
        if isinstance(self.model, keras.Sequential) and not self.model.built:
            self.model.build((None, *self._images.shape[1:]))
        layers = getattr(self.model, "layers", [])
        shape = getattr(self.model, "output_shape", None) if layers else None
        if not isinstance(shape, tuple) or len(shape) != 2 or shape[1] < 2:
            raise InputError(
                f"model '{self.model.name}' is no sequential or functional classifier with one "
                f"output (batch, classes) of at least 2 classes; its output has shape {shape}"
            )
        labels = _as_integers(self._labels, shape[1])
        probed = layers[-1].name.startswith(PREFIX)
        chosen = self._definition or Definition.parse(PROBED if probed else WHOLE)
        if probed != (chosen.layers != "all"):
            raise InputError(
                f"definition: '{chosen}' does not fit model '{self.model.name}', which "
                + ("ends in a probe unit; use " if probed else "has no probe unit; use ")
                + (PROBED if probed else WHOLE)
            )
        self._measure = (self._on_probe if probed else self._on_all)(chosen, labels)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Measure and write ``beta_eff`` into the logs."""
        if logs is not None:
            logs["beta_eff"] = self._measure()

    def _on_probe(self, chosen: Definition, labels: NDArray[np.int64]) -> Any:
        measurement = Measurement(
            self.model,
            probe_images=self._images,
            probe_labels=labels,
            validation=tuple,
            classes=int(self.model.output_shape[-1]),
        )
        return lambda: measurement.on_probe_subset()[f"beta/{chosen}"]

    def _on_all(self, chosen: Definition, labels: NDArray[np.int64]) -> Any:
        last = self.model.layers[-1]
        softmax = isinstance(last, keras.layers.Softmax)
        activation = getattr(last, "activation", None)
        name = "softmax" if softmax else getattr(activation, "__name__", type(last).__name__)
        if name not in ("softmax", "linear"):
            raise InputError(
                f"model '{self.model.name}' ends in '{name}'; neural capacitance needs a "
                "classifier that ends in softmax or in logits"
            )
        network = WholeNetwork(
            self.model,
            self._images,
            labels,
            probabilities=name == "softmax",
            limit=self._limit,
        )
        take = abs if chosen.sign == "absolute" else float
        return lambda: take(network.measure().value)


def _as_integers(labels: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """Return labels of shape (n,), (n, 1) or one-hot (n, classes) as integers of shape (n,)."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    elif labels.ndim == 2 and labels.shape[1] == classes:
        labels = labels.argmax(axis=1)
    whole = labels.ndim == 1 and np.issubdtype(labels.dtype, np.number)
    if not whole or (labels != labels.astype(np.int64)).any():
        raise InputError(
            f"y has shape {labels.shape} and type {labels.dtype}; "
            f"give integers (n,) or one-hot (n, {classes})"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise InputError(
            f"y runs from {labels.min()} to {labels.max()}; give classes from 0 to {classes - 1}"
        )
    return labels.astype(np.int64)
