"""The runs of a sweep, as a person and a program read them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ncselect.graphs.prediction.trajectories import architecture_of
from ncselect.types import RunRecord

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class Swept:
    """The outcome of a sweep.

    Attributes
    ----------
    records
        All runs, those that failed included.
    missing
        Network → why it could not be trained at all.
    dataset
        Its name.
    notes
        What a person should know of the images.
    """

    records: tuple[RunRecord, ...]
    missing: Mapping[str, str]
    dataset: str
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values: a row per run."""
        return {
            "dataset": self.dataset,
            "runs": [row(record) for record in self.records],
            "missing": dict(self.missing),
            "notes": list(self.notes),
        }

    def __rich__(self) -> RenderableType:
        """Return the table for a terminal: the networks in the form of the paper's Table 2."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        title = Text(f"Trained on {self.dataset}")
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        table.add_column("network")
        for heading in ("trained", "failed", "epochs", "validation accuracy", "median"):
            table.add_column(heading, justify="right")
        for network in dict.fromkeys(architecture_of(record) for record in self.records):
            runs = [record for record in self.records if architecture_of(record) == network]
            good = [record for record in runs if record.status != "failed" and record.epochs]
            finals = sorted(float(record.curve("validation-accuracy")[-1]) for record in good)
            epochs = sorted(record.epochs for record in good)
            failed = sum(record.status == "failed" for record in runs)
            ranges = (
                (f"{epochs[0]}–{epochs[-1]}", f"{finals[0]:.3f}–{finals[-1]:.3f}")
                if good
                else ("–", "–")
            )
            median = f"{statistics.median(finals):.3f}" if good else "–"
            table.add_row(Text(network), str(len(good)), str(failed), *ranges, median)
        lines = [Text(f"failed: {name}: {why}", style="red") for name, why in self.missing.items()]
        lines += [
            Text(f"failed: {record.spec.model}: {record.error}", style="red")
            for record in self.records
            if record.status == "failed"
        ]
        lines += [Text(note, style="dim") for note in self.notes]
        return Group(table, *lines)


def row(record: RunRecord) -> dict[str, Any]:
    """Return a run of a sweep as JSON values."""
    arguments = record.spec.candidate.get("arguments", {})
    return {
        "network": architecture_of(record),
        "learning_rate": record.spec.settings.learning_rate,
        "dropout": arguments.get("dropout"),
        "width": arguments.get("width", 1.0),
        "seed": record.spec.seed,
        "epochs": record.epochs,
        "stopped_early": record.has_stopped,
        "validation_accuracy": (
            float(record.curve("validation-accuracy")[-1]) if record.epochs else None
        ),
        "test_accuracy": record.truth.get(record.epochs),
        "error": record.error,
    }
