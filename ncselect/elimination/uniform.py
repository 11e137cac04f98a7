"""Everybody is observed for as long as everybody can be: the control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ncselect.elimination.standing import Standing, Step


@dataclass(frozen=True, kw_only=True)
class Uniform:
    """Equal epochs for all candidates, as ``rank`` without elimination gives them."""

    name: ClassVar[str] = "uniform"
    summary: ClassVar[str] = "equal epochs for all, nobody is dropped"
    source: ClassVar[str] = "control"

    def step(self, standing: Standing) -> Step:
        """Decide; see ``Strategy``."""
        return Step(epochs=standing.epochs + standing.affordable(standing.models))
