"""Stored runs, sorted into the pools that tables and figures are made of."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ncselect.reproduction.pools import Pool, Repeat, names_of, training_images
from ncselect.types import RunRecord
from zoo.errors import InputError, UnknownNameError


def sorted_out(
    records: Sequence[RunRecord],
    *,
    where: Mapping[str, str] | None = None,
    names: Mapping[str, str] | None = None,
    horizon: int | None = None,
    sizes: Collection[int] = (),
) -> tuple[Pool, ...]:
    """Sort stored runs into pools.

    Runs of a dataset on the same images are repeats, told apart by their seeds. Those that reached
    the horizon are the full size; of the others those on ``sizes`` training images are kept.

    Parameters
    ----------
    records
        Of any datasets and seeds, of one protocol.
    where
        Dotted name → value, of the runs' specs, which the runs to be read have.
    names
        Stored name of a dataset → what to call it; only these are read if any is given.
    horizon
        The epoch of the truth; the last that runs have a test accuracy for if None.
    sizes
        Training images of the runs on fewer images.

    Raises
    ------
    InputError
        If nothing is left, no run has a truth, datasets end at different epochs, or the runs
        differ in more than candidate, dataset and seed; the text says in what.
    UnknownNameError
        If a dataset or a name in ``where`` is not that of any run.
    """
    chosen = _fitting(records, where or {})
    datasets = {run.spec.dataset: None for run in chosen}
    for name in names or {}:
        if name not in datasets:
            raise UnknownNameError("dataset among the stored runs", name, datasets)
    called = dict(names) if names else {name: name for name in datasets}
    chosen = [run for run in chosen if run.spec.dataset in called]
    _check_one_protocol(chosen)
    if horizon is None:
        horizon = _one_horizon(chosen)
    if not any(horizon in run.truth for run in chosen):
        raise InputError(
            f"store: none of its {len(chosen)} runs has a test accuracy"
            + (f" at epoch {horizon}" if horizon else "")
            + "; finish them with 'ncselect reproduce', or 'ncselect rank --epochs N --horizon N'"
        )
    return tuple(
        _pool(title, [run for run in chosen if run.spec.dataset == name], horizon, sizes)
        for name, title in called.items()
    )


def _one_horizon(runs: Sequence[RunRecord]) -> int:
    """Return the last epoch with a test accuracy, which all datasets that have one must share."""
    last: dict[str, int] = {}
    for run in runs:
        for epoch in run.truth:
            last[run.spec.dataset] = max(epoch, last.get(run.spec.dataset, 0))
    if len(set(last.values())) > 1:
        ends = ", ".join(f"{name} at {epoch}" for name, epoch in last.items())
        raise InputError(
            f"the runs of different datasets end at different epochs: {ends}; choose with "
            "--datasets"
        )
    return max(last.values(), default=0)


def _pool(title: str, runs: Sequence[RunRecord], horizon: int, sizes: Collection[int]) -> Pool:
    by_images: dict[str, list[RunRecord]] = {}
    for run in runs:
        by_images.setdefault(json.dumps(dict(run.spec.data), sort_keys=True), []).append(run)
    full = [key for key, each in by_images.items() if any(horizon in one.truth for one in each)]
    if len(full) != 1:
        counts = ", ".join(sorted(f"{training_images(by_images[key][0])}" for key in full)) or "no"
        raise InputError(
            f"the runs on {title} that reached epoch {horizon} train on {counts} images; choose "
            "one preparation with --where data.counts.train=NUMBER"
        )
    reduced: dict[int, tuple[Repeat, ...]] = {}
    whole = by_images[full[0]][0].spec.data
    for key, each in by_images.items():
        size, data = training_images(each[0]), each[0].spec.data
        if key != full[0] and size is not None and size in sizes and _is_part(data, whole):
            if size in reduced:
                raise InputError(
                    f"the runs on {title} with {size} training images have different images; "
                    "choose one preparation with --where data.splits=DIGEST"
                )
            reduced[size] = _repeats(each)
    return Pool(title, horizon, _repeats(by_images[full[0]]), dict(sorted(reduced.items())))


def _is_part(data: Mapping[str, Any], whole: Mapping[str, Any]) -> bool:
    """Tell whether runs are on the first and last images of what others have in full."""
    same = ("fingerprint", "image_shape", "classes")
    return bool(data.get("in_order")) and all(data.get(one) == whole.get(one) for one in same)


def _repeats(runs: Sequence[RunRecord]) -> tuple[Repeat, ...]:
    """Return the runs by seed; of runs that differ in threads alone the first."""
    by_seed: dict[int, dict[str, RunRecord]] = {}
    for run in runs:
        of_seed = by_seed.setdefault(run.spec.seed, {})
        first = of_seed.setdefault(run.spec.model, run)
        _check_same(first, run)
    order = names_of(runs)
    return tuple(
        Repeat(seed, tuple(by_seed[seed][name] for name in order if name in by_seed[seed]))
        for seed in sorted(by_seed)
    )


def _check_same(first: RunRecord, other: RunRecord) -> None:
    """Refuse two runs of one candidate and seed that differ in more than their threads."""
    here, there = first.spec.flat(), other.spec.flat()
    differ = sorted(
        name
        for name in {*here, *there} - {"environment.threads"}
        if here.get(name) != there.get(name)
    )
    if differ:
        name = differ[0]
        raise InputError(
            f"two runs of {first.spec.model} on {first.spec.dataset} have the seed "
            f"{first.spec.seed} and differ in {name}: {here.get(name)}, {there.get(name)}; keep "
            "them in stores of their own, or read one at a time with --where "
            f"{name}=VALUE"
        )


def _fitting(records: Sequence[RunRecord], where: Mapping[str, str]) -> list[RunRecord]:
    flat = [(run, run.spec.flat()) for run in records]
    for name, value in where.items():
        known = sorted({key for _, spec in flat for key in spec})
        if name not in known:
            raise UnknownNameError("name of a run's value", name, known)
        fitting = [(run, spec) for run, spec in flat if str(spec.get(name)) == value]
        if not fitting:
            there = ", ".join(sorted({str(spec.get(name)) for _, spec in flat}))
            raise InputError(f"--where {name}: no run has '{value}'; there are {there}")
        flat = fitting
    if not flat:
        raise InputError(
            "store: it holds no runs; make them with 'ncselect reproduce' without --stored"
        )
    return [run for run, _ in flat]


def _check_one_protocol(runs: Sequence[RunRecord]) -> None:
    """Refuse runs that differ in settings or environment."""
    values: dict[str, set[str]] = {}
    for run in runs:
        plain = dataclasses.replace(run.spec, candidate={}, data={}).flat()
        for name, value in plain.items():
            values.setdefault(name, set()).add(str(value))
    free = {"model", "dataset", "seed", "environment.threads"}
    for name, found in values.items():
        if len(found) > 1 and name not in free:
            raise InputError(
                f"the runs differ in {name}: {', '.join(sorted(found))}; choose with --where "
                f"{name}=VALUE"
            )
