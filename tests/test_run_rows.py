"""Where every run of a store stands: live, stopped, unknown, finished."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack

import numpy as np
import pytest
from made_runs import made_run

from ncselect.cli.runs import runs
from ncselect.listing import Format
from ncselect.lock import last_holder
from ncselect.run import Run
from ncselect.run_rows import run_rows
from ncselect.store import RunStore
from ncselect.tensorboard import EventFiles
from zoo.errors import InputError

ACCURACIES = [0.4, 0.5, 0.6]  # an epoch takes a second, see made_run
HOLDER = """
import sys
from pathlib import Path
from ncselect.run import Run
with Run(Path(sys.argv[1])).writer(until=9):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def store(tmp_path):
    """A store with a run that is stopped, one that is complete, and one that has failed."""
    made = RunStore(tmp_path / "runs")
    for name in ("stopped", "complete", "failed"):
        record = made_run(name, ACCURACIES)
        with made.run(record.spec).writer() as writer:
            for observation in record.observations:
                writer.append(observation, [np.zeros(1)])
            if name == "complete":
                writer.keep_truth(3, 0.55)
                writer.complete(keep_checkpoint=False)
            if name == "failed":
                writer.fail("diverged at epoch 4")
    return made


@pytest.fixture
def held(store):
    """The process that holds the stopped run, on its way to epoch 9."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, folder_of(store, "stopped")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with holder:
        assert holder.stdout.readline() == "held\n"
        yield holder
        holder.kill()


def folder_of(store, model):
    return next(run.folder for run in store.runs() if run.spec.model == model)


def rows_of(store):
    return {row["model"]: row for row in run_rows(store)}


def listed(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "ncselect", "runs", *map(str, arguments)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_runs_that_nobody_writes_are_as_their_records_say(store):
    rows = rows_of(store)
    assert {model: row["status"] for model, row in rows.items()} == {
        "complete": "complete", "failed": "failed", "stopped": "partial",
    }  # fmt: skip
    assert rows["complete"]["truth"] == 0.55
    assert rows["failed"]["error"] == "diverged at epoch 4"
    for row in rows.values():
        assert (row["epochs"], row["last"]) == (3, 0.6)
        nothing = ("until", "seconds_since", "seconds_left", "pid", "node")
        assert {row[name] for name in nothing} == {None}


def test_a_live_run_tells_where_it_goes_and_how_long_it_takes(store, held):
    lines = folder_of(store, "stopped") / "observations.jsonl"
    for age, left in ((0.5, 5.5), (60.0, 5.0)):  # six epochs of a second; the first may be over
        written = lines.stat().st_mtime
        os.utime(lines, (written, written - age))
        row = run_rows(store)[0]
        assert (row["model"], row["status"]) == ("stopped", "live")  # live ones come first
        assert (row["epochs"], row["until"], row["pid"]) == (3, 9, held.pid)
        assert row["seconds_since"] >= age
        assert row["seconds_left"] <= left
        assert row["seconds_left"] >= 5.0
    assert json.loads(listed("--store", store.folder, "--format", "json").stdout)[0] == {
        **row, "seconds_since": pytest.approx(row["seconds_since"], abs=30),
    }  # fmt: skip
    held.send_signal(signal.SIGKILL)
    held.wait()
    assert rows_of(store)["stopped"]["status"] == "partial"


def test_who_writes_on_another_machine_is_unknown(store):
    for model in ("stopped", "complete"):
        (folder_of(store, model) / "lock").write_text("4711 on elsewhere\npid:[1]\nuntil 9\n")
    rows = rows_of(store)
    assert rows["stopped"]["status"] == "unknown"
    assert (rows["stopped"]["pid"], rows["stopped"]["node"]) == (4711, "elsewhere")
    assert rows["stopped"]["until"] == 9
    assert rows["stopped"]["seconds_since"] >= 0
    assert rows["stopped"]["seconds_left"] is None
    assert rows["complete"]["status"] == "complete"
    assert rows["complete"]["node"] is None


def test_a_run_that_ends_while_it_is_read_has_ended(store, monkeypatch):
    for other in ("complete", "failed"):
        shutil.rmtree(folder_of(store, other))
    (run,), held = store.runs(), ExitStack()
    writer = held.enter_context(run.writer(until=9))
    holder, record = last_holder, Run.record

    def then_ended(answer):
        writer.complete(keep_checkpoint=False)
        held.close()
        return answer

    # Whichever is read first, the run ends before the other is.
    monkeypatch.setattr("ncselect.run_rows.last_holder", lambda one: then_ended(holder(one)))
    monkeypatch.setattr(Run, "record", lambda self: then_ended(record(self)))
    (row,) = run_rows(store)
    assert (row["status"], row["pid"], row["seconds_left"]) == ("complete", None, None)


def exported(store, folder):
    files = EventFiles(folder)
    for run in store.runs():
        files.export(run)
    return [*folder.glob("*")]


@pytest.mark.parametrize(
    ("listing", "read", "left"),
    [
        ("_folders", run_rows, 1),
        ("runs", run_rows, 1),
        ("features", run_rows, 3),
        ("_folders", RunStore.unreadable, 0),
        ("features", RunStore.unreadable, 0),
        ("runs", RunStore.records, 0),
        ("runs", lambda store: exported(store, store.folder / "logs"), 0),
    ],
)
def test_what_is_deleted_after_it_was_found_is_left_out(store, monkeypatch, listing, read, left):
    store.features_of(made_run("stopped", ACCURACIES).spec)
    assert len(run_rows(store)) == 4
    assert store.unreadable() == []
    found = getattr(RunStore, listing)

    def then_deleted(self):
        there = found(self)
        for one in there:
            shutil.rmtree(one.folder)
        return there

    monkeypatch.setattr(RunStore, listing, then_deleted)
    assert len(read(store)) == left


def test_a_file_that_goes_while_space_is_measured_takes_none(store):
    run = Run(folder_of(store, "stopped"))
    before = run.megabytes
    assert before == sum(file.stat().st_size for file in run.folder.iterdir()) / 2**20
    (run.folder / "checkpoint.npz.fresh").symlink_to("moved")  # is listed, cannot be asked
    assert run.megabytes == before


def test_the_table_is_shown_anew_until_control_c(store, held):
    terminal, slave = pty.openpty()
    # A shell that started us in the background has SIGINT ignored, and children inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    watching = subprocess.Popen(
        [sys.executable, "-m", "ncselect", "runs", "--store", store.folder, "--watch", "0.2"],
        stdin=slave, stdout=slave, stderr=slave, env={**os.environ, "COLUMNS": "160"},
    )  # fmt: skip
    signal.signal(signal.SIGINT, before)
    os.close(slave)
    shown = ""
    with watching:
        while shown.count("3 of 9  0.600") < 2 or "partial" not in shown:
            assert select.select([terminal], [], [], 60)[0]
            shown += os.read(terminal, 1 << 16).decode(errors="replace")
            if shown.count("3 of 9") >= 2 and held.poll() is None:
                held.kill()
        watching.send_signal(signal.SIGINT)
        assert watching.wait(timeout=60) == 130
    os.close(terminal)
    assert f"{held.pid} on" in shown


@pytest.mark.parametrize(
    ("asked", "remedy"),
    [
        ({"watch": 1.0}, "shows a table on a terminal; leave --watch out"),
        ({"watch": 1.0, "output": Format.json}, "leave --watch out"),
        ({"delete": ["all"], "tensorboard": "logs"}, "give --delete alone"),
        ({"tensorboard": "/dev/null/logs"}, "name a folder that can be written"),
    ],
)
def test_what_does_not_go_together_is_refused(store, asked, remedy):
    with pytest.raises(InputError, match=remedy):
        runs(store=store.folder, **asked)
    assert len(store.runs()) == 3


def test_what_is_refused_ends_with_code_2(store):
    done = listed("--store", store.folder, "--tensorboard", store.folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is the store; name another folder" in done.stderr
