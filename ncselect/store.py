"""Runs and features that survive, found again by everything that decides their numbers.

A folder per run, and below ``features`` one per candidate and dataset.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ncselect.features import Scores, StoredFeatures, features_identity, features_key
from ncselect.run import Run, replace_text
from ncselect.scores import card_scores
from ncselect.spec import RunSpec
from ncselect.types import RunRecord
from zoo.errors import InputError

FORMAT = 1


class RunStore:
    """All runs and features below one folder.

    Parameters
    ----------
    folder
        Where the runs lie.
    create
        It need not exist: it is made when something is first kept in it. It must be writable.

    Raises
    ------
    InputError
        If the folder cannot be written, or was written by another format of ncselect.
    """

    def __init__(self, folder: str | Path, *, create: bool = True) -> None:
        self.folder = Path(folder).expanduser()
        if not create and not self._exists:
            raise InputError(
                f"store: there are no runs in '{self.folder}'; "
                "name the folder that 'ncselect rank' wrote with --store"
            )
        try:
            if create:
                check_writable(self.folder)
            found = json.loads(self._header.read_text()).get("format") if self._exists else FORMAT
        except (OSError, json.JSONDecodeError, AttributeError) as error:
            raise InputError(
                f"store: cannot keep runs in '{self.folder}' ({error}); "
                "name a folder that can be written with --store"
            ) from error
        if found != FORMAT:
            raise InputError(
                f"store: '{self.folder}' has format {found}, this ncselect reads format {FORMAT}; "
                "name another folder with --store"
            )

    @property
    def _header(self) -> Path:
        return self.folder / "store.json"

    @property
    def _exists(self) -> bool:
        return self._header.exists()

    def make(self) -> None:
        """Make the folder and what says that it is a store, if they are not there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._exists:
            replace_text(self._header, json.dumps({"format": FORMAT}))

    def runs(self) -> list[Run]:
        """Return every run whose spec can be read, by name."""
        return [run for run in self._folders() if run.is_readable]

    def unreadable(self) -> list[Run | StoredFeatures]:
        """Return the runs and features whose spec cannot be read; they can only be deleted."""
        without_key = [one for one in self.folders() if not one.key]
        return [one for one in without_key if (one.folder / "spec.json").exists()]  # not deleted

    def folders(self) -> list[Run | StoredFeatures]:
        """Return every run and all features, by name, whether or not they can be read."""
        return [*self._folders(), *self.features()]

    def _folders(self) -> list[Run]:
        return [Run(spec.parent) for spec in sorted(self.folder.glob("*/spec.json"))]

    def records(self) -> list[RunRecord]:
        """Return every run as far as it has come, with its candidate's scores."""
        records = []
        for run in self.runs():
            with suppress(FileNotFoundError):  # deleted meanwhile
                records.append(self.scored(run.record()))
        return records

    def features(self) -> list[StoredFeatures]:
        """Return every candidate's features, by name; those of an empty key are unreadable."""
        return [StoredFeatures(path.parent) for path in sorted(self._features.glob("*/spec.json"))]

    @property
    def _features(self) -> Path:
        return self.folder / "features"

    def run(self, spec: RunSpec) -> Run:
        """Return the run of a spec, made if the store has none.

        A stored run that differs in the number of threads alone is this run: it is read, and
        continued with its own number, so that its numbers stay those of one uninterrupted run.
        """
        found = self.find(spec)
        if found is not None:
            return found
        self.make()
        folder = self.folder / f"{_readable(spec)}-s{spec.seed}-{spec.key}"
        folder.mkdir(exist_ok=True)
        replace_text(folder / "spec.json", json.dumps(spec.to_json(), indent=1, sort_keys=True))
        return Run(folder)

    def find(self, spec: RunSpec) -> Run | None:
        """Return the stored run of a spec, or None."""
        names = sorted(os.listdir(self.folder)) if self.folder.exists() else []
        named = [Run(self.folder / name) for name in names if name.endswith(f"-{spec.key}")]
        if named and named[0].key == spec.key:
            return named[0]
        wanted = _without_threads(spec)
        same = [
            run
            for name in names
            if f"-s{spec.seed}-" in name
            and _stored_without_threads(f"{self.folder}/{name}") == wanted
            and (run := Run(self.folder / name)).is_readable
        ]
        return next((run for run in same if run.key == spec.key), next(iter(same), None))

    def find_features(self, spec: RunSpec) -> StoredFeatures | None:
        """Return the stored features of a run's candidate on its dataset, or None."""
        key = features_key(spec)
        fits = [StoredFeatures(folder) for folder in sorted(self._features.glob(f"*-{key}"))]
        return next((features for features in fits if features.key == key), None)

    def features_of(self, spec: RunSpec) -> StoredFeatures:
        """Return the features of a run's candidate on its dataset, made if the store has none.

        Made means a folder with a spec: what it lacks is extracted by the process of a run.
        """
        found = self.find_features(spec)
        if found is not None:
            return found
        self.make()
        folder = self._features / f"{_readable(spec)}-{features_key(spec)}"
        folder.mkdir(parents=True, exist_ok=True)
        document = {"model": spec.model, "dataset": spec.dataset, **features_identity(spec)}
        replace_text(folder / "spec.json", json.dumps(document, indent=1, sort_keys=True))
        return StoredFeatures(folder)

    def scored(self, record: RunRecord) -> RunRecord:
        """Return a record with its candidate's scores, and what was noticed at measuring them.

        Scores are those of its card and those that have been measured.
        """
        stored = self.find_features(record.spec)
        measured = Scores() if stored is None else stored.scores
        facts = {**({} if stored is None else stored.facts), **record.facts}
        values, reasons = card_scores(record.spec.candidate, facts)
        return dataclasses.replace(
            record,
            facts=facts,
            scores={**record.scores, **values, **measured.values},
            unscored={**record.unscored, **reasons, **measured.reasons},
        )

    def select(self, names: Sequence[str]) -> list[Run | StoredFeatures]:
        """Return the runs and features with these keys, key beginnings or folder names.

        Each comes once, however often it is named.

        Raises
        ------
        InputError
            If a name fits none, or the beginning of several keys.
        """
        chosen: dict[Path, Run | StoredFeatures] = {}
        folders = self.folders()
        for name in names:
            fits = [
                one
                for one in folders
                if one.folder.name == name or (len(name) >= 4 and one.key.startswith(name))
            ]
            if len(fits) != 1:
                raise InputError(
                    f"run: '{name}' fits {len(fits)} runs in '{self.folder}'; give a key "
                    "(or at least its first four digits) as listed by 'ncselect runs'"
                )
            chosen[fits[0].folder] = fits[0]
        return list(chosen.values())


def nearest(folder: Path) -> Path:
    """Return a folder, or the nearest above it that is there."""
    folder = folder.absolute()
    return next(one for one in (folder, *folder.parents) if one.exists())


def check_writable(folder: Path) -> None:
    """Raise OSError unless files can be written in a folder, which need not be there yet."""
    there = nearest(folder)
    if not there.is_dir():
        raise NotADirectoryError(f"'{there}' is no folder")
    if not os.access(there, os.W_OK):
        raise PermissionError(f"'{there}' is read-only")


def _readable(spec: RunSpec) -> str:
    """Return a run's names as the beginning of a folder's."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", f"{spec.model}-{spec.dataset}").strip("-.")[:80]


def _stored_without_threads(folder: str) -> str:
    """Return a stored run's key whatever its threads; empty where its spec cannot be read."""
    try:
        return _read_without_threads(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return ""


@functools.lru_cache(maxsize=1 << 17)
def _read_without_threads(folder: str) -> str:
    """Read a spec once: it never changes, and a store of thousands is looked through often."""
    return _without_threads(Run(Path(folder)).spec)


def _without_threads(spec: RunSpec) -> str:
    """Return the key that a spec has whatever its number of threads."""
    environment = {name: value for name, value in spec.environment.items() if name != "threads"}
    return dataclasses.replace(spec, environment=environment).key
