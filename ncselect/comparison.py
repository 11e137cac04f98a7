"""Ranking methods against the known outcome of finished runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np

from ncselect.methods import Method
from ncselect.numerics.agreement import Agreements
from ncselect.numerics.agreement import compare as agreements
from ncselect.scoreboard import Comparison, Difference, Row
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
    seed: int = 0,
    resamples: int = 2000,
    level: float = 0.95,
) -> Comparison:
    """Score methods that saw epochs 1 … E against the test accuracy at the horizon.

    All methods are scored on the same models: those with a truth that every method which
    estimates anything has estimated. A method that refuses every model is a row with the reason.

    Parameters
    ----------
    records
        One run per candidate, on one dataset, with truth.
    methods
        Label → method.
    epochs
        Observation lengths E.
    horizon
        Epoch whose test accuracy is to be predicted; the last that any run has if None.
    references
        Labels of the methods that every other is compared with.
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
        method is given, or an observation length is not between 1 and the horizon.
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
    _check_pool(records)
    horizon = _horizon(records) if horizon is None else horizon
    _check_lengths(epochs, horizon)
    truth = {
        record.spec.model: float(record.truth[horizon])
        for record in records
        if record.status != "failed" and horizon in record.truth
    }
    if not truth:
        raise InputError(f"no run has a test accuracy at epoch {horizon}; run them that far")

    failures = {
        record.spec.model: f"the run failed: {record.error or 'no cause was recorded'}"
        for record in records
        if record.status == "failed"
    }
    rows: list[Row] = []
    differences: list[Difference] = []
    excluded: dict[int, Mapping[str, str]] = {}
    for length in epochs:
        long_enough, short = _observed(records, length)
        answers = {label: one.estimate(long_enough) for label, one in methods.items()}
        models, why_not = _scored_on(long_enough, answers, truth, failures, horizon)
        excluded[length] = {**why_not, **short}
        found = _agreements(
            models,
            truth,
            answers,
            references=references,
            rng=np.random.default_rng([seed, length]),
            resamples=resamples,
            level=level,
        )
        rows += [_row(label, length, answer, models, found) for label, answer in answers.items()]
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


def _check_pool(records: Sequence[RunRecord]) -> None:
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


def _horizon(records: Sequence[RunRecord]) -> int:
    horizon = max((epoch for record in records for epoch in record.truth), default=0)
    if horizon < 1:
        raise InputError("records hold no test accuracy to compare with; run them with truth")
    return horizon


def _check_lengths(epochs: Sequence[int], horizon: int) -> None:
    for length in epochs:
        if not 1 <= length <= horizon:
            raise InputError(
                f"epochs holds {length}; observation lengths lie between 1 and the horizon, "
                f"{horizon}"
            )
    if len(set(epochs)) != len(epochs) or not epochs:
        raise InputError(f"epochs is {list(epochs)}; give one or more different lengths")


def _observed(records: Sequence[RunRecord], length: int) -> tuple[list[RunRecord], dict[str, str]]:
    """Return the runs as the methods may see them, and the ones that are too short."""
    short = {
        record.spec.model: f"only {record.epochs} of {length} epochs were run; continue its run"
        for record in records
        if record.status != "failed" and record.epochs < length
    }
    return [one.observed(length) for one in records if one.spec.model not in short], short


def _scored_on(
    records: Sequence[RunRecord],
    answers: Mapping[str, Estimates],
    truth: Mapping[str, float],
    failures: Mapping[str, str],
    horizon: int,
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the models all answering methods estimated and know the truth of; and the others."""
    refused_by = {label: answer.refused for label, answer in answers.items() if answer.estimates}
    models, why_not = [], {}
    for record in records:
        model = record.spec.model
        reasons = [
            f"{label}: {refused[model]}"
            for label, refused in refused_by.items()
            if model in refused
        ]
        if model in failures:
            why_not[model] = failures[model]
        elif model not in truth:
            why_not[model] = f"no test accuracy at epoch {horizon}; continue its run"
        elif reasons:
            why_not[model] = "; ".join(reasons)
        else:
            models.append(model)
    return tuple(models), why_not


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
    scores = {
        label: {one.model: one.score for one in answer.estimates}
        for label, answer in answers.items()
        if answer.estimates
    }
    return agreements(
        np.array([truth[model] for model in models]),
        {label: np.array([score[model] for model in models]) for label, score in scores.items()},
        rng=rng,
        references=tuple(one for one in references if one in scores),
        resamples=resamples,
        level=level,
    )


def _row(
    label: str, length: int, answer: Estimates, models: tuple[str, ...], found: Agreements
) -> Row:
    agreement = found.of.get(label)
    reason = None
    if not answer.estimates:
        reason = "; ".join(dict.fromkeys(answer.refused.values())) or "there was no run to estimate"
    elif agreement is None:
        reason = f"{len(models)} models are left to be scored on; agreement needs two or more"
    return Row(
        label,
        length,
        agreement,
        reason,
        models if agreement is not None else (),
        {estimate.model: estimate.mean for estimate in answer.estimates},
        {estimate.model: estimate.score for estimate in answer.estimates},
        dict(answer.refused),
        answer.notes,
    )
