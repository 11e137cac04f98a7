"""What a predictor is told of a run: which signals, of which epochs, in which form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ncselect.graphs.names import FEATURES, STATISTICS
from ncselect.graphs.temporal import TEMPORAL_FORMS, TemporalForm, temporal_signature
from zoo.errors import InputError, UnknownNameError

ACCURACY = "validation-accuracy"
CONTROLS = (ACCURACY, "validation-loss", "training-loss")
"""Signals that any training shows, which a signature has to beat."""

KINDS: Mapping[str, tuple[str, ...]] = {
    "rolled": ("rolled",),
    "unrolled-positive": ("unrolled-positive",),
    "unrolled-negative": ("unrolled-negative",),
    "unrolled": ("unrolled-positive", "unrolled-negative"),
}
"""Kind of graph → the graphs whose signatures it joins (Vahedian et al., appendix A.2)."""


@dataclass(frozen=True, order=True)
class Window:
    """Consecutive epochs, both ends included; epoch 0 is before training.

    Attributes
    ----------
    first, last
        0 ≤ first ≤ last.
    """

    first: int
    last: int

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.last:
            raise InputError(
                f"window: {self.first}…{self.last} came; give a first epoch of 0 or more and a "
                "last one not before it"
            )

    @property
    def epochs(self) -> range:
        """The epochs."""
        return range(self.first, self.last + 1)

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


@dataclass(frozen=True)
class Inputs:
    """What a predictor is told of a run; make it with :func:`signature_inputs` or a control.

    Attributes
    ----------
    name
        Unique among the inputs that are compared.
    signals
        Read after each epoch of the window.
    form
        How the epochs are put together: a temporal form of ``graphs.signature``.
    alpha
        Of the form ``exponential``.
    since_start
        Whether signals are told as their change since epoch 0.
    last_only
        Whether the window's last epoch alone is told.
    control
        Whether it is a control: it knows nothing of graphs.
    """

    name: str
    signals: tuple[str, ...]
    form: TemporalForm = "concatenated"
    alpha: float = 0.5
    since_start: bool = False
    last_only: bool = False
    control: bool = False

    def __post_init__(self) -> None:
        if self.form not in TEMPORAL_FORMS:
            raise UnknownNameError("form", self.form, TEMPORAL_FORMS)
        if not 0 < self.alpha <= 1:
            raise InputError(f"alpha is {self.alpha:g}; give a number above 0, at most 1")

    def columns(self, window: Window) -> tuple[tuple[int, str], ...]:
        """Return the epoch and the signal of every number that is told."""
        epochs = window.epochs[-1:] if self.last_only else window.epochs
        return tuple((epoch, signal) for epoch in epochs for signal in self.signals)

    def row(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the numbers that are told.

        Parameters
        ----------
        values
            The signals after each epoch of the window, shape (epochs, signals), finite.

        Returns
        -------
        ndarray
            Shape (k,), one for each of :meth:`columns`.
        """
        told = values[-1:] if self.last_only else values
        return temporal_signature(told, form=self.form, alpha=self.alpha)


def signature_signals(feature: str, kind: str = "rolled") -> tuple[str, ...]:
    """Name the signals that hold a graph's signature, in the order of ``STATISTICS``.

    Parameters
    ----------
    feature
        ``degree`` or ``eigenvector``.
    kind
        A key of ``KINDS``; ``unrolled`` joins the positive and the negative subgraph.

    Raises
    ------
    UnknownNameError
        If there is no such feature or kind.

    Examples
    --------
    >>> signature_signals("degree")[0]
    'graph/rolled/degree/median'
    """
    if feature not in FEATURES:
        raise UnknownNameError("feature", feature, FEATURES)
    if kind not in KINDS:
        raise UnknownNameError("kind of graph", kind, KINDS)
    return tuple(
        f"graph/{graph}/{feature}/{statistic}" for graph in KINDS[kind] for statistic in STATISTICS
    )


def signature_inputs(
    feature: str,
    kind: str = "rolled",
    *,
    form: TemporalForm = "concatenated",
    alpha: float = 0.5,
    since_start: bool = False,
) -> Inputs:
    """Return the inputs that are a temporal signature.

    Parameters
    ----------
    feature, kind
        As for :func:`signature_signals`.
    form, alpha
        As for ``graphs.signature.temporal_signature``.
    since_start
        Tell how each number has changed since epoch 0 (not in the paper). Of networks that begin
        with different weights it leaves out where they began, which training does not decide.

    Raises
    ------
    UnknownNameError
        If there is no such feature, kind or form.
    InputError
        If alpha is outside its range.

    References
    ----------
    Vahedian et al., Convolutional Neural Network Dynamics: A Graph Perspective (2021), section
    3.2 (S3).

    Examples
    --------
    >>> signature_inputs("degree", form="exponential").name
    'rolled degree, exponential 0.5'
    """
    written = {"concatenated": "", "linear": ", linear", "exponential": f", exponential {alpha:g}"}
    changed = " since the start" if since_start else ""
    name = f"{kind} {feature}{changed}{written.get(form, '')}"
    return Inputs(name, signature_signals(feature, kind), form, alpha, since_start)


def control_inputs(signal: str, *, last_only: bool = False) -> Inputs:
    """Return the inputs that are a plain signal of the same epochs, in the same form.

    Parameters
    ----------
    signal
        One of ``CONTROLS``.
    last_only
        Tell its value after the window's last epoch alone.

    Raises
    ------
    UnknownNameError
        If it is no control.

    Examples
    --------
    >>> control_inputs("validation-accuracy", last_only=True).name
    'validation accuracy, last value'
    """
    if signal not in CONTROLS:
        raise UnknownNameError("control", signal, CONTROLS)
    name = signal.replace("-", " ") + (", last value" if last_only else "")
    return Inputs(name, (signal,), last_only=last_only, control=True)
