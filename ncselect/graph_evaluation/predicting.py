"""A predictor learnt from stored trainings, and what it says of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ncselect.graph_evaluation.chosen import all_runs, chosen_runs
from ncselect.graph_evaluation.question import Question
from ncselect.graphs.prediction.inputs import Window
from ncselect.graphs.prediction.predictor import Predictions, Predictor, taught
from ncselect.graphs.prediction.trajectories import (
    final_accuracy,
    gathered,
    run_name,
)
from zoo.errors import InputError


def learnt(
    stores: Sequence[str | Path],
    question: Question,
    *,
    window: Window,
    learner: str,
    where: Mapping[str, str] | None = None,
) -> Predictor:
    """Fit a predictor to stored trainings.

    Parameters
    ----------
    stores
        Folders of the runs.
    question
        Its one signature, threshold, diverged runs and seed.
    window
        The epochs that are told.
    learner
        ``linear-regression`` or a key of ``prediction.learners.CLASSIFIERS``.
    where
        Dotted name → value, of the runs' specs.

    Raises
    ------
    InputError
        If the stores hold too few networks, or the question has several signatures.
    UnknownNameError
        If there is no such learner, feature, kind or form.
    """
    inputs = question.signatures(*question.forms)
    if len(inputs) != 1:
        raise InputError(
            f"{len(inputs)} kinds of signatures came; a predictor is told one: give one feature, "
            "kind and form"
        )
    runs = chosen_runs(stores, where)
    data = gathered(runs.records, inputs, window, diverged=question.diverged)
    return taught(data, inputs[0].name, learner, threshold=question.level(data), seed=question.seed)


def prediction_rows(
    stores: Sequence[str | Path], predictor: Predictor, *, where: Mapping[str, str] | None = None
) -> tuple[list[dict[str, Any]], Predictions]:
    """Predict stored runs, finished or not.

    Parameters
    ----------
    stores
        Folders of the runs.
    predictor
        As ``read_predictor`` returns it.
    where
        Dotted name → value, of the runs' specs.

    Returns
    -------
    tuple of list and Predictions
        A row per run that could be predicted: ``model`` and ``key``; ``predicted`` accuracy,
        ``class`` high or low, its ``probability``, None where there is none; the ``accuracy`` that
        it came to and its ``true class``, None for runs that have not finished; whether it was
        ``learnt`` from, so that this is no prediction. And what was refused, and why.

    Raises
    ------
    InputError
        If a folder is no store.
    """
    records = {run_name(record): record for record in all_runs(stores, where)}
    said = predictor.predict(list(records.values()))
    level = predictor.lesson.threshold
    rows = []
    for one in said.predictions:
        record = records[one.run]
        final = final_accuracy(record)[0] if record.status == "complete" else None
        rows.append(
            {
                "model": record.spec.model,
                "key": record.spec.key,
                "predicted": one.accuracy,
                "class": _class(high=one.high),
                "probability": one.probability,
                "accuracy": final,
                "true class": None if final is None else _class(high=final > level),
                "learnt": one.run in predictor.lesson.runs,
            }
        )
    return rows, said


def _class(*, high: bool) -> str:
    return "high" if high else "low"
