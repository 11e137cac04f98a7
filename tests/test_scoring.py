"""Features and scores through real processes: extracted once, kept, shared, never wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from ncselect.environment import environment
from ncselect.execute import Job, complete
from ncselect.features import StoredFeatures
from ncselect.numerics.transferability import Features
from ncselect.plan import planned
from ncselect.scores import SCORES, measured
from ncselect.scoring import scored as score
from ncselect.spec import RunSpec, Settings
from ncselect.store import RunStore
from zoo.datasets import prepare
from zoo.errors import UnknownNameError, WeightsUnavailableError
from zoo.models import Candidate

FREE = frozenset({"logme", "h-score"})


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return prepare(
        "digits",
        image_size=32,
        train_size=150,
        validation_size=70,
        test_size=50,
        cache=tmp_path_factory.mktemp("cache"),
    )


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Return a network with a classifier of its own, and as a Keras model."""
    import keras

    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 127.5, -1.0),
            keras.layers.Conv2D(6, 5, strides=3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.4),
            keras.layers.GlobalAveragePooling2D(name="last"),
            keras.layers.Dense(5, activation="softmax"),
        ]
    )
    path = tmp_path_factory.mktemp("network") / "small.keras"
    model.save(path)
    return Candidate("small", "file", str(path), {}, "included"), model


def job(dataset, candidate, *, scores=FREE, epochs=None, seed=0, name="small", **settings):
    return Job(
        spec=RunSpec(
            model=name,
            dataset=dataset.name,
            candidate=candidate.identity(),
            data=dataset.identity(),
            seed=seed,
            settings=Settings(probe_size=64, **settings),
            environment=environment(1),
        ),
        candidate=candidate.to_json(),
        dataset=dataset.to_json(),
        epochs=epochs,
        horizon=3,
        scores=frozenset(scores),
    )


class Events(list):
    """What was watched: names of events; ``of`` has what the last one of a name carried."""

    def __call__(self, model, event):
        self.append(event["event"])
        self.of = {**getattr(self, "of", {}), event["event"]: event}


def only_measured(scores):
    """Return scores without those of the card, which every record has."""
    return {name: value for name, value in scores.items() if SCORES[name].needs != "card"}


def completed(one, store):
    events = Events()
    [record] = complete([one], store, watch=events)
    return record, events


@pytest.fixture(scope="module")
def scored(in_this_process, digits, network, tmp_path_factory):
    """Return a store, the job that was scored in it, its record and the events."""
    store = RunStore(tmp_path_factory.mktemp("store"))
    one = job(digits, network[0], scores={*FREE, "leep", "nce", "parameters"})
    with in_this_process():
        return store, one, *completed(one, store)


def test_features_and_source_are_what_keras_predicts(digits, network, scored):
    import keras

    store, one, record, events = scored
    assert events == ["features", "scored", "finished"]
    found = store.find_features(one.spec).features()
    model = network[1]
    base = keras.Model(model.inputs, model.get_layer("last").output)
    for split, features, labels in (
        ("train", found.train, found.train_labels),
        ("validation", found.validation, found.validation_labels),
    ):
        images = digits.images(split)
        expected = base.predict(images.astype("float32"), batch_size=50, verbose=0)
        assert features.dtype == np.float32
        np.testing.assert_allclose(features, expected, atol=1e-5)
        np.testing.assert_array_equal(labels, digits.labels(split))
    assert found.classes == 10
    probabilities = model.predict(digits.images("train").astype("float32"), verbose=0)
    np.testing.assert_allclose(found.source, probabilities, atol=1e-5)
    assert found.no_source is None
    assert record.facts["silent_images"] == (found.train == 0).all(axis=1).mean()
    assert record.facts["parameters"] == base.count_params()
    assert (record.facts["resized_to"], record.facts["weights"]) == (None, "included")


def test_scores_are_those_of_the_features_and_leave_no_run(scored):
    store, one, record, events = scored
    features = store.find_features(one.spec).features()
    values, reasons = measured(features, sorted(one.scores))
    assert set(values) == {*FREE, "leep", "nce"}
    assert only_measured(record.scores) == values == events.of["scored"]["values"]
    assert only_measured(record.unscored) == reasons == events.of["scored"]["reasons"] == {}
    assert (record.spec, record.observations, record.status) == (one.spec, (), "partial")
    assert store.runs() == []
    assert store.find(one.spec) is None


def test_what_is_there_starts_no_process_and_another_score_no_extraction(
    digits, network, scored, tmp_path, in_this_process
):
    store, one, record, _ = scored
    again, events = completed(one, store)
    assert events == ["stored"]
    assert again == record
    before = os.stat(store.find_features(one.spec).folder / "features.npz").st_mtime_ns
    # The images are gone: they are not asked for.
    gone = {**one.dataset, "folder": str(tmp_path / "gone")}
    more = replace(
        one,
        spec=replace(one.spec, environment={**one.spec.environment, "threads": "2"}),
        dataset=gone,
        scores=one.scores | {"gbc"},
    )
    with in_this_process():
        extended, events = completed(more, store)
    assert events == ["scored", "finished"]
    assert set(events.of["scored"]["values"]) == {"gbc"}
    assert extended.scores["logme"] == record.scores["logme"]
    assert os.stat(store.find_features(one.spec).folder / "features.npz").st_mtime_ns == before


def test_computing_from_stored_features_imports_no_keras(scored):
    store, one, *_ = scored
    asked = {
        "features": str(store.find_features(one.spec).folder), "scores": ["transrate"], "seed": 0,
        "candidate": one.candidate, "dataset": one.dataset,
    }  # fmt: skip
    program = (
        "import json, sys\nfrom ncselect.worker import _score\n"
        f"_score(json.loads({json.dumps(asked)!r}),"
        " lambda event, **told: print(told['values']['transrate']))\n"
        "assert not {'keras', 'tensorflow', 'jax'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    features = store.find_features(one.spec).features()
    assert float(done.stdout) == measured(features, ["transrate"])[0]["transrate"]


def test_runs_share_features_whatever_they_train_with(digits, network, scored):
    store, one, record, _ = scored
    other = job(digits, network[0], scores=one.scores, seed=7, name="renamed", learning_rate=0.5)
    assert other.spec.key != one.spec.key
    shared, events = completed(other, store)
    assert events == ["stored"]
    assert shared.scores.items() >= record.scores.items()
    assert shared.spec.model == "renamed"
    assert len(store.features()) == 1


def test_an_extraction_that_is_killed_fails_alone_and_is_made_by_the_next_process(
    digits, network, tmp_path
):
    store = RunStore(tmp_path)
    killed = job(digits, network[0], name="killed")
    other = job(digits, network[0], name="other", seed=1)  # shares the features
    seen = []

    def kill(model, event):
        seen.append((model, event["event"]))
        if seen == [("killed", "features")]:
            assert not (store.find_features(killed.spec).folder / "features.npz").exists()
            writer = (store.find_features(killed.spec).folder / "lock").read_text()
            os.kill(int(writer.split()[0]), signal.SIGKILL)

    first, second = complete([killed, other], store, watch=kill)
    log = store.find_features(killed.spec).folder / "log.txt"
    assert (first.status, first.error) == ("failed", f"killed by signal SIGKILL; see {log}")
    assert (second.status, second.error) == ("partial", None)
    assert [event for model, event in seen if model == "other"] == [
        "features", "scored", "finished",
    ]  # fmt: skip
    assert set(only_measured(second.scores)) == FREE
    again, events = completed(killed, store)
    assert events == ["stored"]
    assert (again.status, again.scores) == ("partial", second.scores)


def test_two_processes_that_want_the_same_extract_it_once(scored, tmp_path):
    _, one, record, _ = scored
    store = RunStore(tmp_path)
    with store.features_of(one.spec).writer() as writer:
        process = subprocess.Popen(
            [sys.executable, "-c", WAITING, str(writer.stored.folder)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout.readline() == "waits\n"
        writer.keep_scores(record.scores, {})
    with process:
        assert process.stdout.readline() == f"{record.scores['logme']}\n"


WAITING = """
import sys
from pathlib import Path
from ncselect.features import StoredFeatures
from ncselect.scoring import scored
stored = StoredFeatures(Path(sys.argv[1]))
print("waits", flush=True)
print(scored(stored, {"logme"}, candidate=None, dataset=None, seed=0,
      extracting=None).values["logme"])
"""


def test_jax_without_tensorflow_gives_the_same_features(digits, network, scored, tmp_path):
    store, one, *_ = scored
    blocked = tmp_path / "blocked" / "tensorflow"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text("raise ImportError('blocked for this test')")
    program = (
        "import sys, json, numpy as np\n"
        "from ncselect.extraction import extracted, source_probabilities\n"
        "from zoo.datasets import Dataset\nfrom zoo.models import Candidate\n"
        "candidate, dataset = json.loads(sys.argv[1])\n"
        "candidate, dataset = Candidate.from_json(candidate), Dataset.from_json(dataset)\n"
        "features, _ = extracted(candidate, dataset, seed=0)\n"
        "source = source_probabilities(candidate, dataset)\n"
        "np.savez(sys.argv[2], train=features.train, validation=features.validation,"
        " source=source)\n"
    )
    arguments = json.dumps([one.candidate, one.dataset]), str(tmp_path / "found.npz")
    path = os.pathsep.join([str(blocked.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    expected = store.find_features(one.spec).features()
    with np.load(tmp_path / "found.npz") as found:
        for name in ("train", "validation", "source"):
            np.testing.assert_allclose(found[name], getattr(expected, name), atol=1e-4)


def scored_here(stored, names, candidate, dataset):
    """Score in this process; return the scores and how often images were passed through."""
    told = []
    found = score(
        stored, names, candidate=candidate, dataset=lambda: dataset, seed=0,
        extracting=lambda: told.append("features"),
    )  # fmt: skip
    return found, told


def damaged(path):
    """Turn bytes over in the middle of a file."""
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes(byte ^ 255 for byte in whole[middle:][:9]))
    assert len(whole) > 60


@pytest.mark.parametrize("damage", [damaged, lambda path: path.write_bytes(b""), os.unlink])
def test_damaged_files_count_as_missing_and_are_made_again(
    digits, network, scored, tmp_path, damage
):
    store, one, record, _ = scored
    shutil.copytree(store.find_features(one.spec).folder, tmp_path / "copy")
    stored = StoredFeatures(tmp_path / "copy")
    expected = only_measured(record.scores)
    names = set(expected)
    whole = stored.features()
    damage(stored.folder / "scores.json")
    assert stored.scores.wanting(names) == names
    damage(stored.folder / "source.npz")
    assert (stored.features().source, stored.features().no_source) == (None, None)
    damage(stored.folder / "features.npz")
    assert stored.features() is None
    again, told = scored_here(stored, names, network[0], digits)
    assert told == ["features"]
    assert again.values == pytest.approx(expected, rel=1e-3)
    for field in ("train", "validation", "source"):
        remade = getattr(stored.features(), field)
        np.testing.assert_allclose(remade, getattr(whole, field), atol=1e-5)
    damage(stored.folder / "facts.json")
    assert (stored.facts, stored.features()) == ({}, None)


def test_files_of_another_candidate_are_not_taken(scored, tmp_path):
    store, one, *_ = scored
    other = RunStore(tmp_path).features_of(
        replace(one.spec, candidate={**one.spec.candidate, "source": "sha256:0"})
    )
    for path in store.find_features(one.spec).folder.iterdir():
        if path.name not in ("spec.json", "lock"):
            (other.folder / path.name).write_bytes(path.read_bytes())
    assert other.features() is None
    assert other.scores.values == {}
    assert other.facts == {}


def test_a_candidate_without_source_head_is_scored_by_its_features(digits, tmp_path):
    random = Candidate("net", "application", "MobileNet", {"alpha": 0.25}, "random")
    store = RunStore(tmp_path)
    one = job(digits, random, scores={"leep", "logme"}, name="net")
    stored = store.features_of(one.spec)
    found, told = scored_here(stored, one.scores, random, digits)
    assert told == ["features"]
    assert set(found.values) == {"logme"}
    assert found.reasons == {
        "leep": "net has no source head: its weights are random. Ask for weights 'imagenet'."
    }
    assert scored_here(stored, {"nce"}, random, digits)[1] == []
    record, events = completed(one, store)
    assert events == ["stored"]
    assert only_measured(record.scores) == found.values
    assert only_measured(record.unscored)["leep"] == found.reasons["leep"]
    assert (record.facts["weights"], record.facts["parameters"]) == ("random", 218_544)


def test_a_source_head_that_cannot_be_had_now_is_a_reason_that_may_pass(
    digits, network, tmp_path, monkeypatch
):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    candidate = Candidate("m", "application", "MobileNet", {"alpha": 0.25}, "imagenet")
    # Its features are there, as after an extraction that had the headless weights.
    stored = RunStore(tmp_path / "store").features_of(job(digits, candidate).spec)
    rows = np.random.default_rng(0).normal(size=(150, 4)).astype(np.float32)
    labels = digits.labels("train")
    with stored.writer() as writer:
        writer.keep(
            Features(
                train=rows, train_labels=labels, validation=rows, validation_labels=labels,
                classes=10,
            ),
            {"parameters": 1},
        )  # fmt: skip
    for _ in range(2):
        found, told = scored_here(stored, {"leep", "logme"}, candidate, digits)
        assert told == ["features"]
        assert set(found.values) == {"logme"}
        assert "m: no ImageNet classifier: URL fetch failure" in found.reasons["leep"]
        assert stored.scores.wanting({"leep", "logme"}) == {"leep"}
    lost = replace(candidate, source="AlexNet", arguments={})
    nowhere = RunStore(tmp_path / "none").features_of(job(digits, lost).spec)
    with pytest.raises(WeightsUnavailableError, match="Keras has no ImageNet weights for AlexNet"):
        scored_here(nowhere, FREE, lost, digits)


def test_scores_of_cards_start_no_process(digits, network, tmp_path):
    store = RunStore(tmp_path)
    record, events = completed(job(digits, network[0], scores={"parameters"}), store)
    assert events == ["stored"]
    assert store.features() == []
    assert record.status == "partial"
    with pytest.raises(UnknownNameError, match="unknown score 'logmee'"):
        completed(job(digits, network[0], scores={"logmee"}), store)


def test_the_plan_says_what_is_extracted(digits, network, scored, tmp_path):
    store, one, *_ = scored
    [run] = planned([one], store, {}).runs
    assert (run.features, run.epochs, run.basis, run.seconds) == (False, 0, "stored", 0.0)
    again = replace(one.spec, data={**one.spec.data, "fingerprint": "other"})
    [run] = planned([replace(one, spec=again)], store, {}).runs
    assert (run.features, run.epochs, run.basis) == (True, 0, "as stored features")
    seconds = store.find_features(one.spec).facts["extraction_seconds"]
    assert run.seconds == pytest.approx(seconds)
    mobile = Candidate("m", "application", "MobileNet", {}, "imagenet")
    without, with_source, training = planned(
        [
            job(digits, mobile, name="m"),
            job(digits, mobile, name="m", scores={"leep"}),
            job(digits, mobile, name="m", epochs=2),
        ],
        RunStore(tmp_path),
        {},
    ).runs
    assert (without.work, without.basis, without.disk_megabytes) == ("features", "rough", 0.0)
    assert with_source.seconds > without.seconds
    assert with_source.download_megabytes > without.download_megabytes
    assert training.work == "features, 2 epochs"
    assert training.seconds > without.seconds


def test_a_part_of_large_splits_is_passed_through(digits, network, monkeypatch):
    from ncselect import extraction

    monkeypatch.setattr(extraction, "TRAIN_IMAGES", 40)
    monkeypatch.setattr(extraction, "VALIDATION_IMAGES", 20)
    features, _ = extraction.extracted(network[0], digits, seed=0)
    assert features.train.shape == (40, 6)
    assert features.validation.shape == (20, 6)
    assert sorted(np.bincount(features.train_labels)) == [4] * 10
    source = extraction.source_probabilities(network[0], digits)
    assert source.shape == (40, 5)
    everything = network[1].predict(digits.images("train").astype("float32"), verbose=0)
    near = np.abs(everything[None] - source[:, None]).max(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(digits.labels("train")[near], features.train_labels)
