"""Values with intervals, as the cells of a table and as JSON values."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from ncselect.numerics.agreement import Interval

NO_INTERVAL = "[–]"
"""Stands where resampling has nothing to vary, or less than the cell shows."""


def said(found: Interval, digits: int = 2) -> str:
    """Return a value with its interval; a dash where there is no value."""
    if not math.isfinite(found.value):
        return "–"
    low, high = number(found.low, digits), number(found.high, digits)
    ends = NO_INTERVAL if low == high else f"[{low}, {high}]"
    return f"{number(found.value, digits)} {ends}"


def number(value: float | None, digits: int = 2) -> str:
    """Return a number; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.{digits}f}".replace("-", "−")


def figures_of(found: Interval, **more: Any) -> dict[str, Any]:
    """Return a value with its interval as a mapping for JSON."""
    return {**dataclasses.asdict(found), **more}
