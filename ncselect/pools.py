"""Ranking methods over many random pools of one dataset's finished runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ncselect.answers import Answer
from ncselect.comparison import (
    check_lengths,
    check_pool,
    check_seed,
    checked_horizon,
    checked_references,
    known_truth,
    unscorable,
)
from ncselect.history import model_of
from ncselect.methods import Method
from ncselect.numerics.agreement import Agreement, bootstrap_counts, check_intervals
from ncselect.numerics.pool_mean import PoolDesign
from ncselect.pool_answers import Question, ScoredPool, Watch, scored_pools
from ncselect.pool_scores import PoolScore, pool_values
from ncselect.scoreboard import Difference, PoolsComparison, PoolsRow, in_short
from ncselect.types import RunRecord
from zoo.errors import InputError


def compare_pools(
    records: Sequence[RunRecord],
    *,
    methods: Mapping[str, Method],
    epochs: Sequence[int],
    pools: int = 1000,
    size: int = 17,
    horizon: int | None = None,
    references: Sequence[str] = ("best-value",),
    leave_one_out: bool = False,
    seed: int = 0,
    resamples: int = 2000,
    level: float = 0.95,
    workers: int = 1,
    watch: Watch = lambda _what, _done, _total: None,
) -> PoolsComparison:
    """Score methods in many pools drawn at random from the runs, and average over the pools.

    Within a pool the rules are those of ``comparison.compare``, but for one. Methods that estimate
    every candidate by itself are asked once for each model's runs, unless their history holds
    curves on this dataset: it then lacks that model's curves alone, and the pool's other models
    stay in it, on other datasets. All other methods are asked in every pool. Pools share runs: see
    ``numerics.pool_mean`` for what the two intervals mean.

    Parameters
    ----------
    records
        Finished runs on one dataset, with truth.
    methods
        Label → method.
    epochs
        Observation lengths E.
    pools, size
        Number of pools, and of different runs in each.
    horizon, references, leave_one_out, level
        As for ``comparison.compare``.
    seed
        Seeds the pools, the resamples and the draws of P(best).
    resamples
        Bootstrap resamples of the pools.
    workers
        Processes.
    watch
        Told how far it has come.

    Raises
    ------
    InputError
        As ``comparison.compare``, and if there are fewer runs than a pool needs or fewer than two
        pools.
    UnknownNameError
        If a reference is not among the methods.
    """
    references = checked_references(methods, references)
    check_pool(records)
    horizon = checked_horizon(records, horizon)
    check_lengths(epochs, horizon)
    check_seed(seed)
    check_intervals(resamples, level)
    records = [record.held(horizon) for record in records]
    truth = known_truth(records, horizon)
    excluded = unscorable(records, max(epochs), horizon)
    usable = tuple(one for one in records if one.spec.model not in excluded)
    _check_pools(pools, size, len(usable))

    rng = np.random.default_rng(seed)
    drawn = [rng.choice(len(usable), size, replace=False) for _ in range(pools)]
    design = _design(usable, drawn, bootstrap_counts(pools, resamples, rng), level)
    question = Question(usable, methods, truth, horizon, leave_one_out, seed)
    apart, scored = scored_pools(question, drawn, epochs, workers=workers, watch=watch)
    rows: list[PoolsRow] = []
    differences: list[Difference] = []
    for length, here in scored.items():
        found = {label: [one.scores.get(label) for one in here] for label in methods}
        rows += [
            _row(
                label,
                length,
                scores=found[label],
                pools=here,
                apart=apart.get((label, length)),
                design=design,
            )
            for label in methods
        ]
        differences += [
            Difference(label, reference, length, agreement)
            for reference in references
            for label in methods
            if label != reference
            and (agreement := _difference(found[label], found[reference], design)) is not None
        ]
    return PoolsComparison(
        rows=tuple(rows),
        differences=tuple(differences),
        dataset=records[0].spec.dataset,
        horizon=horizon,
        pools=pools,
        size=size,
        runs=len(usable),
        models=len({model_of(one) for one in usable}),
        excluded=excluded,
        seed=seed,
        resamples=resamples,
        level=level,
    )


def _check_pools(pools: int, size: int, usable: int) -> None:
    if pools < 2:
        raise InputError(f"pools is {pools}; give 2 or more, such as 1000")
    if size < 2:
        raise InputError(f"pool size is {size}; give 2 or more, such as 17")
    if size > usable:
        raise InputError(
            f"pool size is {size}, and {usable} runs can be scored; give smaller pools, or score "
            "all runs at once without pools"
        )


def _row(
    label: str,
    length: int,
    *,
    scores: Sequence[PoolScore | None],
    pools: Sequence[ScoredPool],
    apart: Answer | None,
    design: PoolDesign,
) -> PoolsRow:
    scored = _among(scores)
    size, runs = int(design.members[0].sum()), int(design.sizes.sum())
    n = [one.n for one in scores if one is not None]
    left_out = {
        model
        for refusals in (pool.refused.get(label, {}) for pool in pools)
        if len(refusals) < size
        for model in refusals
    }
    refused = {
        model: why for pool in reversed(pools) for model, why in pool.refused.get(label, {}).items()
    }
    agreement, reason = None, None
    if scored.any():
        agreement = _agreement(pool_values(scores, scored), design)
    else:
        reason = in_short(refused.values()) or "no pool has two models to score"
    said = [pool.notes[label] for pool in pools if label in pool.notes]
    notes = apart.estimates.notes if apart else _shared(said)
    return PoolsRow(
        label,
        length,
        agreement,
        reason,
        int(scored.sum()),
        max(n, default=0),
        refused if agreement is not None else {},
        notes,
        apart.seconds * size / runs
        if apart
        else float(np.mean([pool.seconds[label] for pool in pools])),
        float(np.mean(n or [0])),
        len(left_out),
    )


def _shared(notes: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the notes that every pool has."""
    return tuple(note for note in notes[0] if all(note in others for others in notes))


def _among(scores: Sequence[PoolScore | None]) -> NDArray[np.bool_]:
    return np.array([one is not None for one in scores])


def _difference(
    first: Sequence[PoolScore | None], second: Sequence[PoolScore | None], design: PoolDesign
) -> Agreement | None:
    """Return first less second, pool by pool, over the pools that score both; None if none does."""
    both = _among(first) & _among(second)
    if not both.any():
        return None
    one, other = pool_values(first, both, second), pool_values(second, both, first)
    return _agreement({name: one[name] - other[name] for name in one}, design)


def _agreement(values: Mapping[str, NDArray[np.float64]], design: PoolDesign) -> Agreement:
    return Agreement(**{name: design.interval(of_pools) for name, of_pools in values.items()})


def _design(
    runs: Sequence[RunRecord],
    drawn: Sequence[NDArray[np.int64]],
    counts: NDArray[np.int64],
    level: float,
) -> PoolDesign:
    names, group = np.unique([model_of(one) for one in runs], return_inverse=True)
    members = np.array([np.bincount(group[pool], minlength=len(names)) for pool in drawn])
    return PoolDesign(members, np.bincount(group), counts, level)
