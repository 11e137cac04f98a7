"""Stored runs as pools: the candidates of one target under one protocol and seed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ncselect.comparison import unscorable
from ncselect.methods.pool import ACCURACY
from ncselect.scoreboard import in_short
from ncselect.spec import RunSpec, Settings
from ncselect.store import RunStore
from ncselect.types import RunRecord
from zoo.errors import InputError

FEWEST = 3
"""Models below which a pool has no order worth a figure."""

DEFAULT = "default"
"""Label of the protocol whose settings are all at their defaults."""

NOT_TRAINING = ("settings.measure_whole",)
"""Values of a spec that decide what is measured, and nothing of the training."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Finished runs that differ in the candidate alone.

    Attributes
    ----------
    target
        The dataset, with what tells it from others of the same name.
    setting
        The settings that are not at their defaults, ``default`` if none.
    seed
        Of the runs.
    horizon
        Epoch of the truth.
    records
        Runs with a truth there, by name of their model.
    excluded
        Model → why its run is not among them.
    """

    target: str
    setting: str
    seed: int
    horizon: int
    records: tuple[RunRecord, ...]
    excluded: Mapping[str, str]

    @cached_property
    def models(self) -> tuple[str, ...]:
        """Names of the models, in the order of every array about them."""
        return tuple(one.spec.model for one in self.records)

    @cached_property
    def truth(self) -> NDArray[np.float64]:
        """Test accuracy at the horizon, shape (models,)."""
        return np.array([one.truth[self.horizon] for one in self.records])

    @property
    def dataset(self) -> str:
        """Name of the dataset, which targets of several sizes may share."""
        return self.records[0].spec.dataset

    @property
    def hidden(self) -> int:
        """Number of the probe's hidden layers."""
        return len(self.records[0].spec.settings.probe_units)

    @property
    def steps(self) -> int | None:
        """Training steps to the truth; None if the runs do not tell, or differ."""
        counted = {
            one.facts.get("steps_per_observation", one.facts.get("steps_per_epoch"))
            for one in self.records
        }
        each = counted.pop() if len(counted) == 1 else None
        return None if each is None else int(each) * self.horizon

    @property
    def place(self) -> tuple[str, int]:
        """Target and seed: what pools under different settings are paired by."""
        return self.target, self.seed


def read_pools(
    stores: Iterable[str | Path], *, epochs: int, horizon: int | None = None
) -> tuple[list[Pool], dict[str, str]]:
    """Return the pools of some stores, and why others of their runs are in none.

    Parameters
    ----------
    stores
        Folders of runs.
    epochs
        Epochs that a run must have shown.
    horizon
        Epoch of the truth; each pool's last if None.

    Returns
    -------
    pools, left_out
        By target, setting and seed; name of a pool → why it has none.

    Raises
    ------
    InputError
        If a folder is no store, there is no pool at all, one model's name stands for two
        candidates in a pool, or two runs of the same training disagree.
    """
    opened = [RunStore(folder, create=False) for folder in stores]
    records = [_scored(one, opened) for store in opened for one in store.records()]
    groups: dict[str, list[RunRecord]] = {}
    for record in records:
        groups.setdefault(_protocol(record), []).append(record)
    labels = _labels(groups)
    pools: list[Pool] = []
    left_out: dict[str, str] = {}
    for key in sorted(groups, key=lambda one: labels[one]):
        target, setting, seed = labels[key]
        runs = _one_each(groups[key])
        last = horizon or max((epoch for one in runs for epoch in one.truth), default=0)
        excluded = unscorable(runs, epochs, last)
        usable = tuple(one for one in runs if one.spec.model not in excluded)
        if len(usable) < FEWEST:
            reasons = in_short(excluded.values()) or f"a pool has {FEWEST} models or more"
            left_out[f"{target}, {setting}, seed {seed}"] = (
                f"{len(usable)} of {len(runs)} runs can be scored: {reasons}"
            )
            continue
        pools.append(Pool(target, setting, seed, last, usable, excluded))
    if not pools:
        reasons = "; ".join(left_out.values()) or "they hold no runs"
        raise InputError(f"stores: no pool can be made of them: {reasons}")
    return pools, left_out


def _scored(record: RunRecord, stores: Iterable[RunStore]) -> RunRecord:
    """Return a run with what any of the stores measured on its candidate's features."""
    for store in stores:
        record = store.scored(record)
    without = {name: why for name, why in record.unscored.items() if name not in record.scores}
    return dataclasses.replace(record, unscored=without)


def _one_each(records: Sequence[RunRecord]) -> list[RunRecord]:
    """Return one run per model, by name: of runs of the same, the one that knows most."""
    by_model: dict[str, list[RunRecord]] = {}
    for record in records:
        by_model.setdefault(record.spec.model, []).append(record)
    for model, runs in by_model.items():
        if len({_json(dict(one.spec.candidate)) for one in runs}) > 1:
            raise InputError(
                f"stores: '{model}' stands for different candidates on {runs[0].spec.dataset}; "
                "read their stores apart"
            )
        for one, other in combinations(runs, 2):
            _check_same(one, other)

    def knows(record: RunRecord) -> tuple[bool, int, bool, int]:
        whole = record.spec.settings.measure_whole
        return (record.status == "complete", record.epochs, whole, len(record.scores))

    return [max(by_model[model], key=knows) for model in sorted(by_model)]


def _check_same(one: RunRecord, other: RunRecord) -> None:
    """Raise an InputError where two runs of the same training have different accuracies."""
    epochs = min(one.epochs, other.epochs)
    tested = one.truth.keys() & other.truth.keys()
    differing = any(one.truth[epoch] != other.truth[epoch] for epoch in tested)
    if epochs > 0 and not differing:
        first, second = (run.observed(epochs).curve(ACCURACY) for run in (one, other))
        differing = not np.array_equal(first, second, equal_nan=True)
    if differing:
        raise InputError(
            f"stores: two runs of '{one.spec.model}' on {one.spec.dataset}, {_setting(one.spec)}, "
            f"seed {one.spec.seed}, have different accuracies; read their stores apart"
        )


def _protocol(record: RunRecord) -> str:
    flat = record.spec.flat()
    return _json(
        {
            name: value
            for name, value in flat.items()
            if not name.startswith(("model", "candidate."))
            and name not in (*NOT_TRAINING, "environment.threads")
        }
    )


def _labels(groups: Mapping[str, Sequence[RunRecord]]) -> dict[str, tuple[str, str, int]]:
    """Return protocol → target, setting and seed; the environment tells apart what is left.

    Of groups that differ in the environment alone, the largest goes without.
    """
    targets = _targets([one for runs in groups.values() for one in runs])
    labels: dict[str, tuple[str, str, int]] = {}
    taken: set[tuple[str, str, int]] = set()
    for key in sorted(groups, key=lambda one: (-len(groups[one]), one)):
        spec = groups[key][0].spec
        label = targets[_data(spec)], _setting(spec), spec.seed
        if label in taken:
            label = label[0], f"{label[1]}, {_environment(spec)}", label[2]
        if label in taken:
            raise InputError(
                f"stores: two sets of runs are {label[0]}, {label[1]}, seed {label[2]}; they "
                "differ in what a spec does not tell by name; read their stores apart"
            )
        taken.add(label)
        labels[key] = label
    return labels


def _targets(records: Sequence[RunRecord]) -> dict[str, str]:
    """Return digest of the data → name of the target, told apart by its images where need be."""
    specs = {_data(one.spec): one.spec for one in records}
    names = {digest: _names(spec, digest) for digest, spec in specs.items()}
    labels: dict[str, str] = {}
    for digest, of_target in names.items():
        others = [one for other, one in names.items() if other != digest]
        alone = (
            name
            for depth, name in enumerate(of_target)
            if all(other[depth] != name for other in others)
        )
        labels[digest] = next(alone, of_target[-1])
    return labels


def _names(spec: RunSpec, digest: str) -> tuple[str, ...]:
    """Return the names that a target may go by, the longer the more they tell."""
    counts = spec.data.get("counts", {})
    images = f"{spec.dataset} ({counts.get('train', '?')} images"
    side = (spec.data.get("image_shape") or ["?"])[0]
    validation = f"{images}, {side} px, {counts.get('validation', '?')} to validate"
    return (
        spec.dataset,
        f"{images})",
        f"{images}, {side} px)",
        f"{validation})",
        f"{validation}, {digest[:6]})",
    )


def _setting(spec: RunSpec) -> str:
    default = dataclasses.asdict(Settings())
    own = dataclasses.asdict(spec.settings.deciding)
    differing = [
        f"{name}={own[name]}"
        for name in own
        if own[name] != default[name] and f"settings.{name}" not in NOT_TRAINING
    ]
    return ", ".join(differing) or DEFAULT


def _environment(spec: RunSpec) -> str:
    return ", ".join(
        f"{name} {value}" for name, value in sorted(spec.environment.items()) if name != "threads"
    )


def _data(spec: RunSpec) -> str:
    text = _json({"dataset": spec.dataset, "data": dict(spec.data)})
    return hashlib.sha256(text.encode()).hexdigest()


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)
