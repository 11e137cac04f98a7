"""ρ of every method at every length: what table 1 and figure F.5 are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ncselect.numerics.agreement import Interval
from ncselect.reproduction import paper
from ncselect.reproduction.agreement import counted, gain, rho
from ncselect.reproduction.asking import Answered, ask
from ncselect.reproduction.cells import figures_of
from ncselect.reproduction.material import Material
from ncselect.reproduction.pools import Pool, left_out, truth
from ncselect.reproduction.readings import in_paper, questions, readings_note, rival
from ncselect.reproduction.wording import grouped, interval_note

REFUSED = "refused"
"""Stands in a cell for the ρ of a method that refused every model; the notes say why."""


@dataclass(frozen=True)
class Scored:
    """A method's ρ on a dataset after some epochs.

    Attributes
    ----------
    answered
        What it said.
    rho
        Mean over repeats, with its interval; nan where it said nothing.
    behind
        By how much ρ of ``capacitance`` is above it, paired; 0 for itself. For
        ``last-value-as-far`` it is that of ``capacitance-from-t0``.
    n, repeats
        Models it is scored on, the mean over the repeats that count; and those repeats.
    """

    answered: Answered
    rho: Interval
    behind: Interval
    n: float
    repeats: int


Scores = Mapping[tuple[str, int, str], Scored]


def scored(
    material: Material, methods: Sequence[str], lengths: Sequence[int]
) -> dict[tuple[str, int, str], Scored]:
    """Return (dataset, length, method) → its ρ and how far it is behind its rival."""
    asked = questions(material.scale, methods, lengths, end=material.horizon)
    answers = ask(material, asked)
    truths = {pool.dataset: truth(pool) for pool in material.pools}
    found = {}
    for (dataset, length, method), one in answers.items():
        true, ours = truths[dataset], answers[dataset, length, rival(method)]
        found[dataset, length, method] = Scored(
            one,
            rho(true, one.score),
            gain(true, ours.score, one.score),
            *counted(true, one.score),
        )
    return found


def score_figures(scores: Scores, pool: Pool, length: int, method: str) -> dict[str, Any]:
    """Return a method's ρ at a length as JSON values, beside the paper's."""
    one = scores[pool.dataset, length, method]
    difference = f"{rival(method).replace('-', '_')}_minus_it"
    behind = {} if method == paper.OURS else {difference: figures_of(one.behind)}
    return {
        **figures_of(one.rho, n=one.n, repeats=one.repeats),
        **behind,
        "paper": printed_rho(pool, method, length),
        "refused": dict(one.answered.refused),
        "reason": one.answered.reason,
    }


def printed_rho(pool: Pool, method: str, length: int) -> float | None:
    """Return what table 1 prints for a method; None where it has nothing."""
    if length not in paper.LENGTHS:
        return None
    place = paper.LENGTHS.index(length)
    return paper.printed(paper.TABLE_1, in_paper(method), pool.dataset, place)


def models_with_truth(pool: Pool) -> float:
    """Return how many models have a truth, the mean over the repeats that count."""
    known = truth(pool)
    return counted(known, known)[0]


def score_notes(material: Material, scores: Scores, lengths: Sequence[int]) -> tuple[str, ...]:
    """Say how the scores were made, who refused, and what was left out."""
    pools = material.pools
    notes = [
        interval_note(pools),
        readings_note(material.scale, lengths, end=material.horizon, learners=True),
    ]
    refusals: dict[str, str] = {}
    for (dataset, length, method), one in scores.items():
        if one.answered.reason:
            refusals[f"{method} on {dataset} after {length}"] = one.answered.reason
        else:
            for model, reason in one.answered.refused.items():
                refusals[f"{method} for {model} on {dataset} after {length}"] = reason
    notes += [f"refused: {line}" for line in grouped(refusals)]
    missing = {
        f"{run} on {pool.dataset}": reason
        for pool in pools
        for run, reason in left_out(pool, max(lengths)).items()
    }
    notes += [f"left out: {line}" for line in grouped(missing)]
    return tuple(notes)
