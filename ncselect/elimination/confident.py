"""Candidates are dropped by joint predictions, and it ends when little can be gained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ncselect.elimination.central import central
from ncselect.elimination.standing import Standing, Step
from ncselect.numerics.decision import expected_regret, p_best
from zoo.errors import InputError

Floats = NDArray[np.float64]

LEFT_OUT = "late starts and collapses left out"
"""How the figures of its reasons differ from those of the ranking, which count them."""


@dataclass(frozen=True, kw_only=True)
class Confident:
    """Who is improbable or has no share in the budget is dropped, until little can be gained.

    It is settled when the pick is expected to lose less than ``regret`` to the best of all: to
    those left, E[max f over them − f of the pick], and by all who were dropped, each time E[max f
    before − max f over those kept]. This is by joint draws of the final accuracies, without their
    tails, late starts and collapses: see :func:`~ncselect.elimination.central.central`. Where the
    method gives none, nobody is improbable and nothing is settled.

    Without a budget candidates are dropped after every round, the lowest score first, as long as
    the chance that the best is among them, with all who were dropped before, is below ``chance``,
    or what losing them all is expected to cost is below ``gain``. Rounds end at 1, η, η², …
    epochs, or are long enough to be worth the starts of their processes.

    With a budget the best 1 in η by score go on, two at least, and what is left of it is shared
    out equally among the rounds that are still needed to halve them down to one: successive
    halving that ends when it is settled. By P(best) those of whom least is known would go on, and
    the pick would be worse.

    Attributes
    ----------
    gain, regret
        In points of accuracy; 0 for never. Of ``gain`` no more than half of ``regret`` is given
        away, so that it can still be settled.
    chance
        In percent; 0 for never.
    eta
        η, 2 or more. A round begins with building the candidates anew, so that many short ones
        would cost more than they save.
    """

    name: ClassVar[str] = "confident"
    summary: ClassVar[str] = (
        "who is improbable (with a budget: the worse half) goes; ends when little can be gained"
    )
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
        told = standing.draws()
        draws = None if told is None else central(told)
        if draws is not None:
            lost = 100 * expected_regret(draws)[0] + standing.given_away
            if lost < self.regret:
                why = f"the pick is expected to lose {lost:.2g} points, {LEFT_OUT}"
                return Step(settled=why)
        given_up, given_away = _given(draws, len(standing.models))
        kept, reasons = len(standing.models), {}
        if math.isfinite(standing.budget):
            kept = min(kept, max(2, math.ceil(kept / self.eta)))
            why = f"not among the best {kept} after epoch {standing.epochs}"
            reasons = dict.fromkeys(standing.models[kept:], why)
        elif draws is not None:
            kept, reasons = self._improbable(standing, draws)
        return Step(
            reasons,
            self._next(standing, standing.models[:kept]),
            given_up=float(given_up[kept - 1]),
            given_away=float(given_away[kept - 1]),
        )

    def _improbable(self, standing: Standing, draws: Floats) -> tuple[int, dict[str, str]]:
        """Return how many must go on, and why the others need not; never the pick."""
        most = min(self.gain, self.regret / 2)
        chances = 100 * p_best(draws)
        percent, points = _given(draws, len(chances))
        percent, points = percent + standing.given_up, points + standing.given_away
        is_unlikely = percent < self.chance
        is_enough = is_unlikely | (points < most)
        kept = int(np.argmax(is_enough)) + 1 if is_enough.any() else len(chances)
        reasons = {}
        for place in range(kept, len(chances)):
            before = place - 1  # the last that is kept when this is the last dropped
            why = f"of all so dropped {percent[before]:.2g}% < {self.chance:g}%"
            if not is_unlikely[before]:
                why = f"all so dropped are expected to gain {points[before]:.2g} points < {most:g}"
            reasons[standing.models[place]] = f"P(best) {chances[place]:.2g}%, {why}, {LEFT_OUT}"
        return kept, reasons

    def _next(self, standing: Standing, going: tuple[str, ...]) -> int:
        """Return the epoch to which those who go on are observed next."""
        if math.isinf(standing.budget):
            return standing.unbounded(going, self.eta)
        rounds = max(1, math.ceil(math.log(max(1, len(going)), self.eta) - 1e-9))
        further = standing.affordable(going, standing.left / rounds)
        return min(standing.most, standing.epochs + max(1, further))


def _given(draws: Floats | None, count: int) -> tuple[Floats, Floats]:
    """Return what keeping only the first 1, 2, … of so many gives up, in percent and in points.

    By joint draws, the best first; the worst that can be where there are none.
    """
    if draws is None:
        is_less = np.arange(count) < count - 1
        return np.where(is_less, 100.0, 0.0), np.where(is_less, np.inf, 0.0)
    best = draws.max(axis=1, keepdims=True)
    kept = np.maximum.accumulate(draws, axis=1)
    return 100 * (best > kept).mean(axis=0), 100 * (best - kept).mean(axis=0)
