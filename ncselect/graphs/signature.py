"""A graph as a handful of numbers: five statistics of what its nodes measure, over time."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ncselect.graphs.blocks import BlockGraph
from ncselect.graphs.centrality import eigenvector_centrality
from ncselect.graphs.degree import weighted_degree
from zoo.errors import InputError, UnknownNameError

STATISTICS = ("median", "mean", "sd", "skewness", "kurtosis")

EQUAL_WITHIN = 1e-10

FEATURES = {"degree": weighted_degree, "eigenvector": eigenvector_centrality}

TemporalForm = Literal["concatenated", "linear", "exponential"]
TEMPORAL_FORMS: tuple[TemporalForm, ...] = ("concatenated", "linear", "exponential")


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


def snapshot(graph: BlockGraph) -> dict[str, float]:
    """Return the signatures of one graph, by name.

    Parameters
    ----------
    graph
        Of non-negative weights; of a signed graph take ``positive()`` and ``negative()``.

    Returns
    -------
    dict
        ``degree/median`` … ``eigenvector/kurtosis``: every feature of ``FEATURES``, every
        statistic of ``STATISTICS``.

    Raises
    ------
    InputError
        If a weight is negative, NaN or infinite, or the centrality does not converge.
    """
    return {
        f"{feature}/{statistic}": float(value)
        for feature, measure in FEATURES.items()
        for statistic, value in zip(STATISTICS, signature(measure(graph)), strict=True)
    }


def linearly_weighted(signatures: ArrayLike) -> NDArray[np.float64]:
    """Average every signature with those before it, later ones weighing more.

    s_w(τ) = Σ_{j≤τ} j·s(j) / Σ_{j≤τ} j, τ = 1 for the first row. The formula in the text of
    Vahedian et al., section 3.2 (S3), is damaged; this is what its words describe, the "linear
    weighted average of the signatures up to that point".

    Parameters
    ----------
    signatures
        Shape (times, numbers), in order of time.

    Returns
    -------
    numpy.ndarray
        Shape (times, numbers).

    Raises
    ------
    InputError
        If the signatures are no finite matrix with at least one row.
    """
    rows = _sequence(signatures)
    time = np.arange(1.0, len(rows) + 1)[:, None]
    return np.asarray(np.cumsum(time * rows, axis=0) / np.cumsum(time, axis=0))


def exponentially_averaged(signatures: ArrayLike, *, alpha: float = 0.5) -> NDArray[np.float64]:
    """Average every signature with the average before it.

    S(τ) = α·s(τ) + (1 − α)·S(τ − 1), S(1) = s(1); Vahedian et al., section 3.2 (S3), who do not
    state their α.

    Parameters
    ----------
    signatures
        Shape (times, numbers), in order of time.
    alpha
        Weight of the newest, 0 < α ≤ 1; 1 changes nothing.

    Returns
    -------
    numpy.ndarray
        Shape (times, numbers).

    Raises
    ------
    InputError
        If alpha is outside its range or the signatures are no finite matrix.
    """
    if not 0 < alpha <= 1:
        raise InputError(f"alpha: needs 0 < alpha ≤ 1, the weight of the newest; got {alpha}")
    averaged = _sequence(signatures).copy()
    for row in range(1, len(averaged)):
        averaged[row] = alpha * averaged[row] + (1 - alpha) * averaged[row - 1]
    return averaged


def temporal_signature(
    signatures: ArrayLike, *, form: TemporalForm = "concatenated", alpha: float = 0.5
) -> NDArray[np.float64]:
    """Return one vector for a sequence of signatures, S_t = s(1) ⊕ s(2) ⊕ … ⊕ s(t).

    Vahedian et al., section 3.2 (S3): the signatures are concatenated over time, either as they
    are or each replaced by its average with those before it.

    Parameters
    ----------
    signatures
        Shape (times, numbers), in order of time.
    form
        ``concatenated``; ``linear``, after :func:`linearly_weighted`; ``exponential``, after
        :func:`exponentially_averaged`.
    alpha
        Of ``exponential``; the other forms do not use it.

    Returns
    -------
    numpy.ndarray
        Shape (times · numbers,): all numbers of the first time, then of the second …

    Raises
    ------
    UnknownNameError
        If the form is unknown.
    InputError
        If alpha is outside its range or the signatures are no finite matrix.
    """
    match form:
        case "concatenated":
            return _sequence(signatures).ravel()
        case "linear":
            return linearly_weighted(signatures).ravel()
        case "exponential":
            return exponentially_averaged(signatures, alpha=alpha).ravel()
    raise UnknownNameError("form", form, TEMPORAL_FORMS)


def _sequence(signatures: ArrayLike) -> NDArray[np.float64]:
    rows = np.asarray(signatures, dtype=np.float64)
    if rows.ndim != 2 or len(rows) == 0 or not np.isfinite(rows).all():
        raise InputError(
            "signatures: need finite numbers of shape (times, numbers), one row per snapshot; "
            f"got shape {rows.shape}"
        )
    return rows
