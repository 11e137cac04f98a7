"""Ranking methods against the known outcome of finished runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np

from ncselect.answers import Answer, answer, predicted, scored_on
from ncselect.arguments import check_whole
from ncselect.methods import Method
from ncselect.numerics.agreement import Agreements
from ncselect.numerics.agreement import compare as agreements
from ncselect.scoreboard import RECOMMENDED, Comparison, Difference, Row, in_short
from ncselect.types import Estimates, RunRecord
from zoo.errors import InputError, UnknownNameError

__all__ = ["Comparison", "Difference", "Row", "compare"]


def compare(
    records: Sequence[RunRecord],
    *,
    methods: Mapping[str, Method],
    epochs: Sequence[int],
    horizon: int | None = None,
    references: Sequence[str] = ("best-value",),
    leave_one_out: bool = False,
    seed: int = 0,
    resamples: int = 2000,
    level: float = 0.95,
) -> Comparison:
    """Score methods that saw epochs 1 … E against the test accuracy at the horizon.

    All methods are scored on the same models: those with a truth that every method which
    estimates anything has estimated. A method that refuses every model is a row with the reason.
    A method never sees the truth, later epochs, nor in its history a curve of a model it is
    scored on, see ``answers.answer``.

    Parameters
    ----------
    records
        One run per candidate, on one dataset, with truth.
    methods
        Label → method.
    epochs
        Observation lengths E; 0 is before any training.
    horizon
        Epoch whose test accuracy is to be predicted; the last that any run has if None.
    references
        Labels of the methods that every other is compared with; ``RECOMMENDED`` is one, too,
        wherever it is among the methods.
    leave_one_out
        Tell methods that learn from a history, for each candidate apart, the whole curves of the
        others.
    seed
        Seeds the resamples, together with E; all methods share them.
    resamples
        Bootstrap resamples.
    level
        Coverage that the intervals aim at.

    Raises
    ------
    InputError
        If there are no records or no truth, candidates repeat, datasets or their splits mix, no
        method is given, or an observation length is not between 0 and the horizon.
    UnknownNameError
        If a reference is not among the methods.
    """
    references = checked_references(methods, references)
    check_pool(records)
    horizon = checked_horizon(records, horizon)
    check_lengths(epochs, horizon)
    check_seed(seed)
    records = [record.held(horizon) for record in records]
    truth = known_truth(records, horizon)
    rows: list[Row] = []
    differences: list[Difference] = []
    excluded: dict[int, Mapping[str, str]] = {}
    for length in epochs:
        why_not = unscorable(records, length, horizon)
        long_enough = [one for one in records if not _is_short(one, length)]
        answers = {
            label: answer(
                one, long_enough, epochs=length, horizon=horizon, leave_one_out=leave_one_out
            )
            for label, one in methods.items()
        }
        estimates = {label: one.estimates for label, one in answers.items()}
        models, refused = scored_on(long_enough, estimates, truth)
        excluded[length] = why_not | refused
        found = _agreements(
            models,
            truth,
            estimates,
            references=references,
            rng=np.random.default_rng([seed, length]),
            resamples=resamples,
            level=level,
        )
        rows += [_row(label, length, one, models, found) for label, one in answers.items()]
        differences += [
            Difference(label, other, length, agreement)
            for (label, other), agreement in found.differences.items()
        ]
    return Comparison(
        rows=tuple(rows),
        differences=tuple(differences),
        dataset=records[0].spec.dataset,
        horizon=horizon,
        truth=truth,
        excluded=excluded,
        seed=seed,
        resamples=resamples,
        level=level,
    )


def checked_references(methods: Mapping[str, Method], references: Sequence[str]) -> tuple[str, ...]:
    """Return the references and, where it is among the methods, the recommended one.

    Raises
    ------
    InputError
        If there are no methods.
    UnknownNameError
        If a reference is not among the methods.
    """
    if not methods:
        raise InputError("methods is empty; give one or more, such as capacitance")
    for reference in references:
        if reference not in methods:
            raise UnknownNameError(
                "reference", reference, methods, "Or add it to the methods to be compared."
            )
    recommended = [label for label, one in methods.items() if one.name == RECOMMENDED]
    return tuple(dict.fromkeys([*references, *recommended]))


def check_pool(records: Sequence[RunRecord]) -> None:
    """Raise an InputError unless the runs are one per candidate, on one prepared dataset."""
    if not records:
        raise InputError("records is empty; give finished runs with test accuracies")
    datasets = sorted({record.spec.dataset for record in records})
    if len(datasets) > 1:
        raise InputError(f"records mix the datasets {', '.join(datasets)}; compare one at a time")
    if len({json.dumps(dict(record.spec.data), sort_keys=True) for record in records}) > 1:
        raise InputError(
            f"records on {datasets[0]} have different images or splits; compare the runs of one "
            "preparation of the dataset at a time"
        )
    names = [record.spec.model for record in records]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"records hold {', '.join(twice)} more than once; compare one seed and one setting "
            "at a time"
        )


def checked_horizon(records: Sequence[RunRecord], horizon: int | None) -> int:
    """Return the horizon; if None, the last epoch that any run has a test accuracy for.

    Raises
    ------
    InputError
        If it is no whole number of 1 or more, or no run has a test accuracy.
    """
    if horizon is not None:
        check_whole(horizon=horizon)
        return horizon
    last = max((epoch for record in records for epoch in record.truth), default=0)
    if last < 1:
        raise InputError("records hold no test accuracy to compare with; run them with truth")
    return last


def check_seed(seed: int) -> None:
    """Raise an InputError unless random numbers can be made from the seed."""
    if seed < 0:
        raise InputError(f"seed is {seed}; give a whole number of 0 or more")


def check_lengths(epochs: Sequence[int], horizon: int) -> None:
    """Raise an InputError unless the observation lengths differ and end by the horizon."""
    for length in epochs:
        if not 0 <= length <= horizon:
            raise InputError(
                f"epochs holds {length}; observation lengths lie between 0 and the horizon, "
                f"{horizon}"
            )
    if len(set(epochs)) != len(epochs) or not epochs:
        raise InputError(f"epochs is {list(epochs)}; give one or more different lengths")


def known_truth(records: Sequence[RunRecord], horizon: int) -> dict[str, float]:
    """Return model → test accuracy at the horizon of the runs that came so far; raise if none."""
    truth = {
        record.spec.model: float(record.truth[horizon])
        for record in records
        if record.status != "failed" and horizon in record.truth
    }
    if not truth:
        raise InputError(f"no run has a test accuracy at epoch {horizon}; run them that far")
    return truth


def unscorable(records: Sequence[RunRecord], length: int, horizon: int) -> dict[str, str]:
    """Return model → why no method can be scored on its run after so many epochs."""
    why_not = {}
    for record in records:
        if record.status == "failed":
            why_not[record.spec.model] = (
                f"the run failed: {record.error or 'no cause was recorded'}"
            )
        elif _is_short(record, length):
            why_not[record.spec.model] = (
                f"only {record.epochs} of {length} epochs were run; continue its run"
            )
        elif horizon not in record.truth:
            why_not[record.spec.model] = f"no test accuracy at epoch {horizon}; continue its run"
    return why_not


def _is_short(record: RunRecord, length: int) -> bool:
    return record.status != "failed" and record.epochs < length


def _agreements(
    models: Sequence[str],
    truth: Mapping[str, float],
    answers: Mapping[str, Estimates],
    *,
    references: Sequence[str],
    rng: np.random.Generator,
    resamples: int,
    level: float,
) -> Agreements:
    """Return the agreement of every method that estimated anything; of none below two models."""
    if len(models) < 2:
        return Agreements({}, {})
    said = {label: predicted(one, models) for label, one in answers.items() if one.estimates}
    return agreements(
        np.array([truth[model] for model in models]),
        said,
        rng=rng,
        references=tuple(one for one in references if one in said),
        resamples=resamples,
        level=level,
    )


def _row(
    label: str, length: int, answered: Answer, models: tuple[str, ...], found: Agreements
) -> Row:
    agreement, said = found.of.get(label), answered.estimates
    reason = None
    if not said.estimates:
        reason = in_short(said.refused.values()) or "there was no run to estimate"
    elif agreement is None:
        reason = f"{len(models)} models are left to be scored on; agreement needs two or more"
    return Row(
        label,
        length,
        agreement,
        reason,
        models if agreement is not None else (),
        {estimate.model: estimate.mean for estimate in said.estimates},
        {estimate.model: estimate.sd for estimate in said.estimates},
        {estimate.model: estimate.score for estimate in said.estimates},
        dict(said.refused),
        said.notes,
        answered.seconds,
    )
