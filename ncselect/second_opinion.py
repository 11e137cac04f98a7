"""Where a ranking is to be doubted, said beside it."""

from __future__ import annotations

from collections.abc import Sequence

from ncselect.methods import PLAIN, parsed_method
from ncselect.ranking import Ranking
from ncselect.types import RunRecord


def second_opinion(ranking: Ranking, records: Sequence[RunRecord]) -> tuple[str, ...]:
    """Say where the plainest method picks another, and where less is predicted than was seen.

    Parameters
    ----------
    ranking
        The answer; nothing is said of one by the plainest method, or before any training.
    records
        The runs it was made from.
    """
    if not ranking.rows or not ranking[0].epochs or ranking.method == PLAIN:
        return ()
    notes = []
    plain = {one.model: one.mean for one in parsed_method(PLAIN).estimate(records).estimates}
    pick = max(plain, key=lambda model: plain[model], default=ranking.best)
    if plain.get(ranking.best, 0.0) < plain.get(pick, 0.0):
        notes.append(f"{PLAIN} would take {pick} (validation accuracy {plain[pick]:.3f}) instead.")
    below = [row.model for row in ranking if row.accuracy + row.sd < row.last]
    if below:
        notes.append(
            f"{ranking.method} predicts less than was already seen for {', '.join(below)}: it "
            "extrapolates, and its ± does not know how far."
        )
    return tuple(notes)
