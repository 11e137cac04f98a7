"""Candidates are dropped when they are improbable, and it ends when little can be gained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ncselect.elimination.central import central
from ncselect.elimination.standing import Standing, Step
from ncselect.numerics.decision import expected_regret, p_best
from zoo.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Confident:
    """Who is unlikely to be the best, or to gain anything over the pick, is dropped.

    After every round candidates are dropped by joint draws of the final accuracies, the lowest
    score first: as long as the chance that the best is among them, with all who were so dropped
    before, is below ``chance``, or what losing them all is expected to cost, E[max f over all −
    max f over those kept], is below ``gain``. It is settled when the pick is expected to lose less
    than ``regret`` to the best, what losing the dropped costs included. The draws are taken
    without their tails, see :func:`~ncselect.elimination.central.central`. Where the method gives
    none, nobody is improbable.

    Rounds end at 1, η, η², … epochs, or are long enough to be worth the starts of their processes.
    With a budget no more than the best 1 in η by score go on, two at least, and what is left of it
    is shared out equally among the rounds that are still needed to halve them down to one:
    successive halving that spends what it saves. By P(best) those of whom least is known would go
    on, and the pick would be worse.

    Attributes
    ----------
    gain, regret
        In points of accuracy; 0 for never.
    chance
        In percent; 0 for never.
    eta
        η, 2 or more. A round begins with building the candidates anew, so that many short ones
        would cost more than they save.
    """

    name: ClassVar[str] = "confident"
    summary: ClassVar[str] = "who is improbable is dropped; ends when little can be gained"
    source: ClassVar[str] = "this project: expected gain and regret of joint predictions"

    gain: float = 0.25
    chance: float = 2.0
    regret: float = 0.5
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
        cut, lost = _Cut({}), math.inf
        if draws is not None:
            draws = central(draws)
            cut = self._improbable(standing, draws)
            lost = 100 * expected_regret(draws)[0] + standing.given_away
        dropped = dict(cut.reasons)
        going = tuple(model for model in standing.models if model not in dropped)
        if math.isfinite(standing.budget):
            kept = max(2, math.ceil(len(standing.models) / self.eta))
            why = f"not among the best {kept} after epoch {standing.epochs}"
            dropped |= dict.fromkeys(going[kept:], why)
            going = going[:kept]
        settled = f"the pick is expected to lose {lost:.2g} points" if lost < self.regret else ""
        return Step(
            dropped,
            self._next(standing, going),
            settled,
            given_up=cut.given_up,
            given_away=cut.given_away,
        )

    def _improbable(self, standing: Standing, draws: Floats) -> _Cut:
        """Return who need not go on, and why; never the pick."""
        chances = 100 * p_best(draws)
        best = draws.max(axis=1, keepdims=True)
        kept = np.maximum.accumulate(draws, axis=1)  # the best of the first so many
        given_up = 100 * (best > kept).mean(axis=0)  # if only the first so many are kept
        given_away = 100 * (best - kept).mean(axis=0)
        by_chance = standing.given_up + given_up < self.chance
        by_gain = standing.given_away + given_away < self.gain
        few = int(np.argmax(by_chance | by_gain))  # keeping all gives nothing up
        if not (by_chance | by_gain).any():
            return _Cut({})
        reasons = {}
        for place in range(few + 1, len(chances)):
            before = place - 1  # the last that is kept when this is the last dropped
            percent = standing.given_up + given_up[before]
            why = f"of all so dropped {percent:.2g}% < {self.chance:g}%"
            if not by_chance[before]:
                points = standing.given_away + given_away[before]
                why = f"all so dropped are expected to gain {points:.2g} points < {self.gain:g}"
            reasons[standing.models[place]] = f"P(best) {chances[place]:.2g}%, {why}"
        return _Cut(reasons, float(given_up[few]), float(given_away[few]))

    def _next(self, standing: Standing, going: Sequence[str]) -> int:
        """Return the epoch to which those who go on are observed next."""
        if math.isinf(standing.budget):
            return standing.unbounded(tuple(going), self.eta)
        rounds = max(1, math.ceil(math.log(max(1, len(going)), self.eta) - 1e-9))
        further = standing.affordable(tuple(going), standing.left / rounds)
        return min(standing.most, standing.epochs + max(1, further))


@dataclass(frozen=True)
class _Cut:
    """Who is improbable and why, and what dropping them gives up."""

    reasons: Mapping[str, str]
    given_up: float = 0.0
    given_away: float = 0.0
