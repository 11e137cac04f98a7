"""From a race to a ranking: those left first, then the others, by when they were dropped."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from ncselect.elimination.race import Race
from ncselect.ordering import ranked
from ncselect.ranking import Ranking
from ncselect.ranking_rows import Row
from ncselect.types import Estimates


def placed(
    race: Race,
    *,
    dataset: str,
    beta: str,
    failed: Mapping[str, str],
    beside: Sequence[Estimates] = (),
) -> Ranking:
    """Return the ranking that a race has led to.

    Who was dropped stands behind those left, the last dropped first, with what was predicted when
    it was dropped; its notes say when and why. Of whom nothing was predicted then is among the
    failed, with the reason. Probabilities of being the best are then those
    among the candidates that were left at the time.

    Parameters
    ----------
    race
        Ended.
    dataset, beta, failed, beside
        As of :func:`~ncselect.ordering.ranked`; ``beside`` are answers for those left.
    """
    left = race.standing
    lost = {model: race.records[model].error for model in race.dropped
            if race.records[model].status == "failed"}  # fmt: skip
    ranking = ranked(
        left.estimates,
        [*left.records.values()],
        dataset=dataset,
        beta=beta,
        failed={**failed, **{model: error or "its run failed" for model, error in lost.items()}},
        beside=beside,
    )
    rows = [*ranking.rows]
    unknown = {}
    for model in race.order[len(left.models) :]:
        row = _row_when_dropped(race, model, dataset=dataset, beta=beta)
        if model not in lost and row is not None:
            rows.append(dataclasses.replace(row, rank=len(rows) + 1))
        elif model not in lost:
            unknown[model] = race.dropped[model].reason
    return dataclasses.replace(
        ranking,
        rows=tuple(rows),
        failed={**ranking.failed, **unknown},
        records={**race.records, **ranking.records},
        decisions=tuple(one.to_dict() for one in race.decisions),
    )


def _row_when_dropped(race: Race, model: str, *, dataset: str, beta: str) -> Row | None:
    dropped = race.dropped[model]
    then = dropped.standing
    found = ranked(then.estimates, [*then.records.values()], dataset=dataset, beta=beta)
    epochs = then.epochs
    when = f"dropped after {epochs} epoch{'' if epochs == 1 else 's'}: {dropped.reason}"
    for row in found.rows:
        if row.model == model:
            return dataclasses.replace(row, tie=0, notes="; ".join(filter(None, (when, row.notes))))
    return None
