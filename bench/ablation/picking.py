"""Choosing on some targets and paying on another, held against chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.ablation.chance import exchanged_inputs, random_inputs, tail
from bench.ablation.choices import CONTROLS, INVERSE_EPOCH, NO_INPUT, Read, said
from bench.ablation.grid import Grid, Measured, best, grid
from bench.ablation.intervals import MEASURES, Document, Figures, number
from bench.ablation.stored import Pool

WITHOUT = (NO_INPUT, INVERSE_EPOCH, *CONTROLS)
"""Inputs that are free or measured anyway: what choosing does without β."""

Rotation = tuple[list[int], int]
"""Places of the targets to choose on, and of the one to report."""


def picks(
    reads: Mapping[Pool, Read],
    figures: Figures,
    *,
    names: Sequence[str],
    epochs: int,
    tune: Sequence[str] | None,
    report: str | None,
    against: Sequence[str],
    draws: int,
    seed: int,
) -> Document:
    """Choose on some targets, report another, and hold both against chance.

    Parameters
    ----------
    reads
        Pools of one protocol, all epochs alike.
    figures
        Holds the labels of ``against`` for these pools; what is picked is added to it.
    names
        Definitions to choose among.
    epochs
        Observed.
    tune, report
        Targets to choose on and to report; each left out in turn if None.
    against
        Labels that the picks are compared with.
    draws, seed
        Replicates of chance.

    Returns
    -------
    dict
        ``left_out``: definitions that refuse a model; and for what may be chosen, the
        ``definition`` under the default reading, the ``reading`` of the default definition, or
        ``both``: the number of ``choices``; per rotation what was picked and its figures; their
        ``mean``; and ``chance``. ``without β`` is what was picked in the same way from the
        inputs that need none, of which the first is none at all.
    """
    targets = list(dict.fromkeys(pool.target for pool in reads))
    rotated = _rotations(list(reads), tune, report)
    real, without = grid(reads, names, epochs), grid(reads, WITHOUT, epochs)
    if not real.names:
        return {"left_out": list(names)}
    rng = np.random.default_rng(seed)
    drawn = {
        "random": random_inputs(reads, real, draws, rng),
        "exchanged": exchanged_inputs(reads, real, draws, rng),
    }
    found: Document = {"left_out": [name for name in names if name not in real.names]}
    for family, among in real.families().items():
        if len(among) < 2:
            continue
        labels = {
            f"picked {family}": (real, among),
            f"{family} without β": (without, without.families()[family]),
        }
        rows = []
        for tuned, held in rotated:
            here = [pool for pool in reads if pool.target == targets[held]]
            picked = _picked(figures, here, tuned, labels)
            rows.append(
                {
                    "chosen_on": [targets[one] for one in tuned],
                    "reported_on": targets[held],
                    "picked": picked,
                    **_figures_of(figures, list(labels), here, against),
                }
            )
        reported = {targets[one] for _, one in rotated}
        paid = [pool for pool in reads if pool.target in reported]
        found[family] = {
            "choices": len(among),
            "rotations": rows,
            "mean": _figures_of(figures, list(labels), paid, against) if len(rows) > 1 else {},
            "chance": _chance(real.measured(), drawn, rotated, among),
        }
    return found


def _rotations(
    pools: Sequence[Pool], tune: Sequence[str] | None, report: str | None
) -> list[Rotation]:
    """Return what is chosen on and reported: never two targets of the same dataset."""
    datasets = {pool.target: pool.dataset for pool in pools}
    targets = list(datasets)
    rotated = []
    for held, target in enumerate(targets):
        tuned = [
            place
            for place, one in enumerate(targets)
            if datasets[one] != datasets[target] and (tune is None or one in tune)
        ]
        if tuned and report in (None, target):
            rotated.append((tuned, held))
    return rotated


def _picked(
    figures: Figures,
    pools: Sequence[Pool],
    tuned: Sequence[int],
    labels: Mapping[str, tuple[Grid, NDArray[np.intp]]],
) -> dict[str, str]:
    """Choose on some targets, add what was chosen to the figures of others, return its names."""
    picked = {}
    for label, (every, among) in labels.items():
        place = int(best(every.measured(), tuned, among))
        picked[label] = every.label(place)
        for pool in pools:
            figures.add(pool, label, said(every.of(pool, place)[None]))
    return picked


def _figures_of(
    figures: Figures, labels: Sequence[str], pools: Sequence[Pool], against: Sequence[str]
) -> Document:
    """Return the figures of what was picked, and the first less all others."""
    label, *others = labels
    known = [one for one in against if any(figures.said(pool, one) for pool in pools)]
    return {
        "figures": {
            one: {measure: figures.of(one, measure, pools) for measure in MEASURES}
            for one in labels
        },
        "less": {
            other: {
                measure: figures.difference(label, other, measure, pools)
                for measure in ("rho", "regret_points")
            }
            for other in [*others, *known]
        },
    }


def _chance(
    real: Measured,
    drawn: Mapping[str, Measured],
    rotated: Sequence[Rotation],
    among: NDArray[np.intp],
) -> Document:
    """Hold the real choices against chance's.

    Returns
    -------
    dict
        For the ``highest`` mean ρ over all targets, the mean ρ on the reported targets of what
        was ``picked`` on the others, and the first choice, the ``default``: its ρ and, per kind
        of chance, what :func:`bench.ablation.chance.tail` returns.
    """
    kinds: dict[str, Callable[[Measured], NDArray[np.float64]]] = {
        "highest": lambda one: _highest(one[0][..., among].mean(axis=-2)),
        "default": lambda one: one[0][..., among[0]].mean(axis=-1),
    }
    if rotated:
        kinds["picked"] = lambda one: _reported(one, rotated, among)
    found: Document = {}
    for name, of in kinds.items():
        value = float(of(real))
        found[name] = {"rho": number(value)} | {
            kind: tail(value, of(one)) for kind, one in drawn.items()
        }
    return found


def _highest(rho: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the highest along the last axis; nan where none is defined."""
    highest = np.where(np.isnan(rho), -np.inf, rho).max(axis=-1)
    return np.where(np.isneginf(highest), np.nan, highest)


def _reported(
    figures: Measured, rotated: Sequence[Rotation], among: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the mean ρ on the reported targets of what was picked on the others, shape (…)."""
    paid = [
        np.take_along_axis(
            figures[0][..., held, :], best(figures, tuned, among)[..., None], axis=-1
        )[..., 0]
        for tuned, held in rotated
    ]
    return np.asarray(np.mean(paid, axis=0))
