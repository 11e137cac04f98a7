"""Strategies by name."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from numbers import Real
from types import MappingProxyType
from typing import Any

from ncselect.elimination.confident import Confident
from ncselect.elimination.halving import SuccessiveHalving
from ncselect.elimination.race import Strategy
from ncselect.elimination.top_after_one import TopAfterOne
from ncselect.elimination.uniform import Uniform
from ncselect.methods import DEFAULT as DEFAULT_METHOD
from ncselect.methods import Method
from zoo.errors import InputError, UnknownNameError

STRATEGIES: Mapping[str, Any] = MappingProxyType(
    {kind.name: kind for kind in (Confident, SuccessiveHalving, TopAfterOne, Uniform)}
)
"""Name → what makes the strategy, with ``summary`` and ``source``, in the order of lists."""

DEFAULT = "confident"

JOINT = frozenset({DEFAULT_METHOD})
"""Methods whose estimates have the joint draws that ``confident`` decides by."""


def options(name: str) -> tuple[str, ...]:
    """Return the names of the options that a strategy takes."""
    return tuple(inspect.signature(STRATEGIES[name]).parameters)


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
        raise UnknownNameError("strategy", name or text, STRATEGIES)
    make = STRATEGIES[name]
    given: dict[str, float] = {}
    for part in filter(None, listed.split(",")):
        option, _, value = part.partition("=")
        if option not in options(name):
            raise InputError(
                f"strategy '{text}': '{name}' has no option '{option}'; it takes "
                f"{', '.join(options(name)) or 'none'}"
            )
        whole = isinstance(getattr(make, option), int)
        try:
            given[option] = int(value) if whole else float(value)
        except ValueError:
            kind = "a whole number" if whole else "a number"
            raise InputError(f"strategy '{text}': {option} is '{value}'; give {kind}") from None
    try:
        made: Strategy = make(**given)
    except InputError as refused:
        raise InputError(f"strategy '{text}': {refused}") from None
    return made


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
        isinstance(budget, Real)
        and not isinstance(budget, bool)
        and math.isfinite(budget)
        and budget > 0
    ):
        raise InputError(f"budget: {budget!r} came; give seconds, a finite number above 0")
    if not isinstance(eliminate, bool | str):
        raise InputError(f"eliminate: {eliminate!r} came; give True, or the name of a strategy")
    if eliminate is False:
        return None if budget is None else strategy(DEFAULT)
    return strategy(DEFAULT if eliminate is True else eliminate)


def check_race(strategy: Strategy, method: Method, epochs: int, *, asked: str) -> None:
    """Refuse a race in which nothing could be learned.

    Parameters
    ----------
    strategy
        Drops candidates by what the method predicts.
    method
        Predicts the final accuracies.
    epochs
        Epochs to observe.
    asked
        The argument that asks for the race: ``eliminate`` or ``budget``.

    Raises
    ------
    InputError
        If nobody is trained, the method learns nothing from it, or does not say what the strategy
        decides by.
    """
    if not epochs:
        lacking = {
            "eliminate": "nobody is trained, so that nobody can be dropped; give epochs",
            "budget": "nobody is trained, so that there is nothing to spend it on; give epochs, or "
            "leave the budget out",
        }
        raise InputError(f"{asked}: {lacking[asked]}")
    if not method.signals:
        raise InputError(
            f"{asked}: method '{method.name}' learns nothing from epochs; choose one that does, "
            "such as combined or best-value"
        )
    if isinstance(strategy, Confident) and method.name not in JOINT:
        raise InputError(
            f"{asked}: method '{method.name}' does not say how sure it is of the end, by which "
            f"'{strategy.name}' drops candidates; choose --method {DEFAULT_METHOD}, or --strategy "
            f"{SuccessiveHalving.name} (in Python eliminate='{SuccessiveHalving.name}')"
        )
