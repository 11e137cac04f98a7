"""What there is to say of every stored run: where it stands, and of a live one who trains it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from ncselect.cost import seconds_per_epoch
from ncselect.features import StoredFeatures
from ncselect.lock import Holder, last_holder
from ncselect.run import Run
from ncselect.store import RunStore
from ncselect.types import RunRecord

READS = 5
"""Times that a folder is read where a file went meanwhile: who writes it replaces files."""

Row = dict[str, Any]


def run_rows(store: RunStore) -> list[Row]:
    """Return a row per run and one per candidate's features, the live runs first.

    Nothing is locked or changed for it.

    Returns
    -------
    list of dict
        JSON values, None where there is nothing to say.

        - ``status``: ``live`` where a process of this machine writes the run, ``unknown`` where it
          is unfinished and nobody can tell from here whether one writes it, else the record's;
          ``features`` of features.
        - ``epochs``: those stored; ``until``: the epoch that the process goes to.
        - ``last``, ``truth``: the last validation accuracy, the last test accuracy.
        - ``seconds_since``: since the last observation was stored, or the process has taken the
          run up; ``seconds_left``: what the epochs still missing will take, by those stored.
        - ``pid``, ``node``: the process that writes; of an unknown one that which wrote last.
    """
    rows = [_steady(partial(_of_run, run), run.folder) for run in store.runs()]
    rows += [_steady(partial(_of_features, one), one.folder) for one in store.features() if one.key]
    there = [row for row in rows if row is not None]
    return sorted(there, key=lambda row: row["status"] != "live")


def _steady(read: Callable[[], Row], folder: Path) -> Row | None:
    """Return a folder's row, read anew where a file went meanwhile; None if all of it went."""
    for _ in range(READS - 1):
        with suppress(FileNotFoundError):
            return read()
        if not folder.exists():
            return None
    return read()


def _of_run(run: Run) -> Row:
    record, holder = run.record(), last_holder(run.folder)
    status: str = record.status
    if holder is not None and holder.has_it:
        status = "live"
    elif holder is not None and holder.has_it is None and status == "partial":
        status = "unknown"
    live = holder if status == "live" else None
    since = None if live is None else _seconds_since(run)
    last = record.observations[-1].signals["validation-accuracy"] if record.observations else None
    return {
        "key": record.spec.key,
        "model": record.spec.model,
        "dataset": record.spec.dataset,
        "seed": record.spec.seed,
        "status": status,
        "epochs": record.epochs,
        "until": None if live is None else live.until,
        "last": last,
        "truth": record.truth[max(record.truth)] if record.truth else None,
        "seconds_since": since,
        "seconds_left": None if live is None else _seconds_left(record, live.until, since),
        **_process(holder if status in ("live", "unknown") else None),
        "megabytes": round(run.megabytes, 1),
        "error": record.error,
    }


def _of_features(features: StoredFeatures) -> Row:
    holder = last_holder(features.folder)
    return {
        "key": features.key,
        "model": features.spec["model"],
        "dataset": features.spec["dataset"],
        "seed": None,
        "status": "features",
        "epochs": None,
        "until": None,
        "last": None,
        "truth": None,
        "seconds_since": None,
        "seconds_left": None,
        **_process(holder if holder is not None and holder.has_it else None),
        "megabytes": round(features.megabytes, 1),
        "error": None,
    }


def _process(holder: Holder | None) -> Row:
    return {
        "pid": None if holder is None else holder.pid,
        "node": None if holder is None else holder.node,
    }


def _seconds_since(run: Run) -> float | None:
    """Return the age of a run's last line; None before the first."""
    lines = run.folder / "observations.jsonl"
    if not lines.exists():
        return None
    return round(max(0.0, time.time() - lines.stat().st_mtime), 1)


def _seconds_left(record: RunRecord, until: int | None, since: float | None) -> float | None:
    """Return what a run's missing epochs take if each takes what the stored ones took."""
    epoch = seconds_per_epoch(record)
    if until is None or since is None or math.isnan(epoch):
        return None
    missing = max(0, until - record.epochs)
    return round(max(0.0, missing * epoch - min(since, epoch)), 1)
