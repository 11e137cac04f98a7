"""Which runs of a ranking its store no longer holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ncselect.ranking_rows import Row

if TYPE_CHECKING:
    from ncselect.ranking import Ranking


def lost_runs(ranking: Ranking) -> list[str]:
    """Return the ranked candidates of which fewer epochs are known than the ranking saw."""
    return [row.model for row in ranking if row.epochs > _known(ranking, row)]


def _known(ranking: Ranking, row: Row) -> int:
    record = ranking.records.get(row.model)
    return 0 if record is None else record.held(row.epochs).epochs
