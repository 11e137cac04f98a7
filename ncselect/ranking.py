"""The answer: candidates best first, the failed ones with their reasons."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ncselect.types import Estimates, RunRecord

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType


@dataclass(frozen=True, kw_only=True)
class Row:
    """One ranked candidate.

    Attributes
    ----------
    rank
        1 is best.
    model
        Its name.
    accuracy, sd
        Predicted final accuracy and its standard deviation, in [0, 1].
    last
        Validation accuracy after the last observed epoch, in [0, 1].
    beta
        β_eff after the last observed epoch, by the method's definition; nan if not measured.
    parameters
        Weights of the headless base.
    seconds
        Training and measuring so far.
    epochs
        Observed epochs.
    weights
        Where the base's weights come from; ``random`` means not pre-trained.
    notes
        What happened to the candidate, such as a resize.
    """

    rank: int
    model: str
    accuracy: float
    sd: float
    last: float
    beta: float
    parameters: int
    seconds: float
    epochs: int
    weights: str
    notes: str = ""


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
    records
        Model → its run.
    """

    rows: tuple[Row, ...]
    failed: Mapping[str, str] = field(default_factory=dict)
    method: str = ""
    dataset: str = ""
    notes: tuple[str, ...] = ()
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

    @property
    def advice(self) -> str:
        """One sentence: what to take, and what cannot be told apart from it."""
        if not self.rows:
            return "No candidate could be ranked."
        first = self.rows[0]
        tied = [
            row.model
            for row in self.rows[1:]
            if first.accuracy - row.accuracy < math.hypot(first.sd, row.sd)
        ]
        text = f"Take {first.model}: predicted accuracy {first.accuracy:.3f}"
        text += f" ± {first.sd:.3f}." if math.isfinite(first.sd) else "."
        if tied:
            text += f" Within one standard deviation of it: {', '.join(tied)}."
        return text

    def to_dataframe(self) -> pd.DataFrame:
        """Return a pandas table, a row per candidate; failed ones last, with ``failed`` set."""
        import pandas as pd

        rows = [{**asdict(row), "failed": None} for row in self.rows]
        rows += [{"model": model, "failed": reason} for model, reason in self.failed.items()]
        return pd.DataFrame(rows, columns=[*Row.__dataclass_fields__, "failed"])

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; what is not a number is null."""
        rows = [{name: _finite(value) for name, value in asdict(row).items()} for row in self.rows]
        return {
            "dataset": self.dataset,
            "method": self.method,
            "best": self.rows[0].model if self.rows else None,
            "ranking": rows,
            "failed": dict(self.failed),
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """Return :meth:`to_dict` as text."""
        return json.dumps(self.to_dict(), indent=1)

    def to_csv(self) -> str:
        """Return one line per candidate, the failed ones last."""
        text = io.StringIO()
        writer = csv.DictWriter(text, [*Row.__dataclass_fields__, "failed"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in self.rows)
        writer.writerows(
            {"model": model, "failed": reason} for model, reason in self.failed.items()
        )
        return text.getvalue()

    def __rich__(self) -> RenderableType:
        """Return the table for a terminal."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(
            title=f"{self.dataset}, ranked by {self.method}",
            title_justify="left",
            box=None,
            pad_edge=False,
        )
        for heading, justify in _HEADINGS:
            table.add_column(heading, justify=justify, no_wrap=True, overflow="fold")
        for row in self.rows:
            table.add_row(*_cells(row), style="bold" if row.rank == 1 else "")
        failed = [
            Text(f"failed: {model}: {reason}", style="red") for model, reason in self.failed.items()
        ]
        lines = [Text(note, style="dim") for note in (*self._row_notes(), *self.notes)]
        return Group(table, *failed, *lines, Text(self.advice, style="bold"))

    def _row_notes(self) -> list[str]:
        """Return what happened to candidates, each note once, with those it happened to."""
        models: dict[str, list[str]] = {}
        for row in self.rows:
            if row.notes:
                models.setdefault(row.notes, []).append(row.model)
        return [f"{note}: {', '.join(names)}" for note, names in models.items()]

    def _repr_html_(self) -> str:
        """Return the table for a notebook."""
        from html import escape

        head = "".join(f"<th>{escape(heading)}</th>" for heading, _ in _HEADINGS)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in _cells(row)) + "</tr>"
            for row in self.rows
        )
        span = len(_HEADINGS) - 2
        body += "".join(
            f"<tr><td>–</td><td>{escape(model)}</td>"
            f'<td colspan="{span}">failed: {escape(reason)}</td></tr>'
            for model, reason in self.failed.items()
        )
        said = (*self._row_notes(), *self.notes, self.advice)
        notes = "".join(f"<p>{escape(note)}</p>" for note in said)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}"


_HEADINGS: tuple[tuple[str, Any], ...] = (
    ("#", "right"),
    ("model", "left"),
    ("predicted", "right"),
    ("last", "right"),
    ("β", "right"),
    ("params", "right"),
    ("seconds", "right"),
    ("weights", "left"),
)


def ranked(
    estimates: Estimates,
    records: Sequence[RunRecord],
    *,
    dataset: str,
    beta: str,
    failed: Mapping[str, str] | None = None,
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
    """
    runs = {record.spec.model: record for record in records}
    best_first = sorted(estimates.estimates, key=lambda one: one.score, reverse=True)
    rows = []
    for place, estimate in enumerate(best_first, start=1):
        record = runs[estimate.model]
        last = record.observations[-1]
        rows.append(
            Row(
                rank=place,
                model=estimate.model,
                accuracy=estimate.mean,
                sd=estimate.sd,
                last=last.signals["validation-accuracy"],
                beta=last.signals.get(beta, math.nan),
                parameters=record.facts.get("parameters", 0),
                seconds=sum(one.seconds + one.measuring_seconds for one in record.observations),
                epochs=record.epochs,
                weights=record.facts.get("weights", "–"),
                notes=_notes(record),
            )
        )
    return Ranking(
        rows=tuple(rows),
        failed={**(failed or {}), **estimates.refused},
        method=estimates.method,
        dataset=dataset,
        notes=estimates.notes,
        records=runs,
    )


def _notes(record: RunRecord) -> str:
    resized = record.facts.get("resized_to")
    return f"resized to {'×'.join(str(side) for side in resized[:2])}" if resized else ""


def _cells(row: Row) -> list[str]:
    sd = f" ± {row.sd:.3f}" if math.isfinite(row.sd) else ""
    return [
        str(row.rank),
        row.model,
        f"{row.accuracy:.3f}{sd}",
        f"{row.last:.3f}",
        f"{row.beta:.3g}" if math.isfinite(row.beta) else "–",
        f"{row.parameters / 1e6:.2f} M",
        f"{row.seconds:.0f}",
        f"{row.weights} (!)" if row.weights == "random" else row.weights.split()[0],
    ]


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
