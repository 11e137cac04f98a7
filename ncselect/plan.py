"""What answering a question will cost, said before anything is trained."""

from __future__ import annotations

import dataclasses
import math
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ncselect.cost import (
    ROUGH,
    UNKNOWN,
    Price,
    RoughCost,
    matrix_product_speed,
    measured_extraction,
    measured_training,
)
from ncselect.execute import Job, is_wanting, wanted_scores
from ncselect.progress import duration
from ncselect.scores import SCORES
from ncselect.spec import RunSpec
from ncselect.store import RunStore, nearest
from ncselect.types import RunRecord
from zoo.models import MODELS, Candidate, Card

if TYPE_CHECKING:
    from rich.console import RenderableType

LONG_SECONDS = 1800  # a plan estimated beyond this asks before it starts
SUPPOSED = Candidate("an ordinary network", "application", "ResNet50")
"""What a network of unknown cost is taken for when it is decided whether to ask."""
CLASSIFIER_MEGABYTES = {"VGG16": 472.0, "VGG19": 472.0}  # three dense layers; others: below 16
VARIABLES_PER_WEIGHT = 3  # a checkpoint holds each weight and Adam's two moments


@dataclass(frozen=True)
class PlannedRun:
    """One candidate's share of the plan.

    Attributes
    ----------
    model
        Its name.
    epochs
        Epochs still to be trained; 0 if the store has them all or none is wanted.
    features
        Whether images are still to be passed through it for the scores that are wanted.
    seconds
        Estimated; nan if nothing is known.
    basis
        What the estimate rests on, or why there is nothing to do.
    download_megabytes
        ImageNet weights that are not in Keras's cache, those of the classifier too if a score
        needs it.
    disk_megabytes
        The checkpoint, the best epoch's weights where they are kept, and the trained network where
        it is saved.
    supposed_seconds
        Where nothing is known, what it would take if it were a ``SUPPOSED`` network.
    price
        What its training costs, without its features.
    extraction
        Seconds of its features; nan if nothing is known.
    """

    model: str
    epochs: int
    features: bool
    seconds: float
    basis: str
    download_megabytes: float
    disk_megabytes: float
    supposed_seconds: float = 0.0
    price: Price = UNKNOWN
    extraction: float = 0.0

    @property
    def work(self) -> str:
        """What is to be done, in a few words; empty if nothing is."""
        epochs = [_counted(self.epochs, "epoch")] if self.epochs else []
        return ", ".join((["features"] if self.features else []) + epochs)

    @property
    def time(self) -> str:
        """How long it will take and what that rests on, in a few words."""
        if not self.work:
            return "–"
        return "unknown" if np.isnan(self.seconds) else f"~{duration(self.seconds)} ({self.basis})"


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
    budget
        Seconds after which it ends.
    strategy
        Who is dropped on the way, and when it ends, in words; empty where nobody is.
    """

    runs: tuple[PlannedRun, ...]
    missing: Mapping[str, str]
    workers: int
    free_megabytes: float
    other_settings: tuple[str, ...]
    budget: float = math.inf
    strategy: str = ""

    @property
    def seconds(self) -> float:
        """Estimated time for all candidates together; unknown times are not in it."""
        return self._together([run.seconds for run in self.runs if not np.isnan(run.seconds)])

    @property
    def is_long(self) -> bool:
        """Whether a person should be asked first.

        Networks whose time is unknown count as what they would take if they were of ``SUPPOSED``.
        """
        each = (run.supposed_seconds if np.isnan(run.seconds) else run.seconds for run in self.runs)
        return min(self._together(list(each)), self.budget) > LONG_SECONDS

    @property
    def prices(self) -> dict[str, Price]:
        """Model → what its training costs."""
        return {run.model: run.price for run in self.runs}

    @property
    def extraction(self) -> dict[str, float]:
        """Model → seconds of its features; nan if nothing is known."""
        return {run.model: run.extraction for run in self.runs}

    def _together(self, seconds: Sequence[float]) -> float:
        return max([sum(seconds) / self.workers, *seconds], default=0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        document = dataclasses.asdict(self)
        document["budget"] = None if math.isinf(self.budget) else self.budget
        for run in document["runs"]:
            for name in ("seconds", "disk_megabytes"):
                run[name] = None if np.isnan(run[name]) else round(run[name])
            del run["supposed_seconds"], run["price"], run["extraction"]
        return {**document, "missing": dict(self.missing), "seconds": round(self.seconds)}

    def __rich__(self) -> RenderableType:
        """Return the table for a terminal."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(title="Plan", title_justify="left", box=None, pad_edge=False)
        for heading in ("model", "to do", "time", "download", "disk"):
            table.add_column(heading, justify="left" if heading == "model" else "right")
        for run in self.runs:
            table.add_row(
                run.model,
                run.work or run.basis,
                run.time,
                _megabytes(run.download_megabytes),
                _megabytes(run.disk_megabytes),
            )
        for model, reason in self.missing.items():
            table.add_row(model, f"failed: {reason}", style="red")
        unknown = sum(bool(np.isnan(run.seconds)) for run in self.runs)
        times = [] if unknown and not self.seconds else [f"~{duration(self.seconds)}"]
        times += [f"the unknown time of {_counted(unknown, 'candidate')}"] if unknown else []
        total = (
            f"Together {' and '.join(times)}{' if nobody is dropped' if self.strategy else ''}, "
            f"{sum(run.download_megabytes for run in self.runs):.0f} MB to download, "
            f"{np.nansum([run.disk_megabytes for run in self.runs]):.0f} MB of "
            f"{self.free_megabytes:.0f} MB free disk."
        )
        if self.strategy:
            total += f" By {self.strategy}."
        if math.isfinite(self.budget):
            total += f" It ends after about {duration(self.budget)}, as budgeted."
        lines = [Text(line, style="dim") for line in self.other_settings]
        return Group(table, *lines, Text(total))


def planned(
    jobs: Sequence[Job],
    store: RunStore,
    missing: Mapping[str, str],
    *,
    workers: int = 1,
    budget: float = math.inf,
    strategy: str = "",
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
    budget, strategy
        As of :class:`Plan`.
    """
    records = store.records()
    speed = cache(matrix_product_speed)
    return Plan(
        runs=tuple(_planned_run(job, store, records, speed) for job in jobs),
        missing=dict(missing),
        workers=workers,
        free_megabytes=shutil.disk_usage(nearest(store.folder)).free / 2**20,
        other_settings=_other_settings(
            [job.spec for job in jobs if job.epochs is not None], records
        ),
        budget=budget,
        strategy=strategy,
    )


def _planned_run(
    job: Job, store: RunStore, records: Sequence[RunRecord], speed: Callable[[int], float]
) -> PlannedRun:
    candidate = Candidate.from_json(job.candidate)
    card = candidate.card
    stored = None if job.epochs is None else store.find(job.spec)
    record = RunRecord(job.spec) if stored is None else stored.record()
    trains, scores = is_wanting(job, record), wanted_scores(job, store)
    from_source = any(SCORES[name].needs == "source" for name in scores)
    features = store.find_features(job.spec)
    extracts = bool(scores) and (features is None or features.lacks_images(source=from_source))
    if trains and stored is not None and not stored.can_continue:
        return _nothing(job, "stored without a checkpoint")
    if not trains and not extracts:
        basis = "scores only" if scores else "stored" if _is_stored(job) else "on its card"
        return _nothing(job, basis if record.status != "failed" else f"failed: {record.error}")
    rough = RoughCost(job.spec, candidate, speed)
    epochs = (job.epochs or 0) - record.epochs if trains else 0
    price = measured_training(job.spec, records) if trains else UNKNOWN
    if trains and price is UNKNOWN and card is not None:
        price = rough.training()
    seconds, basis = (price.training(epochs), price.basis) if trains else (0.0, "")
    passing = 0.0
    if extracts:
        passing, how = measured_extraction(job.spec, store)
        if card is not None and (np.isnan(passing) or from_source):
            passing, how = rough.extraction(source=from_source), ROUGH
        seconds, basis = seconds + passing, basis or how
    supposed = 0.0
    if np.isnan(seconds):
        basis = UNKNOWN.basis
        ordinary = RoughCost(job.spec, SUPPOSED, speed)
        supposed += ordinary.training().training(epochs) if trains else 0.0
        supposed += ordinary.extraction(source=from_source) if extracts else 0.0
    elif trains and not epochs and not extracts:
        basis = "only its end is left"  # to measure the test accuracy, or to save the network
    downloads = 0.0
    if card is not None and candidate.weights == "imagenet":
        downloads += 0.0 if is_cached(card.name) else card.megabytes
        if extracts and from_source and not is_cached(card.name, headless=False):
            downloads += card.megabytes + CLASSIFIER_MEGABYTES.get(card.name, 0.0)
    return PlannedRun(
        model=job.spec.model,
        epochs=epochs,
        features=extracts,
        seconds=seconds,
        basis=basis,
        download_megabytes=downloads,
        disk_megabytes=_disk_megabytes(job, card) if trains else 0.0,
        supposed_seconds=supposed,
        price=price,
        extraction=passing,
    )


def saved_already(model: str) -> PlannedRun:
    """Return the share of a candidate whose trained network is saved: nothing is left to do."""
    return PlannedRun(model, 0, False, 0.0, "saved", 0.0, 0.0)


def _is_stored(job: Job) -> bool:
    """Tell whether what a job wants is something that stores keep."""
    return job.epochs is not None or any(SCORES[name].needs != "card" for name in job.scores)


def _nothing(job: Job, basis: str) -> PlannedRun:
    return PlannedRun(job.spec.model, 0, False, 0.0, basis, 0.0, 0.0)


def _disk_megabytes(job: Job, card: Card | None) -> float:
    if card is None:
        return float("nan")
    copies = VARIABLES_PER_WEIGHT + job.spec.settings.restore_best + (job.saves is not None)
    return copies * card.megabytes


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _megabytes(megabytes: float) -> str:
    if np.isnan(megabytes):
        return "unknown"
    return f"{megabytes:.0f} MB" if megabytes else "–"


def is_cached(name: str, *, headless: bool = True) -> bool:
    """Tell whether Keras has a network's ImageNet weights in its cache.

    Keras names the files in many ways; what they share is the network's name, however spaced.
    """
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"
    files = [file.name for file in home.iterdir()] if home.is_dir() else []
    return any(network_of(file, headless=headless) == name for file in files)


def network_of(file: str, *, headless: bool = True) -> str | None:
    """Return the network whose weights a file in Keras's cache holds, or None.

    Parameters
    ----------
    file
        Its name.
    headless
        Whether the weights without the classifier are looked for, or those with it.
    """
    plain = _letters(file).removeprefix("weights")
    if ("notop" in plain) != headless:
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
        f"The store also has {count} of these runs with {text}; "
        + ("it is left alone." if count == 1 else "they are left alone.")
        for text, count in lines.items()
    )
