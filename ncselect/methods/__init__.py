"""Ranking methods: from a pool of runs to predicted final accuracies, one method a file."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from ncselect.methods.best_value import BestValue
from ncselect.methods.bgrn import CurveSupportVectors
from ncselect.methods.capacitance import Capacitance
from ncselect.methods.cl import SourceTaskCurves
from ncselect.methods.combined import Combined
from ncselect.methods.dynamics import Dynamics
from ncselect.methods.last_value import LastValue
from ncselect.methods.lc import ParametricCurves
from ncselect.methods.permuted_beta import PermutedBeta
from ncselect.methods.prior import Prior
from ncselect.methods.random_input import RandomInput
from ncselect.methods.ridge_controls import InverseEpoch, Residual, TrainingError, TrainingLoss
from ncselect.methods.scored import SCORED
from ncselect.methods.window_mean import WindowMean
from ncselect.types import Background, Estimates, RunRecord
from zoo.errors import InputError, UnknownNameError

__all__ = ["DEFAULT", "METHODS", "PLAIN", "Method", "MethodCard", "method", "parsed_method"]


class Method(Protocol):
    """What a ranking method is; frozen dataclasses implement it."""

    @property
    def name(self) -> str:
        """The method's name in ``METHODS``."""

    @property
    def summary(self) -> str:
        """What it does, in a line."""

    @property
    def least_epochs(self) -> int:
        """Observed epochs without which it has nothing to say."""

    @property
    def pooled(self) -> bool:
        """Whether a candidate's estimate depends on the other candidates of the pool."""

    @property
    def signals(self) -> frozenset[str]:
        """Names of the signals the runs must have recorded."""

    @property
    def scores(self) -> frozenset[str]:
        """Names of the scores that need no training which it uses where there are any."""

    def estimate(self, records: Sequence[RunRecord]) -> Estimates:
        """Estimate the final accuracy of every candidate of a pool, or refuse it with a reason.

        Pure: the same records give the same answer, and nothing is changed. The order of the
        records does not matter to any candidate's estimate.

        Parameters
        ----------
        records
            One run per candidate, epochs 0 … E, without the truth (``RunRecord.observed``).
        """


@dataclass(frozen=True)
class MethodCard:
    """An entry of the method table.

    Attributes
    ----------
    make
        Makes the method from its options.
    summary
        What it does, in a line.
    source
        Where it comes from.
    """

    make: Callable[..., Method]
    summary: str
    source: str

    @property
    def options(self) -> tuple[str, ...]:
        """Names of the options that ``make`` takes of a person."""
        return tuple(name for name in self._parameters if name not in BACKGROUND)

    @property
    def background(self) -> tuple[str, ...]:
        """Names of the parts of a ``Background`` that ``make`` takes."""
        return tuple(name for name in self._parameters if name in BACKGROUND)

    @property
    def _parameters(self) -> tuple[str, ...]:
        return tuple(inspect.signature(self.make).parameters)


_KINDS: tuple[Any, ...] = (
    Combined,
    Capacitance,
    LastValue,
    BestValue,
    WindowMean,
    ParametricCurves,
    SourceTaskCurves,
    CurveSupportVectors,
    Dynamics,
    Prior,
    *SCORED,
    TrainingLoss,
    TrainingError,
    Residual,
    InverseEpoch,
    PermutedBeta,
    RandomInput,
)

METHODS: Mapping[str, MethodCard] = MappingProxyType(
    {kind.name: MethodCard(kind, kind.summary, kind.source) for kind in _KINDS}
)
"""Name → method, in the order of lists."""

DEFAULT = "combined"
"""The method of ``rank`` where none is named."""

PLAIN = "best-value"
"""The plainest method that is any good: what the others are held against."""


BACKGROUND = tuple(field.name for field in dataclasses.fields(Background))
NOTHING_KNOWN = Background()


def method(name: str, background: Background = NOTHING_KNOWN, **options: Any) -> Method:
    """Make a method by name.

    Parameters
    ----------
    name
        A key of ``METHODS``.
    background
        What it may know besides the runs; it takes the parts that it has a use for.
    options
        The method's options; see its class.

    Raises
    ------
    UnknownNameError
        If there is no such method.
    InputError
        If the method has no such option, or not such a value.

    Examples
    --------
    >>> method("capacitance", window=8).name
    'capacitance'
    """
    if name not in METHODS:
        raise UnknownNameError("method", name, METHODS)
    card = METHODS[name]
    unknown = sorted(set(options) - set(card.options))
    if unknown:
        raise InputError(
            f"method '{name}' has no option '{unknown[0]}'; "
            f"it takes {', '.join(card.options) or 'none'}"
        )
    for option, value in options.items():
        default = getattr(card.make, option, None)
        if default is not None and type(value) is not type(default):
            raise InputError(
                f"method '{name}': {option} is {value!r}; give a value like {default!r}"
            )
    known = {part: getattr(background, part) for part in card.background}
    return card.make(**known, **options)


def parsed_method(text: str, background: Background = NOTHING_KNOWN) -> Method:
    """Make a method from text, as the command line takes it: ``NAME`` or ``NAME:OPTION=VALUE,…``.

    Parameters
    ----------
    text
        A key of ``METHODS``, then its options if any; whole numbers are numbers.
    background
        What it may know besides the runs.

    Raises
    ------
    UnknownNameError
        If there is no such method.
    InputError
        If the options cannot be read, or the method refuses them.

    Examples
    --------
    >>> parsed_method("capacitance:window=8,definition=norm/exact/signed").window
    8
    """
    if not isinstance(text, str):
        raise InputError(f"method: {text!r} came; give a name, such as 'capacitance'")
    name, _, listed = text.partition(":")
    options: dict[str, Any] = {}
    for part in filter(None, listed.split(",")):
        option, equals, value = part.partition("=")
        if not equals or not value:
            raise InputError(f"method '{text}': '{part}' came where OPTION=VALUE was due")
        options[option] = int(value) if value.lstrip("-").isdigit() else value
    return method(name, background, **options)
