"""What a ranking's method predicts of the epochs between the last one seen and the horizon."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ncselect.methods import method
from ncselect.methods.combined import Combined
from ncselect.types import Background, RunRecord

if TYPE_CHECKING:
    from ncselect.ranking import Ranking

STEPS = 8  # epochs that are asked about, closer together where curves still rise
SAME = 1e-9  # accuracies that differ by less are the same


@dataclass(frozen=True)
class Course:
    """What is predicted of a candidate, epoch by epoch; all of the same length.

    Attributes
    ----------
    epochs
        Ascending; the last is the horizon.
    mean, sd
        Predicted accuracy and its standard deviation.
    """

    epochs: tuple[int, ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...]


def predicted_courses(ranking: Ranking) -> Mapping[str, Course]:
    """Return model → what its ranking's method predicts of the epochs to come.

    The method is asked again with nearer horizons, of the whole pool: what it says of a candidate
    depends on the others. That is ``STEPS`` answers at most; a page asks for them once. Only
    ``combined`` is asked, and its answers are kept only if, asked with the horizon itself, it says
    of all candidates what the ranking says: it does not where it was told a history, or where
    candidates were dropped. Nothing is returned then.
    """
    seen = [
        ranking.records[row.model].observed(row.epochs)
        for row in ranking
        if row.model in ranking.records and math.isfinite(row.accuracy)
    ]
    start = max((record.epochs for record in seen), default=0)
    if ranking.method != Combined.name or not 0 < start < ranking.horizon:
        return {}
    asked = np.geomspace(start + 1, ranking.horizon, STEPS).round()
    epochs = list(dict.fromkeys(asked.astype(int).tolist()))
    last = _answers(seen, ranking.horizon)
    if any(
        row.model not in last
        or abs(last[row.model][0] - row.accuracy) > SAME
        or abs(last[row.model][1] - row.sd) > SAME
        for row in ranking
    ):
        return {}
    answers = [*(_answers(seen, epoch) for epoch in epochs[:-1]), last]
    return {
        row.model: Course(
            tuple(epochs),
            tuple(answer[row.model][0] for answer in answers),
            tuple(answer[row.model][1] for answer in answers),
        )
        for row in ranking
    }


def _answers(seen: list[RunRecord], horizon: int) -> dict[str, tuple[float, float]]:
    """Return model → predicted accuracy at an epoch, and its standard deviation."""
    found = method(Combined.name, Background(horizon=horizon)).estimate(seen)
    return {one.model: (one.mean, one.sd) for one in found.estimates}
