"""Accuracy against what a network takes in use: limits before training, the front after it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ncselect.environment import available_cores, environment
from ncselect.execute import Job
from ncselect.latency import (
    BATCHES,
    Footprint,
    MeasuringError,
    footprint,
    footprints,
    machine,
)
from ncselect.pareto import pareto_front
from ncselect.ranking import Ranking
from ncselect.store import RunStore
from zoo.candidate import Candidate
from zoo.datasets import Dataset
from zoo.errors import InputError

Told = Callable[[str], None]  # the model that is being measured


@dataclass(frozen=True)
class Limits:
    """What a candidate may take at most; inf: as much as it likes.

    Attributes
    ----------
    latency_ms
        Milliseconds for one image.
    parameters, megabytes
        Of the headless base; megabytes as float32, of 2^20 bytes.
    """

    latency_ms: float = math.inf
    parameters: float = math.inf
    megabytes: float = math.inf

    @property
    def are_any(self) -> bool:
        """Whether anything is limited."""
        return self != Limits()

    @property
    def are_timed(self) -> bool:
        """Whether latency is limited."""
        return math.isfinite(self.latency_ms)

    def reason(self, found: Footprint, threads: str) -> str | None:
        """Return which limit a network exceeds and by how much, or None.

        Parameters
        ----------
        found
            What the network takes.
        threads
            How many its latency was measured with.
        """
        if found.parameters > self.parameters:
            return f"{found.parameters:,} parameters, at most {self.parameters:,.0f} are allowed"
        if found.megabytes > self.megabytes:
            return f"{found.megabytes:.1f} MB, at most {self.megabytes:g} are allowed"
        took = found.latency_ms.get(1, 0.0)
        if took > self.latency_ms:
            return (
                f"{took:.1f} ms for an image (threads: {threads}), at most {self.latency_ms:g} are "
                "allowed"
            )
        return None


def asked_limits(
    *, max_latency: float | None, max_parameters: float | None, max_megabytes: float | None
) -> Limits:
    """Return the limits that were asked for.

    Raises
    ------
    InputError
        If one is no positive number.
    """
    asked = {
        "max_latency": max_latency,
        "max_parameters": max_parameters,
        "max_megabytes": max_megabytes,
    }
    for name, value in asked.items():
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise InputError(f"{name}: {value!r} came; give a positive number")
    return Limits(*(math.inf if value is None else float(value) for value in asked.values()))


def check_measured_here(ray: str | None, *, latency: bool, limits: Limits) -> None:
    """Refuse to measure latency for runs on a cluster: its machines are others than this one."""
    if ray is not None and (latency or limits.are_timed):
        name = "latency" if latency else "max_latency"
        raise InputError(
            f"{name}: it is measured on this machine, but the runs are to be done on the cluster "
            f"'{ray}'; leave --{name.replace('_', '-')} or --ray out"
        )


def within(
    limits: Limits, jobs: Sequence[Job], dataset: Dataset, store: RunStore, told: Told
) -> tuple[tuple[Job, ...], dict[str, str]]:
    """Return the jobs of the candidates that keep to the limits, and why the others do not.

    Parameters
    ----------
    limits
        What is allowed.
    jobs
        Of all candidates.
    dataset
        Gives the size of the images.
    store
        Where measurements are kept.
    told
        Called with a model's name before it is measured.
    """
    kept, missing = [], {}
    threads = _here()["threads"]
    for job in jobs if limits.are_any else ():
        try:
            found = _found(job, dataset, store, told, timed=limits.are_timed)
            reason = limits.reason(found, threads)
        except MeasuringError as error:
            reason = f"it could not be measured: {error}"
        if reason is None:
            kept.append(job)
        else:
            missing[job.spec.model] = reason
    return (tuple(kept) if limits.are_any else tuple(jobs)), missing


def weighed(
    ranking: Ranking, jobs: Sequence[Job], dataset: Dataset, store: RunStore, told: Told
) -> Ranking:
    """Return a ranking with the latency of every candidate in it, and the front marked.

    On the front are those than which no other is at least as accurate and at least as fast, one
    image at a time, and better in one of both. Accuracy is the predicted one; where the method only
    orders, its scores have that place.

    Parameters
    ----------
    ranking
        What is to be weighed.
    jobs
        Of its candidates.
    dataset, store, told
        As of :func:`within`.
    """
    of = {job.spec.model: job for job in jobs}
    rows, notes, days = [], [], set()
    for row in ranking.rows:
        try:
            found = _found(of[row.model], dataset, store, told, timed=True)
        except MeasuringError as error:
            notes.append(f"latency: {row.model} could not be measured: {error}")
            found = Footprint(row.parameters, {})
        else:
            days.add(found.made)
        one, many = (found.latency_ms.get(count, math.nan) for count in BATCHES)
        rows.append(dataclasses.replace(row, latency_ms=one, latency_64_ms=many))
    if days:
        here, when = _here(), " to ".join(sorted({min(days), max(days)}))
        notes.append(
            f"ms: median for 1 image, and for {BATCHES[1]} at once; base and classifier, "
            f"{here['backend']} on {machine()}, measured {when} with {here['threads']} threads; "
            f"delete {footprints(store)} to measure again"
        )
        predicts = any(math.isfinite(row.accuracy) for row in rows)
        good = [row.accuracy if predicts else row.score for row in rows]
        what = "predicted accuracy" if predicts else f"{ranking.method}'s scores"
        notes.append(f"front: no other is better in {what} or ms without being worse in the other")
        front = pareto_front(
            [(-value, row.latency_ms) for value, row in zip(good, rows, strict=True)]
        )
        rows = [
            dataclasses.replace(row, on_front=bool(best))
            for row, best in zip(rows, front, strict=True)
        ]
    return dataclasses.replace(ranking, rows=tuple(rows), notes=(*ranking.notes, *notes))


def _here() -> dict[str, str]:
    """Return what latency is measured with: all of this machine, however many runs share it."""
    return environment(available_cores())


def _found(job: Job, dataset: Dataset, store: RunStore, told: Told, *, timed: bool) -> Footprint:
    return footprint(
        Candidate.from_json(job.candidate),
        dataset,
        store,
        _here(),
        timed=timed,
        told=lambda: told(job.spec.model),
    )
