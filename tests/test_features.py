"""Features on disk: found by what decides them, listed, deleted, read with their runs."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from ncselect.features import features_key
from ncselect.lock import RunBusyError
from ncselect.numerics.transferability import Features
from ncselect.spec import RunSpec, Settings
from ncselect.store import RunStore
from zoo.errors import InputError


def test_the_key_covers_what_decides_features():
    spec = RunSpec(
        model="a", dataset="b",
        candidate={"source": "MobileNet", "weights": "imagenet"},
        data={"fingerprint": "1", "image_shape": [32, 32, 3], "splits": "2"},
        environment={"backend": "jax", "threads": "1", "protocol": "1"},
    )  # fmt: skip
    key = features_key(spec)
    for name, values in {
        "candidate": {"source": "VGG16"},
        "data": {"image_shape": [64, 64, 3]},
        "environment": {"backend": "tensorflow"},
    }.items():
        changed = replace(spec, **{name: {**getattr(spec, name), **values}})
        assert features_key(changed) != key, name
    same = replace(
        spec, model="c", dataset="d", seed=5, settings=Settings(learning_rate=1.0),
        environment={**spec.environment, "threads": "8", "protocol": "2"},
    )  # fmt: skip
    assert features_key(same) == key
    random = replace(spec, candidate={**spec.candidate, "weights": "random"})
    assert features_key(random) != features_key(replace(random, seed=1))


def test_records_of_runs_have_the_scores_of_their_candidate(tmp_path):
    store = RunStore(tmp_path)
    spec = RunSpec(model="m", dataset="d", candidate={"weights": "x"}, data={"fingerprint": "1"})
    shared, other = store.features_of(spec), store.run(replace(spec, data={"fingerprint": "2"}))
    row = np.zeros((1, 2), dtype=np.float32)
    label = np.zeros(1, dtype=np.int64)
    with shared.writer() as writer:
        arrays = {"train": row, "validation": row, "classes": 1}
        labels = {"train_labels": label, "validation_labels": label}
        writer.keep(Features(**arrays, **labels), {"parameters": 3, "silent_images": 0.1})
        writer.keep_scores({"logme": 0.25}, {"leep": "no source head"})
    runs = [store.run(replace(spec, seed=seed)) for seed in (0, 1)]
    with runs[1].writer() as writer:
        writer.add_facts({"parameters": 4})
    found = {record.spec.key: record for record in store.records()}
    for run, parameters in zip(runs, (3, 4), strict=True):
        record = found[run.key]
        assert (record.scores["logme"], record.unscored["leep"]) == (0.25, "no source head")
        assert record.facts == {"parameters": parameters, "silent_images": 0.1}
        assert record.observed(0).scores == record.scores
    assert "logme" not in found[other.key].scores
    assert found[other.key].facts == {}


def test_a_reason_that_may_pass_is_tried_again_and_a_lasting_one_is_not(tmp_path):
    spec = RunSpec(model="m", dataset="d", candidate={"weights": "x"}, data={})
    stored = RunStore(tmp_path).features_of(spec)
    with stored.writer() as writer:
        writer.keep_scores({}, {"leep": "no download"}, {"leep"})
        writer.keep_scores({"logme": 0.5}, {"knn": "one class"})
    assert stored.scores.wanting({"leep", "logme", "knn", "gbc"}) == {"leep", "gbc"}
    with stored.writer() as writer:
        writer.keep_scores({"leep": -1.0}, {})
    assert stored.scores.values == {"leep": -1.0, "logme": 0.5}
    assert stored.scores.reasons == {"knn": "one class"}
    assert stored.scores.wanting({"leep"}) == frozenset()


def test_features_are_listed_selected_and_deleted(tmp_path):
    store = RunStore(tmp_path)
    spec = RunSpec(model="a net", dataset="d", candidate={"weights": "x"}, data={})
    stored = store.features_of(spec)
    array = np.zeros((4, 2**16), dtype=np.float32)
    labels = np.arange(4)
    with stored.writer() as writer:
        writer.keep(
            Features(
                train=array, train_labels=labels, validation=array[:0],
                validation_labels=labels[:0], classes=4,
            ),
            {"parameters": 1},
        )  # fmt: skip
        with pytest.raises(RunBusyError, match=f"being written by process {os.getpid()}"):
            stored.delete()
    assert stored.folder.name == f"a-net-d-{features_key(spec)}"
    assert [one.folder for one in store.features()] == [stored.folder]
    assert (stored.spec["model"], stored.spec["dataset"]) == ("a net", "d")
    assert stored.megabytes == pytest.approx(1, abs=0.01)
    assert store.runs() == store.unreadable() == store.records() == []
    run = store.run(spec)
    assert store.runs() == [run]
    assert store.select([stored.key[:8], run.key]) == [stored, run]
    with pytest.raises(InputError, match="'zzzz' fits 0"):
        store.select(["zzzz"])
    (stored.folder / "spec.json").write_text("")
    assert store.find_features(spec) is None
    assert [one.key for one in store.features()] == [""]
    assert store.features_of(spec) == stored
    assert stored.features() is not None
    stored.delete()
    assert store.features() == []
