"""Real processes: killed, resumed, diverged, continued. Numbers must not notice."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from ncselect.environment import environment, process_variables
from ncselect.execute import Job, Stopped, complete
from ncselect.lock import locked
from ncselect.spec import RunSpec, Settings
from ncselect.store import RunStore
from ncselect.task import Task
from zoo.datasets import prepare
from zoo.models import Candidate


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return prepare(
        "digits",
        image_size=32,
        train_size=256,
        validation_size=100,
        test_size=100,
        cache=tmp_path_factory.mktemp("cache"),
    )


@pytest.fixture(scope="module")
def network(small_network):
    return Candidate("small", "file", str(small_network(8)), {}, "included")


LIGHT = {"unit": "classifier", "graphs": "none", "probe_size": 64}
PROBED = {"unit": "probe", "graphs": "rolled", "augmentation": "flip-crop"}


def job(digits, candidate, *, name="small", seed=0, epochs=3, horizon=3, scores=(), **settings):
    return Job(
        spec=RunSpec(
            model=name,
            dataset=digits.name,
            candidate=candidate.identity(),
            data=digits.identity(),
            seed=seed,
            settings=Settings(**{**LIGHT, **settings}),
            environment=environment(1),
        ),
        candidate=candidate.to_json(),
        dataset=digits.to_json(),
        epochs=epochs,
        horizon=horizon,
        scores=frozenset(scores),
    )


def seen(record):
    return [(one.epoch, dict(one.signals)) for one in record.observations]


def test_a_killed_run_fails_alone_and_resumes_to_the_numbers_of_an_uninterrupted_one(
    digits, network, tmp_path, in_this_process
):
    probed = job(digits, network, **PROBED)
    whole = complete([probed], RunStore(tmp_path / "whole"))[0]
    assert whole.status == "complete"
    assert whole.epochs == 3
    assert set(whole.truth) == {3}

    store = RunStore(tmp_path / "broken")
    first = replace(probed, scores=frozenset({"logme"}))  # scored before it is trained
    other = job(digits, network, name="other", seed=1, epochs=1)

    names = []

    def kill_after_first_epoch(model, event):
        if model == "small" and event["event"] != "progress":
            names.append(event["event"])
        if model == "small" and event["event"] == "observation" and event["epoch"] == 1:
            writer = (store.find(first.spec).folder / "lock").read_text()
            os.kill(int(writer.split()[0]), signal.SIGKILL)

    killed, unharmed = complete([first, other], store, watch=kill_after_first_epoch)
    assert killed.status == "failed"
    assert "killed by signal SIGKILL" in killed.error
    assert 1 <= killed.epochs < 3
    assert names[:4] == ["features", "scored", "started", "observation"]
    assert (unharmed.status, unharmed.epochs) == ("partial", 1)

    resumed = complete([first], store)[0]
    assert resumed.status == "complete"
    assert seen(resumed) == seen(whole)
    assert resumed.truth == whole.truth
    assert resumed.scores == killed.scores
    assert set(resumed.scores) - set(whole.scores) == {"logme"}
    assert [record.scores["logme"] for record in store.records()] == [resumed.scores["logme"]] * 2
    assert not (store.find(first.spec).folder / "checkpoint.npz").exists()

    events = []
    again = complete([first], store, watch=lambda _model, event: events.append(event["event"]))[0]
    assert events == ["stored"]
    assert seen(again) == seen(whole)

    longer = complete([replace(first, epochs=4, horizon=4)], store)[0]
    assert longer.status == "failed"
    assert "stored to epoch 3 without a checkpoint, 4 wanted" in longer.error
    assert store.find(first.spec).record().status == "complete"

    with in_this_process():
        continued = complete([replace(other, epochs=2, horizon=9)], store)[0]
    assert (continued.status, continued.epochs) == ("partial", 2)
    assert seen(continued)[:2] == seen(unharmed)

    shorter = complete([replace(other, epochs=1, horizon=1)], store)[0]
    assert (shorter.status, shorter.truth) == ("partial", {})
    assert store.find(other.spec).can_continue

    renamed = replace(first, spec=replace(first.spec, model="renamed"))
    assert complete([renamed], store)[0].spec.model == "renamed"


def test_divergence_ends_a_run_as_failed_with_epoch_and_cause(
    digits, network, tmp_path, in_this_process
):
    store = RunStore(tmp_path)
    wild = job(digits, network, learning_rate=1e30, optimizer="sgd")
    with in_this_process():
        record = complete([wild], store)[0]
    assert record.status == "failed"
    assert "diverged at epoch 1" in record.error
    assert "loss" in record.error
    assert record.epochs == 0
    assert store.find(wild.spec).record().status == "failed"
    events = []
    again = complete([wild], store, watch=lambda _model, event: events.append(event["event"]))[0]
    assert again == record
    assert events == ["stored", "failed"]
    assert record.observed(0).status == "partial"


def test_a_candidate_that_cannot_be_built_is_a_failed_row_with_the_reason(
    digits, tmp_path, in_this_process
):
    lost = Candidate(
        name="lost", kind="application", source="AlexNet", arguments={}, weights="imagenet"
    )
    wanted = job(digits, lost, name="lost")
    with in_this_process():
        record = complete([wanted], RunStore(tmp_path))[0]
    assert record.status == "failed"
    assert "AlexNet" in record.error
    assert "path" in record.error
    kept = RunStore(tmp_path).find(wanted.spec).record()
    assert (kept.status, kept.error) == ("partial", record.error)


def test_stopped_by_its_watch_what_is_stored_comes_back_with_the_failures_so_far(
    digits, network, tmp_path, in_this_process
):
    store = RunStore(tmp_path)
    lost = Candidate("lost", "application", "AlexNet", {}, "imagenet")
    first, last = job(digits, network, epochs=3), job(digits, network, name="last", seed=1)
    ended = job(digits, network, name="ended", seed=2, epochs=1, horizon=1)
    with in_this_process():
        complete([ended], store)
    told = []

    def stop(model, event):
        told.append((model, event["event"]))
        if event["event"] == "observation" and event["epoch"] == 1:
            raise Stopped

    wanted = [
        replace(ended, epochs=2, horizon=2),  # there is no checkpoint to go on from
        job(digits, lost, name="lost"),
        first,
        last,
    ]
    found = complete(wanted, store, watch=stop)
    assert [record.spec.model for record in found] == ["ended", "lost", "small", "last"]
    assert [record.status for record in found] == ["failed", "failed", "partial", "partial"]
    assert "without a checkpoint" in found[0].error
    assert "AlexNet" in found[1].error
    assert found[2].epochs == 1
    assert found[3].observations == ()
    assert ("lost", "failed") in told[: told.index(("small", "started"))]
    assert store.find(last.spec) is None  # it was not begun: no folder
    with store.find(first.spec).writer():  # its process has ended
        pass


def test_who_is_not_admitted_leaves_no_folder(digits, network, tmp_path, in_this_process):
    store = RunStore(tmp_path)
    first = job(digits, network, epochs=1, scores={"logme"})
    other = job(digits, network, name="other", seed=1, epochs=3, scores={"logme"})

    def no_more_than_one_epoch(due):
        return replace(due, epochs=1) if due.spec.model == "other" else None

    with in_this_process():
        refused, shorter = complete([first, other], store, admit=no_more_than_one_epoch)
    assert (refused.status, refused.observations) == ("partial", ())
    assert shorter.epochs == 1
    assert [run.spec.model for run in store.runs()] == ["other"]
    assert len(store.features()) == 1

    empty = RunStore(tmp_path / "empty")

    def stop(_due):
        raise Stopped

    assert complete([first], empty, admit=stop)[0].observations == ()
    assert not empty.folder.exists()


def test_a_process_ends_when_its_parent_is_killed(digits, network, tmp_path):
    script = (
        "import json, sys\n"
        "from ncselect.processes import Process\n"
        "from pathlib import Path\n"
        "import os\n"
        "process = Process(json.load(sys.stdin), folder=Path(sys.argv[1]), variables=os.environ)\n"
        "while process.events():\n"
        "    print('heard', flush=True)\n"
    )
    store = RunStore(tmp_path)
    wanted = job(digits, network, epochs=50, horizon=50)
    run = store.run(wanted.spec)
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**process_variables(environment(1))},
    ) as parent:
        parent.stdin.write(json.dumps(Task(wanted, run, None, frozenset()).to_json()))
        parent.stdin.close()
        assert parent.stdout.readline() == "heard\n"
        parent.kill()
    with locked(run.folder, patience=math.inf):  # until the run's process is gone
        pass
    assert run.record().epochs < 50
