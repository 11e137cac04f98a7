"""What one pool of many says of a method, and how the pools' answers are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ncselect.numerics.agreement import ORDER, check_predictions
from ncselect.numerics.calibration import (
    BINS,
    best_shares,
    brier_score,
    calibration_error,
    calibration_sums,
)
from ncselect.numerics.decision import p_best
from ncselect.numerics.predicted import LEVELS, Predicted, best_draws, model_scores

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class PoolScore:
    """A method's measures in one pool.

    Attributes
    ----------
    means
        Measure → value, those that are means over the pool's models or defined by its order;
        ``squared_error`` besides.
    gaps
        Per bin of P(best), Σ (said − came), shape (``BINS``,); nan without P(best).
    n
        Number of models.
    """

    means: dict[str, float]
    gaps: Floats
    n: int


def pool_score(label: str, truth: Floats, predicted: Predicted, noise: Floats) -> PoolScore:
    """Return a method's measures in a pool.

    Parameters
    ----------
    label
        The method's, for messages.
    truth
        True final accuracies, shape (n,), n ≥ 2.
    predicted
        Of the same models.
    noise
        Standard normal numbers, shape (draws, n), for P(best) of methods without joint draws.

    Raises
    ------
    InputError
        If a score is not finite or shapes differ.
    """
    check_predictions(truth, {label: predicted})
    once = np.ones((1, len(truth)), dtype=np.int64)
    each = {name: float(one.mean()) for name, one in model_scores(truth, predicted).items()}
    draws = best_draws(predicted, noise)
    gaps, brier = np.full(BINS, np.nan), float("nan")
    if draws is not None:
        said, came = p_best(draws)[None, :], best_shares(truth, once)
        gaps = calibration_sums(said, came, once)[0]
        brier = float(brier_score(said, came, once)[0])
    return PoolScore(
        {
            **{name: float(of(truth, predicted.score, once)[0]) for name, of in ORDER.items()},
            "squared_error": each["squared_error"],
            "sd_points": 100 * each["sd"],
            "crps_points": 100 * each["crps"],
            **{name: each[name] for name in LEVELS},
            "brier": brier,
        },
        gaps,
        len(truth),
    )


def pool_values(
    scores: Sequence[PoolScore | None],
    among: Booleans,
    beside: Sequence[PoolScore | None] | None = None,
) -> dict[str, Floats]:
    """Return, for every measure, numbers of which its value over all pools is the mean.

    The root mean square error and the calibration error are those of the candidates together of
    all pools that have what they are made of: predictions, or P(best). They are no means over
    pools; each of these pools is given its influence on them instead (their linearisation), of
    which they are.

    Parameters
    ----------
    scores
        One per pool, None where the method could not be scored.
    among
        The pools to average over, shape (pools,); no None is among them.
    beside
        What another method that is subtracted scored in the same pools, no None among them either:
        those two errors are then taken over the pools that have what they need of both.

    Returns
    -------
    dict
        Measure → shape (pools,); nan where it is not defined and outside ``among``.
    """
    present = _chosen(scores, among)
    both = [present] if beside is None else [present, _chosen(beside, among)]
    squares = [np.array([one.means["squared_error"] for one in each]) for each in both]
    gaps = [np.array([one.gaps for one in each]) for each in both]
    predicted = np.all([np.isfinite(one) for one in squares], axis=0)
    with_p_best = np.all([np.isfinite(one).all(axis=1) for one in gaps], axis=0)

    found = {
        name: np.array([one.means[name] for one in present])
        for name in present[0].means
        if name != "squared_error"
    }
    found["rmse_points"] = np.full(len(present), np.nan)
    found["calibration_error"] = np.full(len(present), np.nan)
    if predicted.any():
        found["rmse_points"][predicted] = 100 * _root_influence(squares[0][predicted])
    if with_p_best.any():
        n = np.array([one.n for one in present])[with_p_best]
        found["calibration_error"][with_p_best] = _calibration_influence(gaps[0][with_p_best], n)
    spread: dict[str, Floats] = {}
    for name, values in found.items():
        spread[name] = np.full(len(scores), np.nan)
        spread[name][among] = values
    return spread


def _chosen(scores: Sequence[PoolScore | None], among: Booleans) -> list[PoolScore]:
    return [one for one, wanted in zip(scores, among, strict=True) if wanted and one is not None]


def _root_influence(squares: Floats) -> Floats:
    """Return numbers whose mean is √mean(squares), to first order whichever pools are drawn."""
    root = np.sqrt(squares.mean())
    return (
        np.asarray(root + (squares - root**2) / (2 * root)) if root > 0 else np.zeros_like(squares)
    )


def _calibration_influence(gaps: Floats, n: NDArray[np.int64]) -> Floats:
    """Return numbers whose mean is the calibration error of all pools' candidates together."""
    total = gaps.sum(axis=0)
    error = calibration_error(total, n.sum())
    return np.asarray(error + (gaps @ np.sign(total) - error * n) / n.mean())
