"""What to run: one candidate on one dataset with one seed, under a protocol.

All is immutable and holds plain Python values.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ncselect.structure import Pruning, SparseTraining


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The protocol of a run: everything but model, data and seed that decides its numbers.

    Defaults are those of the neural capacitance paper (section 5) where it states them; the
    rest are its open choices, each a named setting.

    Attributes
    ----------
    batch_size, learning_rate, optimizer
        64, 0.001 (paper); ``adam`` (not stated), or ``sgd``, ``rmsprop``.
    augmentation
        ``none`` (default), ``flip`` (horizontal) or ``flip-crop`` (and shifts by up to 10%).
    batch_norm_momentum
        ``steps``: no layer remembers longer than an epoch, min(its own, 0.01^(1/steps));
        ``keras``: every layer's own, and Keras's 0.99 in the probe unit.
    probe_units, probe_dropout
        Widths of the probe's hidden layers and its dropout rate (paper: 256, 128 and 0.4).
    probe_order
        ``bn-dense`` (batch norm → dense → activation → dropout, the text read literally) or
        ``dense-bn`` (dense → batch norm → activation → dropout).
    probe_statistics
        ``batch``: the frozen unit normalises by batch statistics; ``inference``: by its
        untouched moving statistics (mean 0, variance 1), as a frozen Keras layer does.
    probe_head
        ``frozen`` (Algorithm 1) or ``trained``: the classifier layer.
    probe_activation, probe_initializer
        ``relu`` (Theorem 1) or ``linear``; ``he_normal`` (Keras's, truncated) or
        ``he_normal_untruncated``.
    probe_size
        Training images on which signals are measured after each epoch, stratified.
    unit
        What is put on the base: ``probe``, the probe unit; or ``classifier``, a plain trained
        dense layer, as in everyday fine-tuning: no neural capacitance is measured then.
    observation_steps
        Training steps between observations. 0: an observation after each epoch; otherwise every
        such step count takes the place of an epoch, wherever epochs are counted.
    measure_whole
        Measure the signals of the training set on all of it too, as ``NAME@all``.
    momentum
        Of ``sgd``, 0.9; the other optimisers have none.
    patience
        Early stopping: a run ends when the validation accuracy has not exceeded its best for so
        many observations. 0: it goes on to its horizon.
    restore_best
        Keep the weights after the epoch with the best validation accuracy, and end with those: a
        network that is saved has them, and their test accuracy is measured, too.
    graphs
        Whose signatures are recorded: ``rolled`` (default), ``rolled+unrolled`` or ``none``, see
        ``ncselect.graphs``.
    sparse, pruning
        Train a sparse network, or prune it round by round. None: neither. Both want ``unit`` to
        be ``classifier``.
    """

    batch_size: int = 64
    learning_rate: float = 1e-3
    optimizer: str = "adam"
    augmentation: str = "none"
    batch_norm_momentum: str = "steps"
    probe_units: tuple[int, ...] = (256, 128)
    probe_dropout: float = 0.4
    probe_order: str = "bn-dense"
    probe_statistics: str = "batch"
    probe_head: str = "frozen"
    probe_activation: str = "relu"
    probe_initializer: str = "he_normal"
    probe_size: int = 512
    unit: str = "probe"
    observation_steps: int = 0
    measure_whole: bool = False
    momentum: float = 0.9
    patience: int = 0
    restore_best: bool = False
    graphs: str = "rolled"
    sparse: SparseTraining | None = None
    pruning: Pruning | None = None

    @property
    def deciding(self) -> Settings:
        """The same protocol, with settings that decide nothing in it at their defaults.

        Below a classifier there are no hidden layers; the optimisers other than ``sgd`` have no
        momentum; fixed connections neither go nor grow.
        """
        idle = [*_HIDDEN_LAYERS] if self.unit == "classifier" else []
        idle += [] if self.optimizer == "sgd" else ["momentum"]
        default = Settings()
        decided = {name: getattr(default, name) for name in idle}
        if self.sparse is not None and self.sparse.rule == "fixed":
            decided["sparse"] = SparseTraining(rule="fixed", epsilon=self.sparse.epsilon)
        return dataclasses.replace(self, **decided)


_HIDDEN_LAYERS = (
    "probe_units", "probe_dropout", "probe_order", "probe_statistics", "probe_activation",
    "probe_head",
)  # fmt: skip
"""Settings of the probe unit alone; its initializer and its images are a classifier's too."""

_LATER = (
    "unit", "observation_steps", "measure_whole", "momentum", "patience", "restore_best",
    "graphs", "sparse", "pruning",
)  # fmt: skip
"""Settings that runs stored before them lack; at their defaults they leave the key as it was."""


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """One candidate to be fine-tuned on one dataset with one seed.

    Attributes
    ----------
    model, dataset
        Names as shown to the user.
    candidate, data, environment
        What they really are: architecture, arguments and the digest of the weights; the digest
        of pixels, labels and splits; backend, versions, threads. JSON values only.
    seed
        Seeds the probe's weights, the order of the batches, dropout and augmentation.
    settings
        The protocol.
    """

    model: str
    dataset: str
    candidate: Mapping[str, Any]
    data: Mapping[str, Any]
    seed: int = 0
    settings: Settings = field(default_factory=Settings)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Sixteen hexadecimal digits that cover everything that decides the outcome.

        The number of epochs is not part of it: a longer run begins like a shorter one.
        """
        decides = self._deciding().to_json()
        del decides["model"]
        default = Settings()
        for name in _LATER:
            if decides["settings"][name] == getattr(default, name):
                del decides["settings"][name]
        text = json.dumps(decides, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Return the spec as JSON values."""
        document = dataclasses.asdict(self)
        return dict(json.loads(json.dumps(document, sort_keys=True)))

    def flat(self) -> dict[str, Any]:
        """Return the spec's values by dotted name, such as ``settings.learning_rate``.

        Those of settings that decide nothing here are the defaults: equal runs have equal values.
        """
        return _flattened(self._deciding().to_json())

    def _deciding(self) -> RunSpec:
        return dataclasses.replace(self, settings=self.settings.deciding)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> RunSpec:
        """Rebuild a spec from :meth:`to_json`'s value."""
        settings = dict(document["settings"])
        settings["probe_units"] = tuple(settings["probe_units"])
        for name, kind in (("sparse", SparseTraining), ("pruning", Pruning)):
            if settings.get(name) is not None:
                settings[name] = kind(**settings[name])
        return cls(**{**document, "settings": Settings(**settings)})


def _flattened(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, Mapping):
            flat |= _flattened(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
