"""Errors a person can act on: what was given, where, and what to do instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """A value that cannot be used; the text names the argument, what came and the remedy.

    The command line prints the text and exits with code 2.
    """


class UnknownNameError(InputError):
    """A name that is in no table.

    Parameters
    ----------
    argument
        What was being named, as the user knows it: ``model``, ``dataset``, ``method``.
    got
        The name that came.
    known
        Every name that would have been understood; the nearest ones are offered.
    remedy
        One more way out, appended to the text.
    """

    def __init__(self, argument: str, got: str, known: Iterable[str], remedy: str = "") -> None:
        names = list(known)
        by_folded = {name.casefold(): name for name in names}
        close = difflib.get_close_matches(got.casefold(), list(by_folded), n=3, cutoff=0.4)
        offered = " or ".join(by_folded[name] for name in close) or ", ".join(sorted(names)[:8])
        text = f"unknown {argument} '{got}'. Did you mean {offered}?"
        super().__init__(f"{text} {remedy}".strip())


class WeightsUnavailableError(RuntimeError):
    """Pre-trained weights that cannot be had here and now; the candidate becomes a failed row."""
