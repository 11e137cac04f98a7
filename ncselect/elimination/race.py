"""The race: observe, estimate, drop, until it is settled or the budget is spent."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from ncselect.elimination.decisions import Decision, Dropped, Race
from ncselect.elimination.standing import Standing, Step
from ncselect.types import Estimates, RunRecord

Estimate = Callable[[Sequence[RunRecord]], Estimates]
Tell = Callable[[Decision], None]


class Strategy(Protocol):
    """Decides, from what was observed, who goes on; frozen dataclasses implement it."""

    @property
    def name(self) -> str:
        """The strategy's name in ``STRATEGIES``."""

    @property
    def summary(self) -> str:
        """What it does, in a line."""

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
    def starts(self) -> Mapping[str, float]:
        """Model → what it costs to take it up again, besides its epochs."""

    @property
    def expected(self) -> Mapping[str, float]:
        """Model → what an epoch of it costs, roughly before it is known; nan if nothing is."""

    @property
    def stored(self) -> Mapping[str, int]:
        """Model → epochs of it that cost nothing any more."""

    @property
    def workers(self) -> int:
        """How many it observes at a time."""

    def observe(self, models: Sequence[str], epochs: int, budget: float) -> dict[str, RunRecord]:
        """Observe models in turn up to an epoch; return each as far as it has come.

        An epoch whose price would exceed the budget is not begun.
        """


def race(
    strategy: Strategy,
    runner: Runner,
    estimate: Estimate,
    records: Mapping[str, RunRecord],
    *,
    most: int,
    budget: float = math.inf,
    tell: Tell = lambda _decision: None,
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
    tell
        Called with every decision when it is made.

    Returns
    -------
    Race
    """
    course = _Course(runner, estimate, dict(records), most=most, budget=budget, tell=tell)
    return course.run(strategy)


class _Course:
    """A race while it is on."""

    def __init__(
        self,
        runner: Runner,
        estimate: Estimate,
        seen: dict[str, RunRecord],
        *,
        most: int,
        budget: float,
        tell: Tell,
    ) -> None:
        self._runner = runner
        self._estimate = estimate
        self._seen = seen
        self._most = most
        self._budget = budget
        self._tell = tell
        self._dropped: dict[str, Dropped] = {}
        self._decisions: list[Decision] = []
        self._given_up = self._given_away = 0.0
        self._stand([*seen])

    def run(self, strategy: Strategy) -> Race:
        """Let the strategy decide until nothing is left to be decided."""
        ended = self._over()
        while not ended:
            step = strategy.step(self._standing)
            if step.dropped:
                self._given_up += step.given_up
                self._given_away += step.given_away
                self._drop(step.dropped)
            ended = step.settled or self._over()
            if not ended:
                ended = self._observe(1 if self._is_one_left else step.epochs) or self._over()
        self._note("ended", self._standing.models, ended)
        return Race(self._standing, self._seen, self._dropped, tuple(self._decisions))

    def _over(self) -> str:
        """Say why nothing is left to be decided, if that is so."""
        if not self._standing.models:
            return "nobody is left"
        if self._is_one_left and self._standing.epochs:
            failed = sum(self._seen[model].status == "failed" for model in self._dropped)
            return "one is left" + (", all others failed" if failed + 1 == len(self._seen) else "")
        return "as many epochs as asked for" if self._standing.epochs >= self._most else ""

    @property
    def _is_one_left(self) -> bool:
        return len(self._standing.models) == 1 < len(self._seen)

    def _observe(self, epochs: int) -> str:
        """Observe those in the race up to an epoch; return why that ends it, if it does."""
        if epochs <= self._standing.epochs:
            return self._why_no_further()
        going = self._standing.models
        before = {model: self._seen[model].epochs for model in going}
        self._note("round", going, f"up to epoch {epochs}", epochs)
        self._seen |= self._runner.observe(going, epochs, self._budget)
        moved = self._note_observed(before, epochs)
        self._drop(
            {
                model: self._seen[model].error or "its run failed"
                for model in going
                if self._seen[model].status == "failed"
            }
        )
        behind = [model for model in self._standing.models if self._shown(model) < epochs]
        if not behind or (moved and self._fits(behind)):
            return ""  # in the second case an epoch that was dearer than it seemed has cut it short
        self._drop_behind()
        return self._why_no_further()

    def _note_observed(self, before: Mapping[str, int], epochs: int) -> bool:
        """Note how far everybody has come; return whether anybody has come any further."""
        there: list[str] = []
        for model, began in before.items():
            record = self._seen[model]
            if record.status != "failed" and self._shown(model) >= epochs:
                there.append(model)
            elif record.epochs > began:
                self._note("observed", [model], f"up to epoch {record.epochs}")
        if there:
            self._note("observed", there, f"up to epoch {epochs}")
        return any(self._seen[model].epochs > began for model, began in before.items())

    def _drop_behind(self) -> None:
        """Drop those whom the budget left behind, unless the likeliest best is one of them.

        They are judged at the last epoch that they have shown, among all who have shown it; where
        the likeliest best of these is behind, it ends there. Who was never observed is dropped as
        long as anybody was.
        """
        while True:
            models, epochs = self._standing.models, self._standing.epochs
            behind = [model for model in models if self._shown(model) <= epochs]
            leads = self._standing.is_told and epochs and models[0] in behind
            if leads or len(behind) == len(models):
                return
            why = "the budget was spent before its epoch {}"
            if not self._is_spent:
                why = "its epoch {} does not fit into the budget"
            self._drop(dict.fromkeys(behind, why.format(epochs + 1)))

    def _drop(self, reasons: Mapping[str, str]) -> None:
        """Take candidates out of the race, the likeliest best among them last; stand anew."""
        for model in reversed(self._standing.models):
            if model in reasons:
                self._dropped[model] = Dropped(reasons[model], self._standing)
                self._note("dropped", [model], reasons[model])
        self._stand([model for model in self._standing.models if model not in reasons])

    def _stand(self, models: Sequence[str]) -> None:
        """Estimate those in the race anew, from as many epochs as all have shown."""
        epochs = min((self._shown(model) for model in models), default=0)
        pool = {model: self._seen[model].observed(epochs) for model in models}
        found = _best_first(self._estimate([*pool.values()]))
        order = [one.model for one in found.estimates] or models
        self._standing = Standing(
            {model: pool[model] for model in order},
            found,
            self._prices(models),
            self._runner.spent,
            self._budget,
            self._most,
            len(self._seen),
            workers=self._runner.workers,
            starts=self._starts(models),
            stored=dict(self._runner.stored),
            expected=self._expected(models),
            given_up=self._given_up,
            given_away=self._given_away,
        )
        if found.estimates:
            for model in found.refused:
                self._dropped[model] = Dropped(found.refused[model], self._standing)
                self._note("dropped", [model], found.refused[model])

    def _shown(self, model: str) -> int:
        """Return the epochs that a candidate has shown, or would show by staying as it is."""
        record = self._seen[model]
        return self._most if record.has_stopped else record.epochs

    def _prices(self, models: Sequence[str]) -> dict[str, float]:
        """Return what an epoch of each costs; those unknown as the mean of the known ones.

        What early stopping has ended costs nothing.
        """
        return self._filled(models, self._runner.prices)

    def _expected(self, models: Sequence[str]) -> dict[str, float]:
        return self._filled(models, self._runner.expected)

    def _filled(self, models: Sequence[str], known: Mapping[str, float]) -> dict[str, float]:
        usual = [price for price in known.values() if not math.isnan(price)]
        mean = sum(usual) / len(usual) if usual else math.nan
        prices = {model: known.get(model, math.nan) for model in models}
        return {
            model: 0.0 if self._seen[model].has_stopped else mean if math.isnan(price) else price
            for model, price in prices.items()
        }

    def _starts(self, models: Sequence[str]) -> dict[str, float]:
        known = self._runner.starts
        return {model: 0.0 if self._seen[model].has_stopped else known[model] for model in models}

    def _fits(self, models: Sequence[str]) -> bool:
        """Tell whether an epoch of any of them can be paid."""
        prices, starts = self._prices(models), self._starts(models)
        left = self._budget - self._runner.spent
        return any(starts[model] + prices[model] <= left for model in models)

    @property
    def _is_spent(self) -> bool:
        return self._runner.spent >= self._budget * (1 - 1e-9)

    def _why_no_further(self) -> str:
        return "the budget is spent" if self._is_spent else "no further epoch fits into the budget"

    def _note(self, what: str, models: Sequence[str], reason: str, until: int = 0) -> None:
        standing, spent = self._standing, self._runner.spent
        decision = Decision(standing.epochs, spent, what, tuple(models), reason, until)
        self._decisions.append(decision)
        self._tell(decision)


def _best_first(found: Estimates) -> Estimates:
    """Return estimates by their scores, draws in the same order."""
    place = {one.model: column for column, one in enumerate(found.estimates)}
    order = sorted(found.estimates, key=lambda one: -one.score)
    draws = found.draws
    if draws is not None:
        draws = np.asarray(draws)[:, [place[one.model] for one in order]]
    return dataclasses.replace(found, estimates=tuple(order), draws=draws)
