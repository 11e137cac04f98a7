"""The answer: candidates best first, the failed ones with their reasons."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from ncselect.numerics.decision import CONFIDENCE
from ncselect.ranking_rows import Row, columns, row_notes
from ncselect.ranking_table import RankingTable
from ncselect.types import RunRecord

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from rich.console import RenderableType

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
    decisions
        Where candidates were dropped on the way: everything that was decided, in order, as JSON
        values, see ``ncselect.elimination``.
    unreached
        Candidates of which nothing is known because the budget did not reach them; they are among
        the failed, too.
    name
        What it is kept as, see ``ncselect.kept_ranking``; empty where it is not.
    horizon
        The epoch whose accuracy is predicted; 0 where that is not known.
    store
        The folder of the store that it is kept in; empty where it is not.
    asked
        The methods as they were named, with their options; empty where that is not known.
    """

    rows: tuple[Row, ...]
    failed: Mapping[str, str] = field(default_factory=dict)
    method: str = ""
    dataset: str = ""
    notes: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    outlook: Mapping[int, float] = field(default_factory=dict)
    records: Mapping[str, RunRecord] = field(default_factory=dict, repr=False, compare=False)
    decisions: tuple[Mapping[str, Any], ...] = ()
    unreached: tuple[str, ...] = ()
    name: str = field(default="", compare=False)
    horizon: int = 0
    store: str = field(default="", compare=False)
    asked: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def from_dict(
        cls, document: Mapping[str, Any], *, records: Mapping[str, RunRecord] | None = None
    ) -> Ranking:
        """Rebuild a ranking from :meth:`to_dict`'s value; ``records`` are its runs."""
        values: list[dict[str, Any]] = [
            {name: math.nan if value is None else value for name, value in row.items()}
            for row in document["ranking"]
        ]
        return cls(
            rows=tuple(Row(**row) for row in values),
            failed=document["failed"],
            method=document["method"],
            dataset=document["dataset"],
            notes=tuple(document["notes"]),
            others=tuple(document["others"]),
            outlook={int(more): sure for more, sure in document["outlook"].items()},
            records=records or {},
            decisions=tuple(document["decisions"]),
            unreached=tuple(document["unreached"]),
            name=document["name"],
            horizon=document["horizon"],
            asked=tuple(document.get("asked", ())),
        )

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
            raising = " Raise --budget." if self.unreached else ""
            return f"No candidate could be ranked.{self._unreached()}{raising}"
        first = self.rows[0]
        said = []
        if math.isfinite(first.p_best):
            said.append(f"P(best) {first.p_best:.2f}")
        if math.isfinite(first.accuracy):
            sd = f" ± {first.sd:.3f}" if math.isfinite(first.sd) else ""
            said.append(f"predicted accuracy {first.accuracy:.3f}{sd}")
        text = f"Take {first.model}: {', '.join(said) or f'highest {self.method}'}"
        text += self._ties() if first.tie else self._within_a_deviation()
        return text + self._unreached()

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

    def plot(self, kind: str = "predictions", *, width: float = 7.2) -> Figure:
        """Draw a figure of the report; a notebook shows it, ``ncselect.plots.save`` writes it.

        Parameters
        ----------
        kind
            ``predictions``, ``curves``, ``size``, ``latency``, ``capacitance`` or ``agreement``.
            β_eff is read as the first ``capacitance`` among the methods asked has it.
        width
            In inches; narrow figures have fewer panels side by side.

        Returns
        -------
        matplotlib.figure.Figure
            Save it as SVG, PNG or PDF with its own ``savefig`` or ``ncselect.plots.save``.

        Raises
        ------
        UnknownNameError
            If there is no such kind.
        InputError
            If the ranking has nothing to show in it; the text says what is missing.

        Examples
        --------
        >>> figure = ranking.plot("curves")  # doctest: +SKIP
        >>> figure.savefig("curves.svg")  # doctest: +SKIP
        """
        from ncselect.plots import drawn
        from ncselect.ranking_figures import ranking_figure

        return drawn(ranking_figure(kind, self, width=width))

    def _unreached(self) -> str:
        if not self.unreached:
            return ""
        count = len(self.unreached)
        whom = self.unreached[0] if count == 1 else f"{count} candidates"
        return f" Nothing is known of {whom}, which the budget did not reach."

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
            "name": self.name,
            "dataset": self.dataset,
            "method": self.method,
            "others": list(self.others),
            "asked": list(self.asked),
            "horizon": self.horizon,
            "best": self.rows[0].model if self.rows else None,
            "advice": self.advice,
            "ranking": rows,
            "failed": dict(self.failed),
            "notes": list(self.notes),
            "outlook": dict(self.outlook),
            "decisions": [dict(one) for one in self.decisions],
            "unreached": list(self.unreached),
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
        return self._table

    def _repr_html_(self) -> str:
        """Return the table for a notebook."""
        return self._table.to_html()

    @property
    def _table(self) -> RankingTable:
        others = ", ".join(self.others)
        told = [f"{others}: ranks; their scores are in JSON, CSV and dataframe"] if others else []
        return RankingTable(
            title=f"{self.dataset}, ranked by {self.method}",
            columns=columns(self.rows, self.method),
            beside={method: self._places(method) for method in self.others},
            failed=self.failed,
            notes=(*row_notes(self.rows), *told, *self.notes),
            advice=self.advice,
        )

    def _places(self, method: str) -> list[str]:
        return [
            str(self.place(method, row.model)) if method in row.beside else "–" for row in self.rows
        ]


def _listed(names: Sequence[str]) -> str:
    """Return names as a person lists them: ``a``, ``a and b``, ``a, b and c``."""
    *head, last = names
    return f"{', '.join(head)} and {last}" if head else last


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
