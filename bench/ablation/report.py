"""What is reported of one protocol after some epochs: a row for every choice and every rival."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.ablation.added import added
from bench.ablation.choices import (
    CONTROLS,
    DEFAULT_READING,
    INVERSE_EPOCH,
    NO_INPUT,
    ON_ALL,
    Read,
    Reading,
    along_the_run,
    averaged,
    definitions,
    is_nothing,
    readings,
)
from bench.ablation.grid import grid
from bench.ablation.intervals import MEASURES, Document, Figures, Said
from bench.ablation.picking import picks
from bench.ablation.rivals import Asked, asked_of, rivals
from bench.ablation.stored import Pool
from ncselect.methods.extrapolation import DEFAULT_DEFINITION
from ncselect.numerics.rank_agreement import spearman_rho

SHUFFLES = 10
"""Permutations of each β that a control is averaged over."""

DRAWN = 100
"""Random inputs that a control is averaged over; a fifth of them under other readings."""

RIDGE_CONTROLS = (NO_INPUT, INVERSE_EPOCH, *CONTROLS)
RANDOM = "random-input"
BASES = (
    "last-value", "best-value", "training-loss", "parameters", "imagenet-top1", "linear-head",
    "combined",
)  # fmt: skip
"""Rankings that β is added to."""

PICKED = "picked definition"
"""Label of what :func:`picks` chose on the targets of other datasets."""


AS_USUAL = Asked()


@dataclass(frozen=True)
class Question:
    """What is asked of the stored runs of one protocol.

    Attributes
    ----------
    epochs
        Observed.
    tune, report
        Targets to choose on and to report; every one in turn if None.
    asked
        Of the rivals.
    draws
        Replicates of chance.
    seed
        Of all randomness but the resamples'.
    """

    epochs: int
    tune: Sequence[str] | None = None
    report: str | None = None
    asked: Asked = AS_USUAL
    draws: int = 300
    seed: int = 0


def beta(definition: str, reading: Reading | None = None) -> str:
    """Return the label of a definition under a reading, the default one if None."""
    return f"β {definition}" if reading is None else f"β {definition}; {reading}"


def permuted(definition: str) -> str:
    """Return the label of a definition shuffled within its window."""
    return f"permuted {definition}"


def filled(
    figures: Figures,
    pools: Sequence[Pool],
    question: Question,
    *,
    slow: bool,
    watch: Callable[[str], None],
) -> tuple[dict[Pool, Read], list[tuple[str, str, str]]]:
    """Add to the figures what every definition, control and rival says of some pools.

    Returns
    -------
    reads, remarks
        The pools that have β; method, what it says besides its answer, and of which pool.
    """
    reads: dict[Pool, Read] = {}
    remarks: list[tuple[str, str, str]] = []
    way = DEFAULT_READING.within(question.epochs)
    for pool in pools:
        where = f"{question.epochs} epochs: {pool.target}, {pool.setting}, seed {pool.seed}"
        watch(where)
        read = Read(pool, question.epochs)
        said, told = rivals(pool, question.epochs, asked_of(pool, slow), question.asked)
        for label, one in (*_controls(read, way), *said.items()):
            figures.add(pool, label, one)
        remarks += [(label, text, where) for label, text in told.items()]
        figures.add(pool, RANDOM, read.random(way, DRAWN, question.seed))
        names = definitions([pool])
        if names:
            reads[pool] = read
        for name in names:
            figures.add(pool, beta(name), read.said(name, way))
            figures.add(pool, permuted(name), read.permuted(name, way, SHUFFLES, question.seed))
    return reads, remarks


def of_epochs(
    figures: Figures, reads: Mapping[Pool, Read], question: Question, rivals_asked: Iterable[str]
) -> Document:
    """Return everything about the choices of one protocol after so many epochs.

    Parameters
    ----------
    figures
        Filled for these pools.
    reads
        Pool → its runs as observed.
    question
        What is asked.
    rivals_asked
        Labels of the rivals.
    """
    pools = list(reads)
    names = definitions(pools)
    default = DEFAULT_DEFINITION if DEFAULT_DEFINITION in names else names[0]
    known = [label for label in (*RIDGE_CONTROLS, *(f"{c}{ON_ALL}" for c in CONTROLS), RANDOM)
             if any(figures.said(pool, label) for pool in pools)]  # fmt: skip
    others = [label for label in rivals_asked
              if any(figures.said(pool, label) for pool in pools)]  # fmt: skip
    against = [*others, *known]
    rows: dict[str, Document] = {}
    for name in names:
        rows[beta(name)] = _row(
            figures, pools, beta(name), [beta(default), *against, permuted(name)]
        ) | {
            "always_zero": is_nothing(name, pools[0].hidden),
            "failures": _failures(reads, name, question.epochs, figures),
        }
    rows[beta(default)]["less_each"] = {
        target: _less(figures, here, beta(default), against, ends=3)
        for target, here in _by_target(pools).items()
    }
    for way in readings(question.epochs)[1:]:
        beside = _read_again(figures, reads, default, way, question.seed)
        label = beta(default, way)
        rows[label] = _row(figures, pools, label, [beta(default), *beside, *others[:2]])
    for label in against:
        rows[label] = _row(figures, pools, label, [])
    real = [name for name in names if not is_nothing(name, pools[0].hidden)]
    chances = picks(
        reads,
        figures,
        names=real,
        epochs=question.epochs,
        tune=question.tune,
        report=question.report,
        against=[beta(default), *against],
        draws=question.draws,
        seed=question.seed,
    )
    return {
        "rows": rows,
        "axes": grid(reads, real, question.epochs).axes(),
        "picking": chances,
        "added": _added(figures, pools, default),
    }


def _controls(read: Read, way: Reading) -> list[tuple[str, Said]]:
    named = (*RIDGE_CONTROLS, *(f"{control}{ON_ALL}" for control in CONTROLS))
    return [(name, read.said(name, way)) for name in named]


def _read_again(
    figures: Figures, reads: Mapping[Pool, Read], default: str, way: Reading, seed: int
) -> list[str]:
    """Add the default definition, and what needs no β, under another reading; return the latter."""
    labels = {name: f"{name}; {way}" for name in (NO_INPUT, "training-loss", RANDOM)}
    for pool, read in reads.items():
        figures.add(pool, beta(default, way), read.said(default, way))
        for name, label in labels.items():
            said = read.random(way, DRAWN // 5, seed) if name == RANDOM else read.said(name, way)
            figures.add(pool, label, said)
    return list(labels.values())


def _row(figures: Figures, pools: Sequence[Pool], label: str, against: Sequence[str]) -> Document:
    """Return a label's figures over all targets and on each, less those of others."""
    by_target = _by_target(pools)
    row = _figures(figures, pools, label)
    row["pools"] = sum(figures.said(pool, label) is not None for pool in pools)
    row["each"] = {
        target: _figures(figures, here, label, ends=3) for target, here in by_target.items()
    }
    if against:
        row["less"] = _less(figures, pools, label, against)
    return row


def _less(
    figures: Figures,
    pools: Sequence[Pool],
    label: str,
    against: Sequence[str],
    *,
    ends: int = 5,
) -> dict[str, dict[str, list[float | None]]]:
    """Return a label's ρ and regret less those of others; of one target, one interval says all."""
    return {
        other: {
            measure: figures.difference(label, other, measure, pools)[:ends]
            for measure in ("rho", "regret_points")
        }
        for other in against
        if other != label and any(figures.said(pool, other) for pool in pools)
    }


def _by_target(pools: Iterable[Pool]) -> dict[str, list[Pool]]:
    found: dict[str, list[Pool]] = {}
    for pool in pools:
        found.setdefault(pool.target, []).append(pool)
    return found


def _figures(
    figures: Figures, pools: Sequence[Pool], label: str, *, ends: int = 5
) -> dict[str, object]:
    """Return the measures that are defined; of one target, one interval says all."""
    found = {measure: figures.of(label, measure, pools) for measure in MEASURES}
    return {measure: one[:ends] for measure, one in found.items() if one[0] is not None}


def _failures(
    reads: Mapping[Pool, Read], name: str, epochs: int, figures: Figures
) -> dict[str, float | None]:
    way = DEFAULT_READING.within(epochs)
    found: dict[Pool, dict[str, float]] = {}
    for pool, read in reads.items():
        found[pool] = read.failures(name, way) | along_the_run(pool, name)
        one, mean = figures.said(pool, beta(name)), figures.said(pool, NO_INPUT)
        if one is not None and mean is not None:
            both = one.answered
            found[pool]["rho_to_window_mean"] = _spearman(one.scores[0, both], mean.scores[0, both])
    return averaged(found)


def _added(figures: Figures, pools: Sequence[Pool], default: str) -> Document:
    """Return what the default β, one picked out of sample, and three controls add to rankings."""
    extras = (beta(default), PICKED, RANDOM, NO_INPUT, "training-loss")
    found: Document = {}
    for base in BASES:
        for extra in extras:
            one = added(figures, pools, base, extra) if base != extra else None
            if one is not None:
                found[f"{base} + {extra}"] = one
    return found


def _spearman(one: np.ndarray, other: np.ndarray) -> float:
    return float(spearman_rho(one, other, np.ones((1, len(one)), dtype=np.int64))[0])
