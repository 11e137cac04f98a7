"""Which stored trainings are studied, and what a reader should know of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ncselect.graphs.prediction.trajectories import architecture_of
from ncselect.store import RunStore
from ncselect.types import RunRecord
from zoo.errors import InputError, UnknownNameError

_VARIED = ("model", "seed", "settings.learning_rate", "environment.threads")
"""Values that the trainings of a sweep differ in."""


@dataclass(frozen=True)
class Chosen:
    """Trainings that have ended.

    Attributes
    ----------
    records
        Finished and failed runs, at least one, on one dataset.
    unfinished
        How many fit otherwise and have not ended: they are not studied.
    notes
        In what the runs differ, besides what a sweep varies.
    """

    records: tuple[RunRecord, ...]
    unfinished: int
    notes: tuple[str, ...]

    @property
    def dataset(self) -> str:
        """Its name."""
        return self.records[0].spec.dataset


def chosen_runs(
    stores: Sequence[str | Path],
    where: Mapping[str, str] | None = None,
    *,
    besides: Sequence[RunRecord] = (),
) -> Chosen:
    """Read the runs that have ended, of some stores.

    Parameters
    ----------
    stores
        Folders; a run that several have counts once.
    where
        Dotted name → value, of the runs' specs: ``candidate.source``, ``settings.patience`` ….
    besides
        Runs that are not wanted.

    Raises
    ------
    InputError
        If a folder is no store, no run is left, or those left are on several datasets.
    UnknownNameError
        If a spec has no such name.
    """
    unwanted = {record.spec.key for record in besides}
    by_key = {
        record.spec.key: record
        for record in all_runs(stores, where)
        if record.spec.key not in unwanted
    }
    ended = tuple(record for record in by_key.values() if record.status != "partial")
    unfinished = len(by_key) - len(ended)
    if not ended:
        raise InputError(
            f"store: no run in {_named(stores)} has ended, and {unfinished} have not; continue "
            "them, or name another store"
        )
    datasets = sorted({record.spec.dataset for record in ended})
    if len(datasets) > 1:
        raise InputError(
            f"store: the runs are on {', '.join(datasets)}, whose accuracies do not compare; "
            "choose with --where dataset=NAME"
        )
    return Chosen(ended, unfinished, _differences(ended))


def all_runs(
    stores: Sequence[str | Path], where: Mapping[str, str] | None = None
) -> list[RunRecord]:
    """Read the runs of some stores that have given values, ended or not.

    Raises
    ------
    InputError
        If a folder is no store, or no run has such a value.
    UnknownNameError
        If a spec has no such name.
    """
    if not stores:
        raise InputError("store: none came; name a folder of stored runs")
    records = [
        record for store in stores for record in RunStore(store, create=False).records()
    ]  # fmt: skip
    for name, value in (where or {}).items():
        values = {record.spec.key: record.spec.flat() for record in records}
        known = sorted({key for flat in values.values() for key in flat})
        if name not in known:
            raise UnknownNameError("name of a run's value", name, known)
        there = sorted({str(flat.get(name)) for flat in values.values()})
        records = [one for one in records if str(values[one.spec.key].get(name)) == value]
        if not records:
            raise InputError(f"where: no run has {name}={value}; there are {', '.join(there[:20])}")
    if not records:
        raise InputError(f"store: there are no runs in {_named(stores)}; name another folder")
    return records


def _differences(records: Sequence[RunRecord]) -> tuple[str, ...]:
    """Say in what trainings of one architecture differ that a sweep would not vary."""
    notes = []
    for architecture in sorted({architecture_of(record) for record in records}):
        flats = [one.spec.flat() for one in records if architecture_of(one) == architecture]
        differing = sorted(
            name
            for name in {name for flat in flats for name in flat}
            if name not in _VARIED and not name.startswith("candidate.")
            if len({str(flat.get(name)) for flat in flats}) > 1
        )
        if differing:
            notes.append(
                f"The runs of {architecture} differ in {', '.join(differing)}; choose with --where."
            )
    return tuple(notes)


def _named(stores: Sequence[str | Path]) -> str:
    return ", ".join(f"'{store}'" for store in stores)
