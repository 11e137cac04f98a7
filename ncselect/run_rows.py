"""What there is to say of every stored run: where it stands, and of a live one who trains it."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from typing import Any

from ncselect.cost import seconds_per_epoch
from ncselect.features import StoredFeatures
from ncselect.lock import Holder, last_holder
from ncselect.run import Run
from ncselect.store import RunStore
from ncselect.types import RunRecord

Row = dict[str, Any]


def run_rows(store: RunStore) -> list[Row]:
    """Return a row per run and one per candidate's features, the live runs first.

    Nothing is locked or changed for it; what is deleted meanwhile has no row.

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
          run up.
        - ``seconds_left``: of a live run, what the epochs still missing will take if each takes
          the median of those stored. That is a rough figure: other processes come and go.
        - ``pid``, ``node``: the process that writes; of an unknown one that which wrote last.
    """
    rows = []
    for run in store.runs():
        with suppress(FileNotFoundError):
            rows.append(_of_run(run))
    for features in store.features():
        with suppress(FileNotFoundError):
            if key := features.key:
                rows.append(_of_features(features, key))
    return sorted(rows, key=lambda row: row["status"] != "live")


def _of_run(run: Run) -> Row:
    holder = last_holder(run.folder)  # first: who has ended by the time of the record is not live
    record = run.record()
    status: str = record.status
    if holder is not None and status == "partial":
        status = {True: "live", None: "unknown", False: status}[holder.has_it]
    writes = holder if status in ("live", "unknown") else None
    until = None if writes is None else writes.until
    since = None if writes is None else _seconds_since(run)
    last = record.observations[-1].signals["validation-accuracy"] if record.observations else None
    return {
        **_row(record.spec.key, record.spec.model, record.spec.dataset, status, writes),
        "seed": record.spec.seed,
        "epochs": record.epochs,
        "until": until,
        "last": last,
        "truth": record.truth[max(record.truth)] if record.truth else None,
        "seconds_since": since,
        "seconds_left": _seconds_left(record, until, since) if status == "live" else None,
        "megabytes": round(run.megabytes, 1),
        "error": record.error,
    }


def _of_features(features: StoredFeatures, key: str) -> Row:
    spec, holder = features.spec, last_holder(features.folder)
    writes = holder if holder is not None and holder.has_it else None
    row = _row(key, spec["model"], spec["dataset"], "features", writes)
    return {**row, "megabytes": round(features.megabytes, 1)}


def _row(key: str, model: str, dataset: str, status: str, writes: Holder | None) -> Row:
    """Return a row that says no more than whose it is, and which process writes it."""
    return {
        "key": key,
        "model": model,
        "dataset": dataset,
        "seed": None,
        "status": status,
        "epochs": None,
        "until": None,
        "last": None,
        "truth": None,
        "seconds_since": None,
        "seconds_left": None,
        "pid": None if writes is None else writes.pid,
        "node": None if writes is None else writes.node,
        "megabytes": None,
        "error": None,
    }


def _seconds_since(run: Run) -> float | None:
    """Return the age of a run's last line; None before the first."""
    try:
        written = (run.folder / "observations.jsonl").stat().st_mtime
    except FileNotFoundError:
        return None
    return round(max(0.0, time.time() - written), 1)


def _seconds_left(record: RunRecord, until: int | None, since: float | None) -> float | None:
    """Return what a run's missing epochs take if each takes the median of the stored ones."""
    epoch = seconds_per_epoch(record)
    if until is None or since is None or math.isnan(epoch):
        return None
    missing = max(0, until - record.epochs)
    return round(max(0.0, missing * epoch - min(since, epoch)), 1)
