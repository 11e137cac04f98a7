"""Which stored runs may be compared: those that differ in the candidate alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ncselect.types import RunRecord
from zoo.errors import InputError, UnknownNameError

_OPTIONS = {"dataset": "--dataset", "seed": "--seed"}


def comparable(
    records: Sequence[RunRecord], where: Mapping[str, str] | None = None
) -> list[RunRecord]:
    """Return the runs that have the given values, if they differ in the candidate alone.

    Parameters
    ----------
    records
        Runs of any kind.
    where
        Dotted name → value, of a run's spec: ``dataset``, ``seed``, ``settings.learning_rate`` ….

    Raises
    ------
    InputError
        If no run is left, or those left differ in something else than the candidate; the text
        names it, the values there are, and how to choose one.
    UnknownNameError
        If a spec has no such name.
    """
    if not records:
        raise InputError("store: it holds no runs; run 'ncselect rank' first")
    flat = [(record, record.spec.flat()) for record in records]
    for name, value in (where or {}).items():
        known = sorted({key for _, spec in flat for key in spec})
        if name not in known:
            raise UnknownNameError("name of a run's value", name, known)
        fitting = [(record, spec) for record, spec in flat if str(spec.get(name)) == value]
        if not fitting:
            raise InputError(
                f"{_option(name)}: no run has '{value}'; there are {_values(flat, name)}"
            )
        flat = fitting
    for name in _differing([spec for _, spec in flat]):
        raise InputError(
            f"the runs differ in {name}: {_values(flat, name)}; choose with "
            f"{_option(name)}{' ' if name in _OPTIONS else '='}VALUE"
        )
    return [record for record, _ in flat]


def _differing(specs: Sequence[Mapping[str, object]]) -> list[str]:
    """Return the names whose values differ, a person's own choices first."""
    names = dict.fromkeys(name for spec in specs for name in spec)
    differing = [
        name
        for name in names
        if not name.startswith(("model", "candidate."))
        and name != "environment.threads"
        and len({str(spec.get(name)) for spec in specs}) > 1
    ]
    order = ("dataset", "seed", "settings.", "data.", "environment.")
    return sorted(differing, key=lambda name: [not name.startswith(part) for part in order])


def _option(name: str) -> str:
    return _OPTIONS.get(name, f"--where {name}")


def _values(flat: Sequence[tuple[RunRecord, Mapping[str, object]]], name: str) -> str:
    return ", ".join(sorted({str(spec.get(name)) for _, spec in flat}))
