"""How far a race between candidates has come, and what may happen next."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ncselect.types import Estimates, RunRecord

STARTS_WORTH = 2
"""A round without a budget is as long as so many starts of its processes, and so is what is left
for the next one. Where prices are known, the starts that it takes then cost no more than half of
the epochs of an ordinary ranking; where all candidates cost alike, 2/7 of the whole of it."""


@dataclass(frozen=True)
class Standing:
    """What a strategy sees before it decides.

    Attributes
    ----------
    records
        Model → what was observed of it, of those still in the race: the likeliest best first, all
        for equally many epochs.
    estimates
        Of these, in the same order; empty before anything is known.
    prices
        Model → what an epoch of it costs by itself, known or taken for that of the others; nan
        while nothing is known of any.
    spent, budget
        What was paid so far, and what may be; in the unit of the prices.
    most
        Epochs beyond which nobody is observed.
    entered
        How many candidates began.
    workers
        How many are observed at a time.
    starts
        Model → what it costs to take it up again; nothing where it is not said.
    stored
        Model → epochs of it that are paid already.
    expected
        Model → what an epoch of it costs, roughly where it is not known; nan where nothing is.
    given_up
        Percent: how probable it is that the best is among those whom the strategy dropped.
    given_away
        Points of accuracy that dropping them is expected to lose; inf where it cannot be told.
    """

    records: Mapping[str, RunRecord]
    estimates: Estimates
    prices: Mapping[str, float]
    spent: float
    budget: float
    most: int
    entered: int
    workers: int = 1
    starts: Mapping[str, float] = field(default_factory=dict)
    stored: Mapping[str, int] = field(default_factory=dict)
    expected: Mapping[str, float] = field(default_factory=dict)
    given_up: float = 0.0
    given_away: float = 0.0

    @property
    def models(self) -> tuple[str, ...]:
        """Those still in the race, the likeliest best first."""
        return tuple(self.records)

    @property
    def epochs(self) -> int:
        """Epochs that all of them have shown."""
        return max((record.epochs for record in self.records.values()), default=0)

    @property
    def is_told(self) -> bool:
        """Whether the method has said anything, so that there is an order to drop by."""
        return bool(self.estimates.estimates)

    @property
    def left(self) -> float:
        """What may still be spent."""
        return self.budget - self.spent

    def affordable(self, models: tuple[str, ...], share: float | None = None) -> int:
        """Return how many further epochs of all these models can be paid, within ``most``.

        One while no price is known.

        Parameters
        ----------
        models
            Some of those in the race.
        share
            What to pay them of; by default all that is left.
        """
        paid = max(0.0, self.left if share is None else min(share, self.left))
        further, most = 0, self.most - self.epochs
        if math.isinf(paid):
            return most
        while further < most:
            cost = self._cost(models, further + 1)
            if math.isnan(cost):
                return max(further, int(paid > 0))
            if cost > paid * (1 + 1e-9):
                break
            further += 1
        return further

    def unbounded(self, models: tuple[str, ...], eta: int) -> int:
        """Return the epoch at which a round of these models ends if there is no budget.

        At 1, η, η², … epochs as far as these are stored or starts are cheap. Else a round is long
        enough to be worth its starts, and where what is left after it would not be worth those of
        another, it goes to the end. See ``STARTS_WORTH``.
        """
        usual = min(self.most, max(1, self.epochs * eta))
        start = sum(self.starts.get(model, 0.0) for model in models)
        epoch = sum(self.expected.get(model, self.prices[model]) for model in models)
        is_free = all(self.stored.get(model, 0) >= usual for model in models)
        if is_free or not start or math.isnan(epoch):
            return usual
        worth = STARTS_WORTH * start / epoch if epoch else math.inf
        if self.epochs + worth >= self.most:
            return self.most
        ends = max(usual, self.epochs + math.ceil(worth))
        return self.most if self.most - ends < worth else ends

    def _cost(self, models: tuple[str, ...], further: int) -> float:
        """Return what it costs to observe models for so many further epochs."""
        shown, each = self.epochs, []
        for model in models:
            due = further - max(0, self.stored.get(model, 0) - shown)
            each.append(self.starts.get(model, 0.0) + due * self.prices[model] if due > 0 else 0.0)
        return max(sum(each) / self.workers, *each) if each else 0.0

    def draws(self) -> NDArray[np.float64] | None:
        """Return joint draws of the final accuracies, shape (draws, models).

        None where the method gives none: the standard deviation that it tells may be that of what
        was measured today, and says nothing of how sure the end is.
        """
        return None if self.estimates.draws is None else np.asarray(self.estimates.draws)


@dataclass(frozen=True)
class Step:
    """What a strategy decides.

    Attributes
    ----------
    dropped
        Model → why it is out of the race.
    epochs
        Epoch to which all others are observed next.
    settled
        Why nothing more is needed; empty if something is.
    given_up, given_away
        What dropping them adds to those of the standing.
    """

    dropped: Mapping[str, str] = field(default_factory=dict)
    epochs: int = 0
    settled: str = ""
    given_up: float = 0.0
    given_away: float = 0.0
