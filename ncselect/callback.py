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
        self._images = np.asarray(x)
        labels = np.asarray(y)
        self._labels = labels.argmax(axis=-1) if labels.ndim == 2 else labels
        self._definition = None if definition is None else Definition.parse(definition)
        self._limit = limit
        self._measure: Any = None

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Take the model apart, or say why it cannot be measured."""
        probed = self.model.layers[-1].name.startswith(PREFIX)
        chosen = self._definition or Definition.parse(PROBED if probed else WHOLE)
        if probed != (chosen.layers != "all"):
            raise InputError(
                f"definition: '{chosen}' does not fit model '{self.model.name}', which "
                + ("ends in a probe unit; use " if probed else "has no probe unit; use ")
                + (PROBED if probed else WHOLE)
            )
        self._measure = self._on_probe(chosen) if probed else self._on_all(chosen)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Measure and write ``beta_eff`` into the logs."""
        if logs is not None:
            logs["beta_eff"] = self._measure()

    def _on_probe(self, chosen: Definition) -> Any:
        measurement = Measurement(
            self.model,
            probe_images=self._images,
            probe_labels=self._labels,
            validation=tuple,
            classes=int(self.model.output_shape[-1]),
        )
        return lambda: measurement.on_probe_subset()[f"beta/{chosen}"]

    def _on_all(self, chosen: Definition) -> Any:
        activation = getattr(self.model.layers[-1], "activation", None)
        name = getattr(activation, "__name__", type(self.model.layers[-1]).__name__)
        if name not in ("softmax", "linear"):
            raise InputError(
                f"model '{self.model.name}' ends in '{name}'; neural capacitance needs a "
                "classifier that ends in softmax or in logits"
            )
        network = WholeNetwork(
            self.model,
            self._images,
            self._labels,
            probabilities=name == "softmax",
            limit=self._limit,
        )
        take = abs if chosen.sign == "absolute" else float
        return lambda: take(network.measure().value)
