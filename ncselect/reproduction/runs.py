"""The training that a reproduction needs: one pool of jobs for all datasets and repeats."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ncselect.cluster import Cluster
from ncselect.execute import Job, Watch, complete
from ncselect.plan import LONG_SECONDS, Plan, planned
from ncselect.progress import duration
from ncselect.reproduction.pools import Pool, Repeat
from ncselect.reproduction.result import Result
from ncselect.reproduction.scales import Scale
from ncselect.store import RunStore
from ncselect.types import RunRecord

if TYPE_CHECKING:
    from rich.console import RenderableType


LC_SECONDS = 3.5 / 2500  # of a step of lc's sampler, for a model; 2 to 5 s for 2,500 steps


@dataclass(frozen=True)
class Part:
    """The jobs of one dataset, number of training images and seed.

    Attributes
    ----------
    dataset
        Its name.
    size
        Training images of figure 3c; None is the full size.
    seed
        Of the runs.
    jobs
        One per candidate that can be run.
    missing
        Candidate → why it cannot be.
    """

    dataset: str
    size: int | None
    seed: int
    jobs: tuple[Job, ...]
    missing: Mapping[str, str]


@dataclass(frozen=True)
class Reproduction:
    """What is to be trained for a table or figure.

    Attributes
    ----------
    target
        Its name.
    scale
        With what was asked for instead of the scale's own.
    parts
        Per dataset, number of training images and seed.
    store
        Where runs are kept.
    workers
        Runs at a time.
    notes
        What preparing the datasets said.
    cluster
        Where runs are done; None: on this machine.
    """

    target: str
    scale: Scale
    parts: tuple[Part, ...]
    store: RunStore
    workers: int
    notes: tuple[str, ...] = ()
    cluster: Cluster | None = None

    @property
    def jobs(self) -> tuple[Job, ...]:
        """All jobs: the full size of every dataset first, seed by seed."""
        return tuple(job for part in self.parts for job in part.jobs)

    @cached_property
    def plan(self) -> Plan:
        """What completing will cost, a line per run."""
        missing = {name: why for part in self.parts for name, why in part.missing.items()}
        return planned(self.jobs, self.store, missing, workers=self.workers)

    @property
    def epochs(self) -> int:
        """Epochs still to be trained, of all runs."""
        return sum(run.epochs for run in self.plan.runs)

    @property
    def is_long(self) -> bool:
        """Whether a person should be asked first."""
        return self.plan.is_long or self.answering_seconds > LONG_SECONDS

    @property
    def answering_seconds(self) -> float:
        """Roughly, what asking ``lc`` takes after the training; 0 where it is not asked."""
        lengths = {"table1": len(self.scale.lengths), "table-g2": 1}.get(self.target, 0)
        models = sum(len(part.jobs) for part in self.parts if part.size is None)
        return lengths * models * self.scale.lc_steps * LC_SECONDS / self.local_workers

    @property
    def local_workers(self) -> int:
        """Processes on this machine that ask ``lc``; a cluster does runs alone."""
        return self.workers if self.cluster is None else 1

    def summary(self) -> RenderableType:
        """Return the plan for a terminal, a row per dataset and number of training images."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(
            title=f"Plan of {self.target} at scale {self.scale.name}",
            title_justify="left",
            box=None,
            pad_edge=False,
        )
        for heading in ("dataset", "runs", "stored", "to train", "epochs", "time"):
            table.add_column(heading, justify="left" if heading == "dataset" else "right")
        for row in self.summary_rows():
            table.add_row(*row)
        lines = [
            Text(f"cannot be run: {name}: {why}", style="red")
            for name, why in self.plan.missing.items()
        ]
        return Group(table, *lines, Text(self._total()))

    def summary_rows(self) -> list[tuple[str, ...]]:
        """Return the cells of the plan's rows."""
        runs = iter(self.plan.runs)
        groups: dict[str, list[Any]] = {}
        for part in self.parts:
            size = "" if part.size is None else f", {part.size:,} images"
            groups.setdefault(f"{part.dataset}{size}", []).extend(next(runs) for _ in part.jobs)
        rows: list[tuple[str, ...]] = []
        for name, each in groups.items():
            work = [run for run in each if run.epochs]
            known = [run.seconds for run in work if not np.isnan(run.seconds)]
            time = f"~{duration(sum(known) / self.workers)}" if known else "unknown"
            rows.append(
                (
                    name,
                    str(len(each)),
                    str(len(each) - len(work)),
                    str(len(work)),
                    str(sum(run.epochs for run in work)),
                    time if work else "–",
                )
            )
        return rows

    def _total(self) -> str:
        work = [run for run in self.plan.runs if run.epochs]
        unknown = sum(bool(np.isnan(run.seconds)) for run in work)
        downloads = {run.model: run.download_megabytes for run in work}
        time = f"~{duration(self.plan.seconds)}" if len(work) > unknown or not work else ""
        more = f"the unknown time of {unknown} runs" if unknown else ""
        return (
            f"Together {' and '.join(filter(None, (time, more)))}, "
            f"{sum(downloads.values()):.0f} MB to download. A stop loses at most an epoch."
            + self._answering()
        )

    def _answering(self) -> str:
        if self.answering_seconds < 60:
            return ""
        return (
            f" Then lc takes ~{duration(self.answering_seconds)} ({self.scale.lc_steps:,} steps a "
            "model and length); its answers are kept beside the output, and a second call reads "
            "them."
        )

    def told(self, result: Result) -> Result:
        """Return a result with what preparing the images and the candidates said."""
        missing = [f"cannot be run: {name}: {why}" for name, why in self.plan.missing.items()]
        return dataclasses.replace(result, notes=(*result.notes, *missing, *self.notes))

    def complete(self, *, watch: Watch = lambda _model, _event: None) -> tuple[Pool, ...]:
        """Train what the store lacks and return the runs, sorted.

        Parameters
        ----------
        watch
            Called with a candidate's name and each event of a run.
        """
        records = iter(
            complete(self.jobs, self.store, workers=self.workers, cluster=self.cluster, watch=watch)
        )
        found = [(part, tuple(next(records) for _ in part.jobs)) for part in self.parts]
        datasets = dict.fromkeys(part.dataset for part, _ in found)
        return tuple(self._pool(dataset, found) for dataset in datasets)

    def _pool(self, dataset: str, found: Sequence[tuple[Part, tuple[RunRecord, ...]]]) -> Pool:
        here = [(part, runs) for part, runs in found if part.dataset == dataset]
        sizes = dict.fromkeys(part.size for part, _ in here if part.size is not None)
        of_size = {
            size: tuple(Repeat(part.seed, runs) for part, runs in here if part.size == size)
            for size in (None, *sizes)
        }
        return Pool(
            dataset,
            self.scale.horizon,
            of_size[None],
            {size: of_size[size] for size in sizes},
        )
