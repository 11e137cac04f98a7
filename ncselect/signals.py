"""What is measured before training and after every epoch: SIGNALS, and how.

Names and descriptions need no Keras; :class:`Measurement` imports it when built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics import mlp
from ncselect.numerics.capacitance import DEFINITIONS, Capacitance, Definition, beta_eff
from ncselect.numerics.held import Flow, HeldTerms, flow, held_batch, held_terms
from zoo.errors import InputError

if TYPE_CHECKING:
    from ncselect.measuring.base import Seen

RECORDED = tuple(definition for definition in DEFINITIONS if definition.layers != "all")
"""The definitions of neural capacitance that every run under a probe unit records."""

ON_ALL = "@all"
"""Ends the names of signals that were measured on all training images."""

_LAYERS = {
    "kernels": "the probe's kernels",
    "norm": "the probe's kernels and batch norms",
    "base": "the base's last kernel and the probe's kernels",
}


_AVERAGES = {
    "pooled": "",
    "per-sample": ", mean over samples of their own",
    "median": ", median over samples of their own",
    "batch": ", of the samples' mean P",
}


def _denominator(layers: str, derivative: str, sign: str) -> str:
    """Return the name of the signal that holds a definition's denominator."""
    entrywise = "/entrywise" if sign == "entrywise" else ""
    return f"denominator/{layers}/{derivative}{entrywise}"


_OF_TRAINING: Mapping[str, str] = {
    "training-loss": "mean cross-entropy on the probe subset of the training images",
    "training-error": "share of the probe subset that is misclassified",
    "residual": "mean |p − y| over the probe subset and the classes",
    **{
        f"beta/{d}": (
            f"neural capacitance of {_LAYERS[d.layers]}, {d.derivative}, {d.sign}"
            + _AVERAGES[d.average]
        )
        for d in RECORDED
    },
    **{
        _denominator(d.layers, d.derivative, d.sign): (
            f"total degree 1ᵀP1 of {_LAYERS[d.layers]}, {d.derivative}"
            + (", of |P|" if d.sign == "entrywise" else "")
        )
        for d in RECORDED
        if d.average == "pooled"
    },
}
SIGNALS: Mapping[str, str] = {
    "validation-loss": "mean cross-entropy on the validation images",
    "validation-accuracy": "share of the validation images classified rightly",
    "validation-balanced-accuracy": "mean over classes of the share classified rightly",
    **_OF_TRAINING,
}
"""Signal → what it is; accuracies and errors in [0, 1], losses in nats.

Those of the probe subset end in ``ON_ALL`` where all training images take its place.
"""

Batches = Callable[[], Iterable[tuple[NDArray[Any], NDArray[Any]]]]


class Measurement:
    """Measures a network as it stands; built once per run, compiled at the first measurement.

    Signals of the training set are taken on the probe subset, and on all training images where
    that is asked for, with dropout off; the probe unit's batch norms, where they use batch
    statistics, normalise by those of all these images. Nothing in the network changes. Memory
    grows with the images' features, not their activations.

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
    whole
        Likewise, all training images; None to measure on the probe subset alone.
    capacitance
        Whether β_eff is measured; without it the unit may be a classifier alone.
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
        whole: Batches | None = None,
        capacitance: bool = True,
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
        self._whole = whole
        self._classes = classes
        self._capacitance = capacitance
        parts = split(model)
        self._base = MeasuredBase(parts, chunk=min(chunk, len(self._images)))
        self._probe = MeasuredProbe(parts.probe)
        self.absent: dict[str, str] = {}
        if not capacitance:
            lost = [name for name in _OF_TRAINING if name.startswith(("beta/", "denominator/"))]
            self.absent = dict.fromkeys(lost, "unit: 'classifier' has no probe unit to measure on")
        self._note_absent()

    def measure(self) -> dict[str, float]:
        """Return every signal but the absent ones, in the order of :data:`SIGNALS`."""
        return {**self.on_validation(), **self.on_training()}

    def on_training(self) -> dict[str, float]:
        """Return the signals of the probe subset, and of all training images if they are wanted."""
        found = self.on_probe_subset()
        if self._whole is not None:
            found |= {name + ON_ALL: value for name, value in self._on_whole().items()}
        return found

    def on_validation(self) -> dict[str, float]:
        """Return the signals of the validation images."""
        loss, accuracy, balanced = self.evaluate(self._validation())
        return {
            "validation-loss": loss,
            "validation-accuracy": accuracy,
            "validation-balanced-accuracy": balanced,
        }

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
        return self._of_training(self._seen([self._images]), self._labels)

    def _on_whole(self) -> dict[str, float]:
        """Return the same signals of all training images."""
        assert self._whole is not None
        batches = self._whole()
        labels: list[NDArray[np.int64]] = []

        def images() -> Iterator[NDArray[Any]]:
            for batch, targets in batches:
                labels.append(np.asarray(targets).astype(np.int64))
                yield batch

        base = self._seen(images())
        return self._of_training(base, np.concatenate(labels))

    def _seen(self, images: Iterable[NDArray[Any]]) -> Seen:
        """Return what the base makes of images; its reaches only where β_eff is measured."""
        from ncselect.measuring.base import Seen, joined

        if not self._capacitance:
            return Seen(np.concatenate([self._base.features(batch) for batch in images]))
        base = joined([self._base.seen(batch) for batch in images])
        self._note_absent()
        return base

    def _of_training(self, base: Seen, labels: NDArray[np.int64]) -> dict[str, float]:
        layers = self._probe.layers()
        logits = mlp.forward(layers, base.features)[-1]
        found = {
            "training-loss": float(mlp.cross_entropy(logits, labels).mean()),
            "training-error": float((logits.argmax(axis=1) != labels).mean()),
            "residual": float(np.abs(mlp.residuals(logits, labels)).mean()),
        }
        if base.reach is None:
            return found
        exact = {
            name: beta_eff(*degrees)
            for name, degrees in self._probe.degrees(base.features, base.reach, labels).items()
        }
        held = _Held(flow(layers, base.features, labels), base)
        for definition in RECORDED:
            by_entry = definition.sign == "entrywise"
            if definition.layers == "base" and by_entry and base.entrywise_reach is None:
                continue
            if definition.derivative == "exact":
                measured = exact[definition.layers]
                found[f"beta/{definition}"] = _signed(measured.value, definition)
            else:
                found[f"beta/{definition}"] = held.value(definition)
                measured = held.terms(definition.layers, entrywise=by_entry).pooled
            if definition.average == "pooled":
                sign = "entrywise" if by_entry else "signed"
                name = _denominator(definition.layers, definition.derivative, sign)
                found[name] = measured.denominator
        return {name: found[name] for name in _OF_TRAINING if name in found}

    def _note_absent(self) -> None:
        """Write down which signals this base cannot have, as far as it is known."""
        if self._base.not_entrywise is not None:
            lost = [f"beta/{d}" for d in RECORDED if (d.layers, d.sign) == ("base", "entrywise")]
            for name in (*lost, _denominator("base", "held", "entrywise")):
                self.absent[name] = self._base.not_entrywise


class _Held:
    """β_eff with what lies above held constant; what several definitions share is made once."""

    def __init__(self, seen: Flow, base: Seen) -> None:
        self._seen, self._base = seen, base
        self._terms: dict[tuple[str, bool], HeldTerms] = {}
        self._batch: Capacitance | None = None

    def terms(self, layers: str, *, entrywise: bool) -> HeldTerms:
        """Return the samples' numerators and denominators."""
        if (layers, entrywise) not in self._terms:
            reach = self._reach(entrywise=entrywise) if layers == "base" else None
            self._terms[layers, entrywise] = held_terms(
                self._seen, reach=reach, entrywise=entrywise
            )
        return self._terms[layers, entrywise]

    def value(self, definition: Definition) -> float:
        """Return β_eff, samples put together as defined."""
        if definition.average == "batch":
            return _signed(self._batched().value, definition)
        terms = self.terms(definition.layers, entrywise=definition.sign == "entrywise")
        if definition.average == "pooled":
            return _signed(terms.pooled.value, definition)
        samples = np.abs(terms.samples) if definition.sign == "absolute" else terms.samples
        return float(samples.mean() if definition.average == "per-sample" else np.median(samples))

    def _batched(self) -> Capacitance:
        """Return β_eff of the samples' mean P, which is of ``base`` alone."""
        if self._batch is None:
            terms = self.terms("base", entrywise=False)
            self._batch = held_batch(self._seen, terms, reach=self._reach(entrywise=False))
        return self._batch

    def _reach(self, *, entrywise: bool) -> NDArray[np.float64]:
        """Return how far the first dense layer's inputs are moved by the layer below."""
        reach = self._base.entrywise_reach if entrywise else self._base.reach
        assert reach is not None  # else the definition is left out
        return reach * (np.abs(self._seen.entry) if entrywise else self._seen.entry)


def _signed(value: float, definition: Definition) -> float:
    return abs(value) if definition.sign == "absolute" else value
