"""High or low final accuracy, told from a window of epochs by cross-validation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ncselect.graphs.prediction.classes import (
    Population,
    Threshold,
    labels,
    population,
    sample_size,
)
from ncselect.graphs.prediction.judging import (
    PAPER_CLASSIFIERS,
    ClassifierScore,
    Exam,
    Fit,
    check_classifiers,
    classifier_scores,
)
from ncselect.graphs.prediction.resampling import balanced_sample, check_points, numbered
from ncselect.graphs.prediction.trajectories import Trajectories
from zoo.errors import InputError


@dataclass(frozen=True)
class Classification:
    """A cross-validated classification; ``dataclasses.asdict`` makes JSON values of it.

    Attributes
    ----------
    first, last
        Epochs of the window, both included.
    threshold
        Networks of a higher final accuracy are high.
    population
        The networks.
    sampled
        Networks in a repeat, half of them high.
    folds, seed
        Of each repeat's stratified cross-validation.
    scores
        Inputs by classifier.
    """

    first: int
    last: int
    threshold: float
    population: Population
    sampled: int
    folds: int
    seed: int
    scores: tuple[ClassifierScore, ...]


def classification(
    data: Trajectories,
    *,
    threshold: Threshold,
    classifiers: Sequence[str] = PAPER_CLASSIFIERS,
    per_class: int | None = None,
    folds: int = 5,
    repeats: int = 5,
    seed: int = 0,
) -> Classification:
    """Classify networks by stratified cross-validation within balanced samples.

    All inputs and classifiers see the same samples and folds.

    Parameters
    ----------
    data
        The networks.
    threshold
        Final accuracy in [0, 1] above which a network is high, such as
        ``published.high_threshold``; or ``median``, that of these networks.
    classifiers
        Keys of ``learners.CLASSIFIERS``.
    per_class
        Networks of each class in a repeat; all of the smaller class where not given. The paper:
        125.
    folds, repeats
        The paper: 5 and 5.
    seed
        Of samples, folds and learners.

    Returns
    -------
    Classification

    Raises
    ------
    InputError
        If a class has fewer networks than are needed, or fewer that differ in more than their seed.
    UnknownNameError
        If there is no such classifier.

    References
    ----------
    Vahedian et al., Convolutional Neural Network Dynamics: A Graph Perspective (2021), section
    4.1 and appendix A.1.
    """
    check_classifiers(classifiers, repeats)
    if folds < 2:
        raise InputError(f"folds is {folds}; give 2 or more")
    level, high = labels(data, threshold)
    size = sample_size(high, per_class, least=folds, level=level)
    fits = tuple(balanced_folds(high, size, data.points, folds=folds, repeats=repeats, seed=seed))
    return Classification(
        data.window.first,
        data.window.last,
        level,
        population(data, high),
        2 * size,
        folds,
        seed,
        classifier_scores(Exam(data, data, high, high, fits), classifiers, seed=seed),
    )


def balanced_folds(
    high: NDArray[np.bool_],
    per_class: int,
    points: Sequence[str],
    *,
    folds: int,
    repeats: int,
    seed: int,
) -> Iterator[Fit]:
    """Yield what is learnt from and what is judged, fold by fold of repeated balanced samples.

    Networks of one point, which differ in their seed alone, lie in one fold: a near copy of what
    is judged is not learnt from. Where all points differ these are plain stratified folds.

    Raises
    ------
    InputError
        If a sample has too few different points.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    for repeat in range(repeats):
        rng = np.random.default_rng([seed, repeat])
        sample = balanced_sample(high, per_class, rng)
        truth, point = high[sample], numbered(points)[sample]
        alike = len(set(point.tolist())) < len(point)
        if alike:
            for label in (True, False):
                check_points(point[truth == label], folds)
        made = StratifiedGroupKFold if alike else StratifiedKFold
        split = made(folds, shuffle=True, random_state=int(rng.integers(2**31)))
        for seen, unseen in split.split(sample[:, None], truth, point if alike else None):
            yield Fit(repeat, sample[seen], sample[unseen], int(rng.integers(2**31)))
