"""What methods answer when they are judged: told the horizon, and nothing they must not know."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np

from ncselect.experience import elsewhere
from ncselect.history import curve_of, on_datasets, unseen, without_candidates
from ncselect.methods import Method
from ncselect.numerics.predicted import Predicted
from ncselect.types import Curve, Estimate, Estimates, RunRecord


@dataclass(frozen=True)
class Answer:
    """A method's estimates and what they cost.

    Attributes
    ----------
    estimates
        Of the pool.
    seconds
        Wall-clock seconds that estimating took.
    """

    estimates: Estimates
    seconds: float

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Model → its place among the estimates, and column among the draws."""
        return {one.model: place for place, one in enumerate(self.estimates.estimates)}


def answer(
    method: Method,
    records: Sequence[RunRecord],
    *,
    epochs: int,
    horizon: int,
    leave_one_out: bool = False,
) -> Answer:
    """Ask a method for its estimates of a pool after some epochs.

    Methods that take a horizon are told it. Those that learn from a history are told what they
    were made with, less all curves of the judged runs and of the same models (on every dataset);
    those that use experience, less what is on the pool's dataset.

    Parameters
    ----------
    method
        The method.
    records
        The pool, each run at least so long unless it failed, on one dataset.
    epochs
        Epochs 1 … E that it may see of each run.
    horizon
        Epoch whose accuracy is to be predicted.
    leave_one_out
        Tell methods that learn from a history, for each candidate apart, the whole curves of the
        pool's other models besides.
    """
    seen = [one.observed(epochs) for one in records]
    told = _told(method, records, horizon)
    started = time.perf_counter()
    if leave_one_out and learns(method):
        estimates = _left_out(told, seen, _finished(records, horizon))
    else:
        estimates = told.estimate(seen)
    return Answer(estimates, time.perf_counter() - started)


def learns(method: Method) -> bool:
    """Tell whether a method can be told a history."""
    return "history" in _fields(method)


def knows_of(method: Method, dataset: str) -> bool:
    """Tell whether a method was made with a history that holds curves on a dataset."""
    return bool(on_datasets(_fields(method).get("history", ()), [dataset]))


def not_told_of(method: Method, candidates: Sequence[RunRecord]) -> Method:
    """Return a method whose history lacks what the candidates' own trainings came to later.

    See ``history.without_candidates``; a method without a history is returned as it is.
    """
    history = _fields(method).get("history")
    return _replaced(method, history=without_candidates(history, candidates)) if history else method


def scored_on(
    records: Sequence[RunRecord], answers: Mapping[str, Estimates], truth: Mapping[str, float]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the models that all answering methods estimated, and why not the others.

    Parameters
    ----------
    records
        The pool.
    answers
        Label → what the method answered; one that estimates nobody costs the others nothing.
    truth
        Model → true final accuracy; models without one are in neither answer.
    """
    refused_by = {label: one.refused for label, one in answers.items() if one.estimates}
    models, why_not = [], {}
    for record in records:
        model = record.spec.model
        reasons = [
            f"{label}: {refused[model]}"
            for label, refused in refused_by.items()
            if model in refused
        ]
        if model in truth and reasons:
            why_not[model] = "; ".join(reasons)
        elif model in truth:
            models.append(model)
    return tuple(models), why_not


def predicted(estimates: Estimates, models: Sequence[str]) -> Predicted:
    """Return a method's estimates of some models, in their order, as arrays."""
    place = {one.model: position for position, one in enumerate(estimates.estimates)}
    chosen = [place[model] for model in models]
    each = [estimates.estimates[position] for position in chosen]
    return Predicted(
        score=np.array([one.score for one in each]),
        mean=np.array([one.mean for one in each]),
        sd=np.array([one.sd for one in each]),
        draws=None if estimates.draws is None else np.asarray(estimates.draws)[:, chosen],
    )


def _told(method: Method, records: Sequence[RunRecord], horizon: int) -> Method:
    fields = _fields(method)
    known: dict[str, Any] = {}
    if "horizon" in fields:
        known["horizon"] = horizon
    if fields.get("history"):
        known["history"] = unseen(fields["history"], records)
    if fields.get("experience"):
        here = {one.spec.dataset for one in records}
        known["experience"] = elsewhere(fields["experience"], here)
    return _replaced(method, **known)


def _left_out(method: Method, seen: Sequence[RunRecord], finished: Sequence[Curve]) -> Estimates:
    """Estimate each candidate with the other models' whole curves as history.

    There are no joint draws: no two candidates were estimated knowing the same.
    """
    given = _fields(method)["history"]
    estimates: list[Estimate] = []
    refused: dict[str, str] = {}
    notes: dict[str, None] = {}
    for record in seen:
        told = _replaced(method, history=(*given, *unseen(finished, [record])))
        found = told.estimate(seen if method.pooled else [record])
        name = record.spec.model
        estimates += [one for one in found.estimates if one.model == name]
        refused |= {model: why for model, why in found.refused.items() if model == name}
        notes |= dict.fromkeys(found.notes)
    return Estimates(method.name, tuple(estimates), refused, tuple(notes))


def _finished(records: Sequence[RunRecord], horizon: int) -> list[Curve]:
    return [curve_of(one) for one in records if one.status != "failed" and one.epochs >= horizon]


def _fields(method: Method) -> dict[str, Any]:
    """Return the values of the method's fields by name."""
    return {one.name: getattr(method, one.name) for one in dataclasses.fields(cast(Any, method))}


def _replaced(method: Method, **known: Any) -> Method:
    return cast(Method, dataclasses.replace(cast(Any, method), **known)) if known else method
