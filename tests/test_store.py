from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

from ncselect.lock import RunBusyError
from ncselect.spec import RunSpec, Settings
from ncselect.store import RunStore
from ncselect.structure import Pruning, SparseTraining
from ncselect.types import Observation
from zoo.errors import InputError


def spec(**changes):
    values = {
        "model": "tiny",
        "dataset": "digits",
        "candidate": {"kind": "application", "source": "MobileNet"},
        "data": {"fingerprint": "abc", "train": 10},
        "environment": {"backend": "tensorflow", "threads": "2"},
    }
    return RunSpec(**{**values, **changes})


def observation(epoch):
    signals = {"validation-accuracy": 0.1 * epoch, "beta/base/exact/signed": float("nan")}
    return Observation(epoch=epoch, signals=signals, seconds=1.5)


def variables(epoch):
    return [np.full((2, 3), epoch, np.float32), np.array([epoch, 7], np.int64)]


def test_what_is_appended_is_read_back(tmp_path):
    run = RunStore(tmp_path).run(spec())
    with run.writer() as writer:
        for epoch in range(3):
            writer.append(observation(epoch), variables(epoch))
        writer.add_facts({"parameters": 5})
        writer.keep_truth(2, 0.75)
    record = RunStore(tmp_path).run(spec()).record()
    assert [seen.epoch for seen in record.observations] == [0, 1, 2]
    assert record.curve("validation-accuracy").tolist() == [0.1, 0.2]
    assert np.isnan(record.curve("beta/base/exact/signed")).all()
    assert (record.status, record.facts, record.truth) == ("partial", {"parameters": 5}, {2: 0.75})
    assert record.observed(1).epochs == 1
    assert record.observed(1).truth == {}


def test_checkpoint_holds_the_latest_variables_only(tmp_path):
    run = RunStore(tmp_path).run(spec())
    with run.writer() as writer:
        assert writer.variables() is None
        for epoch in range(2):
            writer.append(observation(epoch), variables(epoch))
    with run.writer() as writer:
        kept = writer.variables()
        assert writer.epochs == 2
    for value, wanted in zip(kept, variables(1), strict=True):
        np.testing.assert_array_equal(value, wanted)
        assert value.dtype == wanted.dtype
    assert len(list(run.folder.glob("checkpoint*"))) == 1


def test_a_line_torn_by_a_kill_is_dropped_and_the_one_the_checkpoint_owes_is_added(tmp_path):
    run = RunStore(tmp_path).run(spec())
    with run.writer() as writer:
        for epoch in range(3):
            writer.append(observation(epoch), variables(epoch))
    lines = run.folder / "observations.jsonl"
    whole = lines.read_text()
    lines.write_text(whole[: whole.rindex("\n", 0, -1) + 20])
    assert run.record().epochs == 1
    with run.writer() as writer:
        assert writer.epochs == 3
    assert lines.read_text() == whole


def test_checkpoint_and_lines_that_disagree_are_refused(tmp_path):
    run = RunStore(tmp_path).run(spec())
    with run.writer() as writer:
        for epoch in range(4):
            writer.append(observation(epoch), variables(epoch))
    lines = run.folder / "observations.jsonl"
    lines.write_text(lines.read_text().splitlines(keepends=True)[0])
    with pytest.raises(InputError, match=r"checkpoint .* is of epoch 3, but 1 epochs are recorded"):
        run.writer().__enter__()


def test_epochs_come_in_order(tmp_path):
    with RunStore(tmp_path).run(spec()).writer() as writer:
        writer.append(observation(0), variables(0))
        with pytest.raises(ValueError, match="epoch 2 came where 1 was due"):
            writer.append(observation(2), variables(2))


def test_complete_drops_the_checkpoint_unless_kept(tmp_path):
    for keep in (False, True):
        run = RunStore(tmp_path / str(keep)).run(spec())
        with run.writer() as writer:
            writer.append(observation(0), variables(0))
            writer.complete(keep_checkpoint=keep)
        assert run.record().status == "complete"
        assert run.can_continue is keep


def test_second_writer_is_refused_and_a_killed_one_frees_the_run(tmp_path):
    run = RunStore(tmp_path).run(spec())
    program = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from ncselect.run import Run
        with Run(Path(sys.argv[1])).writer():
            print("held", flush=True)
            time.sleep(60)
        """
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(run.folder)], stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunBusyError, match=f"process {holder.pid}"):
            run.writer().__enter__()
        with pytest.raises(RunBusyError, match=f"process {holder.pid}"):
            run.writer(patience=0.3).__enter__()
        threading.Timer(0.5, holder.kill).start()
        with run.writer(patience=60) as writer:  # who has patience gets it when it is free
            assert writer.epochs == 0
        assert holder.wait() == -signal.SIGKILL


STRUCTURES = {"sparse": SparseTraining(rule="set"), "pruning": Pruning(epochs=2)}


def other(default):
    if isinstance(default, tuple):
        return (*default, 1)
    return "other" if isinstance(default, str) else default * 2 + 1


def decides():
    yield "seed", spec(seed=1)
    yield "candidate", spec(candidate={"kind": "application", "source": "VGG16"})
    yield "data", spec(data={"fingerprint": "abd", "train": 10})
    for field in dataclasses.fields(Settings):
        if field.name not in ("momentum", *STRUCTURES):  # momentum is of sgd alone
            yield field.name, spec(settings=Settings(**{field.name: other(field.default)}))
    for name, value in STRUCTURES.items():
        yield name, spec(settings=Settings(**{name: value}))
    yield "version", spec(environment={"backend": "jax", "threads": "2"})


@pytest.mark.parametrize("changed", [one for _, one in decides()], ids=[n for n, _ in decides()])
def test_whatever_decides_the_outcome_makes_another_run(tmp_path, changed):
    store = RunStore(tmp_path)
    assert store.run(spec()).folder != store.run(changed).folder


KEYS = [  # of runs that stores hold: they shall be found again
    ({}, "d3e96726366591b0"),
    ({"unit": "classifier"}, "f9bfe4a059d53a52"),
    ({"unit": "classifier", "augmentation": "flip-crop"}, "ddd168f23c694458"),
    ({"probe_units": (64, 32)}, "63b86985377128a6"),
    ({"unit": "classifier", "probe_size": 64}, "24f205c54c872eb1"),
    ({"probe_size": 64}, "2366923ed197f7ce"),
    ({"unit": "classifier", "observation_steps": 3, "measure_whole": True}, "e3fb2c0b43ae9c98"),
    ({"probe_head": "trained", "probe_dropout": 0.0}, "cc8e667d9a800583"),
]


@pytest.mark.parametrize(("settings", "key"), KEYS)
def test_a_key_is_the_same_in_every_version(settings, key):
    one = RunSpec(
        model="m", dataset="d", candidate={"kind": "file", "source": "sha256:ab"},
        data={"digest": "cd", "counts": {"train": 100}}, seed=3, settings=Settings(**settings),
        environment={"backend": "tensorflow", "threads": "1"},
    )  # fmt: skip
    assert one.key == key


HIDDEN_LAYERS = {
    "probe_units": (64, 32),
    "probe_dropout": 0.1,
    "probe_order": "dense-bn",
    "probe_statistics": "inference",
    "probe_activation": "linear",
    "probe_head": "trained",
}


@pytest.mark.parametrize("name", HIDDEN_LAYERS)
def test_hidden_layers_decide_nothing_below_a_classifier(tmp_path, name):
    plain = spec(settings=Settings(unit="classifier"))
    same = spec(settings=Settings(unit="classifier", **{name: HIDDEN_LAYERS[name]}))
    assert same.key == plain.key
    assert same.flat() == plain.flat()
    store = RunStore(tmp_path)
    assert store.run(plain).folder == store.run(same).folder
    assert spec(settings=Settings(**{name: HIDDEN_LAYERS[name]})).key != spec().key


@pytest.mark.parametrize(
    ("name", "value"), [("probe_initializer", "he_normal_untruncated"), ("probe_size", 64)]
)
def test_first_weights_and_measured_images_decide_below_a_classifier_too(name, value):
    plain = spec(settings=Settings(unit="classifier"))
    assert spec(settings=Settings(unit="classifier", **{name: value})).key != plain.key


@pytest.mark.parametrize(
    ("name", "field"),
    [(name, field.name) for name, one in STRUCTURES.items() for field in dataclasses.fields(one)],
)
def test_all_that_makes_a_network_sparse_is_part_of_the_key(name, field):
    value = STRUCTURES[name]
    changed = dataclasses.replace(value, **{field: other(getattr(value, field))})
    first, second = (spec(settings=Settings(**{name: one})) for one in (value, changed))
    assert first.key != second.key


def test_whole_numbers_and_what_fixed_connections_ignore_make_no_other_run():
    assert SparseTraining(rule="set", epsilon=20) == SparseTraining(rule="set", epsilon=20.0)
    keys = {
        spec(settings=Settings(sparse=SparseTraining(rule="fixed", zeta=zeta))).key
        for zeta in (0.1, 0.3)
    }
    assert len(keys) == 1


def test_momentum_decides_below_sgd_alone():
    changed = {"momentum": 0.5}
    assert spec(settings=Settings(**changed)).key == spec().key
    below = [spec(settings=Settings(optimizer="sgd", **one)) for one in ({}, changed)]
    assert below[0].key != below[1].key


def test_another_name_or_number_of_threads_is_the_same_run(tmp_path):
    store = RunStore(tmp_path)
    first = store.run(spec())
    assert store.run(spec(model="renamed")).folder == first.folder
    more = spec(environment={"backend": "tensorflow", "threads": "8"})
    assert store.run(more).folder == first.folder
    assert store.run(more).spec.environment["threads"] == "2"
    (first.folder / "spec.json").write_text("{")  # what was read once need not stay readable
    assert store.find(more) is None


def test_spec_survives_json():
    one = spec(settings=Settings(learning_rate=0.01, probe_units=(8, 4)))
    assert RunSpec.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_delete_frees_the_folder_and_names_must_fit_one_run(tmp_path):
    store = RunStore(tmp_path)
    run = store.run(spec())
    with pytest.raises(InputError, match="run: 'zzzz' fits 0 runs"):
        store.select(["zzzz"])
    assert store.select([run.spec.key[:6]])[0].folder == run.folder
    key, folder = run.spec.key, run.folder.name
    assert store.select([key, key, folder, key[:5]]) == [run]
    run.delete()
    assert store.runs() == []


def listed(store, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "ncselect", "runs", "--store", str(store.folder), *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_run_named_twice_is_deleted_once(tmp_path):
    store = RunStore(tmp_path)
    run = store.run(spec())
    gone = listed(store, "--delete", run.key, "--delete", run.key, "--yes")
    assert gone.returncode == 0, gone.stderr
    assert "Deleted 1 folder" in gone.stderr
    assert store.folders() == []


def test_unreadable_features_are_listed_and_can_be_deleted(tmp_path):
    store = RunStore(tmp_path)
    good, bad = store.features_of(spec()), store.features_of(spec(data={"fingerprint": "other"}))
    (bad.folder / "spec.json").write_text("{")
    assert store.unreadable() == [bad]
    shown = listed(store, "--format", "json")
    assert shown.stderr == f"unreadable, can only be deleted: {bad.folder.name}\n"
    assert [one["key"] for one in json.loads(shown.stdout)] == [good.key]
    assert listed(store, "--delete", bad.folder.name, "--yes").returncode == 0
    assert store.folders() == [good]
    (good.folder / "spec.json").write_text("")
    assert listed(store, "--delete", "all", "--yes").returncode == 0
    assert store.folders() == []


def test_folder_that_cannot_be_a_store_is_refused(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(InputError, match=r"store: cannot keep runs in .*--store"):
        RunStore(file)
    (tmp_path / "store.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(InputError, match="has format 99"):
        RunStore(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder_is_refused(tmp_path):
    RunStore(tmp_path)
    tmp_path.chmod(0o500)
    for folder in (tmp_path, tmp_path / "below"):
        with pytest.raises(InputError, match="read-only"):
            RunStore(folder)


def test_a_store_is_made_when_something_is_kept(tmp_path):
    store = RunStore(tmp_path / "a" / "store")
    assert store.records() == []
    assert store.find(spec()) is None
    assert store.find_features(spec()) is None
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="there are no runs"):
        RunStore(store.folder, create=False)
    store.run(spec())
    assert (store.folder / "store.json").exists()
    assert len(RunStore(store.folder, create=False).runs()) == 1


def test_a_damaged_run_is_failed_and_can_be_deleted(tmp_path):
    store = RunStore(tmp_path)
    run = store.run(spec())
    with run.writer() as writer:
        writer.append(observation(0), variables(0))
    (run.folder / "observations.jsonl").write_text("{]\n")
    (record,) = store.records()
    assert record.status == "failed"
    assert "damaged" in record.error
    run.delete()
    assert store.records() == []


@pytest.mark.parametrize("damage", [b"", b"PK no archive"])
def test_a_damaged_checkpoint_is_refused_with_the_remedy(tmp_path, damage):
    run = RunStore(tmp_path).run(spec())
    with run.writer() as writer:
        writer.append(observation(0), variables(0))
    (run.folder / "checkpoint.npz").write_bytes(damage)
    with pytest.raises(InputError, match=r"damaged .*runs --delete"):
        run.writer().__enter__()
    run.delete()


def test_a_run_without_a_readable_spec_blocks_nothing(tmp_path):
    store = RunStore(tmp_path)
    good, bad = store.run(spec()), store.run(spec(seed=1))
    (bad.folder / "spec.json").write_text("")
    assert [run.folder for run in store.runs()] == [good.folder]
    assert store.find(spec(seed=1)) is None
    (unreadable,) = store.unreadable()
    assert store.select([bad.folder.name]) == [unreadable]
    unreadable.delete()
    assert store.unreadable() == []


def test_reading_makes_no_store(tmp_path):
    with pytest.raises(InputError, match="there are no runs in"):
        RunStore(tmp_path / "mistyped", create=False)
    assert not (tmp_path / "mistyped").exists()


def test_a_failure_after_the_observed_epochs_is_not_known_to_a_method(tmp_path):
    run = RunStore(tmp_path).run(spec())
    with run.writer() as writer:
        for epoch in range(3):
            writer.append(observation(epoch), variables(epoch))
        writer.fail("diverged at epoch 3")
    record = run.record()
    assert record.observed(2).status == "partial"
    assert record.observed(2).error is None
    assert record.observed(3).status == "failed"
