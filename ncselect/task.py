"""What is wanted of a candidate, and what one process is to do for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from ncselect.features import StoredFeatures
from ncselect.run import Run
from ncselect.spec import RunSpec

Watch = Callable[[str, Mapping[str, Any]], None]  # model, event


@dataclass(frozen=True)
class Job:
    """A candidate to be scored, and its run to be brought to a number of epochs.

    Attributes
    ----------
    spec
        What to run.
    candidate, dataset
        What the run's process rebuilds: ``Candidate.to_json()``, ``Dataset.to_json()``.
    epochs
        Epochs to observe, or None for no run at all.
    horizon
        The epoch that completes the run, unless its patience is out before; at its end the test
        accuracy is measured.
    keep
        Whether a complete run keeps its checkpoint.
    scores
        Names of the scores that are wanted, see ``ncselect.scores``. Those that the candidate's
        card gives are left to the caller.
    saves
        Path of the file that gets the trained network, see ``ncselect.saving``. The run is
        complete, and its checkpoint goes, only when the file is there.
    resizes
        Whether that file takes images of any size and brings them to the size it was trained on.
    """

    spec: RunSpec
    candidate: Mapping[str, Any]
    dataset: Mapping[str, Any]
    epochs: int | None
    horizon: int
    keep: bool = False
    scores: frozenset[str] = frozenset()
    saves: str | None = None
    resizes: bool = False

    @property
    def files(self) -> frozenset[str]:
        """Files and folders besides the store that its process reads, or writes in."""
        stated = (self.candidate["source"], self.candidate["weights"], self.dataset["folder"])
        given = {path for path in stated if Path(path).is_absolute()}
        return frozenset(given if self.saves is None else {*given, str(Path(self.saves).parent)})


@dataclass(frozen=True)
class Task:
    """What a process is to do for a job: train ``run``, compute ``scores`` from ``features``."""

    job: Job
    run: Run | None
    features: StoredFeatures | None
    scores: frozenset[str]

    @property
    def model(self) -> str:
        """The candidate's name."""
        return self.job.spec.model

    @property
    def folder(self) -> Path:
        """Where the process writes its log."""
        place = self.run or self.features
        assert place is not None  # or there would be nothing to do
        return place.folder.resolve()

    @property
    def environment(self) -> dict[str, str]:
        """What the process is pinned to: a stored run goes on as it began."""
        spec = self.job.spec if self.run is None else self.run.spec
        return dict(spec.environment)

    def to_json(self, *, patience: float = 0.0) -> dict[str, Any]:
        """Return what ``worker`` reads; it waits so many seconds for a run that is busy."""
        return {
            "run": None if self.run is None else str(self.run.folder.resolve()),
            "features": None if self.features is None else str(self.features.folder.resolve()),
            "scores": sorted(self.scores),
            "seed": self.job.spec.seed,
            "candidate": dict(self.job.candidate),
            "dataset": dict(self.job.dataset),
            "epochs": self.job.epochs,
            "horizon": self.job.horizon,
            "keep": self.job.keep,
            "saves": self.job.saves,
            "resizes": self.job.resizes,
            "patience": patience,
        }


class Processes(Protocol):
    """Where tasks are done, a process each; all are stopped when the block is left."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop what is running, and wait until it has stopped."""

    def finish(
        self, due: Sequence[int], begin: Callable[[int], Task | None], watch: Watch
    ) -> Iterator[tuple[int, str | None]]:
        """Do the tasks of numbered jobs; yield each number when it is done.

        Parameters
        ----------
        due
            The jobs' numbers, in their order.
        begin
            Called with a number when its process is due; returns what it is to do, or None where
            nothing is left to be done.
        watch
            Called with a model's name and each event of its process.

        Yields
        ------
        tuple
            The number, and why its process failed or None.
        """
