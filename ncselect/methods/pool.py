"""One pass over a pool of runs, the same for every method: who is answered, who refused and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ncselect.types import Estimate, Estimates, RunRecord
from zoo.errors import InputError

ACCURACY = "validation-accuracy"


def observed_epochs(records: Sequence[RunRecord]) -> int:
    """Return E, the number of epochs every candidate of the pool must have shown.

    It is that of the longest run that has not failed; 0 for an empty pool.
    """
    return max((record.epochs for record in records if record.status != "failed"), default=0)


def validation_images(record: RunRecord) -> int | None:
    """Return the size of the validation set, ``spec.data["counts"]["validation"]``.

    None if it is not recorded.
    """
    size = record.spec.data.get("counts", {}).get("validation")
    return int(size) if size else None


def usable(
    records: Sequence[RunRecord],
    *,
    signals: Iterable[str],
    least_epochs: int = 1,
    in_step: bool = True,
) -> tuple[list[RunRecord], dict[str, str]]:
    """Sort a pool into runs that a method can use and those that are refused, with the reason.

    Refused are failed runs; runs with fewer epochs than the pool or than the method needs; runs
    that lack a signal or whose signal is not finite at an epoch.

    Parameters
    ----------
    records
        The pool.
    signals
        What the runs must have recorded.
    least_epochs
        Epochs below which the method has nothing to say.
    in_step
        Whether runs with fewer epochs than the pool are refused: not by methods that look at
        no epoch.

    Raises
    ------
    InputError
        If two runs have the same candidate's name.
    """
    twice = [model for model, n in Counter(one.spec.model for one in records).items() if n > 1]
    if twice:
        raise InputError(
            f"records hold {', '.join(twice)} more than once; give one run per candidate, such as "
            "one seed at a time"
        )
    epochs = observed_epochs(records) if in_step else 0
    wanted = sorted(signals)
    good: list[RunRecord] = []
    refused: dict[str, str] = {}
    for record in records:
        reason = _obstacle(record, wanted, pool_epochs=epochs, least_epochs=least_epochs)
        if reason is None:
            good.append(record)
        else:
            refused[record.spec.model] = reason
    return good, refused


def pool_estimates(
    name: str,
    records: Sequence[RunRecord],
    estimate: Callable[[RunRecord], Estimate],
    *,
    signals: Iterable[str],
    least_epochs: int = 1,
    in_step: bool = True,
    notes: tuple[str, ...] = (),
) -> Estimates:
    """Ask for an estimate of every candidate that all conditions allow; refuse the others.

    Refused are the runs that are not :func:`usable`, and those whose numbers the method's
    mathematics rejects with an ``InputError``.

    Parameters
    ----------
    name
        The method's name.
    records
        The pool.
    estimate
        What the method makes of one run; called only where nothing stands against it.
    signals, least_epochs, in_step
        As for :func:`usable`.
    notes
        Passed on.

    Raises
    ------
    InputError
        If two runs have the same candidate's name.
    """
    good, refused = usable(records, signals=signals, least_epochs=least_epochs, in_step=in_step)
    answered: list[Estimate] = []
    for record in good:
        try:
            answered.append(estimate(record))
        except InputError as unusable:
            refused[record.spec.model] = str(unusable)
    in_order = {one.spec.model: refused[one.spec.model] for one in records
                if one.spec.model in refused}  # fmt: skip
    return Estimates(name, tuple(answered), in_order, notes if answered else ())


def _obstacle(
    record: RunRecord, signals: Sequence[str], *, pool_epochs: int, least_epochs: int
) -> str | None:
    if record.status == "failed":
        return f"the run failed: {record.error or 'no cause was recorded'}"
    if record.epochs < pool_epochs:
        return (
            f"{_epochs(record.epochs)} observed where the others have {pool_epochs}; "
            "continue its run"
        )
    if record.epochs < least_epochs:
        return f"{_epochs(record.epochs)} observed; observe {least_epochs} or more"
    for signal in signals if record.epochs else ():
        reason = _unusable(record, signal)
        if reason is not None:
            return reason
    return None


def _unusable(record: RunRecord, signal: str) -> str | None:
    try:
        values = record.curve(signal)
    except KeyError as missing:
        absent = record.facts.get("absent_signals", {}).get(signal)
        if absent is not None:
            return f"it has no signal '{signal}': {absent}; choose another definition or method"
        return f"{missing.args[0]}; run it again, or choose a method that needs only these"
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        return (
            f"signal '{signal}' is {values[bad[0]]} after epoch {bad[0] + 1}; choose a method or a "
            "definition that does not need it, or train with a lower learning rate"
        )
    if signal == ACCURACY and (values.min() < 0 or values.max() > 1):
        return (
            f"signal '{ACCURACY}' runs from {values.min():g} to {values.max():g}; "
            "record accuracies between 0 and 1"
        )
    return None


def _epochs(count: int) -> str:
    return f"{count} epoch" if count == 1 else f"{count} epochs"
