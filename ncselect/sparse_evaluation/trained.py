"""Trainings of dense, sparse and pruned networks beside each other, as tables and figures."""

from __future__ import annotations

import dataclasses
import math
import re
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ncselect.answer_files import write_answer
from ncselect.types import RunRecord

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ncselect.plots import AnyFigure

LEVEL = 0.95


@dataclass(frozen=True)
class Mean:
    """A mean over seeds and Student's 95% interval of it, nan for fewer than two."""

    value: float
    low: float
    high: float


def mean(values: Sequence[float]) -> Mean:
    """Return the mean of a sample and its interval by Student's t."""
    from scipy.stats import t

    if not values:
        return Mean(math.nan, math.nan, math.nan)
    middle = statistics.fmean(values)
    if len(values) < 2:
        return Mean(middle, math.nan, math.nan)
    quantile = float(t.ppf((1 + LEVEL) / 2, len(values) - 1))
    reach = quantile * statistics.stdev(values) / math.sqrt(len(values))
    return Mean(middle, middle - reach, middle + reach)


@dataclass(frozen=True)
class SparseTrained:
    """The outcome of a comparison.

    Attributes
    ----------
    records
        All runs, those that failed included.
    variants
        The variant of each.
    missing
        Network → why it could not be trained at all.
    dataset
        Its name.
    notes
        What a person should know of the images.
    """

    records: tuple[RunRecord, ...]
    variants: tuple[str, ...]
    missing: Mapping[str, str]
    dataset: str
    notes: tuple[str, ...] = ()

    def rows(self) -> list[dict[str, Any]]:
        """Return a row per network and variant that was not pruned; means over seeds.

        Accuracies are those of the network after its last epoch, in [0, 1]; differences are to
        the first variant, seed by seed. Medians over seeds are ``parameters``, those that are
        trained and exist, ``connections`` of a sparse network, ``seconds_per_epoch``, and
        ``peak_megabytes``, the most that the process held which ended the training.
        """
        found = []
        for network, groups in self._groups().items():
            first: Mapping[int, float] | None = None
            for variant, records in groups.items():
                if records[0].spec.settings.pruning is not None:
                    continue
                good = [record for record in records if _has_ended(record)]
                truth = {one.spec.seed: one.truth[one.epochs] for one in good}
                apart = [truth[seed] - first[seed] for seed in truth if first and seed in first]
                row = {
                    "network": network,
                    "variant": variant,
                    "runs": len(good),
                    "failed": sum(one.status == "failed" for one in records),
                    "epochs": max((one.epochs for one in good), default=0),
                    "parameters": _middle(good, lambda one: one.facts.get("trained_parameters")),
                    "connections": _middle(good, lambda one: one.facts.get("trained_connections")),
                    **_spread("test_accuracy", list(truth.values())),
                    **_spread("difference", apart),
                    "seconds_per_epoch": _middle(good, _seconds),
                    "peak_megabytes": _middle(good, lambda one: one.facts.get("peak_megabytes")),
                }
                first = truth if first is None else first
                found.append(row)
        return found

    def rounds(self) -> list[dict[str, Any]]:
        """Return a row per network, variant and round of what was pruned; means over seeds.

        What is counted and measured is the state at the end of a round. A round that some seeds
        did not come to is of the others alone; ``runs`` says how many.
        """
        found = []
        for network, groups in self._groups().items():
            for variant, records in groups.items():
                pruning = records[0].spec.settings.pruning
                if pruning is None:
                    continue
                last = max(one.epochs for one in records) // pruning.epochs
                for number in range(last):
                    epoch = (number + 1) * pruning.epochs
                    there = [one for one in records if one.epochs >= epoch]
                    ends = [one.observations[epoch].signals for one in there]
                    starts = [one.observations[0].signals for one in there]
                    shares = [
                        end["connections"] / start["connections"]
                        for end, start in zip(ends, starts, strict=True)
                    ]
                    found.append(
                        {
                            "network": network,
                            "variant": variant,
                            "round": number,
                            "runs": len(ends),
                            "connections": statistics.fmean(end["connections"] for end in ends),
                            "density": statistics.fmean(shares),
                            **_spread(
                                "validation_accuracy", [end["validation-accuracy"] for end in ends]
                            ),
                            **_spread(
                                "test_accuracy",
                                [one.truth[epoch] for one in there if epoch in one.truth],
                            ),
                            **_spread("mean_weight", [end["mean-weight"] for end in ends]),
                        }
                    )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; what is not known is None."""
        return {
            "dataset": self.dataset,
            "rows": [_known(row) for row in self.rows()],
            "rounds": [_known(row) for row in self.rounds()],
            "runs": [
                {
                    "run": record.spec.key,
                    "network": _network(record, variant),
                    "variant": variant,
                    "seed": record.spec.seed,
                    "epochs": record.epochs,
                    "test_accuracy": record.truth.get(record.epochs),
                    "error": record.error,
                }
                for record, variant in zip(self.records, self.variants, strict=True)
            ],
            "missing": dict(self.missing),
            "notes": list(self.notes),
        }

    def figures(self) -> dict[str, AnyFigure]:
        """Return name → figure: accuracies by epoch and, of what was pruned, by round."""
        from ncselect.plots.courses import CourseFigure, CoursePanel, CourseSeries

        made: dict[str, AnyFigure] = {}
        for network, groups in self._groups().items():
            plain = {
                name: records
                for name, records in groups.items()
                if records[0].spec.settings.pruning is None
            }
            if plain:
                series = tuple(
                    CourseSeries(name, *_by_epoch(records)) for name, records in plain.items()
                )
                made[f"epochs-{_slug(network)}"] = CourseFigure(
                    (CoursePanel("", "validation accuracy", series, (0, 1)),),
                    "epoch",
                    f"{network} on {self.dataset}: means over seeds and 95% intervals.",
                )
            rows = [row for row in self.rounds() if row["network"] == network]
            if rows:
                names = list(dict.fromkeys(row["variant"] for row in rows))
                panels = tuple(
                    CoursePanel(
                        "",
                        label,
                        tuple(
                            CourseSeries(name, *_by_round(rows, name, measure)) for name in names
                        ),
                        bounds,
                    )
                    for measure, label, bounds in (
                        ("validation_accuracy", "validation accuracy", (0, 1)),
                        ("mean_weight", "mean |w|", (0, math.inf)),
                    )
                )
                made[f"rounds-{_slug(network)}"] = CourseFigure(
                    panels,
                    "share of connections",
                    f"{network} on {self.dataset}, a point per round: means over seeds and 95% "
                    "intervals.",
                    falling=True,
                )
        return made

    def save(self, folder: str | Path, *, command: str = "") -> tuple[Path, ...]:
        """Write ``trained.json`` and every figure as SVG and PNG; return their paths.

        Parameters
        ----------
        folder
            Made if it is not there.
        command
            What was typed to make them.

        Raises
        ------
        InputError
            If nothing can be written there.
        """
        document = {"command": command, **self.to_dict()}
        return write_answer(Path(folder), {"trained": document}, self.figures())

    def __rich__(self) -> RenderableType:
        """Return the tables for a terminal."""
        from ncselect.sparse_evaluation.table import tables

        return tables(self)

    def _groups(self) -> dict[str, dict[str, list[RunRecord]]]:
        """Return network → variant → runs."""
        groups: dict[str, dict[str, list[RunRecord]]] = {}
        for record, variant in zip(self.records, self.variants, strict=True):
            groups.setdefault(_network(record, variant), {}).setdefault(variant, []).append(record)
        return groups


def _network(record: RunRecord, variant: str) -> str:
    """Return the name that a network was asked for by: a run's goes on with variant and seed."""
    return record.spec.model.removesuffix(f" {variant} seed {record.spec.seed}")


def _has_ended(record: RunRecord) -> bool:
    return record.epochs in record.truth


def _seconds(record: RunRecord) -> float:
    return statistics.median(one.seconds for one in record.observations[1:])


def _middle(records: Sequence[RunRecord], of: Callable[[RunRecord], float | None]) -> float | None:
    values = [value for record in records if (value := of(record)) is not None]
    return statistics.median(values) if values else None


def _spread(name: str, values: Sequence[float]) -> dict[str, float]:
    found = mean(values)
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def _by_epoch(records: Sequence[RunRecord]) -> Iterator[tuple[float, ...]]:
    """Yield epochs, means, and the ends of their intervals, as far as all good runs go."""
    good = [record for record in records if record.status != "failed"]
    shortest = min((record.epochs for record in good), default=0)
    curves = np.array([one.curve("validation-accuracy")[:shortest] for one in good])
    points = [mean(column) for column in curves.T.tolist()]
    yield tuple(range(1, shortest + 1))
    for end in dataclasses.fields(Mean):
        yield tuple(getattr(point, end.name) for point in points)


def _by_round(
    rows: Sequence[Mapping[str, Any]], variant: str, measure: str
) -> Iterator[tuple[float, ...]]:
    own = [row for row in rows if row["variant"] == variant]
    for name in ("density", measure, f"{measure}_low", f"{measure}_high"):
        yield tuple(row[name] for row in own)


def _known(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in row.items()
    }


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", name.lower())
