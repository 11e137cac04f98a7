"""Networks of high and of low final accuracy, and who they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ncselect.graphs.prediction.trajectories import Trajectories
from zoo.errors import InputError

Threshold = float | Literal["median"]


@dataclass(frozen=True)
class Population:
    """The networks of a prediction.

    Attributes
    ----------
    networks, high, low
        How many, and of which class.
    architectures, datasets
        Name → how many.
    seeds
        How many different ones. Where it is 1, all networks of an architecture began with the same
        weights, and the figures are of such networks alone.
    judged_by
        What their final accuracies are → of how many networks.
    held
        How many early stopping, or divergence, ended before the window's end, so that their last
        values were repeated.
    left_out
        Run → why it could not be used.
    """

    networks: int
    high: int
    low: int
    architectures: Mapping[str, int]
    datasets: Mapping[str, int]
    seeds: int
    judged_by: Mapping[str, int]
    held: int
    left_out: Mapping[str, str]


def labels(data: Trajectories, threshold: Threshold) -> tuple[float, NDArray[np.bool_]]:
    """Return the threshold as a number, and which networks have a higher accuracy.

    Raises
    ------
    InputError
        If there is no network, or the threshold is no accuracy.
    """
    if not data.runs:
        raise InputError(f"no network can be used{_reasons(data)}")
    if isinstance(threshold, str) and threshold != "median":
        raise InputError(f"threshold is '{threshold}'; give an accuracy in [0, 1], or 'median'")
    level = float(np.median(data.accuracy) if threshold == "median" else threshold)
    if not 0 <= level <= 1:
        raise InputError(f"threshold is {level:g}; give an accuracy in [0, 1], or 'median'")
    return level, data.accuracy > level


def sample_size(high: NDArray[np.bool_], per_class: int | None, *, least: int, level: float) -> int:
    """Return how many networks of each class to draw.

    Raises
    ------
    InputError
        If a class has fewer than that, or fewer than ``least``.
    """
    has = min(int(high.sum()), int((~high).sum()))
    size = has if per_class is None else per_class
    if size > has or size < least:
        raise InputError(
            f"{int(high.sum())} networks are above the threshold {level:g} and "
            f"{int((~high).sum())} are not, where {max(size, least)} of each are needed; choose "
            "another threshold such as 'median', fewer per class, or train more networks"
        )
    return size


def population(data: Trajectories, high: NDArray[np.bool_]) -> Population:
    """Describe the networks of a prediction."""
    return Population(
        len(data.runs),
        int(high.sum()),
        int((~high).sum()),
        {name: data.architectures.count(name) for name in sorted(set(data.architectures))},
        {name: data.datasets.count(name) for name in sorted(set(data.datasets))},
        len(set(data.seeds)),
        dict(data.judged_by),
        len(data.held),
        dict(data.left_out),
    )


def _reasons(data: Trajectories) -> str:
    if not data.left_out:
        return ": there are no runs; name a store that has some"
    run, reason = next(iter(data.left_out.items()))
    return f" of {len(data.left_out)}; {run}: {reason}"
