"""A fitted predictor of final accuracies, and what it was taught."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata

import numpy as np
from numpy.typing import NDArray

from ncselect.graphs.prediction.classes import Threshold, labels, sample_size
from ncselect.graphs.prediction.inputs import Inputs, Window
from ncselect.graphs.prediction.learners import (
    CLASSIFIERS,
    Pipeline,
    classifier,
    fitted,
    linear_regression,
)
from ncselect.graphs.prediction.trajectories import Trajectories, architecture_of, run_name, told
from ncselect.types import RunRecord
from zoo.errors import InputError, UnknownNameError

REGRESSION = "linear-regression"
LEARNERS = (REGRESSION, *CLASSIFIERS)
_WITNESSES = 5


@dataclass(frozen=True)
class Prediction:
    """What a predictor says of a run.

    Attributes
    ----------
    run
        Its name.
    accuracy
        Predicted final accuracy, not clipped to [0, 1]; None from a classifier.
    high
        Whether the final accuracy is predicted to exceed the predictor's threshold.
    probability
        How probable a classifier finds that; None where it gives none.
    """

    run: str
    accuracy: float | None
    high: bool
    probability: float | None


@dataclass(frozen=True)
class Predictions:
    """What a predictor says of some runs.

    Attributes
    ----------
    predictions
        In the order of the runs.
    refused
        Run → why it says nothing of it.
    notes
        What holds for all: runs it has learnt from, other architectures, initial weights.
    """

    predictions: tuple[Prediction, ...]
    refused: Mapping[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Lesson:
    """What a predictor was taught.

    Attributes
    ----------
    learner
        ``linear-regression`` or a classifier.
    inputs, window
        What it must be told of a run.
    threshold
        Final accuracy above which a network is high.
    runs
        The networks that it has learnt from, by name.
    high
        How many of them are high.
    architectures, datasets, seeds
        Of these networks, sorted.
    judged_by
        What their final accuracies were → of how many.
    versions
        Library → version it was fitted with.
    """

    learner: str
    inputs: Inputs
    window: Window
    threshold: float
    runs: tuple[str, ...]
    high: int
    architectures: tuple[str, ...]
    datasets: tuple[str, ...]
    seeds: tuple[int, ...]
    judged_by: Mapping[str, int]
    versions: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Predictor:
    """A fitted predictor.

    Attributes
    ----------
    lesson
        What it was taught.
    pipeline
        Fitted, of scikit-learn.
    witnesses
        What it was told of a few networks, shape (w, k): by its answers to them a file is checked.
    """

    lesson: Lesson
    pipeline: Pipeline
    witnesses: NDArray[np.float64]

    def predict(self, records: Sequence[RunRecord]) -> Predictions:
        """Predict from what was observed of runs in the window; no later epoch is looked at.

        Parameters
        ----------
        records
            Runs, finished or not.

        Returns
        -------
        Predictions
            Refused are runs on another dataset than was learnt from, and those that have not
            shown the inputs in the window.
        """
        rows: list[NDArray[np.float64]] = []
        kept: list[RunRecord] = []
        refused: dict[str, str] = {}
        for record in records:
            try:
                rows.append(self._told(record))
                kept.append(record)
            except InputError as unusable:
                refused[run_name(record)] = str(unusable)
        answers = self.answers(np.array(rows)) if rows else np.zeros(0)
        is_accuracy = self.lesson.learner == REGRESSION
        is_probability = hasattr(self.pipeline, "predict_proba")
        return Predictions(
            tuple(
                Prediction(
                    run_name(record),
                    float(answer) if is_accuracy else None,
                    bool(answer > (self.lesson.threshold if is_accuracy else 0)),
                    float(answer) + 0.5 if is_probability else None,
                )
                for record, answer in zip(kept, answers, strict=True)
            ),
            refused,
            self._notes(kept),
        )

    def answers(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return accuracies from a regression; from a classifier what is above 0 if it says high.

        Parameters
        ----------
        table
            What is told of each network, shape (n, k).
        """
        made = self.pipeline
        if self.lesson.learner == REGRESSION:
            return np.asarray(made.predict(table), dtype=float)
        if hasattr(made, "decision_function"):
            return np.asarray(made.decision_function(table), dtype=float)
        return np.asarray(made.predict_proba(table)[:, 1] - 0.5, dtype=float)

    def _told(self, record: RunRecord) -> NDArray[np.float64]:
        lesson = self.lesson
        if record.spec.dataset not in lesson.datasets:
            raise InputError(
                f"it is on {record.spec.dataset} and the predictor has learnt from "
                f"{', '.join(lesson.datasets)}: accuracies there say nothing of those here; use a "
                "predictor of this dataset"
            )
        seen = record if record.status == "complete" else record.observed(lesson.window.last)
        return told(seen, lesson.inputs, lesson.window)

    def _notes(self, records: Sequence[RunRecord]) -> tuple[str, ...]:
        known, seeds = self.lesson.architectures, self.lesson.seeds
        strange = sorted({architecture_of(record) for record in records} - set(known))
        begun = sorted({record.spec.seed for record in records} - set(seeds))
        again = sum(run_name(record) in self.lesson.runs for record in records)
        notes = []
        if again:
            notes.append(
                f"{again} of the runs were learnt from: what is said of them is no prediction"
            )
        if strange:
            notes.append(
                f"not learnt from: {', '.join(strange)}; the predictor knows {', '.join(known)}"
            )
        if begun and len(seeds) == 1:
            notes.append(
                f"learnt from networks that all began with the weights of seed {seeds[0]}; do not "
                f"trust it where they begin otherwise, as with seed {begun[0]}"
            )
        return tuple(notes)


def taught(
    data: Trajectories, inputs: str, learner: str, *, threshold: Threshold, seed: int = 0
) -> Predictor:
    """Fit a predictor to all networks.

    Parameters
    ----------
    data
        The networks.
    inputs
        Name of the inputs.
    learner
        ``linear-regression`` or a key of ``learners.CLASSIFIERS``.
    threshold
        As for ``classification.classification``.
    seed
        Of the learner.

    Raises
    ------
    UnknownNameError
        If there are no such inputs or learner.
    InputError
        If there are no two networks, or for a classifier none of a class.
    """
    by_name = {one.name: one for one in data.inputs}
    if inputs not in by_name:
        raise UnknownNameError("inputs", inputs, by_name)
    if learner not in LEARNERS:
        raise UnknownNameError("learner", learner, LEARNERS)
    level, high = labels(data, threshold)
    if learner == REGRESSION:
        if len(high) < 2:
            raise InputError("one network was gathered; a regression learns from 2 or more")
        pipeline, _ = fitted(linear_regression(), data.tables[inputs], data.accuracy)
    else:
        sample_size(high, None, least=1, level=level)
        pipeline, _ = fitted(classifier(learner, seed), data.tables[inputs], high)
    lesson = Lesson(
        learner,
        by_name[inputs],
        data.window,
        level,
        data.runs,
        int(high.sum()),
        tuple(sorted(set(data.architectures))),
        tuple(sorted(set(data.datasets))),
        tuple(sorted(set(data.seeds))),
        dict(data.judged_by),
        {name: metadata.version(name) for name in ("numpy", "scikit-learn")},
    )
    return Predictor(lesson, pipeline, data.tables[inputs][:_WITNESSES])
