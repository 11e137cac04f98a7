"""Candidates observed as they are trained, paid by the clock."""

from __future__ import annotations

import dataclasses
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ncselect.execute import Job, Watch, complete
from ncselect.store import RunStore
from ncselect.types import RunRecord


class Live:
    """Trains candidates, and pays in seconds of the clock since it was made.

    Before a process starts its epochs are cut to those that the time left allows, by what its
    earlier ones took, and by how long processes have taken before their first epoch. All are
    stopped at the end of the first epoch that ends after the time is over: so no more than an epoch
    is ever spent beyond it. What the store holds costs nothing.

    Parameters
    ----------
    jobs
        A job per candidate; their epochs are set here.
    store
        Where runs are kept.
    workers
        Processes at a time.
    watch
        As of ``execute.complete``.
    expected
        Model → seconds that an epoch is expected to take; nan where nothing is known.
    clock
        Seconds, such as ``time.monotonic``.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        store: RunStore,
        *,
        workers: int = 1,
        watch: Watch = lambda _model, _event: None,
        expected: Mapping[str, float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._jobs = {job.spec.model: job for job in jobs}
        self._store = store
        self.workers = workers
        self._watch = watch
        self._expected = dict(expected)
        self._clock = clock
        self._began = clock()
        self._launched: dict[str, float] = {}
        self._starts: list[float] = []

    @property
    def spent(self) -> float:
        """Seconds since it was made."""
        return self._clock() - self._began

    @property
    def prices(self) -> dict[str, float]:
        """Model → seconds that an epoch of it took; nan before the first."""
        return {model: self._measured(model) for model in self._jobs}

    def scored(self, budget: float) -> dict[str, RunRecord]:
        """Compute the scores that are wanted, as far as the time reaches; train nothing."""
        jobs = [dataclasses.replace(job, epochs=None) for job in self._jobs.values()]

        def watched(model: str, event: Mapping[str, Any]) -> None:
            self._watch(model, event)
            if event["event"] == "scored" and self.spent > budget:
                raise _OverError

        found: list[RunRecord] = []
        with suppress(_OverError):
            found = complete(
                jobs,
                self._store,
                workers=self.workers,
                watch=watched,
                admit=lambda job: job if self.spent <= budget else None,
            )
        known = {record.spec.model: record for record in found}
        return {model: known.get(model) or self._record(model).observed(0) for model in self._jobs}

    def observe(self, models: Sequence[str], epochs: int, budget: float) -> dict[str, RunRecord]:
        """Observe models in turn up to an epoch, as far as the time reaches."""
        jobs = [dataclasses.replace(self._jobs[model], epochs=epochs) for model in models]

        def admitted(job: Job) -> Job | None:
            model = job.spec.model
            seen = self._record(model).epochs
            if seen >= epochs:  # its truth or its scores are owed
                return job
            possible = self._possible(model, epochs - seen, budget)
            if not possible:
                return None
            self._launched[model] = self._clock()
            return dataclasses.replace(job, epochs=seen + possible)

        def watched(model: str, event: Mapping[str, Any]) -> None:
            self._watch(model, event)
            if event["event"] == "observation":
                if event["epoch"]:
                    self._learn(model, event["seconds"])
                if self.spent > budget:
                    raise _OverError

        found: list[RunRecord] = []
        with suppress(_OverError):
            found = complete(jobs, self._store, workers=self.workers, watch=watched, admit=admitted)
        known = {record.spec.model: record for record in found}
        return {
            model: _as_failed(known.get(model) or self._record(model)).observed(epochs)
            for model in models
        }

    def _possible(self, model: str, wanted: int, budget: float) -> int:
        """Return how many epochs of a model the time left allows; one where nothing is known."""
        start = statistics.median(self._starts) if self._starts else 0.0
        left, seconds = budget - self.spent - start, self._epoch(model)
        if math.isinf(left):
            return wanted
        if math.isnan(seconds):
            return int(left > 0)
        return min(wanted, max(0, math.floor(left / max(seconds, 1e-9))))

    def _epoch(self, model: str) -> float:
        """Return seconds of an epoch of a model: the median of what was measured, or expected."""
        measured = self._measured(model)
        return self._expected.get(model, math.nan) if math.isnan(measured) else measured

    def _measured(self, model: str) -> float:
        seen = self._record(model).observations[1:]
        if not seen:
            return math.nan
        return statistics.median(one.seconds + one.measuring_seconds for one in seen)

    def _learn(self, model: str, seconds: float) -> None:
        """Take in how long a process took before its first epoch."""
        launched = self._launched.pop(model, None)
        if launched is not None:
            self._starts.append(max(0.0, self._clock() - launched - seconds))

    def _record(self, model: str) -> RunRecord:
        run = self._store.find(self._jobs[model].spec)
        record = RunRecord(self._jobs[model].spec) if run is None else run.record()
        record = dataclasses.replace(record, spec=dataclasses.replace(record.spec, model=model))
        return self._store.scored(record)


def _as_failed(record: RunRecord) -> RunRecord:
    """Return a record whose process has left a reason as the failure it is."""
    return record if record.error is None else dataclasses.replace(record, status="failed")


class _OverError(Exception):
    """The time is over: leave ``complete``, which stops its processes."""
