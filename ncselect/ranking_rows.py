"""One ranked candidate, and what a person reads of each: headings, cells and notes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Row:
    """One ranked candidate; what is not known is nan.

    Attributes
    ----------
    rank
        1 is best.
    model
        Its name.
    score
        What it is ordered by: the predicted accuracy before it was clipped, or a score in the
        method's own units.
    accuracy, sd
        Predicted final accuracy and its standard deviation, in [0, 1].
    p_best
        Probability that its final accuracy is the highest.
    regret_points
        Points of accuracy that taking it is expected to lose.
    tie
        Number of the group of candidates that cannot be told apart, 1 for the best's; 0 where the
        method does not say.
    last
        Validation accuracy after the last observed epoch, in [0, 1].
    beta
        β_eff after the last observed epoch, by the method's definition.
    parameters
        Weights of the headless base; 0 if not known.
    megabytes
        Their size as float32, in 2^20 bytes.
    latency_ms, latency_64_ms
        Milliseconds that base and classifier take for an image, and for 64 at once: the median.
    on_front
        Whether no other is predicted to be as accurate and is as fast, and better in one of both;
        where the method only orders, its scores take the place of accuracies.
    seconds
        Training and measuring so far.
    epochs
        Observed epochs.
    weights
        Where the base's weights come from; ``random`` means not pre-trained.
    beside
        Other method → what it scores the candidate; absent where it refuses.
    notes
        What happened to the candidate, such as a resize.
    """

    rank: int
    model: str
    score: float
    accuracy: float = math.nan
    sd: float = math.nan
    p_best: float = math.nan
    regret_points: float = math.nan
    tie: int = 0
    last: float = math.nan
    beta: float = math.nan
    parameters: int = 0
    megabytes: float = math.nan
    latency_ms: float = math.nan
    latency_64_ms: float = math.nan
    on_front: bool = False
    seconds: float = 0.0
    epochs: int = 0
    weights: str = "–"
    beside: Mapping[str, float] = field(default_factory=dict)
    notes: str = ""


def columns(rows: Sequence[Row], method: str) -> dict[str, list[str]]:
    """Return heading → cells, of those columns that have anything to say.

    Parameters
    ----------
    rows
        The candidates, best first.
    method
        What they were ranked by: the heading of their scores where it predicts no accuracy.
    """
    predicts = any(math.isfinite(row.accuracy) for row in rows)
    shown = {"#": [str(row.rank) for row in rows], "model": [row.model for row in rows]}
    if predicts or not rows:
        shown["predicted"] = [_predicted(row) for row in rows]
    else:
        shown[method] = [f"{row.score:.4g}" for row in rows]
    if any(math.isfinite(row.p_best) for row in rows):
        shown["P(best)"] = [_number(row.p_best, ".2f") for row in rows]
        shown["tie"] = [str(row.tie) for row in rows]
    if any(row.epochs for row in rows):
        shown["last"] = [_number(row.last, ".3f") for row in rows]
        shown["β"] = [_number(row.beta, ".3g") for row in rows]
    shown["params"] = [f"{row.parameters / 1e6:.2f} M" if row.parameters else "–" for row in rows]
    if any(math.isfinite(row.latency_ms) for row in rows):
        shown["MB"] = [_number(row.megabytes, ".1f") for row in rows]
        shown["ms"] = [_number(row.latency_ms, ".1f") for row in rows]
        shown["ms/64"] = [_number(row.latency_64_ms, ".0f") for row in rows]
        shown["front"] = ["✓" if row.on_front else "" for row in rows]
    if any(row.seconds for row in rows):
        shown["seconds"] = [f"{row.seconds:.0f}" for row in rows]
    shown["weights"] = [
        f"{row.weights} (!)" if row.weights == "random" else row.weights.split()[0] for row in rows
    ]
    return shown


def row_notes(rows: Sequence[Row]) -> list[str]:
    """Return what happened to candidates, each note once, with those it happened to."""
    models: dict[str, list[str]] = {}
    for row in rows:
        if row.notes:
            models.setdefault(row.notes, []).append(row.model)
    told = [f"{note}: {', '.join(names)}" for note, names in models.items()]
    random = [row.model for row in rows if row.weights == "random"]
    told += [f"random weights (!), not pre-trained: {', '.join(random)}"] if random else []
    return told


def _predicted(row: Row) -> str:
    if not math.isfinite(row.accuracy):
        return "–"
    return f"{row.accuracy:.3f}" + (f" ± {row.sd:.3f}" if math.isfinite(row.sd) else "")


def _number(value: float, spec: str) -> str:
    return format(value, spec) if math.isfinite(value) else "–"
