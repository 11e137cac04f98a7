"""The signatures of a training's epochs as one vector."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zoo.errors import InputError, UnknownNameError

TemporalForm = Literal["concatenated", "linear", "exponential"]
TEMPORAL_FORMS: tuple[TemporalForm, ...] = ("concatenated", "linear", "exponential")


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
