"""TensorBoard's event files, read back by TensorBoard's own reader."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from made_runs import made_run
from shown_events import check_shows, steps_of

from ncselect import Settings, pretrain, select
from ncselect.execute import Job
from ncselect.lock import locked
from ncselect.run import Run
from ncselect.run_rows import run_rows
from ncselect.selection import selection
from ncselect.store import RunStore
from ncselect.tensorboard import FILE, EventFiles, event_folder, exported
from zoo.datasets import prepare
from zoo.errors import InputError

SETTINGS = Settings(optimizer="sgd", learning_rate=0.02, probe_size=64, graphs="none")


def made(store, epochs=4, **signals):
    """Return a stored run of so many epochs."""
    record = made_run("MobileNet", 0.5 + 0.1 * np.arange(epochs), **signals)
    run = store.run(record.spec)
    with run.writer() as writer:
        for observation in record.observations[writer.epochs :]:
            writer.append(dataclasses.replace(observation, measuring_seconds=0.5), [np.zeros(1)])
    return run


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return prepare(
        "digits", image_size=32, train_size=128, validation_size=60, test_size=60,
        cache=tmp_path_factory.mktemp("cache"),
    )  # fmt: skip


def test_a_killed_and_resumed_training_is_shown_as_it_is_stored(digits, small_network, tmp_path):
    asked = {
        "horizon": 999, "settings": SETTINGS, "store": tmp_path / "runs", "threads": 1,
        "tensorboard": tmp_path / "logs",
    }  # fmt: skip
    network = str(small_network(8))
    question = selection(network, digits, method_name="last-value", epochs=999, **asked)

    def kill(_model, event):
        if event["event"] == "observation" and event["epoch"] == 1:
            (row,) = run_rows(RunStore(tmp_path / "runs"))
            assert (row["status"], row["until"]) == ("live", 999)
            os.kill(row["pid"], signal.SIGKILL)

    assert question.ranking(watch=kill).failed
    (run,) = RunStore(tmp_path / "runs").runs()
    seen = run.record().epochs
    assert 1 <= seen < 999
    check_shows(tmp_path / "logs", run)
    select(network, digits, method="last-value", epochs=seen + 1, progress=False, **asked)
    assert run.record().epochs == seen + 1
    check_shows(tmp_path / "logs", run)
    assert len([*(tmp_path / "logs").iterdir()]) == 1


def test_wherever_a_writer_was_stopped_the_file_becomes_that_of_one_export(tmp_path):
    run = made(RunStore(tmp_path / "runs"))
    EventFiles(tmp_path / "whole").export(run)
    whole = (tmp_path / "whole" / run.folder.name / FILE).read_bytes()
    torn = tmp_path / "torn" / run.folder.name
    torn.mkdir(parents=True)
    for length in (0, 1, 11, len(whole) // 2, len(whole) - 1, len(whole)):
        (torn / FILE).write_bytes(whole[:length])
        EventFiles(tmp_path / "torn").export(run)
        assert (torn / FILE).read_bytes() == whole
    check_shows(tmp_path / "torn", run)


def test_what_is_there_by_a_later_epoch_continues_what_was(tmp_path):
    store, files = RunStore(tmp_path / "runs"), EventFiles(tmp_path / "logs")
    before = b""
    for epochs in (1, 2, 4):
        run = made(store, epochs)
        files.export(run)
        file = tmp_path / "logs" / run.folder.name / FILE
        assert file.read_bytes().startswith(before)
        assert len(file.read_bytes()) > len(before)
        before, place = file.read_bytes(), file.stat().st_ino
    EventFiles(tmp_path / "logs").export(run)
    assert file.stat().st_ino == place  # who has it open reads on
    check_shows(tmp_path / "logs", run)


def test_a_run_that_was_trained_anew_is_shown_anew(tmp_path):
    store = RunStore(tmp_path / "runs")
    files = EventFiles(tmp_path / "logs")
    files.export(made(store))
    store.runs()[0].delete()
    run = made(store, 2, beta=[3.0, np.nan])
    files.export(run)
    check_shows(tmp_path / "logs", run)


def test_signals_of_all_training_images_have_tags_of_their_own(tmp_path):
    run = made(RunStore(tmp_path / "runs"), **{"training-error@all": [0.4, 0.3, 0.2, 0.1]})
    EventFiles(tmp_path / "logs").export(run)
    found = steps_of(tmp_path / "logs" / run.folder.name)
    shown = [value for _, value, _ in found["accuracy/training@all"]]
    np.testing.assert_allclose(shown, [1.0, 0.6, 0.7, 0.8, 0.9], atol=1e-6)


def test_of_a_run_that_was_not_observed_there_is_nothing(tmp_path):
    run = RunStore(tmp_path / "runs").run(made_run("MobileNet", [0.5]).spec)
    EventFiles(tmp_path / "logs").export(run)
    assert not (tmp_path / "logs").exists()


def test_where_nothing_is_new_nothing_is_read_or_written(tmp_path, monkeypatch):
    run, files = made(RunStore(tmp_path / "runs")), EventFiles(tmp_path / "logs")
    files.export(run)
    place = tmp_path / "logs" / run.folder.name
    before = {file: file.stat().st_mtime_ns for file in place.iterdir()}
    EventFiles(tmp_path / "logs").export(run)  # another process
    assert {file: file.stat().st_mtime_ns for file in place.iterdir()} == before
    with monkeypatch.context() as unread:
        unread.delattr(Run, "record")
        files.export(run)
    shutil.rmtree(place)  # it is written again
    files.export(run)
    check_shows(tmp_path / "logs", run)


def test_times_stay_where_the_spec_is_copied(tmp_path):
    run, files = made(RunStore(tmp_path / "runs"), 2), EventFiles(tmp_path / "logs")
    files.export(run)
    file = tmp_path / "logs" / run.folder.name / FILE
    before, place = file.read_bytes(), file.stat().st_ino
    (run.folder / "spec.json").touch()
    copied = made(RunStore(tmp_path / "runs"), 4)
    EventFiles(tmp_path / "logs").export(copied)
    assert file.read_bytes().startswith(before)
    assert file.stat().st_ino == place
    check_shows(tmp_path / "logs", copied)


def test_an_export_that_has_seen_less_takes_nothing_back(tmp_path, monkeypatch):
    store, logs = RunStore(tmp_path / "runs"), tmp_path / "logs"
    run, read, inodes = made(store, 1), Run.record, []
    EventFiles(logs).export(run)
    made(store, 2)

    def record(self):
        seen = read(self)
        if not inodes:  # another process is quicker
            inodes.append(0)
            made(store, 4)
            EventFiles(logs).export(run)
            inodes[0] = (logs / run.folder.name / FILE).stat().st_ino
        return seen

    monkeypatch.setattr(Run, "record", record)
    EventFiles(logs).export(run)
    check_shows(logs, run)
    assert (logs / run.folder.name / FILE).stat().st_ino == inodes[0]


def test_who_is_in_the_way_is_not_waited_for(tmp_path):
    run, files = made(RunStore(tmp_path / "runs")), EventFiles(tmp_path / "logs")
    place = tmp_path / "logs" / run.folder.name
    place.mkdir(parents=True)
    with locked(place):
        files.export(run)
        assert not (place / FILE).exists()
    files.export(run)
    check_shows(tmp_path / "logs", run)


@pytest.mark.parametrize("stop", [None, KeyboardInterrupt, ZeroDivisionError])
def test_a_folder_that_vanishes_stops_nothing_and_swallows_nothing(tmp_path, capsys, stop):
    store, told = RunStore(tmp_path / "runs"), []
    run = made(store, 1)
    job = Job(run.spec, {}, {}, epochs=4, horizon=4)
    logs = tmp_path / "logs"

    def train():
        with exported(logs, [job], store, lambda _model, event: told.append(event)) as watch:
            for epochs in (1, 2, 4):
                made(store, epochs)
                watch("MobileNet", {"event": "observation"})
                if epochs == 1:
                    check_shows(logs, run)
                    shutil.rmtree(logs)
                    logs.write_text("a file")
            if stop is not None:
                raise stop

    if stop is None:
        train()
    else:
        with pytest.raises(stop):
            train()
    assert len(told) == 3
    said = capsys.readouterr().err
    assert said.count("cannot write") == 1
    assert f"'ncselect runs --store {store.folder} --tensorboard FOLDER'" in said
    logs.unlink()
    EventFiles(logs).export(run)
    check_shows(logs, run)


def test_stored_runs_are_exported_without_tensorflow(tmp_path):
    run = made(RunStore(tmp_path / "runs"))
    program = (
        "import sys\n"
        "sys.modules.update(tensorflow=None, keras=None, jax=None)\n"  # importing them fails
        "from ncselect.cli import main\n"
        "sys.argv = ['ncselect', 'runs', '--tensorboard', 'logs']\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "MobileNet" in done.stdout
    check_shows(tmp_path / "logs", Run(run.folder))


def test_without_tensorboard_or_a_folder_the_remedy_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    store = RunStore(tmp_path / "runs")
    with pytest.raises(InputError, match=r"cannot write in .*file/logs.*name a folder"):
        event_folder(tmp_path / "file" / "logs", store)
    assert event_folder(tmp_path / "logs", store) == tmp_path / "logs"
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(InputError, match=r"not installed .*pip install 'ncselect\[tensorboard\]'"):
        event_folder(tmp_path / "logs", store)
    with pytest.raises(InputError, match="not installed"):
        select("LeNet5", "digits", weights="random", store=tmp_path / "runs", tensorboard="logs")
    assert not (tmp_path / "runs").exists()


def test_a_folder_in_the_way_of_the_store_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = RunStore("runs")
    made(store)
    (tmp_path / "link").symlink_to("runs")
    for path, told in (
        ("runs", "'runs' is the store; name another folder"),
        ("link", "'link' is the store"),
        ("runs/logs", "'runs/logs' lies in the store .*; name one outside it"),
        ("link/a/b", "lies in the store"),
        (".", r"'\.' contains the store .*; name a folder beside it"),
    ):
        with pytest.raises(InputError, match=f"tensorboard: .*{told}"):
            event_folder(path, store)
    assert event_folder("runs-logs", store) == tmp_path / "runs-logs"
    asked = {"weights": "random", "store": "runs", "tensorboard": "runs"}
    for begin in (select, partial(pretrain, out="pool")):
        with pytest.raises(InputError, match="is the store"):
            begin("LeNet5", "digits", **asked)
