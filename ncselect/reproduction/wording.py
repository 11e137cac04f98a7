"""Sentences that several tables and figures share."""

from __future__ import annotations

from collections.abc import Sequence

from ncselect.methods.extrapolation import DEFAULT_DEFINITION, DEFAULT_WINDOW
from ncselect.reproduction.agreement import LEVEL, RESAMPLES
from ncselect.reproduction.pools import Pool
from ncselect.reproduction.scales import Scale

FEW = 5  # models below which no interval over models means anything


def n_note(pools: Sequence[Pool]) -> str:
    """Say how many models and repeats there are, and at which epoch the truth is."""
    models = _either({len(pool.models) for pool in pools})
    repeats = {len(pool.repeats) for pool in pools}
    said = f"{_either(repeats)} {'repeat' if repeats == {1} else 'repeats'}"
    few = " Too few models for any conclusion." if min(len(p.models) for p in pools) < FEW else ""
    return f"n = {models} models, {said}, truth at epoch {pools[0].horizon}.{few}"


def interval_note(pools: Sequence[Pool]) -> str:
    """Say how intervals are made."""
    single = all(len(pool.repeats) == 1 for pool in pools)
    over = "models (there is one repeat)" if single else "models and repeats"
    mean = "" if single else "ρ is the mean of the repeats' own. "
    return (
        f"{n_note(pools)} {mean}{100 * LEVEL:.0f}% intervals: {RESAMPLES:,} bootstrap resamples of "
        f"{over}, seed 0; known to be somewhat short in small pools."
    )


def window_note() -> str:
    """Say what capacitance reads."""
    return (
        f"capacitance: β_eff {DEFAULT_DEFINITION}; like every method it sees epochs 1 to the "
        f"length, and BIC chooses its window of {DEFAULT_WINDOW} among them. bgrn and cl learn, "
        "for each candidate, from the other candidates' whole curves."
    )


def lc_note(scale: Scale) -> str:
    """Say how long the sampler of lc runs."""
    return f"lc: {scale.lc_steps:,} steps of its sampler, a fifth burnt in (its authors: 2,500)."


def _either(numbers: set[int]) -> str:
    return " or ".join(map(str, sorted(numbers)))
