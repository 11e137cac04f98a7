"""How far a share of so many cases can be trusted."""

from __future__ import annotations

import math

NORMAL_95 = 1.959963984540054  # 97.5% quantile of the standard normal


def wilson_interval(share: float, cases: int) -> tuple[float, float]:
    """Return the 95% interval of a proportion.

    Wilson, Probable inference, the law of succession, and statistical inference, Journal of the
    American Statistical Association 22 (1927), 209-212.

    Parameters
    ----------
    share
        Observed, in [0, 1].
    cases
        Number of independent cases n, at least 1.

    Returns
    -------
    tuple of float
        Lower and upper end, in [0, 1].
    """
    z2 = NORMAL_95**2
    centre = (share + z2 / (2 * cases)) / (1 + z2 / cases)
    half = (
        NORMAL_95 * math.sqrt(share * (1 - share) / cases + z2 / (4 * cases**2)) / (1 + z2 / cases)
    )
    return max(0.0, centre - half), min(1.0, centre + half)
