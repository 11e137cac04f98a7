"""Which statistics a classification rests on, and how they go in networks of either class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ncselect.graphs.prediction.classes import Threshold, labels, sample_size
from ncselect.graphs.prediction.classification import balanced_folds
from ncselect.graphs.prediction.inputs import Inputs
from ncselect.graphs.prediction.learners import classifier, fitted
from ncselect.graphs.prediction.resampling import Measure, spread
from ncselect.graphs.prediction.trajectories import Trajectories
from zoo.errors import InputError, UnknownNameError

SHUFFLES = 10


@dataclass(frozen=True)
class Importance:
    """What a signal, at all epochs of the window together, does for a classification.

    Attributes
    ----------
    signal
        Its name.
    weight
        Its share of the linear SVM's absolute weights on standardised inputs; those of all signals
        sum to 1 (figures 7a, 8a and 9a).
    loss
        Accuracy of the radial SVM on networks not learnt from, less that where the signal is
        shuffled among them, all its epochs together. Below 0: by chance.

    Both are means over the fits, with the range of the middle 95% of them.
    """

    signal: str
    weight: Measure
    loss: Measure


@dataclass(frozen=True)
class ClassTrajectory:
    """How a signal goes in the networks of a class.

    Attributes
    ----------
    signal
        Its name.
    high
        Whether the networks are those of high accuracy.
    epochs
        At which.
    mean, lower, upper
        Mean and quartiles over the networks, at each epoch.
    curves
        Of each network; one that stopped early keeps its last value.
    """

    signal: str
    high: bool
    epochs: tuple[int, ...]
    mean: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    curves: tuple[tuple[float, ...], ...]


def importances(
    data: Trajectories,
    inputs: str,
    *,
    threshold: Threshold,
    per_class: int | None = None,
    folds: int = 5,
    repeats: int = 5,
    seed: int = 0,
) -> tuple[Importance, ...]:
    """Return what each signal of some inputs does for the classification of networks.

    A signal's epochs tell much the same, so they are shuffled together: shuffling one leaves the
    classifier the others.

    Parameters
    ----------
    data
        The networks.
    inputs
        Name of the inputs.
    threshold, per_class, folds, repeats, seed
        As for ``classification.classification``; the folds are the same.

    Returns
    -------
    tuple of Importance
        In the order of the inputs' signals.

    Raises
    ------
    UnknownNameError
        If there are no such inputs.
    InputError
        If a class has fewer networks than are needed.

    References
    ----------
    Vahedian et al., Convolutional Neural Network Dynamics: A Graph Perspective (2021), appendix
    A.3. Permutation importance: Breiman, Random forests, Machine Learning 45 (2001).
    """
    chosen = _chosen(data, inputs)
    level, high = labels(data, threshold)
    size = sample_size(high, per_class, least=folds, level=level)
    table = data.tables[inputs]
    signals = np.array([signal for _, signal in chosen.columns(data.window)])
    groups = [np.flatnonzero(signals == signal) for signal in chosen.signals]
    weights, losses = [], []
    for fit in balanced_folds(high, size, data.points, folds=folds, repeats=repeats, seed=seed):
        rng = np.random.default_rng(fit.seed)
        linear, _ = fitted(classifier("linear-svm", 0), table[fit.learnt], high[fit.learnt])
        size_of = np.abs(linear[-1].coef_[0])
        weights.append([float(size_of[group].sum() / size_of.sum()) for group in groups])
        radial, _ = fitted(classifier("svm", 0), table[fit.learnt], high[fit.learnt])
        told, truth = table[fit.judged], high[fit.judged]
        right = float(np.mean(radial.predict(told) == truth))
        losses.append(
            [right - _shuffled_accuracy(radial, told, truth, group, rng) for group in groups]
        )
    return tuple(
        Importance(signal, spread(weight), spread(loss))
        for signal, weight, loss in zip(
            chosen.signals, np.transpose(weights), np.transpose(losses), strict=True
        )
    )


def class_trajectories(
    data: Trajectories, inputs: str, *, threshold: Threshold
) -> tuple[ClassTrajectory, ...]:
    """Return how each signal of some inputs goes in high and in low networks.

    Parameters
    ----------
    data
        The networks.
    inputs
        Name of the inputs, of the form ``concatenated`` with all epochs.
    threshold
        As for ``classification.classification``.

    Returns
    -------
    tuple of ClassTrajectory
        For each signal that of the high, then that of the low networks, classes without a network
        left out.

    Raises
    ------
    UnknownNameError
        If there are no such inputs.
    InputError
        If the inputs are averages over epochs, or of the last epoch alone.

    References
    ----------
    Vahedian et al. (2021), figures 7b-7d, 8b-8d and 9b-9d.
    """
    chosen = _chosen(data, inputs)
    if chosen.form != "concatenated" or chosen.last_only:
        raise InputError(
            f"inputs '{inputs}' do not hold a value of each epoch; gather them concatenated"
        )
    _, high = labels(data, threshold)
    values = data.tables[inputs].reshape(len(high), len(data.window.epochs), len(chosen.signals))
    return tuple(
        _class_trajectory(signal, values[high == label, :, place], data.window.epochs, high=label)
        for place, signal in enumerate(chosen.signals)
        for label in (True, False)
        if (high == label).any()
    )


def _class_trajectory(
    signal: str, values: NDArray[np.float64], epochs: Sequence[int], *, high: bool
) -> ClassTrajectory:
    lower, upper = np.quantile(values, [0.25, 0.75], axis=0)
    return ClassTrajectory(
        signal,
        high,
        tuple(epochs),
        tuple(values.mean(axis=0).tolist()),
        tuple(lower.tolist()),
        tuple(upper.tolist()),
        tuple(tuple(one) for one in values.tolist()),
    )


def _shuffled_accuracy(
    made: object,
    told: NDArray[np.float64],
    truth: NDArray[np.bool_],
    group: NDArray[np.int64],
    rng: np.random.Generator,
) -> float:
    shuffled = np.tile(told, (SHUFFLES, 1))
    for shuffle in range(SHUFFLES):
        rows = np.arange(shuffle * len(told), (shuffle + 1) * len(told))
        shuffled[np.ix_(rows, group)] = told[np.ix_(rng.permutation(len(told)), group)]
    judged = made.predict(shuffled)  # type: ignore[attr-defined]
    return float(np.mean(judged == np.tile(truth, SHUFFLES)))


def _chosen(data: Trajectories, inputs: str) -> Inputs:
    for one in data.inputs:
        if one.name == inputs:
            return one
    raise UnknownNameError("inputs", inputs, [one.name for one in data.inputs])
