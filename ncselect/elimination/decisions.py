"""What was decided in a race, and how it ended."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ncselect.elimination.standing import Standing
from ncselect.types import RunRecord


@dataclass(frozen=True)
class Decision:
    """What happened in the race, and why.

    Attributes
    ----------
    epochs
        After how many epochs of those in the race.
    spent
        What was paid until then.
    what
        ``round`` (who is observed next), ``observed``, ``dropped`` or ``ended``.
    models
        Whom it is about.
    reason
        Why; for ``round`` and ``observed`` up to where.
    until
        For ``round`` the epoch up to which they are observed.
    """

    epochs: int
    spent: float
    what: str
    models: tuple[str, ...]
    reason: str
    until: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {**dataclasses.asdict(self), "models": list(self.models)}


@dataclass(frozen=True)
class Dropped:
    """A candidate that left the race.

    Attributes
    ----------
    reason
        Why.
    standing
        What was known when it did.
    """

    reason: str
    standing: Standing


@dataclass(frozen=True)
class Race:
    """How it ended.

    Attributes
    ----------
    standing
        Who was left, and what was estimated of them.
    records
        Model → everything that was observed of it, of all candidates.
    dropped
        Model → why and when, in the order in which they were dropped.
    decisions
        Everything that was decided, in order.
    """

    standing: Standing
    records: Mapping[str, RunRecord]
    dropped: Mapping[str, Dropped]
    decisions: tuple[Decision, ...]

    @property
    def order(self) -> tuple[str, ...]:
        """All candidates, those left first, then who was dropped last."""
        return (*self.standing.models, *reversed([*self.dropped]))

    @property
    def judged(self) -> tuple[str, ...]:
        """Of those dropped who had not failed and was predicted then, the last dropped first."""
        return tuple(
            model
            for model in reversed([*self.dropped])
            if self.records[model].status != "failed" and self._was_predicted(model)
        )

    @property
    def unreached(self) -> tuple[str, ...]:
        """Who was not observed at all, and of whom nothing was predicted."""
        return (
            *self.unbegun,
            *(
                model
                for model, one in self.dropped.items()
                if self.records[model].status != "failed"
                and not self.records[model].epochs
                and model in one.standing.models
                and not self._was_predicted(model)
            ),
        )

    @property
    def unbegun(self) -> tuple[str, ...]:
        """Who was left when the budget ended before anybody's first epoch, nothing predicted."""
        if self.standing.is_told or self.standing.epochs or math.isinf(self.standing.budget):
            return ()
        return tuple(
            model for model in self.standing.models if self.records[model].status != "failed"
        )

    def _was_predicted(self, model: str) -> bool:
        estimates = self.dropped[model].standing.estimates.estimates
        return any(one.model == model for one in estimates)
