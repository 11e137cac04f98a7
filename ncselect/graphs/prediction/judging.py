"""Classifiers held against each other: the same fits, all inputs, each beside its controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ncselect.graphs.prediction.learners import CLASSIFIERS, classifier, fitted
from ncselect.graphs.prediction.resampling import Measure, accuracy_difference, balanced_accuracy
from ncselect.graphs.prediction.trajectories import Trajectories
from zoo.errors import InputError, UnknownNameError

PAPER_CLASSIFIERS = ("svm", "mlp")


@dataclass(frozen=True)
class ClassifierScore:
    """How well one classifier does on one kind of inputs.

    Attributes
    ----------
    inputs
        Their name.
    control
        Whether they are a control.
    classifier
        Its name.
    accuracy
        Share judged rightly, both classes weighing the same: chance is 0.5. Its interval is over
        networks, see ``resampling.balanced_accuracy``.
    repeats
        The accuracy of each repeat; ``accuracy.value`` is their mean.
    over
        Control → by how much the accuracy exceeds that of the same classifier on the control, on
        the same folds; empty for controls.
    unconverged
        Fits whose iterations ran out.
    """

    inputs: str
    control: bool
    classifier: str
    accuracy: Measure
    repeats: tuple[float, ...]
    over: Mapping[str, Measure]
    unconverged: int


@dataclass(frozen=True, eq=False)
class Fit:
    """What is learnt from and what is then judged.

    Attributes
    ----------
    repeat
        To which repeat it belongs.
    learnt, judged
        Positions of networks.
    seed
        Of the learner.
    """

    repeat: int
    learnt: NDArray[np.int64]
    judged: NDArray[np.int64]
    seed: int


@dataclass(frozen=True, eq=False)
class Exam:
    """All that classifiers are asked.

    Attributes
    ----------
    learnt, judged
        The networks that are learnt from and those that are judged: the same where folds part
        them.
    known, high
        Which of either are of the high class.
    fits
        One after the other.
    """

    learnt: Trajectories
    judged: Trajectories
    known: NDArray[np.bool_]
    high: NDArray[np.bool_]
    fits: tuple[Fit, ...]

    def right(self, inputs: str, name: str) -> tuple[NDArray[np.float64], int]:
        """Ask a classifier.

        Parameters
        ----------
        inputs
            Name of what it is told.
        name
            A key of ``learners.CLASSIFIERS``.

        Returns
        -------
        tuple of ndarray and int
            1 where a fit judges a network rightly, shape (fits, networks); how many of the fits
            did not converge.
        """
        table, told = self.learnt.tables[inputs], self.judged.tables[inputs]
        right = np.zeros((len(self.fits), len(self.high)))
        unconverged = 0
        for place, fit in enumerate(self.fits):
            made, converged = fitted(
                classifier(name, fit.seed), table[fit.learnt], self.known[fit.learnt]
            )
            judged = fit.judged
            right[place, judged] = made.predict(told[judged]) == self.high[judged]
            unconverged += not converged
        return right, unconverged

    @property
    def times(self) -> NDArray[np.int64]:
        """How often each network is judged."""
        return np.bincount(
            np.concatenate([fit.judged for fit in self.fits]), minlength=len(self.high)
        )


def classifier_scores(
    exam: Exam, classifiers: Sequence[str], *, seed: int
) -> tuple[ClassifierScore, ...]:
    """Score classifiers on all inputs, controls first.

    Parameters
    ----------
    exam
        What they are asked.
    classifiers
        Keys of ``learners.CLASSIFIERS``.
    seed
        Of the intervals.
    """
    judged = exam.learnt.inputs
    in_order = sorted(judged, key=lambda one: not one.control)
    scores: list[ClassifierScore] = []
    for name in classifiers:
        of_controls: dict[str, NDArray[np.float64]] = {}
        for inputs in in_order:
            right, unconverged = exam.right(inputs.name, name)
            over = {
                control: accuracy_difference(
                    (right > other).sum(axis=0).astype(float),
                    (other > right).sum(axis=0).astype(float),
                    exam.times,
                    exam.high,
                    seed=seed,
                )
                for control, other in of_controls.items()
            }
            if inputs.control:
                of_controls[inputs.name] = right
            scores.append(
                ClassifierScore(
                    inputs.name,
                    inputs.control,
                    name,
                    balanced_accuracy(right.sum(axis=0), exam.times, exam.high, seed=seed),
                    _of_repeats(exam, right),
                    {} if inputs.control else over,
                    unconverged,
                )
            )
    return tuple(scores)


def check_classifiers(classifiers: Sequence[str], repeats: int) -> None:
    """Raise unless all classifiers are known and there is a repeat.

    Raises
    ------
    UnknownNameError
        If there is no such classifier.
    InputError
        If none or no repeat is asked for.
    """
    for name in classifiers:
        if name not in CLASSIFIERS:
            raise UnknownNameError("classifier", name, CLASSIFIERS)
    if not classifiers or repeats < 1:
        raise InputError(f"{len(classifiers)} classifiers and {repeats} repeats came; give some")


def _of_repeats(exam: Exam, right: NDArray[np.float64]) -> tuple[float, ...]:
    """Return the balanced accuracy of each repeat."""
    found = []
    for repeat in sorted({fit.repeat for fit in exam.fits}):
        fits = [place for place, fit in enumerate(exam.fits) if fit.repeat == repeat]
        judged = np.concatenate([exam.fits[place].judged for place in fits])
        rightly = right[fits].sum(axis=0)[judged]
        classes = exam.high[judged]
        found.append(float(np.mean([rightly[classes == label].mean() for label in (True, False)])))
    return tuple(found)
