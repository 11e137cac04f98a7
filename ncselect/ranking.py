"""The answer: candidates best first, the failed ones with their reasons."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from ncselect.numerics.decision import CONFIDENCE, expected_regret, p_best, tie_groups
from ncselect.types import Estimates, RunRecord

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType


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
    seconds: float = 0.0
    epochs: int = 0
    weights: str = "–"
    beside: Mapping[str, float] = field(default_factory=dict)
    notes: str = ""


FIELDS = tuple(one.name for one in fields(Row) if one.name != "beside")


@dataclass(frozen=True)
class Ranking:
    """Candidates best first; iterate it for rows, index it by rank - 1.

    Attributes
    ----------
    rows
        The ranked candidates.
    failed
        Model → why it has no rank.
    method, dataset
        How the accuracies were predicted, and for what.
    notes
        What holds for the whole ranking.
    others
        The methods whose scores stand beside.
    outlook
        Further epochs → how probable the then best pick is expected to be the best.
    records
        Model → its run.
    """

    rows: tuple[Row, ...]
    failed: Mapping[str, str] = field(default_factory=dict)
    method: str = ""
    dataset: str = ""
    notes: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    outlook: Mapping[int, float] = field(default_factory=dict)
    records: Mapping[str, RunRecord] = field(default_factory=dict, repr=False, compare=False)

    @property
    def best(self) -> str:
        """The name of the candidate to fine-tune.

        Raises
        ------
        LookupError
            If no candidate could be ranked; the text gives the reasons.
        """
        if not self.rows:
            reasons = "; ".join(f"{model}: {reason}" for model, reason in self.failed.items())
            raise LookupError(f"no candidate could be ranked. {reasons}")
        return self.rows[0].model

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Row:
        return self.rows[index]

    def place(self, method: str, model: str) -> int:
        """Return a candidate's rank by one of the other methods, 1 for the highest score."""
        scores = {row.model: row.beside[method] for row in self.rows if method in row.beside}
        return 1 + sum(score > scores[model] for score in scores.values())

    @property
    def advice(self) -> str:
        """One sentence: what to take, what cannot be told apart from it, and what would."""
        if not self.rows:
            return "No candidate could be ranked."
        first = self.rows[0]
        said = []
        if math.isfinite(first.p_best):
            said.append(f"P(best) {first.p_best:.2f}")
        if math.isfinite(first.accuracy):
            sd = f" ± {first.sd:.3f}" if math.isfinite(first.sd) else ""
            said.append(f"predicted accuracy {first.accuracy:.3f}{sd}")
        text = f"Take {first.model}: {', '.join(said) or f'highest {self.method}'}"
        return text + (self._ties() if first.tie else self._within_a_deviation())

    def _ties(self) -> str:
        """Say what is tied with the best, and how long it would take to break the tie."""
        first = self.rows[0]
        tied = [row.model for row in self.rows[1:] if row.tie == first.tie]
        if not tied:
            return "; no other is tied with it."
        text = f"; {_listed(tied)} {'is' if len(tied) == 1 else 'are'} tied with it"
        text += f" (expected loss by taking it: {first.regret_points:.1f} points)"
        enough = [more for more, sure in sorted(self.outlook.items()) if sure >= CONFIDENCE]
        if enough:
            count = "1 more epoch" if enough[0] == 1 else f"{enough[0]} more epochs"
            text += f"; {count} would settle it"
        elif self.outlook:
            text += f"; {max(self.outlook)} more epochs would hardly settle it"
        return text + "."

    def _within_a_deviation(self) -> str:
        first = self.rows[0]
        tied = [
            row.model
            for row in self.rows[1:]
            if first.accuracy - row.accuracy < math.hypot(first.sd, row.sd)
        ]
        return f". Within one standard deviation of it: {', '.join(tied)}." if tied else "."

    def to_dataframe(self) -> pd.DataFrame:
        """Return a pandas table, a row per candidate; failed ones last, with ``failed`` set.

        A column ``score:METHOD`` per other method holds its score.
        """
        import pandas as pd

        return pd.DataFrame(self._flat(), columns=self._columns)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; what is not a number is null."""
        rows = [
            {name: _finite(getattr(row, name)) for name in FIELDS} | {"beside": dict(row.beside)}
            for row in self.rows
        ]
        return {
            "dataset": self.dataset,
            "method": self.method,
            "best": self.rows[0].model if self.rows else None,
            "advice": self.advice,
            "ranking": rows,
            "failed": dict(self.failed),
            "notes": list(self.notes),
            "outlook": dict(self.outlook),
        }

    def to_json(self) -> str:
        """Return :meth:`to_dict` as text."""
        return json.dumps(self.to_dict(), indent=1)

    def to_csv(self) -> str:
        """Return one line per candidate, the failed ones last; a column per other method."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._flat())
        return text.getvalue()

    @property
    def _columns(self) -> list[str]:
        return [*FIELDS, *(f"score:{name}" for name in self.others), "failed"]

    def _flat(self) -> list[dict[str, Any]]:
        ranked_rows = [
            {name: getattr(row, name) for name in FIELDS}
            | {f"score:{name}": score for name, score in row.beside.items()}
            for row in self.rows
        ]
        failed = [{"model": model, "failed": reason} for model, reason in self.failed.items()]
        return [*ranked_rows, *failed]

    def __rich__(self) -> RenderableType:
        """Return the table for a terminal."""
        from ncselect.ranking_table import TerminalTable

        return TerminalTable(self)

    def _repr_html_(self) -> str:
        """Return the table for a notebook."""
        from ncselect.ranking_table import html_table

        return html_table(self)


def ranked(
    estimates: Estimates,
    records: Sequence[RunRecord],
    *,
    dataset: str,
    beta: str,
    failed: Mapping[str, str] | None = None,
    beside: Sequence[Estimates] = (),
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
    """
    runs = {record.spec.model: record for record in records}
    order = np.argsort([-one.score for one in estimates.estimates], kind="stable")
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
                parameters=record.facts.get("parameters")
                or int(record.scores.get("parameters", 0)),
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
    """Return what joint draws say of each candidate; nothing where there are none."""
    if estimates.draws is None or not estimates.estimates:
        return [{} for _ in estimates.estimates]
    columns = zip(
        p_best(estimates.draws),
        100 * expected_regret(estimates.draws),
        tie_groups(estimates.draws, order),
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


def _weights(record: RunRecord) -> str:
    """Return where the weights of a candidate that was never built come from."""
    named = str(record.spec.candidate.get("weights", "–"))
    return "file" if named.startswith("sha256:") else named


def _notes(record: RunRecord) -> str:
    resized = record.facts.get("resized_to")
    return f"resized to {'×'.join(str(side) for side in resized[:2])}" if resized else ""


def _listed(names: Sequence[str]) -> str:
    """Return names as a person lists them: ``a``, ``a and b``, ``a, b and c``."""
    *head, last = names
    return f"{', '.join(head)} and {last}" if head else last


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
