"""Who is beaten by nobody, where there are several things to be good at."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pareto_front(costs: ArrayLike) -> NDArray[np.bool_]:
    """Mark those that no other dominates.

    One dominates another if it costs no more of anything and less of something; equals do not
    dominate each other.

    Parameters
    ----------
    costs
        Less is better; what is to be large comes with a minus sign. Shape (n, k). Who has a nan
        is not on the front and dominates nobody.

    Returns
    -------
    NDArray[np.bool_]
        Shape (n,).
    """
    values = np.asarray(costs, dtype=float)
    known = ~np.isnan(values).any(axis=1)
    no_more = (values[:, None] <= values[None, :]).all(axis=2)
    less = (values[:, None] < values[None, :]).any(axis=2)
    dominates = no_more & less & known[:, None]
    return np.asarray(known & ~dominates.any(axis=0), dtype=bool)
