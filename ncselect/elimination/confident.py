"""Candidates are dropped when they are improbable, and it ends when little can be gained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ncselect.elimination.standing import Standing, Step
from ncselect.numerics.decision import expected_regret, p_best
from zoo.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Confident:
    """Who is unlikely to be the best, or to gain anything over the pick, is dropped.

    After 1, 2, 4, … epochs, from joint draws of the final accuracies. A candidate is dropped when
    the accuracy that it is expected to gain over the pick, E[max(0, f − f_pick)], is below
    ``gain``, or the probability that it is the best below ``chance``. It is settled when the pick
    is expected to lose less than ``regret`` to the best.

    Attributes
    ----------
    gain, regret
        In points of accuracy.
    chance
        In percent.
    growth
        Rounds end at 1, growth, growth², … epochs: each begins with building the candidates
        anew, so that many short rounds would cost more than they save.
    """

    name: ClassVar[str] = "confident"
    summary: ClassVar[str] = "who is improbable is dropped; ends when little can be gained"
    source: ClassVar[str] = "this project: expected gain and regret of joint predictions"

    gain: float = 0.1
    chance: float = 2.0
    regret: float = 0.1
    growth: int = 2

    def __post_init__(self) -> None:
        for name in ("gain", "chance", "regret"):
            if not 0 <= getattr(self, name) < 100:
                raise InputError(f"{name} is {getattr(self, name)}; give a number in [0, 100)")
        if self.growth < 2:
            raise InputError(f"growth is {self.growth}; give 2 or more")

    def step(self, standing: Standing) -> Step:
        """Decide; see ``Strategy``."""
        following = min(standing.most, max(1, standing.epochs * self.growth))
        if not standing.epochs or not standing.estimates.estimates:
            return Step(epochs=following)
        draws = standing.draws()
        pick = 0  # models come with the likeliest best first
        gains = 100 * np.maximum(draws - draws[:, [pick]], 0).mean(axis=0)
        chances = 100 * p_best(draws)
        dropped = {}
        for place, model in enumerate(standing.models):
            if place == pick:
                continue
            if gains[place] < self.gain:
                dropped[model] = f"expected to gain {gains[place]:.2g} points over the pick"
            elif chances[place] < self.chance:
                dropped[model] = f"P(best) {chances[place] / 100:.2g}"
        lost = 100 * expected_regret(draws)[pick]
        settled = f"the pick is expected to lose {lost:.2g} points" if lost < self.regret else ""
        return Step(dropped, following, settled)
