"""The runs that a table or figure is made of: per dataset, repeats of a pool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ncselect.comparison import unscorable
from ncselect.types import RunRecord

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Repeat:
    """One run of every candidate with the same seed.

    Attributes
    ----------
    seed
        Of the runs.
    runs
        One per candidate.
    """

    seed: int
    runs: tuple[RunRecord, ...]

    def with_epochs(self, epochs: int) -> tuple[RunRecord, ...]:
        """Return the runs that have so many epochs, or never will: those that failed."""
        return tuple(run for run in self.runs if run.status == "failed" or run.epochs >= epochs)


@dataclass(frozen=True)
class Pool:
    """All repeats of the candidates on one dataset.

    Attributes
    ----------
    dataset
        Its name, the paper's where it is one of the paper's.
    horizon
        The epoch whose test accuracy is the truth.
    repeats
        In the order of their seeds.
    reduced
        Training images → repeats on the first so many images of the training split; their truth
        is that of ``repeats``.
    """

    dataset: str
    horizon: int
    repeats: tuple[Repeat, ...]
    reduced: Mapping[int, tuple[Repeat, ...]] = field(default_factory=dict)

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the candidates of any repeat, in order."""
        return names_of(run for repeat in self.repeats for run in repeat.runs)

    @property
    def runs(self) -> tuple[RunRecord, ...]:
        """All runs of the full size."""
        return tuple(run for repeat in self.repeats for run in repeat.runs)

    @property
    def train(self) -> int | None:
        """Training images of the full size; None where the runs do not say."""
        return training_images(self.repeats[0].runs[0])


def training_images(record: RunRecord) -> int | None:
    """Return on how many images a run trains; None if it does not say."""
    count = record.spec.data.get("counts", {}).get("train")
    return None if count is None else int(count)


def names_of(runs: Iterable[RunRecord]) -> tuple[str, ...]:
    """Return the candidates' names, each once, in order."""
    return tuple(dict.fromkeys(run.spec.model for run in runs))


def truth(pool: Pool) -> Floats:
    """Return the test accuracies at the horizon, shape (repeats, models); nan where unknown."""
    found = np.full((len(pool.repeats), len(pool.models)), np.nan)
    for row, repeat in zip(found, pool.repeats, strict=True):
        for run in repeat.runs:
            if run.status != "failed" and pool.horizon in run.truth:
                row[pool.models.index(run.spec.model)] = run.truth[pool.horizon]
    return found


def left_out(pool: Pool, epochs: int) -> dict[str, str]:
    """Return run → why it cannot be scored after so many epochs, of all repeats."""
    reasons = {}
    for repeat in pool.repeats:
        if not repeat.with_epochs(epochs):
            reasons[f"all of seed {repeat.seed}"] = f"no run of it has {epochs} epochs yet"
            continue
        why_not = unscorable(repeat.runs, epochs, pool.horizon)
        names = {run.spec.model for run in repeat.runs}
        why_not |= {model: "there is no such run" for model in pool.models if model not in names}
        for model, reason in why_not.items():
            reasons[f"{model}, seed {repeat.seed}"] = reason
    return reasons
