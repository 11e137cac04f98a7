"""Answers that survive: every ranking with what was asked, found again by its name.

They lie below ``rankings`` in the store, a JSON file each. The runs they were made from are those
of the store, as far as they have come by the time they are read.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ncselect.execute import Job
from ncselect.ranking import Ranking
from ncselect.run import replace_text
from ncselect.spec import RunSpec
from ncselect.store import RunStore
from ncselect.types import RunRecord
from zoo.errors import InputError


@dataclass(frozen=True)
class KeptRanking:
    """A ranking and everything that a report or a fine-tuning of its best needs.

    Attributes
    ----------
    name
        The dataset's name and eight digits that cover the question: the same question, asked
        again, has the same name.
    ranking
        As it was answered; its records are as long as the store's runs are by now.
    question
        What was asked, argument → value; ``command`` is the command line, or empty.
    specs, candidates
        Model → what was run, and ``Candidate.to_json()``.
    dataset
        ``Dataset.to_json()``.
    horizon
        The epoch whose accuracy is predicted.
    made
        When it was answered, ISO 8601, UTC.
    """

    name: str
    ranking: Ranking
    question: Mapping[str, Any]
    specs: Mapping[str, RunSpec]
    candidates: Mapping[str, Mapping[str, Any]]
    dataset: Mapping[str, Any]
    horizon: int
    made: str


def kept(
    ranking: Ranking, jobs: Sequence[Job], store: RunStore, question: Mapping[str, Any]
) -> Ranking:
    """Keep an answer in the store and return it with its name.

    Parameters
    ----------
    ranking
        The answer.
    jobs
        What it was made from; without any there is nothing to keep.
    store
        Where its runs are.
    question
        What was asked: JSON values.
    """
    if not jobs:
        return ranking
    keys = sorted(job.spec.key for job in jobs)
    asked = {name: value for name, value in question.items() if name not in _DECIDE_NOTHING}
    text = json.dumps([keys, asked], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9._]+", "-", ranking.dataset).strip("-.")[:60]
    named = dataclasses.replace(
        ranking,
        name=f"{readable}-{digest}",
        horizon=jobs[0].horizon,
        store=_place(store),
    )
    document = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "question": dict(question),
        "horizon": jobs[0].horizon,
        "dataset": dict(jobs[0].dataset),
        "candidates": {job.spec.model: dict(job.candidate) for job in jobs},
        "specs": {job.spec.model: job.spec.to_json() for job in jobs},
        "ranking": named.to_dict(),
    }
    store.make()
    folder = _folder(store)
    folder.mkdir(exist_ok=True)
    replace_text(folder / f"{named.name}.json", json.dumps(document, indent=1))
    return named


_DECIDE_NOTHING = ("command", "store", "workers", "threads", "ray", "gpus_per_run", "keep")


def kept_names(store: RunStore) -> list[str]:
    """Return the names of a store's answers, the newest first."""
    written = [(path.stat().st_mtime_ns, path.stem) for path in _folder(store).glob("*.json")]
    return [name for _, name in sorted(written, reverse=True)]


def kept_ranking(store: RunStore, name: str | None = None) -> KeptRanking:
    """Return an answer by its name, by a beginning that only one name has, or the newest.

    Raises
    ------
    InputError
        If there is none, several names begin so, or its file cannot be read.
    """
    names = kept_names(store)
    if not names:
        raise InputError(
            f"ranking: none is kept in '{store.folder}'; make one with 'ncselect rank', or name "
            "the folder of its runs with --store"
        )
    if name is None or name in names:
        return _read(_folder(store) / f"{name or names[0]}.json", store)
    fits = [one for one in names if one.startswith(name)]
    if len(fits) != 1:
        raise InputError(
            f"ranking: '{name}' fits {len(fits)} in '{store.folder}'; there are {', '.join(names)}"
        )
    return _read(_folder(store) / f"{fits[0]}.json", store)


def _read(path: Path, store: RunStore) -> KeptRanking:
    try:
        document = _checked(json.loads(path.read_text()))
        specs = {model: RunSpec.from_json(spec) for model, spec in document["specs"].items()}
        records = {model: _record(spec, store) for model, spec in specs.items()}
        return KeptRanking(
            name=path.stem,
            ranking=dataclasses.replace(
                Ranking.from_dict(document["ranking"], records=records), store=_place(store)
            ),
            question=document["question"],
            specs=specs,
            candidates=document["candidates"],
            dataset=document["dataset"],
            horizon=document["horizon"],
            made=document["made"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"ranking: '{path}' cannot be read ({type(error).__name__}: {error}); delete the file "
            "and rank again, which trains nothing that is stored"
        ) from error


_MEMBERS = {
    "made": str,
    "question": dict,
    "horizon": int,
    "dataset": dict,
    "candidates": dict,
    "specs": dict,
    "ranking": dict,
}


def _checked(document: dict[str, Any]) -> dict[str, Any]:
    """Return a file's content if it has what was written.

    Raises
    ------
    KeyError, ValueError
        If something is missing or of another type.
    """
    for name, kind in _MEMBERS.items():
        if not isinstance(document[name], kind):
            raise ValueError(f"{name} is {document[name]!r:.40}")
    candidates = document["candidates"]
    if not candidates or candidates.keys() != document["specs"].keys():
        raise ValueError("its candidates are not those of its runs")
    for model, candidate in candidates.items():
        if not isinstance(candidate, dict):
            raise ValueError(f"candidate {model} is {candidate!r:.40}")
    return document


def _record(spec: RunSpec, store: RunStore) -> RunRecord:
    """Return a candidate's run as far as it has come; without observations where it has none."""
    run = store.find(spec)
    record = RunRecord(spec) if run is None else run.record()
    named = dataclasses.replace(record, spec=dataclasses.replace(record.spec, model=spec.model))
    return store.scored(named)


def _place(store: RunStore) -> str:
    return str(store.folder.absolute())


def _folder(store: RunStore) -> Path:
    return store.folder / "rankings"
