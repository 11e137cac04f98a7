"""Finished trainings to learn from, without those a method must not see when it is judged."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Sequence
from pathlib import Path

from ncselect.curves import is_curves_file, read_curves
from ncselect.store import RunStore
from ncselect.types import Curve, RunRecord
from zoo.errors import UnknownNameError

_ACCURACY = "validation-accuracy"


class Origin(enum.StrEnum):
    """Which datasets a history may come from, seen from the dataset that is judged."""

    anywhere = "anywhere"
    other_datasets = "other-datasets"
    same_dataset = "same-dataset"

    @classmethod
    def named(cls, name: str) -> Origin:
        """Return the member of that name.

        Raises
        ------
        UnknownNameError
            If there is none.
        """
        if name not in list(cls):
            raise UnknownNameError("origin of the history", name, list(cls))
        return cls(name)

    def of(self, history: Iterable[Curve], dataset: str) -> tuple[Curve, ...]:
        """Return the curves of a history that come from there.

        Parameters
        ----------
        history
            Finished trainings.
        dataset
            The dataset that is judged.
        """
        return tuple(
            one
            for one in history
            if self is Origin.anywhere or (one.dataset == dataset) == (self is Origin.same_dataset)
        )


def model_of(record: RunRecord) -> str:
    """Return which model a run is of: runs of one are told apart by more than their names.

    It is the candidate's ``architecture`` where it says one (several runs of a file of curves
    share it), else the candidate's name.
    """
    return str(record.spec.candidate.get("architecture", record.spec.model))


def curve_of(record: RunRecord) -> Curve:
    """Return a run's learning curve, as a history holds it.

    Parameters
    ----------
    record
        A run with validation accuracies.

    Returns
    -------
    Curve
        Its model is :func:`model_of` the run; its facts are the numbers known before training:
        settings (of a file of curves, its hyperparameters instead) and what is known of the
        candidate, such as ``parameters``.
    """
    candidate = record.spec.candidate
    own = candidate.get("facts")
    settings = dataclasses.asdict(record.spec.settings) if own is None else {}
    facts = {
        name: float(value)
        for name, value in {**settings, **record.facts, **(own or {})}.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return Curve(record.spec.dataset, model_of(record), record.curve(_ACCURACY), facts)


def read_history(path: str | Path) -> tuple[Curve, ...]:
    """Return the finished trainings of a store, or of a file of plain curves.

    Parameters
    ----------
    path
        A store's folder, or a file as ``curves.read_curves`` takes it.

    Raises
    ------
    InputError
        If it is neither, or cannot be read.
    """
    records: Sequence[RunRecord] = (
        read_curves(path) if is_curves_file(path) else RunStore(path, create=False).records()
    )
    return tuple(curve_of(one) for one in records if one.status == "complete" and one.epochs)


def unseen(history: Iterable[Curve], judged: Sequence[RunRecord]) -> tuple[Curve, ...]:
    """Return what of a history a method may learn from when it is judged on some runs.

    Left out are all curves of the same models, on every dataset, and curves that are those of the
    judged runs under another name.

    Parameters
    ----------
    history
        Finished trainings.
    judged
        The runs that the method is judged on, as far as they have come.
    """
    models = {model_of(one) for one in judged}
    traces = {_trace(curve_of(one)) for one in judged if one.status != "failed"}
    datasets = {one.spec.dataset for one in judged}
    return tuple(
        one
        for one in history
        if one.model not in models and not (one.dataset in datasets and _trace(one) in traces)
    )


def _trace(curve: Curve) -> tuple[str, bytes]:
    return curve.dataset, curve.accuracy.tobytes()
