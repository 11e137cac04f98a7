"""What can be reproduced: the paper's tables and figures by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from ncselect.reproduction.costs import figure_g6
from ncselect.reproduction.figure2 import figure2
from ncselect.reproduction.figure_f5 import figure_f5
from ncselect.reproduction.kept_answers import KeptAnswers
from ncselect.reproduction.material import Material, Watch
from ncselect.reproduction.pools import Pool, truth
from ncselect.reproduction.predictions import figure3a, figure_f4
from ncselect.reproduction.protocol import deviations, open_choices, protocol, versions
from ncselect.reproduction.result import Result
from ncselect.reproduction.scales import Scale
from ncselect.reproduction.sizes import figure3c
from ncselect.reproduction.starts import figure3b
from ncselect.reproduction.table1 import table1
from ncselect.reproduction.table_g2 import table_g2
from ncselect.reproduction.wording import grouped
from ncselect.types import RunRecord
from zoo.errors import InputError, UnknownNameError


@dataclass(frozen=True)
class Target:
    """A table or figure.

    Attributes
    ----------
    make
        Makes it.
    all_datasets
        Whether it is of all datasets; else of the first.
    sizes
        Whether it needs runs on fewer training images besides.
    """

    make: Callable[[Material], Result]
    all_datasets: bool = True
    sizes: bool = False


TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "table1": Target(table1),
        "table-g2": Target(table_g2),
        "figure2": Target(figure2, all_datasets=False),
        "figure3a": Target(figure3a, all_datasets=False),
        "figure3b": Target(figure3b, all_datasets=False),
        "figure3c": Target(figure3c, all_datasets=False, sizes=True),
        "figure-f4": Target(figure_f4),
        "figure-f5": Target(figure_f5),
        "figure-g6": Target(figure_g6),
    }
)
"""Name → target, in the paper's order."""


def target_named(name: str) -> Target:
    """Return a target by name.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    """
    if name not in TARGETS:
        raise UnknownNameError("target", name, TARGETS)
    return TARGETS[name]


def reproduced(
    target: str,
    pools: Sequence[Pool],
    scale: Scale,
    *,
    workers: int = 1,
    answers: str | Path | None = None,
    watch: Watch = lambda _what, _done, _total: None,
) -> Result:
    """Make a table or figure from runs; train nothing.

    Parameters
    ----------
    target
        A key of ``TARGETS``.
    pools
        The runs.
    scale
        Whose observation lengths, starts and sizes are read; β_eff is read on the whole training
        set where all runs measured it there.
    workers
        Processes that methods are asked in.
    answers
        Folder in which those of slow methods are kept, and found again; none are if None.
    watch
        Called with what is counted, how much is done, and how much there is.

    Raises
    ------
    UnknownNameError
        If there is no such target.
    InputError
        If there are no pools, or their runs do not hold what the target reads.
    """
    card = target_named(target)
    if not pools:
        raise InputError("pools is empty; give the runs on at least one dataset")
    used, lost = _with_truth(pools if card.all_datasets else pools[:1])
    whole = all(run.spec.settings.measure_whole for pool in used for run in pool.runs)
    scale = dataclasses.replace(scale, measure_whole=whole)
    kept = None if answers is None else KeptAnswers(Path(answers))
    made = card.make(Material(pools=used, scale=scale, workers=workers, kept=kept, watch=watch))
    settings = used[0].repeats[0].runs[0].spec.settings
    return dataclasses.replace(
        made,
        deviations=(
            *deviations(used, all_datasets=card.all_datasets),
            *made.deviations,
        ),
        notes=(*lost, *made.notes, open_choices(settings)),
        protocol={"scale": dataclasses.asdict(scale), **protocol(used)},
        versions=versions(used),
    )


def _with_truth(pools: Sequence[Pool]) -> tuple[tuple[Pool, ...], list[str]]:
    """Return the pools that any figure can be made of, and why the others cannot."""
    lost = {
        pool.dataset: "; ".join(grouped({run.spec.model: _why(run, pool) for run in pool.runs}))
        for pool in pools
        if not np.isfinite(truth(pool)).any()
    }
    left = tuple(pool for pool in pools if pool.dataset not in lost)
    lines = [f"no run on {dataset} came to its end: {why}" for dataset, why in lost.items()]
    if not left:
        raise InputError(" ".join(lines))
    return left, lines


def _why(run: RunRecord, pool: Pool) -> str:
    if run.status == "failed":
        return run.error or "no cause was recorded"
    return f"{run.epochs} of {pool.horizon} epochs"
