"""The tables and figures of the neural capacitance paper, from runs of any size.

>>> from ncselect.reproduction import read
>>> read("table1", "runs/tiny", scale="tiny")  # doctest: +SKIP

``read`` makes a table or figure from stored runs and trains nothing; ``reproduction`` says what
training is missing, and completes it. Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ncselect.reproduction.pools import Pool, Repeat
    from ncselect.reproduction.request import reproduction
    from ncselect.reproduction.result import Result
    from ncselect.reproduction.runs import Reproduction
    from ncselect.reproduction.scales import SCALES, Scale
    from ncselect.reproduction.stored import read
    from ncselect.reproduction.targets import TARGETS, reproduced

__all__ = [
    "SCALES",
    "TARGETS",
    "Pool",
    "Repeat",
    "Reproduction",
    "Result",
    "Scale",
    "read",
    "reproduced",
    "reproduction",
]

_HOMES = {
    "Pool": "pools",
    "Repeat": "pools",
    "Reproduction": "runs",
    "Result": "result",
    "SCALES": "scales",
    "Scale": "scales",
    "TARGETS": "targets",
    "read": "stored",
    "reproduced": "targets",
    "reproduction": "request",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ncselect.reproduction' has no attribute '{name}'")
    return getattr(import_module(f"ncselect.reproduction.{_HOMES[name]}"), name)
