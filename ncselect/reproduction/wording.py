"""Sentences that several tables and figures share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ncselect.reproduction.agreement import LEVEL, RESAMPLES
from ncselect.reproduction.cells import NO_INTERVAL
from ncselect.reproduction.pools import Pool, truth
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
    single = [int(np.isfinite(truth(pool)).any(axis=1).sum()) == 1 for pool in pools]
    over = "models alone" if all(single) else "models and repeats"
    if any(single):
        over += " (of one repeat: what another seed changes is not in them)"
    mean = "" if all(single) else "ρ is the mean of the repeats' own. "
    return (
        f"{n_note(pools)} {mean}{100 * LEVEL:.0f}% intervals: {RESAMPLES:,} bootstrap resamples of "
        f"{over}; seed 0. {NO_INTERVAL} stands where they do not differ in the digits shown, as "
        "where ρ is ±1 in the pool: there is no interval, which is no certainty."
    )


def lc_note(scale: Scale) -> str:
    """Say how long the sampler of lc runs."""
    return f"lc: {scale.lc_steps:,} steps of its sampler, a fifth burnt in (its authors: 2,500)."


def grouped(reasons: Mapping[str, str]) -> list[str]:
    """Return each reason once, with those that it holds for."""
    of: dict[str, list[str]] = {}
    for what, reason in reasons.items():
        of.setdefault(reason, []).append(what)
    return [f"{_listed(names)}: {reason}" for reason, names in of.items()]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(names[:6]) + more


def _either(texts: Iterable[str]) -> str:
    return " or ".join(sorted(set(texts), key=lambda text: (len(text), text)))
