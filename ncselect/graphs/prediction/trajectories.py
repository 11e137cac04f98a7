"""Stored runs as tables to learn from: signals of a window of epochs, and the final accuracy."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ncselect.graphs.prediction.inputs import ACCURACY, Inputs, Window
from ncselect.types import RunRecord
from zoo.errors import InputError, UnknownNameError

TEST, VALIDATION = "test accuracy", "validation accuracy after the last epoch"
CHANCE = "chance, the run having diverged"
LEFT_OUT, LOW = "left-out", "low"
DIVERGED = (LEFT_OUT, LOW)
"""What becomes of runs that diverged."""

_WATCHING = ("graphs", "measure_whole", "patience", "probe_size", "restore_best")
"""Settings that decide what is recorded of a training, and for how long, but not its course."""


@dataclass(frozen=True, eq=False)
class Trajectories:
    """Finished trainings, as they looked in a window, and what they came to.

    Attributes
    ----------
    window
        The epochs.
    inputs
        What may be told of them; all have all of it, so that predictors can be paired.
    tables
        Name of the inputs → numbers, shape (n, k).
    runs
        Their names, unique.
    architectures, datasets, seeds
        Of each run. Networks of one architecture and one seed begin with the same weights: what
        their signatures tell of training, they tell of no network that begins otherwise.
    accuracy
        Final accuracy, shape (n,), in [0, 1].
    judged_by
        What the final accuracies are → of how many runs: test accuracy at the last epoch where it
        was measured or, where it never was, validation accuracy after the last epoch; chance for
        diverged runs that are not left out.
    points
        Of each run: what it is, but for its seed. Runs of one point are near copies of each other.
    held
        Runs that stopped early, or diverged, before the window's last epoch: their last values are
        repeated.
    left_out
        Run → why it cannot be learnt from.
    """

    window: Window
    inputs: tuple[Inputs, ...]
    tables: Mapping[str, NDArray[np.float64]]
    runs: tuple[str, ...]
    architectures: tuple[str, ...]
    datasets: tuple[str, ...]
    seeds: tuple[int, ...]
    points: tuple[str, ...]
    accuracy: NDArray[np.float64]
    judged_by: Mapping[str, int]
    held: tuple[str, ...]
    left_out: Mapping[str, str]


def run_name(record: RunRecord) -> str:
    """Return a run's name, which tells runs of one model apart."""
    return f"{record.spec.model} [{record.spec.key}]"


def architecture_of(record: RunRecord) -> str:
    """Return which network a run is of, whatever its learning rate and dropout rate."""
    candidate = record.spec.candidate
    width = candidate.get("arguments", {}).get("width", 1.0)
    name = str(candidate.get("source", record.spec.model))
    return name if width == 1 else f"{name} width {width:g}"


def point_of(record: RunRecord) -> str:
    """Return what two runs share that differ in their seed, and in what they record, alone.

    That is the network with its dropout rate, the learning rate, and all else that training
    follows: JSON text of the candidate and the settings.
    """
    settings = dataclasses.asdict(record.spec.settings.deciding)
    for name in _WATCHING:
        del settings[name]
    return json.dumps([record.spec.candidate, settings], sort_keys=True, default=str)


def gathered(
    records: Sequence[RunRecord],
    inputs: Sequence[Inputs],
    window: Window,
    *,
    diverged: str = LEFT_OUT,
) -> Trajectories:
    """Make tables of the finished trainings that have shown all that is to be told of them.

    A run that early stopping ended before the window's last epoch keeps its last values: nothing
    more is learnt by waiting, and whoever stops a run knows that it stopped. Runs that failed, have
    not finished, were trained for fewer epochs without having stopped, or lack a signal in the
    window are left out by name, for all inputs alike.

    Parameters
    ----------
    records
        Stored runs, with the truth where there is any; a run once.
    inputs
        What may be told, with different names.
    window
        The epochs.
    diverged
        ``left-out``; or ``low``: a run that diverged keeps the values of its last finite epoch,
        and its final accuracy is chance, 1/classes: a network whose outputs are no numbers names
        one class always. The accuracies from 5.5% on in the paper's Table 2 suggest this.

    Returns
    -------
    Trajectories
        In the order of the records.

    Raises
    ------
    InputError
        If a run or a name of inputs comes twice.
    UnknownNameError
        If ``diverged`` is neither.
    """
    if diverged not in DIVERGED:
        raise UnknownNameError("treatment of diverged runs", diverged, DIVERGED)
    _check_names(inputs)
    left_out: dict[str, str] = {}
    kept: dict[str, RunRecord] = {}
    finals: list[tuple[float, str]] = []
    rows: dict[str, list[NDArray[np.float64]]] = {one.name: [] for one in inputs}
    for name, record in zip(_run_names(records), records, strict=True):
        try:
            if record.status == "partial":
                raise InputError("it has not finished; continue it")
            if diverged == LOW and _has_diverged(record):
                final = 1 / record.spec.data["classes"], CHANCE
                seen = _held_after_divergence(record, window)
            else:
                final, seen = final_accuracy(record), record
            rows_of_run = [told(seen, one, window) for one in inputs]
        except InputError as unusable:
            left_out[name] = str(unusable)
            continue
        kept[name] = record
        finals.append(final)
        for one, row in zip(inputs, rows_of_run, strict=True):
            rows[one.name].append(row)
    return Trajectories(
        window,
        tuple(inputs),
        {
            one.name: np.array(rows[one.name]).reshape(len(kept), len(one.columns(window)))
            for one in inputs
        },
        tuple(kept),
        tuple(architecture_of(record) for record in kept.values()),
        tuple(record.spec.dataset for record in kept.values()),
        tuple(record.spec.seed for record in kept.values()),
        tuple(point_of(record) for record in kept.values()),
        np.array([accuracy for accuracy, _ in finals]),
        dict(Counter(source for _, source in finals)),
        tuple(name for name, record in kept.items() if record.epochs < window.last),
        left_out,
    )


def of_architecture(data: Trajectories, architecture: str) -> Trajectories:
    """Return the networks of one architecture; what was left out is that of all."""
    places = [place for place, name in enumerate(data.architectures) if name == architecture]
    runs = tuple(data.runs[place] for place in places)
    return dataclasses.replace(
        data,
        tables={name: table[places] for name, table in data.tables.items()},
        runs=runs,
        architectures=(architecture,) * len(places),
        datasets=tuple(data.datasets[place] for place in places),
        seeds=tuple(data.seeds[place] for place in places),
        points=tuple(data.points[place] for place in places),
        accuracy=data.accuracy[places],
        held=tuple(name for name in data.held if name in runs),
    )


def shared_starts(data: Trajectories) -> tuple[str, ...]:
    """Return the architectures of which several networks have one seed, sorted."""
    counts = Counter(zip(data.architectures, data.seeds, strict=True))
    return tuple(sorted({architecture for (architecture, _), n in counts.items() if n > 1}))


def _has_diverged(record: RunRecord) -> bool:
    return record.status == "failed" and (record.error or "").startswith("diverged")


def _held_after_divergence(record: RunRecord, window: Window) -> RunRecord:
    """Return a run that diverged as a complete one, its last epoch repeated to the window's end."""
    later = range(record.epochs + 1, window.last + 1) if record.observations else ()
    repeated = tuple(dataclasses.replace(record.observations[-1], epoch=epoch) for epoch in later)
    return dataclasses.replace(
        record, status="complete", observations=record.observations + repeated
    )


def told(record: RunRecord, inputs: Inputs, window: Window) -> NDArray[np.float64]:
    """Return what inputs tell of a run, shape (k,), one number for each of ``inputs.columns``.

    Raises
    ------
    InputError
        As :func:`window_values` does.
    """
    values = window_values(record, inputs.signals, window)
    if inputs.since_start:
        values -= window_values(record, inputs.signals, Window(0, 0))
    return inputs.row(values)


def window_values(record: RunRecord, signals: Sequence[str], window: Window) -> NDArray[np.float64]:
    """Return signals of a run after each epoch of a window, shape (epochs, signals).

    Raises
    ------
    InputError
        If the run failed, or has not come to the window's end without early stopping having ended
        it; if an epoch lacks a signal, or it is not finite there.
    """
    if record.status == "failed":
        raise InputError(f"the run failed: {record.error or 'no cause was recorded'}")
    if not record.observations or (record.epochs < window.last and not record.has_stopped):
        raise InputError(
            f"{record.epochs} epochs were observed and the window ends with epoch {window.last}; "
            "train the run for more epochs, or choose an earlier window"
        )
    values = [
        [_value(record, min(epoch, record.epochs), signal) for signal in signals]
        for epoch in window.epochs
    ]
    return np.array(values, dtype=np.float64)


def final_accuracy(record: RunRecord) -> tuple[float, str]:
    """Return a finished run's final accuracy, in [0, 1], and which it is.

    Test accuracy at the last epoch where it was measured (``TEST``); where it never was,
    validation accuracy after the last epoch (``VALIDATION``).

    Raises
    ------
    InputError
        If neither was measured, or it is no accuracy.
    """
    if record.truth:
        final, source = float(record.truth[max(record.truth)]), TEST
    elif record.epochs:
        final, source = _value(record, record.epochs, ACCURACY), VALIDATION
    else:
        raise InputError("no epoch of it was observed; train it")
    if not 0 <= final <= 1:
        raise InputError(f"its final accuracy is {final:g}; record accuracies between 0 and 1")
    return final, source


def _value(record: RunRecord, epoch: int, signal: str) -> float:
    seen = record.observations[epoch].signals
    if signal not in seen:
        raise InputError(
            f"signal '{signal}' was not recorded after epoch {epoch}: {_lacking(record, signal)}"
        )
    if not np.isfinite(seen[signal]):
        raise InputError(
            f"signal '{signal}' is {seen[signal]} after epoch {epoch}: the run diverged; choose "
            "an earlier window"
        )
    return float(seen[signal])


def _lacking(record: RunRecord, signal: str) -> str:
    """Say why a run lacks a signal, and what to do: a stored run is not trained a second time."""
    reason = record.facts.get("absent_signals", {}).get(signal)
    if reason:
        return f"{reason}; or choose inputs that the run has"
    return (
        "choose inputs that the run has; where it was stored before they were recorded, delete it "
        "with 'ncselect runs --delete KEY' and train it again"
    )


def _check_names(inputs: Sequence[Inputs]) -> None:
    twice = [name for name, n in Counter(one.name for one in inputs).items() if n > 1]
    if twice or not inputs:
        raise InputError(
            f"inputs: '{twice[0]}' came more than once; give each another name"
            if twice
            else "inputs: none came; give a signature or a control"
        )


def _run_names(records: Sequence[RunRecord]) -> list[str]:
    keys = [record.spec.key for record in records]
    counts = Counter(keys)
    twice = [run_name(one) for one, key in zip(records, keys, strict=True) if counts[key] > 1]
    if twice:
        raise InputError(
            f"records: {' and '.join(dict.fromkeys(twice))} came more than once; a run that is "
            "both learnt from and judged would be no test"
        )
    return [f"{one.spec.model} [{key}]" for one, key in zip(records, keys, strict=True)]
