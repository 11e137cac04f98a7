"""High or low final accuracy of networks, by classifiers taught with other networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ncselect.graphs.prediction.classes import Population, labels, population, sample_size
from ncselect.graphs.prediction.judging import (
    PAPER_CLASSIFIERS,
    ClassifierScore,
    Exam,
    Fit,
    check_classifiers,
    classifier_scores,
)
from ncselect.graphs.prediction.resampling import balanced_sample
from ncselect.graphs.prediction.trajectories import Trajectories
from zoo.errors import InputError


@dataclass(frozen=True)
class Transfer:
    """A classification of networks by what others taught; made JSON as a classification.

    Attributes
    ----------
    first, last, threshold
        As of a classification; the threshold is that of both populations.
    learnt, judged
        The networks that are learnt from and those that are judged.
    sampled
        Networks learnt from in a repeat, half of them high.
    seed
        Of the samples.
    scores
        Inputs by classifier, all judged networks in each repeat.
    """

    first: int
    last: int
    threshold: float
    learnt: Population
    judged: Population
    sampled: int
    seed: int
    scores: tuple[ClassifierScore, ...]


def transfer(
    learnt: Trajectories,
    judged: Trajectories,
    *,
    threshold: float,
    classifiers: Sequence[str] = PAPER_CLASSIFIERS,
    per_class: int | None = None,
    repeats: int = 5,
    seed: int = 0,
) -> Transfer:
    """Classify networks by classifiers that have learnt from others alone.

    Parameters
    ----------
    learnt, judged
        The networks, without one in common, with the same inputs in the same window. Where
        several architectures are judged, judge each apart.
    threshold
        Final accuracy in [0, 1] above which a network is high, the same for both.
    classifiers, repeats, seed
        As for :func:`classification`; a repeat draws a balanced sample to learn from.
    per_class
        Networks of each class that are learnt from; all of the smaller class where not given. The
        paper: 125, and 200 where several architectures are learnt from.

    Returns
    -------
    Transfer

    Raises
    ------
    InputError
        If a network is in both, inputs or windows differ, or a class is empty in either.
    UnknownNameError
        If there is no such classifier.

    References
    ----------
    Vahedian et al. (2021), appendix A.4.
    """
    check_classifiers(classifiers, repeats)
    if learnt.inputs != judged.inputs or learnt.window != judged.window:
        raise InputError(
            "learnt and judged: they have other inputs or another window; gather both alike"
        )
    both = sorted(set(learnt.runs) & set(judged.runs))
    if both:
        raise InputError(f"learnt and judged: {both[0]} is in both; judge others than were learnt")
    level, known = labels(learnt, threshold)
    _, high = labels(judged, threshold)
    size = sample_size(known, per_class, least=1, level=level)
    sample_size(high, None, least=1, level=level)
    everyone = np.arange(len(high))
    fits = []
    for repeat in range(repeats):
        rng = np.random.default_rng([seed, repeat])
        sample = balanced_sample(known, size, rng)
        fits.append(Fit(repeat, sample, everyone, int(rng.integers(2**31))))
    return Transfer(
        learnt.window.first,
        learnt.window.last,
        level,
        population(learnt, known),
        population(judged, high),
        2 * size,
        seed,
        classifier_scores(Exam(learnt, judged, known, high, tuple(fits)), classifiers, seed=seed),
    )
