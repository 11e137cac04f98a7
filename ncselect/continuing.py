"""Whether a stored run can go on, and what comes of it be saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ncselect.environment import environment
from ncselect.execute import Job
from ncselect.pretrained import deleting, stored_network
from ncselect.spec import RunSpec
from ncselect.store import RunStore
from ncselect.types import RunRecord
from zoo.errors import InputError


def check_as_it_began(**changed: Any) -> None:
    """Refuse settings that were stated: a run that goes on has those it began with."""
    for name, value in changed.items():
        if value is not None:
            raise InputError(
                f"{name}: {value} came, but a run goes on as it began; leave --"
                f"{name.replace('_', '-')} out, or give --head fresh"
            )


def check_probe_run(spec: RunSpec, store: RunStore, horizon: int) -> None:
    """Refuse to continue a run that has no probe unit, failed, or would go on differently."""
    if spec.settings.unit != "probe":
        raise InputError(
            f"head: {spec.model} was ranked below a plain classifier; there is no probe unit to "
            "keep: give --head fresh"
        )
    run = store.find(spec)
    record = RunRecord(spec) if run is None else run.record()
    began = record.spec.environment
    if record.status == "failed":
        raise InputError(
            f"head: the run of {spec.model} failed ({record.error}); give --head fresh"
        )
    here = environment(int(began["threads"]))
    differing = [name for name in {**began, **here} if began.get(name) != here.get(name)]
    if differing and record.epochs < horizon:
        name = differing[0]
        raise InputError(
            f"head: the run of {spec.model} was made with {name} {began.get(name)}, here it is "
            f"{here.get(name)}: it would not go on to the same numbers; go on where it was made, "
            "or give --head fresh"
        )


def check_can_be_saved(job: Job, store: RunStore) -> None:
    """Refuse a run that is beyond the horizon, or has ended and left nothing to be saved."""
    run = store.find(job.spec)
    if run is None or stored_network(Path(job.saves or "")) is not None:
        return
    record = run.record()
    instead = "--head fresh" if job.spec.settings.unit == "probe" else "another --seed"
    if run.can_continue:
        if record.epochs > job.horizon:
            raise InputError(
                f"epochs: {job.horizon} came, but the run of {job.spec.model} has gone on to epoch "
                f"{record.epochs}; give --epochs {record.epochs} or more, or {instead}"
            )
        return
    if record.status == "failed":
        raise InputError(
            f"model: the run of {job.spec.model} failed ({record.error}); train it otherwise, such "
            "as with a smaller --learning-rate"
        )
    saved = record.facts.get("network_file")
    copy = f"it was saved as '{saved}': copy that file, or " if _is_there(saved) else ""
    raise InputError(
        f"out: the run of {job.spec.model} has ended at epoch {record.epochs} and its checkpoint "
        f"is gone; {copy}delete the run with '{deleting(run)}' to train it anew, with --keep to "
        f"keep the checkpoint, or give {instead}"
    )


def _is_there(saved: str | None) -> bool:
    return saved is not None and Path(saved).exists()
