"""Strategies by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ncselect.elimination.confident import Confident
from ncselect.elimination.halving import SuccessiveHalving
from ncselect.elimination.race import Strategy
from ncselect.elimination.top_after_one import TopAfterOne
from ncselect.elimination.uniform import Uniform
from zoo.errors import InputError, UnknownNameError


@dataclass(frozen=True)
class StrategyCard:
    """An entry of the table of strategies.

    Attributes
    ----------
    make
        Makes the strategy from its options.
    summary
        What it does, in a line.
    source
        Where it comes from.
    """

    make: Callable[..., Strategy]
    summary: str
    source: str

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the options that ``make`` takes."""
        return tuple(inspect.signature(self.make).parameters)


_KINDS: tuple[Any, ...] = (Confident, SuccessiveHalving, TopAfterOne, Uniform)

STRATEGIES: Mapping[str, StrategyCard] = MappingProxyType(
    {kind.name: StrategyCard(kind, kind.summary, kind.source) for kind in _KINDS}
)
"""Name → strategy, in the order of lists."""

DEFAULT = "confident"


def strategy(text: str) -> Strategy:
    """Make a strategy from text: ``NAME`` or ``NAME:OPTION=NUMBER,…``.

    Parameters
    ----------
    text
        A key of ``STRATEGIES``, then its options if any.

    Raises
    ------
    UnknownNameError
        If there is no such strategy.
    InputError
        If it has no such option, or refuses the number.

    Examples
    --------
    >>> strategy("top-after-one:top=5").top
    5
    """
    name, _, listed = text.partition(":")
    if name not in STRATEGIES:
        raise UnknownNameError("strategy", name, STRATEGIES)
    card = STRATEGIES[name]
    options: dict[str, float] = {}
    for part in filter(None, listed.split(",")):
        option, _, value = part.partition("=")
        if option not in card.options:
            raise InputError(
                f"strategy '{name}' has no option '{option}'; it takes "
                f"{', '.join(card.options) or 'none'}"
            )
        whole = isinstance(getattr(card.make, option), int)
        try:
            options[option] = int(value) if whole else float(value)
        except ValueError:
            kind = "a whole number" if whole else "a number"
            raise InputError(f"strategy '{name}': {option} is '{value}'; give {kind}") from None
    return card.make(**options)


def asked_strategy(eliminate: bool | str, budget: float | None) -> Strategy | None:
    """Return who is to be dropped on the way; with a budget somebody always is.

    Parameters
    ----------
    eliminate
        True for the default, False for none, or a strategy as text.
    budget
        Seconds that may be spent, None for as many as are needed.

    Raises
    ------
    InputError
        If either cannot be used.
    """
    if budget is not None and not (
        isinstance(budget, int | float) and not isinstance(budget, bool) and budget > 0
    ):
        raise InputError(f"budget: {budget!r} came; give seconds, more than 0")
    if not isinstance(eliminate, bool | str):
        raise InputError(f"eliminate: {eliminate!r} came; give True, or the name of a strategy")
    if eliminate is False:
        return None if budget is None else strategy(DEFAULT)
    return strategy(DEFAULT if eliminate is True else eliminate)
