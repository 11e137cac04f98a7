"""The values that flow through ncselect: what was seen of a run, what it means.

``RunSpec`` (``spec``) → ``Observation`` → ``RunRecord`` → ``Estimates`` → ``Ranking``.
All are immutable and hold plain Python values or numpy arrays; nothing here needs Keras.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ncselect.spec import RunSpec, Settings
from ncselect.structure import Pruning

Status = Literal["complete", "partial", "failed"]

BUILT = ("parameters", "steps_per_epoch")
"""Of a run's facts the numbers that follow from candidate, data and settings alone."""


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


def is_out_of_patience(observations: Sequence[Observation], patience: int) -> bool:
    """Tell whether early stopping ends a run: its best epoch is ``patience`` epochs old.

    Parameters
    ----------
    observations
        Epoch 0, 1, 2, … so far.
    patience
        Epochs without a new best validation accuracy that are waited for; 0: without end.
    """
    if not patience or len(observations) < 2:
        return False
    return len(observations) - 1 - best_epoch(observations) >= patience


def best_epoch(observations: Sequence[Observation]) -> int:
    """Return the epoch with the best validation accuracy, the first of several.

    Parameters
    ----------
    observations
        Epoch 0, 1, 2, …; epoch 0 counts only where there is no other.
    """
    accuracies = [one.signals["validation-accuracy"] for one in observations[1:]]
    return 1 + int(np.argmax(accuracies)) if accuracies else 0


def is_below_floor(observations: Sequence[Observation], pruning: Pruning | None) -> bool:
    """Tell whether pruning has ended a run: a round's last accuracy is below the floor.

    Parameters
    ----------
    observations
        Epoch 0, 1, 2, … so far.
    pruning
        The rounds; None where there are none.
    """
    if pruning is None:
        return False
    return any(
        one.signals["validation-accuracy"] < pruning.floor
        for one in observations[pruning.epochs :: pruning.epochs]
    )


def has_ended_early(observations: Sequence[Observation], settings: Settings) -> bool:
    """Tell whether what was observed ends a run before its horizon, whatever ends it."""
    return is_out_of_patience(observations, settings.patience) or is_below_floor(
        observations, settings.pruning
    )


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

    @property
    def has_stopped(self) -> bool:
        """Whether the run has ended before its horizon: its patience is out, or its rounds are."""
        return has_ended_early(self.observations, self.spec.settings)

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

    def held(self, epochs: int) -> RunRecord:
        """Return the record with its last values held, if early stopping has ended it before.

        What such a run ends with is what it would have at every later epoch; any other run is
        returned as it is.
        """
        if self.epochs >= epochs or not self.has_stopped:
            return self
        last = self.observations[-1]
        held = tuple(
            Observation(epoch, last.signals, 0.0) for epoch in range(self.epochs + 1, epochs + 1)
        )
        ended = {epochs: self.truth[self.epochs]} if self.epochs in self.truth else {}
        return dataclasses.replace(
            self, observations=self.observations + held, truth={**self.truth, **ended}
        )

    def observed(self, epochs: int) -> RunRecord:
        """Return the record as a method may see it: epochs 0 … ``epochs``, without the truth.

        A failure that came later is not known yet. A run that early stopping has ended before
        is :meth:`held`.
        """
        later = bool(self.observations) and self.epochs >= epochs
        return dataclasses.replace(
            self,
            observations=self.held(epochs).observations[: epochs + 1],
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
    signals
        Name → values at epochs 0 … T, shape (T + 1,): the graph signatures that were recorded.
    has_stopped
        Whether early stopping has ended it.
    """

    dataset: str
    model: str
    accuracy: NDArray[np.float64] = field(repr=False)
    facts: Mapping[str, float] = field(default_factory=dict)
    identity: str = ""
    protocol: str = ""
    signals: Mapping[str, NDArray[np.float64]] = field(default_factory=dict, repr=False)
    has_stopped: bool = False

    def held(self, epochs: int) -> Curve:
        """Return the curve with its last values held, if early stopping has ended it before."""
        missing = epochs - len(self.accuracy)
        if missing <= 0 or not self.has_stopped:
            return self
        return dataclasses.replace(
            self,
            accuracy=np.pad(self.accuracy, (0, missing), "edge"),
            signals={
                name: np.pad(values, (0, missing), "edge") for name, values in self.signals.items()
            },
        )


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
    foresee
        Works the :attr:`outlook` out, which takes longer than all else of an answer; the same at
        every call.
    """

    method: str
    estimates: tuple[Estimate, ...]
    refused: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    draws: NDArray[np.float64] | None = None
    foresee: Callable[[], Mapping[int, float]] = dict

    @cached_property
    def outlook(self) -> Mapping[int, float]:
        """Further epochs → how probable the then best pick is expected to be the best."""
        return self.foresee()
