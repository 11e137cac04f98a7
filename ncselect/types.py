"""The values that flow through ncselect: what to run, what was seen, what it means.

``RunSpec`` → ``Observation`` → ``RunRecord`` → ``Estimates`` → ``Ranking`` (in ``selection``).
All are immutable and hold plain Python values or numpy arrays; nothing here needs Keras.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Status = Literal["complete", "partial", "failed"]

BUILT = ("parameters", "steps_per_epoch")
"""Of a run's facts the numbers that follow from candidate, data and settings alone."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The protocol of a run: everything but model, data and seed that decides its numbers.

    Defaults are those of the neural capacitance paper (section 5) where it states them; the
    rest are its open choices, each a named setting.

    Attributes
    ----------
    batch_size, learning_rate, optimizer
        64, 0.001 (paper); ``adam`` (not stated), or ``sgd`` (momentum 0.9), ``rmsprop``.
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


_LATER = ("unit", "observation_steps", "measure_whole")
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
        decides = {name: value for name, value in self.to_json().items() if name != "model"}
        default = Settings()
        for name in _LATER:
            if getattr(self.settings, name) == getattr(default, name):
                del decides["settings"][name]
        text = json.dumps(decides, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Return the spec as JSON values."""
        document = dataclasses.asdict(self)
        return dict(json.loads(json.dumps(document, sort_keys=True)))

    def flat(self) -> dict[str, Any]:
        """Return the spec's values by dotted name, such as ``settings.learning_rate``."""
        return _flattened(self.to_json())

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> RunSpec:
        """Rebuild a spec from :meth:`to_json`'s value."""
        settings = dict(document["settings"])
        settings["probe_units"] = tuple(settings["probe_units"])
        return cls(**{**document, "settings": Settings(**settings)})


@dataclass(frozen=True)
class Observation:
    """What was measured after an epoch (epoch 0: before training).

    Attributes
    ----------
    epoch
        Number of finished epochs.
    signals
        Name → value, see ``ncselect.signals``; accuracies in [0, 1].
    seconds
        Wall-clock seconds of the epoch's training steps, tracing excluded.
    measuring_seconds
        Wall-clock seconds of validation and all signals.
    beta_seconds
        Of these, the seconds spent on the training images: their pass through the network and all
        that is measured on them, β_eff above all; None where they were not taken apart.
    """

    epoch: int
    signals: Mapping[str, float]
    seconds: float
    measuring_seconds: float = 0.0
    beta_seconds: float | None = None


@dataclass(frozen=True)
class RunRecord:
    """A run as far as it has come.

    Attributes
    ----------
    spec
        What was run.
    observations
        Epoch 0, 1, 2, … without gaps.
    status
        ``complete`` (its horizon reached), ``partial`` or ``failed``.
    error
        Why it failed, with the epoch.
    facts
        What happened to the candidate: ``parameters``, ``resized_to``, ``weights``, ….
    truth
        Epoch → test accuracy. For scoring only: :meth:`observed` removes it.
    scores
        Name → what is known of the candidate on this dataset without training it, see
        ``ncselect.scores``.
    unscored
        Name of a score → why this candidate cannot have it, and the remedy.
    """

    spec: RunSpec
    observations: tuple[Observation, ...] = ()
    status: Status = "partial"
    error: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    truth: Mapping[int, float] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    unscored: Mapping[str, str] = field(default_factory=dict)

    @property
    def epochs(self) -> int:
        """Number of finished epochs."""
        return max(0, len(self.observations) - 1)

    def curve(self, name: str) -> NDArray[np.float64]:
        """Values of a signal after epochs 1 … E, shape (E,).

        Raises
        ------
        KeyError
            If an epoch lacks the signal; the text lists what was recorded.
        """
        try:
            return np.array([seen.signals[name] for seen in self.observations[1:]], dtype=float)
        except KeyError:
            recorded = sorted(self.observations[-1].signals) if self.observations else []
            raise KeyError(
                f"signal '{name}' was not recorded for {self.spec.model}; "
                f"recorded: {', '.join(recorded) or 'nothing'}"
            ) from None

    @property
    def known(self) -> dict[str, float]:
        """Numbers known before training, by name, for methods that learn from them.

        They are those of ``spec.candidate["facts"]`` where it has them (a file of curves gives
        its hyperparameters so), else the settings; and of what building the candidate told,
        ``BUILT``: no clock, nothing that another machine would measure otherwise.
        """
        own = self.spec.candidate.get("facts")
        settings = dataclasses.asdict(self.spec.settings) if own is None else {}
        built = {name: self.facts[name] for name in BUILT if name in self.facts}
        return {
            name: float(value)
            for name, value in {**settings, **built, **(own or {})}.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
            if math.isfinite(value)
        }

    def observed(self, epochs: int) -> RunRecord:
        """Return the record as a method may see it: epochs 0 … ``epochs``, without the truth.

        A failure that came later is not known yet.
        """
        later = bool(self.observations) and self.epochs >= epochs
        return dataclasses.replace(
            self,
            observations=self.observations[: epochs + 1],
            status="partial" if later else self.status,
            error=None if later else self.error,
            truth={},
        )


@dataclass(frozen=True)
class Curve:
    """A training that has ended: what methods may learn from.

    Attributes
    ----------
    dataset
        What it was trained on.
    model
        The network; several curves may be of one network, with other settings or seeds.
    accuracy
        Validation accuracy after epochs 1 … T, shape (T,), in [0, 1].
    facts
        Numbers known before training, such as ``parameters`` or ``lr``.
    identity
        The same for the same network by any name, as far as that is known: a digest of what the
        candidate really is; empty for plain curves.
    protocol
        What was trained how, and what counts as an epoch: methods learn from trainings of the
        protocol of those they judge. Empty for plain curves, which go with all.
    """

    dataset: str
    model: str
    accuracy: NDArray[np.float64] = field(repr=False)
    facts: Mapping[str, float] = field(default_factory=dict)
    identity: str = ""
    protocol: str = ""


@dataclass(frozen=True)
class Outcome:
    """The final accuracy of a network on a dataset, known from elsewhere.

    Attributes
    ----------
    model, dataset
        Their names.
    accuracy
        In [0, 1].
    """

    model: str
    dataset: str
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class Background:
    """What a method may be told besides the runs it judges.

    Attributes
    ----------
    horizon
        The epoch whose accuracy is to be predicted.
    history
        Finished trainings of other networks or on other datasets.
    experience
        Final accuracies on other datasets, besides the built-in table.
    """

    horizon: int = 50
    history: tuple[Curve, ...] = ()
    experience: tuple[Outcome, ...] = ()


@dataclass(frozen=True)
class Estimate:
    """What a method says of a candidate.

    Attributes
    ----------
    model
        The candidate's name.
    mean, sd
        Predicted final accuracy and its standard deviation, in [0, 1]; ``mean`` is nan where a
        method orders candidates without predicting accuracies, ``sd`` where it has none.
    diagnostics
        Name → number a reader may want before trusting the mean.
    score
        What candidates are ordered by, the higher the better: the mean where none is given.
        Methods give their mean before it was clipped to [0, 1], or a score in their own units.
    """

    model: str
    mean: float
    sd: float = float("nan")
    diagnostics: Mapping[str, float] = field(default_factory=dict)
    score: float = float("nan")

    def __post_init__(self) -> None:
        if np.isnan(self.score):
            object.__setattr__(self, "score", self.mean)


@dataclass(frozen=True)
class Estimates:
    """A method's answer for a pool.

    Attributes
    ----------
    method
        The method's name.
    estimates
        One per candidate that could be estimated, in the pool's order.
    refused
        Model → why it could not be.
    notes
        What holds for the pool as a whole, such as ``t0 fixed``.
    draws
        Joint draws of the final accuracies, shape (draws, len(estimates)), where there are any.
    outlook
        Further epochs → how probable the then best pick is expected to be the best.
    """

    method: str
    estimates: tuple[Estimate, ...]
    refused: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    draws: NDArray[np.float64] | None = None
    outlook: Mapping[int, float] = field(default_factory=dict)


def _flattened(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, Mapping):
            flat |= _flattened(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
