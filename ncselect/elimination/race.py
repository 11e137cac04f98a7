"""The race: observe, estimate, drop, until it is settled or the budget is spent."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ncselect.elimination.standing import Standing, Step
from ncselect.types import Estimates, RunRecord

Estimate = Callable[[Sequence[RunRecord]], Estimates]


class Strategy(Protocol):
    """Decides, from what was observed, who goes on; frozen dataclasses implement it."""

    @property
    def name(self) -> str:
        """The strategy's name in ``STRATEGIES``."""

    def step(self, standing: Standing) -> Step:
        """Decide who is dropped, and to which epoch the others are observed next. Pure."""


class Runner(Protocol):
    """Observes candidates, and knows what that has cost."""

    @property
    def spent(self) -> float:
        """What was paid so far."""

    @property
    def prices(self) -> Mapping[str, float]:
        """Model → what an epoch of it costs by itself; nan before it is known."""

    @property
    def workers(self) -> int:
        """How many it observes at a time."""

    def observe(self, models: Sequence[str], epochs: int, budget: float) -> dict[str, RunRecord]:
        """Observe models in turn up to an epoch; return each as far as it has come.

        An epoch whose price would exceed the budget is not begun.
        """


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
        ``dropped``, ``observed`` or ``ended``.
    models
        Whom it is about.
    reason
        Why; for ``observed`` up to where.
    """

    epochs: int
    spent: float
    what: str
    models: tuple[str, ...]
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "epochs": self.epochs,
            "spent": self.spent,
            "what": self.what,
            "models": list(self.models),
            "reason": self.reason,
        }


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


def race(
    strategy: Strategy,
    runner: Runner,
    estimate: Estimate,
    records: Mapping[str, RunRecord],
    *,
    most: int,
    budget: float = math.inf,
) -> Race:
    """Let candidates race for the first place.

    Parameters
    ----------
    strategy
        Who is dropped when.
    runner
        Observes them.
    estimate
        From runs of equally many epochs to predicted final accuracies.
    records
        Model → what is known of it before any epoch, in the order in which they start if nothing
        tells them apart.
    most
        Epochs beyond which nobody is observed, 1 or more.
    budget
        What may be paid, in the unit of the runner's prices. No epoch is begun that would not fit,
        as far as prices are known.

    Returns
    -------
    Race
    """
    return _Course(runner, estimate, dict(records), most, budget).run(strategy)


class _Course:
    """A race while it is on."""

    def __init__(
        self,
        runner: Runner,
        estimate: Estimate,
        seen: dict[str, RunRecord],
        most: int,
        budget: float,
    ) -> None:
        self._runner = runner
        self._estimate = estimate
        self._seen = seen
        self._most = most
        self._budget = budget
        self._dropped: dict[str, Dropped] = {}
        self._decisions: list[Decision] = []
        self._stand([*seen])

    def run(self, strategy: Strategy) -> Race:
        """Let the strategy decide until nothing is left to be decided."""
        ended = self._over()
        while not ended:
            step = strategy.step(self._standing)
            if step.dropped:
                self._drop(step.dropped)
            spent = "" if step.epochs > self._standing.epochs else "the budget is spent"
            ended = step.settled or self._over() or spent or self._observe(step.epochs)
            ended = ended or self._over()
        self._tell("ended", self._standing.models, ended)
        return Race(self._standing, self._seen, self._dropped, tuple(self._decisions))

    def _over(self) -> str:
        """Say why nothing is left to be decided, if that is so."""
        if not self._standing.models:
            return "nobody is left"
        if len(self._standing.models) == 1 and len(self._seen) > 1:
            return "one is left"
        return "as many epochs as asked for" if self._standing.epochs >= self._most else ""

    def _observe(self, epochs: int) -> str:
        """Observe those in the race up to an epoch; return why that ends it, if it does."""
        going = self._standing.models
        before = {model: self._seen[model].epochs for model in going}
        self._seen |= self._runner.observe(going, epochs, self._budget)
        failed = {
            model: record.error or "its run failed"
            for model in going
            if (record := self._seen[model]).status == "failed"
        }
        there = [
            model
            for model in going
            if model not in failed and self._seen[model].held(epochs).epochs >= epochs
        ]
        short = [model for model in going if model not in failed and model not in there]
        if there:
            self._tell("observed", there, f"up to epoch {epochs}")
        for model in short:
            if self._seen[model].epochs > before[model]:
                self._tell("observed", [model], f"up to epoch {self._seen[model].epochs}")
        moved = any(self._seen[model].epochs > before[model] for model in going)
        prices = self._prices(short)
        if moved and any(self._runner.spent + prices[model] <= self._budget for model in short):
            self._drop(failed)
            return ""  # an epoch that was dearer than it seemed has cut the round short
        if not there and not self._standing.epochs:  # of those never observed nothing is known
            epochs, short = 1, [model for model in short if not self._seen[model].epochs]
        late = dict.fromkeys(short, f"the budget was spent before its epoch {epochs}")
        self._drop(failed | (late if len(late) + len(failed) < len(going) else {}))
        return "the budget is spent" if len(there) + len(failed) < len(going) else ""

    def _drop(self, reasons: Mapping[str, str]) -> None:
        """Take candidates out of the race, the likeliest best among them last."""
        for model in reversed(self._standing.models):
            if model in reasons:
                self._dropped[model] = Dropped(reasons[model], self._standing)
                self._tell("dropped", [model], reasons[model])
        self._stand([model for model in self._standing.models if model not in reasons])

    def _stand(self, models: Sequence[str]) -> None:
        """Estimate those in the race anew, from as many epochs as all have shown."""
        epochs = min((self._shown(model) for model in models), default=0)
        pool = [self._seen[model].observed(epochs) for model in models]
        found = self._estimate(pool)
        order = sorted(found.estimates, key=lambda one: -one.score)
        place = {one.model: column for column, one in enumerate(found.estimates)}
        if order:
            found = dataclasses.replace(
                found,
                estimates=tuple(order),
                draws=None
                if found.draws is None
                else np.asarray(found.draws)[:, [place[one.model] for one in order]],
            )
        by_model = {record.spec.model: record for record in pool}
        prices = self._prices(models)
        self._standing = Standing(
            {model: by_model[model] for model in ([one.model for one in order] or models)},
            found,
            prices,
            self._runner.spent,
            self._budget,
            self._most,
            len(self._seen),
            self._runner.workers,
        )
        if order:
            for model in found.refused:
                self._dropped[model] = Dropped(found.refused[model], self._standing)
                self._tell("dropped", [model], found.refused[model])

    def _shown(self, model: str) -> int:
        """Return the epochs that a candidate has shown, or would show by staying as it is."""
        record = self._seen[model]
        return self._most if record.has_stopped else record.epochs

    def _prices(self, models: Sequence[str]) -> dict[str, float]:
        """Return what an epoch of each costs; those unknown as the mean of the known ones."""
        known = self._runner.prices
        usual = [price for price in known.values() if not math.isnan(price)]
        mean = sum(usual) / len(usual) if usual else math.nan
        return {
            model: mean if math.isnan(price := known.get(model, math.nan)) else price
            for model in models
        }

    def _tell(self, what: str, models: Sequence[str], reason: str) -> None:
        self._decisions.append(
            Decision(
                self._standing.epochs,
                self._runner.spent,
                what,
                tuple(models),
                reason,
            )
        )
