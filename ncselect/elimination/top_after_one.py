"""All but the first few are dropped after one epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ncselect.elimination.standing import Standing, Step
from zoo.errors import InputError


@dataclass(frozen=True, kw_only=True)
class TopAfterOne:
    """One epoch for all, the rest for the best ``top`` of then.

    Attributes
    ----------
    top
        How many go on.
    """

    name: ClassVar[str] = "top-after-one"
    summary: ClassVar[str] = "all but the best few are dropped after one epoch"
    source: ClassVar[str] = "practice"

    top: int = 3

    def __post_init__(self) -> None:
        if self.top < 1:
            raise InputError(f"top is {self.top}; give how many go on, 1 or more")

    def step(self, standing: Standing) -> Step:
        """Decide; see ``Strategy``."""
        if not standing.epochs or not standing.is_told:
            return Step(epochs=min(standing.epochs + 1, standing.most))
        kept, lost = standing.models[: self.top], standing.models[self.top :]
        return Step(
            dict.fromkeys(lost, f"not among the best {self.top} after epoch {standing.epochs}"),
            epochs=standing.epochs + standing.affordable(kept),
        )
