"""TensorBoard's event files, read back by TensorBoard's own reader."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from made_runs import made_run

from ncselect import Settings, finetune, pretrain, select
from ncselect.run import Run
from ncselect.run_rows import run_rows
from ncselect.selection import selection
from ncselect.store import RunStore
from ncselect.tensorboard import FILE, TAGS, event_folder, export_run
from zoo.datasets import prepare
from zoo.errors import InputError

SETTINGS = Settings(optimizer="sgd", learning_rate=0.02, probe_size=64, graphs="none")


def steps_of(folder):
    """Return what TensorBoard reads of a run: tag → (step, value, wall time) of each event."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    found = {}
    for event in EventFileLoader(str(folder / FILE)).Load():
        for value in event.summary.value:
            (number,) = value.tensor.float_val
            found.setdefault(value.tag, []).append((event.step, number, event.wall_time))
    return found


def check_shows(folder, run):
    """Check that a run's file shows every observation once, and nothing else."""
    found = steps_of(folder / run.folder.name)
    observations = run.record().observations
    assert {name for name, tag in TAGS.items() if tag in found} <= observations[0].signals.keys()
    assert len(found) == len(observations[0].signals)
    for signal_, shown in ((name, found[TAGS.get(name, name)]) for name in observations[0].signals):
        values = np.float32([one.signals[signal_] for one in observations])
        expected = 1 - values if signal_ == "training-error" else values
        assert [step for step, *_ in shown] == [one.epoch for one in observations]
        np.testing.assert_allclose([value for _, value, _ in shown], expected, atol=1e-6)
        spent = np.diff([time for *_, time in shown])
        taken = [one.seconds + one.measuring_seconds for one in observations[1:]]
        np.testing.assert_allclose(spent, taken, atol=1e-5)


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
        "horizon": 4, "settings": SETTINGS, "store": tmp_path / "runs", "threads": 1,
        "tensorboard": tmp_path / "logs",
    }  # fmt: skip
    network = str(small_network(8))
    question = selection(network, digits, method_name="last-value", epochs=3, **asked)

    def kill(_model, event):
        if event["event"] == "observation" and event["epoch"] == 1:
            (row,) = run_rows(RunStore(tmp_path / "runs"))
            assert (row["status"], row["until"]) == ("live", 3)
            os.kill(row["pid"], signal.SIGKILL)

    assert question.ranking(watch=kill).failed
    (run,) = RunStore(tmp_path / "runs").runs()
    assert 1 <= run.record().epochs < 3
    check_shows(tmp_path / "logs", run)
    ranking = select(network, digits, method="last-value", epochs=3, progress=False, **asked)
    assert run.record().epochs == 3
    check_shows(tmp_path / "logs", run)
    assert len([*(tmp_path / "logs").iterdir()]) == 1

    # Stored runs are shown, too, by whichever command; networks are trained or have been.
    here = {"tensorboard": tmp_path / "best", "progress": False, "store": tmp_path / "runs"}
    for _ in range(2):
        tuned = finetune(ranking, out=tmp_path / "best.keras", epochs=1, patience=0, **here)
    stored = RunStore(tmp_path / "runs")
    check_shows(tmp_path / "best", stored.find(tuned.network.spec))
    assert len([*(tmp_path / "best").iterdir()]) == 1
    here["store"] = tmp_path / "pool-runs"
    pretrain(network, digits, out=tmp_path / "pool", epochs=1, threads=1, **here)
    (source,) = RunStore(tmp_path / "pool-runs").runs()
    check_shows(tmp_path / "best", source)


def test_wherever_a_writer_was_stopped_the_file_becomes_that_of_one_export(tmp_path):
    run = made(RunStore(tmp_path / "runs"))
    export_run(run, tmp_path / "whole")
    whole = (tmp_path / "whole" / run.folder.name / FILE).read_bytes()
    torn = tmp_path / "torn" / run.folder.name
    torn.mkdir(parents=True)
    for length in (0, 1, 11, len(whole) // 2, len(whole) - 1, len(whole)):
        (torn / FILE).write_bytes(whole[:length])
        export_run(run, tmp_path / "torn")
        assert (torn / FILE).read_bytes() == whole
    check_shows(tmp_path / "torn", run)


def test_what_is_there_by_a_later_epoch_continues_what_was(tmp_path):
    store = RunStore(tmp_path / "runs")
    before = b""
    for epochs in (1, 2, 4):
        run = made(store, epochs)
        export_run(run, tmp_path / "logs")
        file = tmp_path / "logs" / run.folder.name / FILE
        assert file.read_bytes().startswith(before)
        assert len(file.read_bytes()) > len(before)
        before, place = file.read_bytes(), file.stat().st_ino
    export_run(run, tmp_path / "logs")
    assert file.stat().st_ino == place  # who has it open reads on
    check_shows(tmp_path / "logs", run)


def test_a_run_that_was_trained_anew_is_shown_anew(tmp_path):
    store = RunStore(tmp_path / "runs")
    export_run(made(store), tmp_path / "logs")
    store.runs()[0].delete()
    run = made(store, 2, beta=[3.0, np.nan])
    export_run(run, tmp_path / "logs")
    check_shows(tmp_path / "logs", run)


def test_signals_of_all_training_images_have_tags_of_their_own(tmp_path):
    run = made(RunStore(tmp_path / "runs"), **{"training-error@all": [0.4, 0.3, 0.2, 0.1]})
    export_run(run, tmp_path / "logs")
    found = steps_of(tmp_path / "logs" / run.folder.name)
    shown = [value for _, value, _ in found["accuracy/training@all"]]
    np.testing.assert_allclose(shown, [1.0, 0.6, 0.7, 0.8, 0.9], atol=1e-6)


def test_of_a_run_that_was_not_observed_there_is_nothing(tmp_path):
    run = RunStore(tmp_path / "runs").run(made_run("MobileNet", [0.5]).spec)
    export_run(run, tmp_path / "logs")
    assert not (tmp_path / "logs").exists()


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
    with pytest.raises(InputError, match=r"cannot write in .*file/logs.*name a folder"):
        event_folder(tmp_path / "file" / "logs")
    assert event_folder(tmp_path / "logs") == tmp_path / "logs"
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(InputError, match=r"not installed .*pip install 'ncselect\[tensorboard\]'"):
        event_folder(tmp_path / "logs")
    with pytest.raises(InputError, match="not installed"):
        select("LeNet5", "digits", weights="random", store=tmp_path / "runs", tensorboard="logs")
    assert not (tmp_path / "runs").exists()
