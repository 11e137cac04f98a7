"""From a race to a ranking: those left first, then the others, by when they were dropped."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from ncselect.elimination.decisions import Race
from ncselect.elimination.joint import joint
from ncselect.ordering import ranked
from ncselect.progress import duration
from ncselect.ranking import Ranking
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

    Who was dropped stands behind those left, the last dropped first, with what was observed and
    predicted by then; its notes say when and why. P(best), regret and ties are those among all of
    them, see :func:`~ncselect.elimination.joint.joint`, and the outlook allows for those who get
    no further epochs. Of whom nothing was predicted is among the failed, with the reason; who the
    budget never reached is in ``unreached``, too.

    Parameters
    ----------
    race
        Ended.
    dataset, beta, failed, beside
        As of :func:`~ncselect.ordering.ranked`; ``beside`` are answers for those left.
    """
    left = race.standing
    when_judged = {model: race.dropped[model].standing.records[model] for model in race.judged}
    ranking = ranked(
        joint(race),
        [*left.records.values(), *when_judged.values()],
        dataset=dataset,
        beta=beta,
        failed=failed,
        beside=beside,
        by_score=False,
    )
    rows = []
    for row in ranking.rows:
        when = _when_dropped(race, row.model)
        rows.append(dataclasses.replace(row, notes="; ".join(filter(None, (when, row.notes)))))
    reasons = {
        model: _why_failed(race, model) for model in race.dropped if model not in when_judged
    }
    reasons |= {model: _why_unbegun(race, model) for model in race.unbegun}
    among_left = sum(row.p_best for row in rows if row.model not in race.dropped)
    outlook = ranking.outlook if math.isfinite(among_left) else {}
    return dataclasses.replace(
        ranking,
        rows=tuple(rows),
        failed={**ranking.failed, **reasons},
        outlook={further: sure * among_left for further, sure in outlook.items()},
        records={**race.records, **ranking.records},
        decisions=tuple(one.to_dict() for one in race.decisions),
        unreached=race.unreached,
    )


def _when_dropped(race: Race, model: str) -> str:
    """Say when and why a candidate was dropped; nothing of one that was not."""
    if model not in race.dropped:
        return ""
    epochs = race.dropped[model].standing.epochs
    return f"dropped after {epochs} epoch{'' if epochs == 1 else 's'}: {race.dropped[model].reason}"


def _why_unbegun(race: Race, model: str) -> str:
    standing = race.standing
    seconds = standing.starts.get(model, 0.0) + standing.expected.get(model, math.nan)
    about = "" if math.isnan(seconds) else f" (about {duration(seconds)} are expected)"
    budget = duration(standing.budget)
    ended = "was spent before" if standing.spent >= standing.budget else "is too small for"
    return f"the budget of {budget} {ended} its first epoch{about}; raise --budget"


def _why_failed(race: Race, model: str) -> str:
    record = race.records[model]
    if record.status == "failed":
        return record.error or "its run failed"
    return race.dropped[model].reason
