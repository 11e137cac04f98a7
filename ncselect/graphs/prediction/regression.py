"""The final accuracy itself, by linear regression on a window of epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from ncselect.graphs.prediction.learners import fitted, linear_regression
from ncselect.graphs.prediction.resampling import (
    Determination,
    Measure,
    balanced_sample,
    check_points,
    determination,
    error_difference,
    mean_absolute_error,
    numbered,
    spread,
)
from ncselect.graphs.prediction.trajectories import Trajectories
from zoo.errors import InputError

FOLDS = 5  # each leaves 20% to judge (section 4.2)


@dataclass(frozen=True)
class RegressionScore:
    """How far linear regression on one kind of inputs is off.

    Attributes
    ----------
    inputs, control
        Their name, and whether they are a control.
    mae
        Mean absolute error of the predictions of networks not learnt from, in points of per cent.
    r2
        Their coefficient of determination, of all predictions together. Intervals of both are
        over networks, see ``resampling``; R² of few networks has none.
    mae_of_splits, r2_of_splits
        Mean over the splits, and between which values those of 95% of the splits lie: what a
        single split into 80% and 20%, as the paper's, may come to. R² without the splits whose
        judged networks all have one accuracy.
    over
        Control → by how many points the error exceeds that of the same regression on the control,
        on the same splits; below 0 the inputs are better; empty for controls.
    """

    inputs: str
    control: bool
    mae: Measure
    r2: Determination
    mae_of_splits: Measure
    r2_of_splits: Measure
    over: Mapping[str, Measure]


@dataclass(frozen=True)
class Regression:
    """A cross-validated linear regression; ``dataclasses.asdict`` makes JSON values of it.

    Attributes
    ----------
    first, last
        Epochs of the window, both included.
    population
        The networks; high and low as of a classification.
    threshold
        The final accuracy that parts high from low.
    sampled
        Networks in a repeat.
    splits
        How many, each into 80% and 20%.
    seed
        Of samples and splits.
    scores
        By inputs.
    """

    first: int
    last: int
    threshold: float
    population: Population
    sampled: int
    splits: int
    seed: int
    scores: tuple[RegressionScore, ...]


def regression(
    data: Trajectories,
    *,
    threshold: Threshold = "median",
    balanced: bool = False,
    repeats: int = 5,
    seed: int = 0,
) -> Regression:
    """Predict final accuracies by linear regression, 20% of the networks at a time.

    A repeat takes the networks apart into five fifths, each judged once by a regression learnt
    from the other four: five splits of 80% and 20%. All inputs see the same splits. Networks that
    differ in their seed alone are judged together.

    Parameters
    ----------
    data
        The networks.
    threshold
        As for a classification: what is high.
    balanced
        Draw as many high as low networks in each repeat, as the paper did; else take all. R²
        depends on it: it is a share of the variance of the networks that are judged.
    repeats
        How often the networks are taken apart.
    seed
        Of samples and splits.

    Returns
    -------
    Regression

    Raises
    ------
    InputError
        If there are fewer than ten networks, or five that differ in more than their seed, or all
        have the same final accuracy.

    References
    ----------
    Vahedian et al., Convolutional Neural Network Dynamics: A Graph Perspective (2021), section
    4.2, tables 3 and 4.
    """
    level, high = labels(data, threshold)
    size = sample_size(high, None, least=FOLDS, level=level) if balanced else 0
    sampled = 2 * size or len(data.runs)
    if sampled < 2 * FOLDS or np.ptp(data.accuracy) == 0 or repeats < 1:
        raise InputError(
            f"{sampled} networks with final accuracies from {data.accuracy.min():g} to "
            f"{data.accuracy.max():g} and {repeats} repeats came; R² needs {2 * FOLDS} networks or "
            "more that differ, and a repeat"
        )
    splits = _splits(high, size, data.points, repeats=repeats, seed=seed)
    controls = [one for one in data.inputs if one.control]
    others = [one for one in data.inputs if not one.control]
    of_controls: dict[str, NDArray[np.float64]] = {}
    scores = []
    for inputs in (*controls, *others):
        errors = _errors(data.tables[inputs.name], data.accuracy, splits)
        judged = np.isfinite(errors).sum(axis=0)
        absolute = _mean_of_judged(np.abs(errors))
        if inputs.control:
            of_controls[inputs.name] = absolute
        scores.append(
            RegressionScore(
                inputs.name,
                inputs.control,
                mean_absolute_error(absolute, judged, seed=seed),
                determination(
                    _mean_of_judged((errors / 100) ** 2), data.accuracy, judged, seed=seed
                ),
                spread([float(np.nanmean(np.abs(one))) for one in errors]),
                spread(
                    [
                        _r2(one[unseen] / 100, data.accuracy[unseen])
                        for one, (_, unseen) in zip(errors, splits, strict=True)
                        if np.ptp(data.accuracy[unseen]) > 0
                    ]
                ),
                {
                    control: error_difference(absolute, other, judged, seed=seed)
                    for control, other in of_controls.items()
                    if not inputs.control
                },
            )
        )
    return Regression(
        data.window.first,
        data.window.last,
        level,
        population(data, high),
        sampled,
        len(splits),
        seed,
        tuple(scores),
    )


def _splits(
    high: NDArray[np.bool_], per_class: int, points: Sequence[str], *, repeats: int, seed: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return positions learnt from and judged; of balanced samples unless ``per_class`` is 0.

    Networks of one point are judged together, as in a classification.
    """
    from sklearn.model_selection import GroupKFold, KFold

    found = []
    for repeat in range(repeats):
        rng = np.random.default_rng([seed, repeat])
        sample = balanced_sample(high, per_class, rng) if per_class else np.arange(len(high))
        point = numbered(points)[sample]
        check_points(point, FOLDS)
        alike = len(set(point.tolist())) < len(point)
        made = GroupKFold if alike else KFold
        split = made(FOLDS, shuffle=True, random_state=int(rng.integers(2**31)))
        for seen, unseen in split.split(sample, groups=point if alike else None):
            found.append((sample[seen], sample[unseen]))
    return found


def _errors(
    table: NDArray[np.float64],
    accuracy: NDArray[np.float64],
    splits: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> NDArray[np.float64]:
    """Return prediction − truth in points, shape (splits, networks); nan where not judged."""
    errors = np.full((len(splits), len(accuracy)), np.nan)
    for place, (seen, unseen) in enumerate(splits):
        made, _ = fitted(linear_regression(), table[seen], accuracy[seen])
        errors[place, unseen] = 100 * (made.predict(table[unseen]) - accuracy[unseen])
    return errors


def _mean_of_judged(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return means over the splits that judged a network, 0 where none did, shape (networks,)."""
    judged = np.isfinite(values)
    return np.asarray(np.where(judged, values, 0).sum(axis=0) / np.maximum(judged.sum(axis=0), 1))


def _r2(errors: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    return 1 - float(np.sum(errors**2)) / float(np.sum((truth - truth.mean()) ** 2))
