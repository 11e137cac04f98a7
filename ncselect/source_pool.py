"""The outcome of a source stage: the pool that was made, as a person and a program read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ncselect.pretrained import PretrainedNetwork

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class Pretrained:
    """The outcome of a source stage.

    Attributes
    ----------
    networks
        Those that were saved, in the candidates' order.
    failed
        Candidate → why it was not.
    dataset
        The source's name.
    pool
        The pool file that lists them.
    notes
        What a person should know of the images.
    """

    networks: tuple[PretrainedNetwork, ...]
    failed: Mapping[str, str]
    dataset: str
    pool: Path
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "dataset": self.dataset,
            "pool": str(self.pool) if self.networks else None,
            "networks": [network.row() for network in self.networks],
            "failed": dict(self.failed),
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """Return the same as text."""
        return json.dumps(self.to_dict(), indent=1)

    def __rich__(self) -> RenderableType:
        """Return the table for a terminal."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        title = f"Trained on {self.dataset}"
        if self.networks:
            title += f" for {self.networks[0].epochs} epochs"
        table = Table(title=Text(title), title_justify="left", box=None, pad_edge=False)
        for heading in ("model", "weights", "validation", "test", "file"):
            words = heading in ("model", "weights", "file")
            table.add_column(heading, justify="left" if words else "right", overflow="fold")
        for network in self.networks:
            table.add_row(
                Text(network.spec.model),
                Text(f"from {network.weights}"),
                f"{network.validation_accuracy:.3f}",
                f"{network.test_accuracy:.3f}",
                Text(network.file.name),
            )
        lines = [Text(f"failed: {model}: {why}", style="red") for model, why in self.failed.items()]
        lines += [Text(note, style="dim") for note in self.notes]
        if self.networks:
            lines.append(
                Text(f"Next: ncselect rank --models {self.pool} --dataset TARGET", style="bold")
            )
        return Group(*([table] if self.networks else []), *lines)
