"""What answering a question will cost, said before anything is trained."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ncselect.execute import Job, is_wanting
from ncselect.progress import duration
from ncselect.store import RunStore
from ncselect.types import RunRecord, RunSpec
from zoo.models import MODELS, Candidate, Card

if TYPE_CHECKING:
    from rich.console import RenderableType

LONG_SECONDS = 1800  # a plan estimated beyond this asks before it starts
STEP_PER_FORWARD = 3  # a training step costs about three forward passes
EFFICIENCY = 0.4  # of the matrix product's speed that fine-tuning reaches, between .2 and 1.2
VARIABLES_PER_WEIGHT = 3  # a checkpoint holds each weight and Adam's two moments
TRACE_SECONDS = 25  # compiling a candidate's first step, typically


@dataclass(frozen=True)
class PlannedRun:
    """One candidate's share of the plan.

    Attributes
    ----------
    model
        Its name.
    epochs
        Epochs still to be trained; 0 if the store has them all.
    seconds
        Estimated; nan if nothing is known.
    basis
        What the estimate rests on.
    download_megabytes
        ImageNet weights that are not in Keras's cache.
    disk_megabytes
        The checkpoint.
    """

    model: str
    epochs: int
    seconds: float
    basis: str
    download_megabytes: float
    disk_megabytes: float


@dataclass(frozen=True)
class Plan:
    """Runs, downloads, disk and time.

    Attributes
    ----------
    runs
        One per candidate that can be run.
    missing
        Candidate → why it cannot be.
    workers
        Runs at a time.
    free_megabytes
        Free space where the store lies.
    other_settings
        What the store's other runs of these candidates on this dataset did differently.
    """

    runs: tuple[PlannedRun, ...]
    missing: Mapping[str, str]
    workers: int
    free_megabytes: float
    other_settings: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """Estimated time for all runs together; those of unknown length are not in it."""
        known = [run.seconds for run in self.runs if not np.isnan(run.seconds)]
        return max([sum(known) / self.workers, *known], default=0.0)

    @property
    def is_long(self) -> bool:
        """Whether a person should be asked first."""
        return self.seconds > LONG_SECONDS

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        document = dataclasses.asdict(self)
        for run in document["runs"]:
            for name in ("seconds", "disk_megabytes"):
                run[name] = None if np.isnan(run[name]) else round(run[name])
        return {**document, "missing": dict(self.missing), "seconds": round(self.seconds)}

    def __rich__(self) -> RenderableType:
        """Return the table for a terminal."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(title="Plan", title_justify="left", box=None, pad_edge=False)
        for heading in ("model", "epochs to train", "time", "download", "disk"):
            table.add_column(heading, justify="left" if heading == "model" else "right")
        for run in self.runs:
            estimate = "unknown" if np.isnan(run.seconds) else f"~{duration(run.seconds)}"
            table.add_row(
                run.model,
                str(run.epochs) if run.epochs else run.basis,
                f"{estimate} ({run.basis})" if run.epochs else "–",
                _megabytes(run.download_megabytes),
                _megabytes(run.disk_megabytes),
            )
        for model, reason in self.missing.items():
            table.add_row(model, f"failed: {reason}", style="red")
        unknown = sum(np.isnan(run.seconds) for run in self.runs)
        total = (
            f"Together ~{duration(self.seconds)}"
            + (f" and {unknown} runs of unknown length" if unknown else "")
            + f", {sum(run.download_megabytes for run in self.runs):.0f} MB to download, "
            f"{np.nansum([run.disk_megabytes for run in self.runs]):.0f} MB of "
            f"{self.free_megabytes:.0f} MB free disk."
        )
        lines = [Text(line, style="dim") for line in self.other_settings]
        return Group(table, *lines, Text(total))


def planned(
    jobs: Sequence[Job], store: RunStore, missing: Mapping[str, str], *, workers: int = 1
) -> Plan:
    """Work out what the jobs will cost; train nothing.

    Parameters
    ----------
    jobs
        What is wanted.
    store
        What is there already, and how long it took.
    missing
        Candidates that cannot be run.
    workers
        Runs at a time.
    """
    records = store.records()
    speed = cache(_matrix_product_speed)
    return Plan(
        runs=tuple(_planned_run(job, store, records, speed) for job in jobs),
        missing=dict(missing),
        workers=workers,
        free_megabytes=shutil.disk_usage(store.folder).free / 2**20,
        other_settings=_other_settings([job.spec for job in jobs], records),
    )


def _planned_run(
    job: Job, store: RunStore, records: Sequence[RunRecord], speed: Callable[[int], float]
) -> PlannedRun:
    candidate = Candidate.from_json(job.candidate)
    card = candidate.card
    stored = store.find(job.spec)
    record = None if stored is None else stored.record()
    if record is not None and not is_wanting(job, record):
        basis = "stored" if record.status != "failed" else f"failed: {record.error}"
        return PlannedRun(job.spec.model, 0, 0.0, basis, 0.0, 0.0)
    if stored is not None and not stored.can_continue:
        return PlannedRun(job.spec.model, 0, 0.0, "stored without a checkpoint", 0.0, 0.0)
    epochs = job.epochs - (0 if record is None else record.epochs)
    seconds, basis = _measured_seconds(job, epochs, records)
    if np.isnan(seconds) and card is not None:
        width = float(candidate.arguments.get("alpha", 1.0))
        threads = int(job.spec.environment["threads"])
        seconds, basis = _rough_seconds(job, epochs, card, width, speed(threads)), "rough"
    downloads = card is not None and candidate.weights == "imagenet" and not is_cached(card.name)
    return PlannedRun(
        model=job.spec.model,
        epochs=epochs,
        seconds=seconds,
        basis=basis,
        download_megabytes=card.megabytes if card and downloads else 0.0,
        disk_megabytes=VARIABLES_PER_WEIGHT * card.megabytes if card else float("nan"),
    )


def _megabytes(megabytes: float) -> str:
    if np.isnan(megabytes):
        return "unknown"
    return f"{megabytes:.0f} MB" if megabytes else "–"


def _measured_seconds(job: Job, epochs: int, records: Sequence[RunRecord]) -> tuple[float, str]:
    """Scale what the same candidate took in the store by images and pixels."""
    work = _work(job.spec)
    seen = [
        (one.seconds + one.measuring_seconds) / _work(record.spec)
        for record in records
        if record.spec.candidate == job.spec.candidate
        for one in record.observations[1:]
    ]
    if not seen:
        return float("nan"), "unknown"
    return statistics.median(seen) * work * epochs + TRACE_SECONDS, "as stored runs"


def _work(spec: RunSpec) -> float:
    height, width, _ = spec.data["image_shape"]
    return float(spec.data["counts"]["train"] * height * width)


def _rough_seconds(job: Job, epochs: int, card: Card, alpha: float, speed: float) -> float:
    """Multiply-adds of the epochs over what this machine reaches."""
    height, width, _ = job.spec.data["image_shape"]
    area = max(height, card.smallest_size) * max(width, card.smallest_size)
    per_image = 2.0 * card.multiply_adds * alpha**2 * area / card.default_size**2
    images = job.spec.data["counts"]["train"] * epochs
    return float(STEP_PER_FORWARD * per_image * images / (speed * EFFICIENCY) + TRACE_SECONDS)


def _matrix_product_speed(threads: int) -> float:
    """Measure floating-point operations a second of a matrix product, for so many threads."""
    rng = np.random.default_rng(0)
    left = rng.random((768, 768), dtype=np.float32)
    left @ left
    started = time.perf_counter()
    for _ in range(4):
        left @ left
    per_core = 4 * 2 * 768**3 / (time.perf_counter() - started) / len(os.sched_getaffinity(0))
    return per_core * threads


def is_cached(name: str) -> bool:
    """Tell whether Keras has a network's headless ImageNet weights in its cache.

    Keras names the files in many ways; what they share is the network's name, however spaced.
    """
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"
    files = [file.name for file in home.iterdir()] if home.is_dir() else []
    return any(network_of(file) == name for file in files)


def network_of(file: str) -> str | None:
    """Return the network whose headless weights a file in Keras's cache holds, or None."""
    plain = _letters(file).removeprefix("weights")
    if "notop" not in plain:
        return None
    fits = [name for name in MODELS if plain.startswith(_letters(name))]
    return max(fits, key=len, default=None)


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _other_settings(specs: Sequence[RunSpec], records: Sequence[RunRecord]) -> tuple[str, ...]:
    """Say how the store's other runs of these candidates on this dataset differ."""
    wanted = {spec.model: spec for spec in specs}
    keys = {spec.key for spec in specs}
    lines: dict[str, int] = {}
    for record in records:
        spec = wanted.get(record.spec.model)
        if spec is None or record.spec.dataset != spec.dataset or record.spec.key in keys:
            continue
        there, here = record.spec.flat(), spec.flat()
        differing = [name for name in here if there.get(name) != here[name]]
        if set(differing) <= {"environment.threads"}:
            continue
        text = ", ".join(f"{name} {there.get(name)} (now {here[name]})" for name in differing[:3])
        lines[text] = lines.get(text, 0) + 1
    return tuple(
        f"The store also has {count} of these runs with {text}; they are left alone."
        for text, count in lines.items()
    )
