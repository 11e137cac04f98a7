"""Every definition under every reading, and what each would have been worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.ablation.choices import ON_ALL, Read, Reading, readings
from bench.ablation.intervals import number, points
from bench.ablation.stored import Pool

Floats = NDArray[np.float64]
Measured = tuple[Floats, Floats]
"""ρ and regret in points, shapes (…, targets, choices)."""


@dataclass(frozen=True)
class Grid:
    """Every input under every reading, in every pool.

    Attributes
    ----------
    names, readings
        Of the inputs and how they are read; the defaults come first.
    scores
        Pool → h(0), shape (inputs, readings, n).
    """

    names: tuple[str, ...]
    readings: tuple[Reading, ...]
    scores: Mapping[Pool, Floats]

    def __len__(self) -> int:
        return len(self.names) * len(self.readings)

    def label(self, place: int) -> str:
        """Return the label of a choice by its place among all."""
        name, reading = divmod(place, len(self.readings))
        return f"{self.names[name]}; {self.readings[reading]}"

    def of(self, pool: Pool, place: int) -> Floats:
        """Return a choice's h(0) in a pool, shape (n,)."""
        name, reading = divmod(place, len(self.readings))
        return np.asarray(self.scores[pool][name, reading])

    def families(self) -> dict[str, NDArray[np.intp]]:
        """Return what may be chosen: the definition, its reading, or both; places among all."""
        both = np.arange(len(self)).reshape(len(self.names), len(self.readings))
        return {"definition": both[:, 0], "reading": both[0], "both": both.ravel()}

    def measured(self) -> Measured:
        """Return ρ and regret of every choice, seeds of a target averaged."""
        found = {}
        for pool, scores in self.scores.items():
            rho, regret = points(pool.truth, scores)
            found[pool] = (rho.ravel(), regret.ravel())
        return measured(found)

    def axes(self) -> dict[str, dict[str, dict[str, float | None]]]:
        """Return axis → value → mean ρ and regret of all choices that have it."""
        if not self.names:
            return {}
        shape = (len(self.names), len(self.readings))
        rho, regret = (one.mean(axis=0).reshape(shape) for one in self.measured())
        parts = [_parts(name) for name in self.names]
        found: dict[str, dict[str, dict[str, float | None]]] = {}
        for axis in parts[0]:
            values = [part[axis] for part in parts]
            found[axis] = {
                value: _means(rho[chosen], regret[chosen])
                for value in dict.fromkeys(values)
                if (chosen := np.array([one == value for one in values])).any()
            }
        for axis in ("scaling", "window", "rule"):
            values = [str(getattr(way, axis)) for way in self.readings]
            found[axis] = {
                value: _means(rho[:, chosen], regret[:, chosen])
                for value in dict.fromkeys(values)
                if (chosen := np.array([one == value for one in values])).any()
            }
        return found


def grid(reads: Mapping[Pool, Read], names: Sequence[str], epochs: int) -> Grid:
    """Return every choice of some inputs: those that answer all models of all pools."""
    ways = tuple(readings(epochs))
    kept = tuple(
        name
        for name in names
        if all(np.isfinite(read.inputs(name)).all() for read in reads.values())
    )
    return Grid(
        kept,
        ways,
        {
            pool: np.array(
                [[read.said(name, way).scores[0] for way in ways] for name in kept]
            ).reshape(len(kept), len(ways), len(pool.models))
            for pool, read in reads.items()
        },
    )


def measured(found: Mapping[Pool, Measured]) -> Measured:
    """Return ρ and regret by target, seeds averaged, of figures by pool of shapes (…, choices)."""
    by_target: dict[str, list[Measured]] = {}
    for pool, one in found.items():
        by_target.setdefault(pool.target, []).append(one)
    rho, regret = (
        np.stack([np.mean([one[turn] for one in each], axis=0) for each in by_target.values()], -2)
        for turn in range(2)
    )
    return rho, regret


def best(figures: Measured, targets: Sequence[int], among: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the choice of the highest mean ρ on some targets; of equals the least regret's.

    Parameters
    ----------
    figures
        Of every choice, shapes (…, targets, choices).
    targets
        To choose on.
    among
        Places of what may be chosen.

    Returns
    -------
    ndarray
        Places, shape (…).
    """
    rho, regret = (one[..., targets, :][..., among].mean(axis=-2) for one in figures)
    rho = np.nan_to_num(rho, nan=-2.0)
    level = rho >= rho.max(axis=-1, keepdims=True) - 1e-9
    return np.asarray(among[np.where(level, regret, np.inf).argmin(axis=-1)])


def _parts(name: str) -> dict[str, str]:
    layers, derivative, sign, *average = name.removesuffix(ON_ALL).split("/")
    return {
        "layers": layers,
        "derivative": derivative,
        "sign": sign,
        "average": average[0] if average else "pooled",
        "subset": "all" if name.endswith(ON_ALL) else "probe",
    }


def _means(rho: Floats, regret: Floats) -> dict[str, float | None]:
    return {
        "rho": number(np.mean(rho)),
        "regret_points": number(np.mean(regret), 2),
        "choices": int(rho.size),
    }
