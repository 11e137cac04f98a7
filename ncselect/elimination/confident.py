"""Candidates are dropped when they are improbable, and it ends when little can be gained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ncselect.elimination.standing import Standing, Step
from ncselect.numerics.decision import expected_regret, p_best
from zoo.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Confident:
    """Who is unlikely to be the best, or to gain anything over the pick, is dropped.

    After every round, from joint draws of the final accuracies f, a candidate is dropped when the
    accuracy that it is expected to gain over the pick, E[max(0, f − f_pick)], is below ``gain``, or
    the probability that it is the best below ``chance``. It is settled when the pick is expected
    to lose less than ``regret`` to the best. As long as the method does not say how sure it is,
    nobody is improbable.

    Rounds end at 1, η, η², … epochs. With a budget no more than the likeliest 1 in η go on, and
    what is left of it is shared out equally among the rounds that are still needed to halve them
    down to one: successive halving that spends what it saves.

    Attributes
    ----------
    gain, regret
        In points of accuracy.
    chance
        In percent.
    eta
        η, 2 or more. A round begins with building the candidates anew, so that many short ones
        would cost more than they save.
    """

    name: ClassVar[str] = "confident"
    summary: ClassVar[str] = "who is improbable is dropped; ends when little can be gained"
    source: ClassVar[str] = "this project: expected gain and regret of joint predictions"

    gain: float = 0.1
    chance: float = 2.0
    regret: float = 0.1
    eta: int = 2

    def __post_init__(self) -> None:
        for name in ("gain", "chance", "regret"):
            if not 0 <= getattr(self, name) < 100:
                raise InputError(f"{name} is {getattr(self, name)}; give a number in [0, 100)")
        if self.eta < 2:
            raise InputError(f"eta is {self.eta}; give 2 or more")

    def step(self, standing: Standing) -> Step:
        """Decide; see ``Strategy``."""
        if not standing.epochs or not standing.is_told:
            return Step(epochs=self._next(standing, standing.models))
        draws = standing.draws()
        dropped = {} if draws is None else self._improbable(standing, draws)
        going = [model for model in standing.models if model not in dropped]
        if math.isfinite(standing.budget):
            kept = math.ceil(len(standing.models) / self.eta)
            dropped |= dict.fromkeys(
                going[kept:], f"not among the likeliest {kept} after epoch {standing.epochs}"
            )
            going = going[:kept]
        lost = math.inf if draws is None else 100 * expected_regret(draws)[0]
        settled = f"the pick is expected to lose {lost:.2g} points" if lost < self.regret else ""
        return Step(dropped, self._next(standing, going), settled)

    def _improbable(self, standing: Standing, draws: np.ndarray) -> dict[str, str]:
        """Return who need not go on, and why; models come with the pick first."""
        gains = 100 * np.maximum(draws - draws[:, [0]], 0).mean(axis=0)
        chances = p_best(draws)
        dropped = {}
        for place, model in list(enumerate(standing.models))[1:]:
            if gains[place] < self.gain:
                dropped[model] = f"expected to gain {gains[place]:.2g} points over the pick"
            elif 100 * chances[place] < self.chance:
                dropped[model] = f"P(best) {chances[place]:.2g}"
        return dropped

    def _next(self, standing: Standing, going: Sequence[str]) -> int:
        """Return the epoch to which those who go on are observed next."""
        if math.isinf(standing.budget):
            return min(standing.most, max(1, standing.epochs * self.eta))
        rounds = max(1, math.ceil(math.log(max(1, len(going)), self.eta) - 1e-9))
        further = standing.affordable(tuple(going), standing.left / rounds)
        return min(standing.most, standing.epochs + max(1, further))
