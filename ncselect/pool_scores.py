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


def pool_values(scores: Sequence[PoolScore | None], among: Booleans) -> dict[str, Floats]:
    """Return, for every measure, numbers of which its value over all pools is the mean.

    The root mean square error and the calibration error are those of the candidates of all pools
    together. They are no means over pools; each pool is given its influence on them instead (their
    linearisation), of which they are.

    Parameters
    ----------
    scores
        One per pool, None where the method could not be scored.
    among
        The pools to average over, shape (pools,); no None is among them.

    Returns
    -------
    dict
        Measure → shape (pools,); nan where it is not defined and outside ``among``.
    """
    present = [one for one, wanted in zip(scores, among, strict=True) if wanted and one is not None]
    means = {name: np.array([one.means[name] for one in present]) for name in present[0].means}
    found = {name: values for name, values in means.items() if name != "squared_error"}
    found["rmse_points"] = 100 * _root_influence(means["squared_error"])
    found["calibration_error"] = _calibration_influence(
        np.array([one.gaps for one in present]), np.array([one.n for one in present])
    )
    spread: dict[str, Floats] = {}
    for name, values in found.items():
        spread[name] = np.full(len(scores), np.nan)
        spread[name][among] = values
    return spread


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
