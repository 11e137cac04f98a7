"""What is known of everybody at the end of a race, of each by when it was last judged."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from ncselect.elimination.decisions import Race
from ncselect.types import Estimates


def joint(race: Race) -> Estimates:
    """Return the estimates of those left, and behind them what was predicted of the dropped.

    The dropped are the race's ``judged``, in that order. Where the method gives joint draws there
    are some of all: those of one round are joint, and what different rounds predict is taken as
    independent, which makes nobody look more surely ahead than he is.

    Parameters
    ----------
    race
        Ended.
    """
    left = race.standing.estimates
    found = list(left.estimates)
    blocks = [] if left.draws is None else [np.asarray(left.draws)]
    rng = np.random.default_rng(0)
    by_standing: dict[int, NDArray[np.float64] | None] = {}
    for model in race.judged:
        then = race.dropped[model].standing
        if id(then) not in by_standing:
            draws = then.estimates.draws
            by_standing[id(then)] = None if draws is None else rng.permutation(np.asarray(draws))
        column, draws = then.models.index(model), by_standing[id(then)]
        found.append(then.estimates.estimates[column])
        blocks += [] if draws is None else [draws[:, [column]]]
    known = bool(found) and sum(block.shape[1] for block in blocks) == len(found)
    rows = min((len(block) for block in blocks), default=0)
    return dataclasses.replace(
        left,
        estimates=tuple(found),
        draws=np.concatenate([block[:rows] for block in blocks], axis=1) if known else None,
    )
