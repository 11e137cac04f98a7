"""Features on disk: extracted once for a candidate and a dataset, shared by all scores and runs.

A folder below ``features`` in the store is named after model, dataset and key, and holds

- ``spec.json``: whose features, on what; ``facts.json``: what happened to the candidate;
- ``features.npz``: features and labels of training and validation images;
- ``source.npz``: probabilities of the source classes on the same training images, or the
  reason why there can be none; made when a score first needs them;
- ``scores.json``: values and reasons by name; ``lock``: held by the one process that writes.

Every file names the key and is replaced as a whole; one that cannot be read counts as missing,
so it is made again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ncselect.lock import locked
from ncselect.numerics.transferability import Features
from ncselect.run import replace_arrays, replace_text, space, stored_arrays
from ncselect.spec import RunSpec

TRAIN_IMAGES = 5_000  # of the training split, stratified; all where it has fewer
VALIDATION_IMAGES = 5_000
SUBSET_SEED = 0  # decides which images
EXTRACTION = 1  # raised with every change of extraction that changes numbers
SCORING = 1  # raised with every change of a score that changes numbers; features stay

_PATIENCE = 3600.0  # seconds that another process may take to extract features
_DAMAGE = (ValueError, KeyError, OSError, EOFError, TypeError, zipfile.BadZipFile, zlib.error)


def features_identity(spec: RunSpec) -> dict[str, Any]:
    """Return what decides the features of a run's candidate on its dataset, as JSON values.

    Neither the names nor the training settings do; the seed does where it draws the weights.
    """
    unrelated = ("threads", "protocol")
    return {
        "candidate": dict(spec.candidate),
        "data": dict(spec.data),
        "seed": spec.seed if spec.candidate.get("weights") == "random" else None,
        "environment": {k: v for k, v in spec.environment.items() if k not in unrelated},
        "extraction": {
            "protocol": EXTRACTION,
            "train_images": TRAIN_IMAGES,
            "validation_images": VALIDATION_IMAGES,
            "subset_seed": SUBSET_SEED,
        },
    }


def features_key(spec: RunSpec) -> str:
    """Return sixteen hexadecimal digits that cover :func:`features_identity`."""
    return _key(features_identity(spec))


@dataclass(frozen=True)
class Scores:
    """What is known of a candidate on a dataset without training it.

    Attributes
    ----------
    values
        Name → score.
    reasons
        Name → why this candidate cannot have it, and the remedy.
    passing
        Names whose reason may pass, such as a failed download: they are tried again.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    passing: frozenset[str] = frozenset()

    def wanting(self, names: Set[str]) -> frozenset[str]:
        """Return those of some names that are still to be computed."""
        return frozenset(names - set(self.values) - (set(self.reasons) - self.passing))


@dataclass(frozen=True)
class StoredFeatures:
    """One candidate's features on one dataset, as a folder."""

    folder: Path

    @property
    def spec(self) -> dict[str, Any]:
        """``model`` and ``dataset`` as first asked for, and the identity."""
        return dict(json.loads((self.folder / "spec.json").read_text()))

    @property
    def key(self) -> str:
        """What the features are found by; empty where the spec cannot be read."""
        try:
            spec = self.spec
            names = {"model": spec.pop("model"), "dataset": spec.pop("dataset")}
            return _key(spec) if all(names.values()) else ""
        except _DAMAGE:
            return ""

    @property
    def is_extracted(self) -> bool:
        """Whether there are features; the file itself is not read."""
        return (self.folder / "features.npz").exists() and bool(self.facts)

    def lacks_images(self, *, source: bool) -> bool:
        """Tell whether images are still to be passed through the candidate, or its source head."""
        return not self.is_extracted or (source and not (self.folder / "source.npz").exists())

    @property
    def facts(self) -> dict[str, Any]:
        """What happened to the candidate when it was built, and ``extraction_seconds``."""
        try:
            facts = json.loads((self.folder / "facts.json").read_text())
            return dict(facts["facts"]) if facts["key"] == self.key else {}
        except _DAMAGE:
            return {}

    @property
    def scores(self) -> Scores:
        """What has been scored so far."""
        try:
            stored = json.loads((self.folder / "scores.json").read_text())
            if (stored["key"], stored["scoring"]) != (self.key, SCORING):
                return Scores()
            return Scores(
                {str(name): float(value) for name, value in stored["values"].items()},
                {str(name): str(reason) for name, reason in stored["reasons"].items()},
                frozenset(stored["passing"]),
            )
        except _DAMAGE:
            return Scores()

    @property
    def megabytes(self) -> float:
        """Space on disk."""
        return space(self.folder)

    def features(self) -> Features | None:
        """Return the features, with the source probabilities if there are any, or None.

        ``source`` and ``no_source`` are both None as long as they were not asked for.
        """
        try:
            with stored_arrays(self.folder / "features.npz") as stored:
                if str(stored["key"]) != self.key or not self.facts:
                    return None
                features = Features(
                    train=stored["train"],
                    train_labels=stored["train_labels"],
                    validation=stored["validation"],
                    validation_labels=stored["validation_labels"],
                    classes=int(stored["classes"]),
                    source=None,
                    no_source=None,
                )
        except _DAMAGE:
            return None
        return self.with_source(features)

    def with_source(self, features: Features) -> Features:
        """Return features with the stored source probabilities, or why there are none."""
        try:
            with stored_arrays(self.folder / "source.npz") as stored:
                if str(stored["key"]) != self.key:
                    return features
                if "reason" in stored.files:
                    return dataclasses.replace(features, no_source=str(stored["reason"]))
                return dataclasses.replace(features, source=stored["source"])
        except _DAMAGE:
            return features

    @contextmanager
    def writer(self) -> Iterator[FeaturesWriter]:
        """Hold the folder for writing; waits up to an hour while another process holds it.

        Raises
        ------
        RunBusyError
            If another process holds it for longer, or a machine that was cut off does.
        """
        with locked(self.folder, patience=_PATIENCE):
            yield FeaturesWriter(self)

    def delete(self) -> None:
        """Remove the features and their scores and free the space.

        Raises
        ------
        RunBusyError
            If a process is writing them.
        """
        with locked(self.folder):
            shutil.rmtree(self.folder)


@dataclass(frozen=True)
class FeaturesWriter:
    """The one writer of features; got from :meth:`StoredFeatures.writer`."""

    stored: StoredFeatures

    def keep(self, features: Features, facts: Mapping[str, Any]) -> None:
        """Keep features and labels, without the source probabilities, and the facts."""
        key, folder = self.stored.key, self.stored.folder
        text = json.dumps({"key": key, "facts": dict(facts)}, indent=1, sort_keys=True)
        replace_text(folder / "facts.json", text)
        arrays: dict[str, NDArray[Any]] = {
            "key": np.array(key),
            "train": features.train,
            "train_labels": features.train_labels,
            "validation": features.validation,
            "validation_labels": features.validation_labels,
            "classes": np.array(features.classes),
        }
        replace_arrays(folder / "features.npz", arrays)

    def keep_source(self, source: NDArray[np.float32] | str) -> None:
        """Keep the source probabilities, or the lasting reason why there are none."""
        name = "reason" if isinstance(source, str) else "source"
        arrays = {"key": np.array(self.stored.key), name: np.asarray(source)}
        replace_arrays(self.stored.folder / "source.npz", arrays)

    def keep_scores(
        self,
        values: Mapping[str, float],
        reasons: Mapping[str, str],
        passing: Set[str] = frozenset(),
    ) -> None:
        """Add scores, and reasons for those that cannot be had, to what was known."""
        known = self.stored.scores
        left = {name: why for name, why in known.reasons.items() if name not in values}
        document = {
            "key": self.stored.key,
            "scoring": SCORING,
            "values": {**known.values, **values},
            "reasons": {**left, **reasons},
            "passing": sorted(known.passing - {*values, *reasons} | passing),
        }
        replace_text(self.stored.folder / "scores.json", json.dumps(document, indent=1))


def _key(identity: Mapping[str, Any]) -> str:
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
