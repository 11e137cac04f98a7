"""What is measured before training and after every epoch: SIGNALS, and how.

Names and descriptions need no Keras; :class:`Measurement` imports it when built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics import mlp
from ncselect.numerics.capacitance import DEFINITIONS, Capacitance, beta_eff
from ncselect.numerics.held import flow, held_capacitance
from zoo.errors import InputError

RECORDED = tuple(definition for definition in DEFINITIONS if definition.layers != "all")
"""The definitions of neural capacitance that every run records."""

_LAYERS = {
    "kernels": "the probe's kernels",
    "norm": "the probe's kernels and batch norms",
    "base": "the base's last kernel and the probe's kernels",
}


def _denominator(layers: str, derivative: str, sign: str) -> str:
    """Return the name of the signal that holds a definition's denominator."""
    entrywise = "/entrywise" if sign == "entrywise" else ""
    return f"denominator/{layers}/{derivative}{entrywise}"


SIGNALS: Mapping[str, str] = {
    "training-loss": "mean cross-entropy on the probe subset of the training images",
    "training-error": "share of the probe subset that is misclassified",
    "residual": "mean |p − y| over the probe subset and the classes",
    "validation-loss": "mean cross-entropy on the validation images",
    "validation-accuracy": "share of the validation images classified rightly",
    "validation-balanced-accuracy": "mean over classes of the share classified rightly",
    **{
        f"beta/{d}": f"neural capacitance of {_LAYERS[d.layers]}, {d.derivative}, {d.sign}"
        for d in RECORDED
    },
    **{
        _denominator(d.layers, d.derivative, d.sign): (
            f"total degree 1ᵀP1 of {_LAYERS[d.layers]}, {d.derivative}"
            + (", of |P|" if d.sign == "entrywise" else "")
        )
        for d in RECORDED
    },
}
"""Signal → what it is; accuracies and errors in [0, 1], losses in nats."""

Batches = Callable[[], Iterable[tuple[NDArray[Any], NDArray[Any]]]]


class Measurement:
    """Measures a network as it stands; built once per run, compiled at the first measurement.

    Signals of the training set are taken on the probe subset with dropout off; the probe
    unit's batch norms, where they use batch statistics, normalise by those of the whole subset.
    Nothing in the network changes. Memory grows with the subset's features, not its images'
    activations.

    Parameters
    ----------
    model
        Functional Keras model, uint8 images → logits, on top of it the layers of
        ``zoo.ncp.probe_unit``.
    probe_images, probe_labels
        A fixed part of the training set: shapes (n, height, width, 3) and (n,), integers.
    validation
        Called at every measurement; yields (images, labels) batches of at most the first
        batch's size.
    classes
        Number of classes.
    chunk
        Images that pass through the base at once.

    Attributes
    ----------
    absent
        Signal → why this network cannot have it.

    Raises
    ------
    InputError
        If the network has no probe unit, or images and labels do not match.
    """

    def __init__(
        self,
        model: Any,
        *,
        probe_images: NDArray[Any],
        probe_labels: NDArray[Any],
        validation: Batches,
        classes: int,
        chunk: int = 64,
    ) -> None:
        from ncselect.measuring.base import MeasuredBase
        from ncselect.measuring.probe import MeasuredProbe
        from ncselect.measuring.split import split

        self._images = np.asarray(probe_images)
        self._labels = np.asarray(probe_labels).astype(np.int64)
        if (
            self._labels.ndim != 1
            or len(self._images) != len(self._labels)
            or not len(self._labels)
        ):
            raise InputError(
                f"probe_images and probe_labels have shapes {self._images.shape} and "
                f"{self._labels.shape}; give (n, height, width, 3) and (n,) with n > 0"
            )
        if self._labels.min() < 0 or self._labels.max() >= classes:
            raise InputError(
                f"probe_labels lie in {self._labels.min()} … {self._labels.max()}; "
                f"give integers from 0 to {classes - 1} or raise classes"
            )
        self._validation = validation
        self._classes = classes
        parts = split(model)
        self._base = MeasuredBase(parts, chunk=min(chunk, len(self._images)))
        self._probe = MeasuredProbe(parts.probe)
        self.absent: dict[str, str] = {}
        self._note_absent()

    def measure(self) -> dict[str, float]:
        """Return every signal but the absent ones, in the order of :data:`SIGNALS`."""
        found = self.on_probe_subset()
        loss, accuracy, balanced = self.evaluate(self._validation())
        found["validation-loss"] = loss
        found["validation-accuracy"] = accuracy
        found["validation-balanced-accuracy"] = balanced
        return {name: found[name] for name in SIGNALS if name in found}

    def evaluate(
        self, batches: Iterable[tuple[NDArray[Any], NDArray[Any]]]
    ) -> tuple[float, float, float]:
        """Return mean loss, accuracy and balanced accuracy on images, as in inference.

        Balanced accuracy is the mean, over the classes that occur, of the share classified
        rightly.
        """
        loss = 0.0
        right = np.zeros(self._classes)
        seen = np.zeros(self._classes)
        for images, labels in batches:
            whole = np.asarray(labels).astype(np.int64)
            logits = self._probe.logits(self._base.features(images))
            loss += float(mlp.cross_entropy(logits, whole).sum())
            seen += np.bincount(whole, minlength=self._classes)
            right += np.bincount(whole[logits.argmax(axis=1) == whole], minlength=self._classes)
        total = seen.sum()
        if total == 0:
            raise InputError("the batches to evaluate hold no image; give at least one")
        balanced = float((right[seen > 0] / seen[seen > 0]).mean())
        return loss / total, float(right.sum() / total), balanced

    def on_probe_subset(self) -> dict[str, float]:
        """Return the signals of the probe subset."""
        base = self._base.seen(self._images)
        self._note_absent()
        layers = self._probe.layers()
        seen = flow(layers, base.features, self._labels)
        logits = mlp.forward(layers, base.features)[-1]
        found = {
            "training-loss": float(mlp.cross_entropy(logits, self._labels).mean()),
            "training-error": float((logits.argmax(axis=1) != self._labels).mean()),
            "residual": float(np.abs(seen.errors[-1]).mean()),
        }
        capacitances: dict[tuple[str, str, str], Capacitance] = {
            ("kernels", "held", "signed"): held_capacitance(seen),
            ("kernels", "held", "entrywise"): held_capacitance(seen, entrywise=True),
            ("base", "held", "signed"): held_capacitance(seen, reach=base.reach * seen.entry),
        }
        if base.entrywise_reach is not None:
            capacitances["base", "held", "entrywise"] = held_capacitance(
                seen, reach=base.entrywise_reach * np.abs(seen.entry), entrywise=True
            )
        for name in ("kernels", "norm", "base"):
            degrees = self._probe.degrees(name, base.features, base.reach, self._labels)
            capacitances[name, "exact", "signed"] = beta_eff(*degrees)
        for definition in RECORDED:
            sign = "entrywise" if definition.sign == "entrywise" else "signed"
            key = (definition.layers, definition.derivative, sign)
            if key not in capacitances:
                continue
            value = capacitances[key].value
            found[f"beta/{definition}"] = abs(value) if definition.sign == "absolute" else value
            found[_denominator(*key)] = capacitances[key].denominator
        return found

    def _note_absent(self) -> None:
        """Write down which signals this base cannot have, as far as it is known."""
        if self._base.not_entrywise is not None:
            for name in ("beta/base/held/entrywise", "denominator/base/held/entrywise"):
                self.absent[name] = self._base.not_entrywise
