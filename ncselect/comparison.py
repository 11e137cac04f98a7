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

__all__ = ["Comparison", "Difference", "Row", "compare", "one_pool"]


def one_pool(
    records: Sequence[RunRecord], *, dataset: str | None = None, seed: int | None = None
) -> list[RunRecord]:
    """Return the runs of one dataset and one seed.

    Parameters
    ----------
    records
        Runs of any kind.
    dataset
        Its name; None if all runs are on the same.
    seed
        The seed; None if all runs have the same.

    Raises
    ------
    InputError
        If the runs mix datasets or seeds and none is chosen, or none is left.
    UnknownNameError
        If no run is on the dataset.
    """
    if not records:
        raise InputError("records is empty: the store holds no runs; run 'ncselect rank' first")
    datasets = sorted({record.spec.dataset for record in records})
    if dataset is not None and dataset not in datasets:
        raise UnknownNameError("dataset", dataset, datasets)
    if dataset is None and len(datasets) > 1:
        raise InputError(f"the runs are on the datasets {', '.join(datasets)}; choose a dataset")
    on_it = [one for one in records if dataset in (None, one.spec.dataset)]
    seeds = sorted({record.spec.seed for record in on_it})
    listed = ", ".join(map(str, seeds))
    if seed is not None and seed not in seeds:
        raise InputError(f"seed is {seed}; the runs have the seeds {listed}")
    if seed is None and len(seeds) > 1:
        raise InputError(f"the runs have the seeds {listed}; choose a seed")
    return [one for one in on_it if seed in (None, one.spec.seed)]


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

    rows: list[Row] = []
    differences: list[Difference] = []
    excluded: dict[int, Mapping[str, str]] = {}
    for length in epochs:
        long_enough, short = _observed(records, length)
        answers = {label: one.estimate(long_enough) for label, one in methods.items()}
        models, why_not = _scored_on(long_enough, answers, truth, horizon)
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
        if record.status == "failed":
            why_not[model] = f"the run failed: {record.error or 'no cause was recorded'}"
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
    predictions = {
        label: _predictions(answer) for label, answer in answers.items() if answer.estimates
    }
    return agreements(
        np.array([truth[model] for model in models]),
        {
            label: np.array([predicted[model] for model in models])
            for label, predicted in predictions.items()
        },
        rng=rng,
        references=tuple(one for one in references if one in predictions),
        resamples=resamples,
        level=level,
    )


def _predictions(answer: Estimates) -> dict[str, float]:
    return {estimate.model: estimate.mean for estimate in answer.estimates}


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
        _predictions(answer),
        dict(answer.refused),
        answer.notes,
    )
