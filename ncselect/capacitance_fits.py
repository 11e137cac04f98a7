"""Trajectories of β_eff and the ridge line through them, of the candidates of a ranking."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ncselect.methods import parsed_method
from ncselect.methods.capacitance import Capacitance
from ncselect.methods.pool import ACCURACY
from ncselect.plots import Fit
from ncselect.types import RunRecord
from zoo.errors import InputError

if TYPE_CHECKING:
    from ncselect.ranking import Ranking


def asked_capacitance(methods: str | Iterable[str] | None) -> Capacitance:
    """Return how β_eff is to be read: as the first ``capacitance`` among the methods asked.

    Parameters
    ----------
    methods
        Their texts, ``NAME`` or ``NAME:OPTION=VALUE,…``; the default where none is of that name.
    """
    for text in [methods] if isinstance(methods, str) else methods or ():
        name = text.partition(":")[0]
        if name == Capacitance.name:
            asked = parsed_method(text)
            if isinstance(asked, Capacitance):
                return asked
    return Capacitance()


def capacitance_fits(ranking: Ranking, method: Capacitance) -> list[Fit]:
    """Return the trajectories and the ridge line of every candidate that has them, best first.

    The line is fitted in what had been observed when the ranking was made; trajectories end at the
    horizon, however far a run has come.
    """
    found = []
    for row in ranking:
        record = ranking.records.get(row.model)
        if record is None or min(row.epochs, record.epochs) < method.least_epochs:
            continue
        recorded = set(record.observations[-1].signals)
        if not method.signals <= recorded:
            continue
        try:
            found.append(_fit(record, row.epochs, ranking.horizon, method))
        except InputError:  # β_eff of a diverged run is not finite: it has no line
            continue
    return found


def _fit(record: RunRecord, epochs: int, horizon: int, method: Capacitance) -> Fit:
    window, line = method.fitted(record.observed(epochs))
    known = "training-error" in record.observations[-1].signals
    train = 1 - record.curve("training-error") if known else np.full(record.epochs, np.nan)
    shown = slice(horizon or None)
    return Fit(
        model=record.spec.model,
        train=tuple(train[shown].tolist()),
        validation=tuple(record.curve(ACCURACY)[shown].tolist()),
        beta=tuple(method.inputs(record)[shown].tolist()),
        start=window.start + 1,
        length=window.length,
        bic=window.bic,
        slope=line.slope,
        predicted=line.mean,
        sd=line.sd,
        test=record.truth.get(horizon, math.nan),
    )
