"""Ranking by one score that needs no training: a method for each of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ncselect.methods.pool import pool_estimates
from ncselect.scores import SCORES
from ncselect.types import Estimate, Estimates, RunRecord
from zoo.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Order candidates by a score; their accuracies are not predicted.

    The classes made of it by :data:`SCORED` bear the score's name, summary and source.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    least_epochs: ClassVar[int] = 0
    pooled: ClassVar[bool] = False
    signals: ClassVar[frozenset[str]] = frozenset()

    @property
    def scores(self) -> frozenset[str]:
        """Names of the scores that need no training which it uses."""
        return frozenset({self.name})

    def estimate(self, records: Sequence[RunRecord]) -> Estimates:
        """Give every candidate its score.

        Parameters
        ----------
        records
            One run per candidate; epochs do not matter, and need not be as many for all.

        Returns
        -------
        Estimates
            ``mean`` and ``sd`` are nan, ``score`` is the score in its own units. Candidates
            without it are refused with the reason and the remedy.

        Raises
        ------
        InputError
            If two runs have the same candidate's name.
        """
        return pool_estimates(
            self.name, records, self._estimate, signals=(), least_epochs=0, in_step=False
        )

    def _estimate(self, record: RunRecord) -> Estimate:
        score = record.scores.get(self.name)
        if score is None:
            raise InputError(
                record.unscored.get(
                    self.name,
                    f"score '{self.name}' was not measured; "
                    f"run `ncselect rank --method {self.name}` on it",
                )
            )
        if not math.isfinite(score):
            raise InputError(
                f"score '{self.name}' is {score}; measure it again with "
                f"`ncselect rank --method {self.name}`"
            )
        return Estimate(record.spec.model, mean=math.nan, score=score)


def _scored(name: str) -> type[Scored]:
    """Return the class of the method that ranks by one score."""
    score = SCORES[name]
    facts = {"name": name, "summary": score.summary, "source": score.source}
    title = "".join(part.capitalize() for part in name.split("-"))
    return dataclass(frozen=True, kw_only=True)(
        type(title, (Scored,), {**facts, "__doc__": f"Order candidates by ``{name}``."})
    )


SCORED: tuple[type[Scored], ...] = tuple(_scored(name) for name in SCORES)
"""One method for each score."""
