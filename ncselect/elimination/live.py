"""Candidates observed as they are trained, paid by the clock."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ncselect.cluster import Cluster
from ncselect.cost import ROUGH, UNKNOWN, Price, seconds_per_epoch
from ncselect.execute import Job, Stopped, Watch, complete, wanted_scores
from ncselect.store import RunStore
from ncselect.types import RunRecord

FEATURES_SHARE = 3  # one in so many seconds of a budget may go to features


class Live:
    """Trains candidates, and pays in seconds of the clock since it was made.

    A process starts only if its own start and an epoch fit into the time that is left, as far as
    their prices are known, and is told to do no more epochs than fit. When the time is over, all
    are stopped at the first thing that is heard of them: the end of an epoch, or at once if nobody
    is in an epoch that began before. So what is spent beyond it is an epoch, or what is left of the
    building of a network or of passing images through it, which nobody hears of before its end.
    What the store holds costs nothing.

    Parameters
    ----------
    jobs
        A job per candidate; their epochs are set here.
    store
        Where runs are kept.
    workers
        Processes at a time.
    cluster
        Where they are; None: on this machine.
    watch
        As of ``execute.complete``.
    expected
        Model → what its training is expected to cost.
    extraction
        Model → seconds that its features are expected to take; nan where nothing is known.
    clock
        Seconds, such as ``time.monotonic``.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        store: RunStore,
        *,
        workers: int = 1,
        cluster: Cluster | None = None,
        watch: Watch = lambda _model, _event: None,
        expected: Mapping[str, Price],
        extraction: Mapping[str, float] = MappingProxyType({}),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._jobs = {job.spec.model: job for job in jobs}
        self._store = store
        self.workers = workers
        self._cluster = cluster
        self._watch = watch
        self._expected = expected
        self._extraction = extraction
        self._clock = clock
        self._began = clock()
        self._read: dict[str, RunRecord] = {}  # as stored, until another epoch is
        self._launched: dict[str, tuple[float, bool]] = {}  # when a process began, and if anew
        self._took: dict[tuple[str, bool], float] = {}  # seconds of a start, at last, and if anew
        self.unscored: tuple[str, ...] = ()  # whose scores the budget did not reach
        self._in_time: set[str] = set()  # whose epoch has begun before the time was over

    @property
    def spent(self) -> float:
        """Seconds since it was made."""
        return self._clock() - self._began

    @property
    def prices(self) -> dict[str, float]:
        """Model → seconds that an epoch of it took; nan before the first."""
        return {model: self._measured(model) for model in self._jobs}

    @property
    def expected(self) -> dict[str, float]:
        """Model → seconds of an epoch of it as measured, or as expected, roughly perhaps."""
        return {model: self._epoch(model) for model in self._jobs}

    @property
    def starts(self) -> dict[str, float]:
        """Model → seconds that a process of it takes before its first epoch, as far as known."""
        return {model: self._start(model) for model in self._jobs}

    @property
    def stored(self) -> dict[str, int]:
        """Model → epochs that lie in the store and cost nothing."""
        return {model: self._record(model).epochs for model in self._jobs}

    def scored(self, budget: float) -> dict[str, RunRecord]:
        """Compute the scores that are wanted; train nothing.

        A third of the budget is for them at most: none is begun that does not fit, as far as its
        price is known, or after that time. ``unscored`` are those whom it did not reach.
        """
        share = budget / FEATURES_SHARE
        jobs = [dataclasses.replace(job, epochs=None) for job in self._jobs.values()]

        def watched(model: str, event: Mapping[str, Any]) -> None:
            if event["event"] != "stored":
                self._watch(model, event)
            self._heed(model, event["event"], share)

        def admitted(job: Job) -> Job | None:
            seconds = self._extraction.get(job.spec.model, math.nan)
            known = 0.0 if math.isnan(seconds) else seconds
            return job if self.spent + known <= share else None

        found = complete(
            jobs,
            self._store,
            workers=self.workers,
            cluster=self._cluster,
            watch=watched,
            admit=admitted,
        )
        failed = {one.spec.model for one in found if one.status == "failed"}
        self.unscored = tuple(
            job.spec.model
            for job in jobs
            if job.spec.model not in failed and wanted_scores(job, self._store)
        )
        return {
            one.spec.model: (
                one if one.status == "failed" else self._record(one.spec.model)
            ).observed(0)
            for one in found
        }

    def observe(self, models: Sequence[str], epochs: int, budget: float) -> dict[str, RunRecord]:
        """Observe models in turn up to an epoch, as far as the time reaches; no scores."""
        jobs = [
            dataclasses.replace(self._jobs[model], epochs=epochs, scores=frozenset())
            for model in models
        ]

        def admitted(job: Job) -> Job | None:
            model = job.spec.model
            record = self._record(model)
            if record.epochs >= epochs or record.has_stopped:  # its truth is owed
                return job if self.spent <= budget else None
            possible = self._possible(model, epochs - record.epochs, budget)
            if not possible:
                return None
            self._launched[model] = self._clock(), not record.observations
            return dataclasses.replace(job, epochs=record.epochs + possible)

        def watched(model: str, event: Mapping[str, Any]) -> None:
            if event["event"] == "observation":
                self._read.pop(model, None)
                self._learn(model, event["seconds"] + event["measuring_seconds"])
            if event["event"] == "stored":
                event = {**event, "epoch": min(event["epoch"], epochs)}
            self._watch(model, event)
            self._heed(model, event["event"], budget)

        found = complete(
            jobs,
            self._store,
            workers=self.workers,
            cluster=self._cluster,
            watch=watched,
            admit=admitted,
        )
        self._read |= {one.spec.model: one for one in found}
        return {one.spec.model: one.observed(epochs) for one in found}

    def _heed(self, model: str, event: str, budget: float) -> None:
        """Stop all processes if the time is over and nobody is in an epoch that began before."""
        is_over = self.spent > budget
        if event == "progress" and not is_over:
            self._in_time.add(model)
        if event in ("observation", "finished", "failed", "lost"):
            self._in_time.discard(model)
        ends_late = event == "observation"
        if is_over and event not in ("stored", "failed") and (ends_late or not self._in_time):
            raise Stopped

    def _possible(self, model: str, wanted: int, budget: float) -> int:
        """Return how many epochs of a model the time left allows; one where nothing is known."""
        left, seconds = budget - self.spent - self._start(model), self._epoch(model)
        if math.isinf(left):
            return wanted
        if math.isnan(seconds):
            return int(left > 0)
        return min(wanted, max(0, math.floor(left / max(seconds, 1e-9))))

    def _start(self, model: str) -> float:
        """Return seconds before the first epoch: as it took, as runs took, as others, roughly.

        To go on from a checkpoint is another start than the first one; until it was seen it is
        taken for that.
        """
        expected = self._expected.get(model, UNKNOWN)
        anew = not self._record(model).observations
        for kind in (anew, not anew):
            if (model, kind) in self._took:
                return self._took[model, kind]
        alike = [took for (_, kind), took in self._took.items() if kind == anew]
        others = alike or [*self._took.values()]
        if others and (expected.basis == ROUGH or math.isnan(expected.start)):
            return max(others)
        return 0.0 if math.isnan(expected.start) else expected.start

    def _epoch(self, model: str) -> float:
        """Return seconds of an epoch of a model: the median of what was measured, or expected."""
        measured = self._measured(model)
        return self._expected.get(model, UNKNOWN).epoch if math.isnan(measured) else measured

    def _measured(self, model: str) -> float:
        return seconds_per_epoch(self._record(model))

    def _learn(self, model: str, seconds: float) -> None:
        """Take in how long a process took before what it observed first in so many seconds."""
        if model in self._launched:
            launched, anew = self._launched.pop(model)
            self._took[model, anew] = max(0.0, self._clock() - launched - seconds)

    def _record(self, model: str) -> RunRecord:
        """Return a run as it is stored, read once until it comes any further."""
        if model not in self._read:
            run = self._store.find(self._jobs[model].spec)
            spec = self._jobs[model].spec
            record = RunRecord(spec) if run is None else run.record()
            record = dataclasses.replace(record, spec=dataclasses.replace(record.spec, model=model))
            self._read[model] = self._store.scored(record)
        return self._read[model]
