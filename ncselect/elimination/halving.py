"""Successive halving: the budget is shared out equally among rounds, each with fewer candidates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from ncselect.elimination.standing import Standing, Step
from zoo.errors import InputError


@dataclass(frozen=True, kw_only=True)
class SuccessiveHalving:
    """After every round the best 1 in ``eta`` go on, until one is left.

    With a budget B of n candidates, each of ⌈log_η n⌉ rounds costs B / ⌈log_η n⌉: Karnin, Koren and
    Somekh, "Almost optimal exploration in multi-armed bandits", ICML 2013, algorithm 1; Jamieson
    and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization",
    AISTATS 2016, algorithm 1. A round is an epoch at least: where the budget does not reach so
    far, later rounds get less. Without one, rounds end at 1, η, η², … epochs, or are long enough to
    be worth the starts of their processes.

    Attributes
    ----------
    eta
        η, 2 or more.
    """

    name: ClassVar[str] = "successive-halving"
    summary: ClassVar[str] = "rounds of equal cost, after each the best 1 in eta go on"
    source: ClassVar[str] = "Karnin et al. 2013; Jamieson & Talwalkar 2016"

    eta: int = 2

    def __post_init__(self) -> None:
        if self.eta < 2:
            raise InputError(f"eta is {self.eta}; give 2 or more")

    def step(self, standing: Standing) -> Step:
        """Decide; see ``Strategy``."""
        dropped = {}
        going = standing.models
        if standing.is_told and standing.epochs:
            going = going[: math.ceil(len(going) / self.eta)]
            dropped = {
                model: f"not among the best {len(going)} after epoch {standing.epochs}"
                for model in standing.models[len(going) :]
            }
        return Step(dropped, epochs=min(standing.most, self._next(standing, going)))

    def _next(self, standing: Standing, going: tuple[str, ...]) -> int:
        """Return the epoch to which those who go on are observed next."""
        if math.isinf(standing.budget):
            return standing.unbounded(going, self.eta)
        rounds = max(1, math.ceil(math.log(standing.entered, self.eta) - 1e-9))
        return standing.epochs + max(1, standing.affordable(going, standing.budget / rounds))
