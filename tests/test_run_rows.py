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
from functools import partial

import numpy as np
import pytest
from made_runs import made_run

from ncselect.run_rows import READS, _of_run, _steady, run_rows
from ncselect.store import RunStore

ACCURACIES = [0.4, 0.5, 0.6]  # an epoch takes a second, see made_run
HOLDER = """
import sys
from pathlib import Path
from ncselect.lock import note_until
from ncselect.run import Run
run = Run(Path(sys.argv[1]))
with run.writer():
    note_until(run.folder, 9)
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
    assert rows["stopped"]["until"] is None
    assert rows["complete"]["status"] == "complete"
    assert rows["complete"]["node"] is None


def test_a_folder_is_read_again_where_a_file_went_and_left_out_where_it_went(store):
    (run,) = store.select(["stopped-digits-s0-" + rows_of(store)["stopped"]["key"]])
    reads = []

    def read():
        reads.append(1)
        if len(reads) < READS:
            raise FileNotFoundError("checkpoint.npz.fresh")
        return _of_run(run)

    assert _steady(read, run.folder)["model"] == "stopped"
    shutil.rmtree(run.folder)
    assert _steady(partial(_of_run, run), run.folder) is None
    assert "stopped" not in rows_of(store)


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
        (["--watch", "1"], "shows a table on a terminal; leave --watch out"),
        (["--watch", "1", "--format", "json"], "leave --watch out"),
        (["--delete", "all", "--tensorboard", "logs"], "give --delete alone"),
        (["--tensorboard", "/dev/null/logs"], "name a folder that can be written"),
    ],
)
def test_what_does_not_go_together_is_refused(store, asked, remedy):
    done = listed("--store", store.folder, *asked)
    assert done.returncode == 2
    assert remedy in done.stderr
    assert done.stdout == ""
    assert len(store.runs()) == 3
