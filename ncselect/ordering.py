"""From a method's estimates to a ranking."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ncselect.numerics.decision import expected_regret, p_best, tie_groups
from ncselect.ranking import Ranking
from ncselect.ranking_rows import Row
from ncselect.types import Estimates, RunRecord
from zoo.cards import megabytes

MISLEADING = 0.05  # share of images without features from which a reader is warned


def ranked(
    estimates: Estimates,
    records: Sequence[RunRecord],
    *,
    dataset: str,
    beta: str,
    failed: Mapping[str, str] | None = None,
    beside: Sequence[Estimates] = (),
    by_score: bool = True,
) -> Ranking:
    """Order a method's estimates into a ranking.

    Parameters
    ----------
    estimates
        The method's answer.
    records
        The runs it was made from.
    dataset
        The dataset's name.
    beta
        The signal to show as β.
    failed
        Candidates that never became runs, with reasons; joined by those the method refused.
    beside
        Other methods' answers, to be shown beside.
    by_score
        Whether the highest score comes first, or the estimates are in order as they are.
    """
    runs = {record.spec.model: record for record in records}
    scores = np.array([one.score for one in estimates.estimates])
    order = np.argsort(-scores, kind="stable") if by_score else np.arange(len(scores))
    confidence = _confidence(estimates, order)
    rows = []
    for place, position in enumerate(order, start=1):
        estimate = estimates.estimates[position]
        record = runs[estimate.model]
        last = record.observations[-1].signals if record.observations else {}
        rows.append(
            Row(
                rank=place,
                model=estimate.model,
                score=estimate.score,
                accuracy=estimate.mean,
                sd=estimate.sd,
                **confidence[position],
                last=last.get("validation-accuracy", math.nan),
                beta=last.get(beta, math.nan),
                parameters=(parameters := _parameters(record)),
                megabytes=megabytes(parameters) if parameters else math.nan,
                seconds=sum(one.seconds + one.measuring_seconds for one in record.observations),
                epochs=record.epochs,
                weights=record.facts.get("weights") or _weights(record),
                beside={
                    other.method: one.score
                    for other in beside
                    for one in other.estimates
                    if one.model == estimate.model
                },
                notes=_notes(record),
            )
        )
    return Ranking(
        rows=tuple(rows),
        failed={**(failed or {}), **estimates.refused},
        method=estimates.method,
        dataset=dataset,
        notes=(*estimates.notes, *_refused_beside(beside, estimates)),
        others=tuple(other.method for other in beside),
        outlook=estimates.outlook,
        records=runs,
    )


def _confidence(estimates: Estimates, order: Any) -> list[dict[str, Any]]:
    """Return what joint draws say of each candidate; nothing where there are none.

    Going down from the first, ties are looked for by score.
    """
    if estimates.draws is None or not estimates.estimates:
        return [{} for _ in estimates.estimates]
    downwards = sorted(order[1:], key=lambda position: -estimates.estimates[position].score)
    columns = zip(
        p_best(estimates.draws),
        100 * expected_regret(estimates.draws),
        tie_groups(estimates.draws, np.array([order[0], *downwards])),
        strict=True,
    )
    return [
        {"p_best": float(best), "regret_points": float(regret), "tie": int(tie)}
        for best, regret, tie in columns
    ]


def _refused_beside(beside: Sequence[Estimates], estimates: Estimates) -> tuple[str, ...]:
    """Say whom other methods refuse, once where one refuses all."""
    notes = []
    for other in beside:
        refused = {m: why for m, why in other.refused.items() if m not in estimates.refused}
        if refused and not other.estimates:
            model, why = next(iter(refused.items()))
            notes.append(f"{other.method} refuses all; {model}: {why}")
        else:
            notes += [f"{other.method}: {model}: {why}" for model, why in refused.items()]
    return tuple(notes)


def _parameters(record: RunRecord) -> int:
    """Return the weights of a headless base: as it was built, else as its card has them."""
    return int(record.facts.get("parameters") or record.scores.get("parameters", 0))


def _weights(record: RunRecord) -> str:
    """Return where the weights of a candidate that was never built come from."""
    named = str(record.spec.candidate.get("weights", "–"))
    return "file" if named.startswith("sha256:") else named


def _notes(record: RunRecord) -> str:
    resized = record.facts.get("resized_to")
    notes = [f"resized to {'×'.join(str(side) for side in resized[:2])}"] if resized else []
    silent = record.facts.get("silent_images", 0.0)
    if silent > MISLEADING:
        notes.append(
            f"frozen features are all 0 for {silent:.0%} of the images, so that scores without "
            "training mislead; larger images may help"
        )
    return "; ".join(notes)
