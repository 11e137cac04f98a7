"""Sentences that several tables and figures share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ncselect.methods.extrapolation import DEFAULT_DEFINITION, DEFAULT_WINDOW
from ncselect.reproduction.agreement import LEVEL, RESAMPLES
from ncselect.reproduction.answered import truth
from ncselect.reproduction.pools import Pool
from ncselect.reproduction.scales import Scale

FEW = 5  # models below which no interval over models means anything


def n_note(pools: Sequence[Pool]) -> str:
    """Say how many models and repeats have a truth, and at which epoch it is."""
    known = [np.isfinite(truth(pool)) for pool in pools]
    found = [int(each.any(axis=0).sum()) for each in known]
    models = _either(
        f"{count}" if count == len(pool.models) else f"{count} of {len(pool.models)}"
        for pool, count in zip(pools, found, strict=True)
    )
    repeats = {int(each.any(axis=1).sum()) for each in known}
    said = f"{_either(map(str, repeats))} {'repeat' if repeats == {1} else 'repeats'}"
    few = " Too few models for any conclusion." if min(found) < FEW else ""
    epochs = _either(str(pool.horizon) for pool in pools)
    return f"n = {models} models, {said}, truth at epoch {epochs}.{few}"


def interval_note(pools: Sequence[Pool]) -> str:
    """Say how intervals are made."""
    single = all(len(pool.repeats) == 1 for pool in pools)
    over = "models (there is one repeat)" if single else "models and repeats"
    mean = "" if single else "ρ is the mean of the repeats' own. "
    return (
        f"{n_note(pools)} {mean}{100 * LEVEL:.0f}% intervals: {RESAMPLES:,} bootstrap resamples of "
        f"{over}, seed 0; in small pools they are wide rather than short, but where ρ is ±1 in "
        "the pool they can have no width, which means nothing."
    )


def window_note(lengths: Sequence[int], *, learners: bool = False) -> str:
    """Say what capacitance reads, and what the methods that learn do.

    Parameters
    ----------
    lengths
        Observed epochs.
    learners
        Whether bgrn and cl are among the methods.
    """
    short, long = min(lengths) <= DEFAULT_WINDOW, max(lengths) > DEFAULT_WINDOW
    windows = [f"up to length {DEFAULT_WINDOW} it fits all of them (t0 is fixed at 1)"] * short
    windows += [f"beyond it BIC chooses the {DEFAULT_WINDOW} that it fits"] * long
    learn = (
        " bgrn and cl learn, for each candidate, from the other candidates' whole curves."
        if learners
        else ""
    )
    return (
        f"capacitance: β_eff {DEFAULT_DEFINITION}; like every method it sees epochs 1 to the "
        f"length; {', '.join(windows)}.{learn}"
    )


def lc_note(scale: Scale) -> str:
    """Say how long the sampler of lc runs."""
    return f"lc: {scale.lc_steps:,} steps of its sampler, a fifth burnt in (its authors: 2,500)."


def _either(texts: Iterable[str]) -> str:
    return " or ".join(sorted(set(texts), key=lambda text: (len(text), text)))
