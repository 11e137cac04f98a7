"""A graph as a handful of numbers: five statistics of what its nodes measure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ncselect.graphs.blocks import BlockGraph
from ncselect.graphs.centrality import eigenvector_centrality
from ncselect.graphs.degree import weighted_degree
from ncselect.graphs.names import FEATURES, STATISTICS
from zoo.errors import InputError

EQUAL_WITHIN = 1e-10

MEASURES = {"degree": weighted_degree, "eigenvector": eigenvector_centrality}
"""Feature → how it is measured."""


def signature(values: ArrayLike) -> NDArray[np.float64]:
    """Return median, mean, standard deviation, skewness and kurtosis of the nodes' values.

    The aggregators of Berlingerio et al., "NetSimile: A Scalable Approach to Size-Independent
    Network Similarity" (2012), used by Vahedian et al., section 3.2 (S3). All are of the nodes
    as a whole population: sd = √m₂, skewness = m₃/m₂^1.5 and, as Fisher defines it, kurtosis
    = m₄/m₂² − 3, 0 for a normal distribution (m_k: mean of the k-th power of the deviation from
    the mean). They equal ``numpy.std``, ``scipy.stats.skew`` and ``scipy.stats.kurtosis`` with
    their defaults, except where all values agree: SciPy then returns nan. Here skewness and
    kurtosis are 0, since a distribution without spread leans to no side and a predictor needs a
    number. Values agree if they differ from their mean by less than 1e-10 of the largest, the
    tolerance within which :func:`eigenvector_centrality` knows them; their sd is 0 too.

    Parameters
    ----------
    values
        One per node, shape (nodes,), finite, nodes ≥ 1.

    Returns
    -------
    numpy.ndarray
        Shape (5,), in the order of ``STATISTICS``; the first three in the unit of the values,
        the others without unit.

    Raises
    ------
    InputError
        If the values are not one finite number per node.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise InputError(
            f"values: need one finite number per node, shape (nodes,); got shape {array.shape} "
            f"with {int(np.sum(~np.isfinite(array)))} that are NaN or infinite"
        )
    mean = array.mean()
    deviation = array - mean
    largest = np.abs(deviation).max()
    if largest <= EQUAL_WITHIN * np.abs(array).max():
        return np.array([np.median(array), mean, 0.0, 0.0, 0.0])
    deviation /= largest  # its powers neither overflow nor vanish
    m2, m3, m4 = (np.mean(deviation**power) for power in (2, 3, 4))
    return np.array([np.median(array), mean, largest * np.sqrt(m2), m3 / m2**1.5, m4 / m2**2 - 3.0])


def snapshot(graph: BlockGraph, features: Sequence[str] = FEATURES) -> dict[str, float]:
    """Return the signatures of one graph, by name.

    Parameters
    ----------
    graph
        Of non-negative weights; of a signed graph take ``positive()`` and ``negative()``.
    features
        Of ``FEATURES``.

    Returns
    -------
    dict
        ``degree/median`` … ``eigenvector/kurtosis``: every one of the features, every
        statistic of ``STATISTICS``.

    Raises
    ------
    InputError
        If a weight is negative, NaN or infinite, or the centrality does not converge.
    """
    return {
        f"{feature}/{statistic}": float(value)
        for feature in features
        for statistic, value in zip(STATISTICS, signature(MEASURES[feature](graph)), strict=True)
    }
