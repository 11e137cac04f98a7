"""A real Ray cluster of three nodes: a node is lost, and numbers must not notice."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ncselect.environment import environment
from ncselect.execute import Job, complete
from ncselect.node import Expected
from ncselect.spec import RunSpec, Settings
from ncselect.store import RunStore
from ncselect.workers import asked_workers
from zoo.datasets import prepare
from zoo.errors import InputError
from zoo.models import Candidate

EPOCHS = 12


def jobs(folder, seed=0):
    """Return two small runs, the first of which is scored before."""
    digits = prepare(
        "digits",
        image_size=32,
        train_size=256,
        validation_size=100,
        test_size=100,
        cache=folder / "cache",
    )
    made = []
    for name in ("MLP300", "LeNet5"):
        candidate = Candidate(name, "application", name, {}, "random")
        made.append(
            Job(
                spec=RunSpec(
                    model=name,
                    dataset=digits.name,
                    candidate=candidate.identity(),
                    data=digits.identity(),
                    seed=seed,
                    settings=Settings(probe_size=64, augmentation="flip-crop", graphs="none"),
                    environment=environment(1, gpu=False),
                ),
                candidate=candidate.to_json(),
                dataset=digits.to_json(),
                epochs=EPOCHS,
                horizon=EPOCHS,
                scores=frozenset({"logme"} if name == "MLP300" else ()),
            )
        )
    return made


def seen(record):
    return [[one.epoch, dict(one.signals)] for one in record.observations]


def shown(records):
    """Return what must be equal between runs made here and there, as JSON values."""
    return [
        {
            "model": record.spec.model,
            "status": record.status,
            "error": record.error,
            "seen": seen(record),
            "truth": {str(epoch): accuracy for epoch, accuracy in record.truth.items()},
            "scores": dict(record.scores),
        }
        for record in records
    ]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Return what the runs on three nodes came to.

    The nodes talk over a network of their own: whoever reaches the ports of a Ray cluster can have
    it do anything.
    """
    pytest.importorskip("ray")
    trial = (
        subprocess.run(
            ["unshare", "-rn", "ip", "link", "set", "lo", "up"], capture_output=True, check=False
        )
        if shutil.which("unshare") and shutil.which("ip")
        else None
    )
    if trial is None or trial.returncode:
        pytest.skip("a network of its own needs 'unshare -rn' and 'ip', and the right to use them")
    folder = tmp_path_factory.mktemp("nodes")
    script = 'ip link set lo up; exec "$0" -m tests.three_nodes "$1"'
    root = str(Path(__file__).parents[1])
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        ["unshare", "-rn", "bash", "-c", script, sys.executable, str(folder)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": paths, "RAY_USAGE_STATS_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    (folder / "log.txt").write_text(done.stderr)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, json.loads((folder / "found.json").read_text())


def test_a_run_whose_node_is_killed_goes_on_elsewhere_to_the_numbers_of_a_local_one(
    found, tmp_path
):
    folder, said = found
    assert said["slots"] == 3
    lost = said["lost"]
    (killed,) = lost["killed"]
    events = [event for model, event in lost["events"] if model == killed]
    before, after = events[: events.index("lost")], events[events.index("lost") :]
    assert before.count("started") == after.count("started") == 1
    assert after[-1] == "finished"
    assert "observation" in after
    assert after.count("observation") < EPOCHS  # it went on, and did not begin again
    assert [event for model, event in lost["events"] if model != killed].count("lost") == 0

    here = complete(jobs(folder), RunStore(tmp_path), workers=2)
    assert [record.status for record in here] == ["complete", "complete"]
    assert lost["runs"] == json.loads(json.dumps(shown(here)))


def test_stopping_cancels_tasks_and_their_processes_and_keeps_what_was_observed(found):
    _, said = found
    stopped = said["stopped"]
    assert stopped["status"] == "partial"
    assert 1 <= stopped["epochs"] <= stopped["written"] < 500
    assert said["slots left"] == 2
    assert said["files left"] == []


def test_runs_that_share_a_gpu_are_counted_and_told_so(found):
    _, said = found
    told = said["gpus"]
    assert told["slots"] == 1  # two halves of a GPU, but one CPU
    assert told["device"] == "gpu"
    assert told["CUDA_VISIBLE_DEVICES"] == "0"
    assert told["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    assert told["XLA_PYTHON_CLIENT_MEM_FRACTION"] == "0.450"


def expected(folder, **changed):
    token = folder / "token"
    token.write_text("text")
    variables = {"KERAS_BACKEND": "tensorflow"}
    here = environment(1, gpu=False, variables={**os.environ, **variables})
    return Expected(
        **{
            "token": token,
            "text": "text",
            "files": frozenset({str(folder)}),
            "environment": here,
            "variables": variables,
            "gpus": 0.0,
            **changed,
        }
    )


def test_a_node_says_what_it_lacks(tmp_path):
    whole = expected(tmp_path)
    assert "locks" in whole.trouble()  # nobody holds the token: here they would not reach
    with whole.token.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert whole.trouble() is None
        for changed, said in [
            ({"token": tmp_path / "elsewhere" / "token"}, "the store is not there"),
            ({"text": "another"}, "another folder"),
            ({"files": frozenset({str(tmp_path / "images.bin")})}, "images.bin' is not there"),
            ({"environment": {**whole.environment, "keras": "3.0"}}, "keras .* for 3.0"),
            ({"variables": {"KERAS_BACKEND": "jax"}}, "backend jax for tensorflow"),
            ({"gpus": 0.5}, "device gpu for cpu"),
        ]:
            assert re.search(said, expected(tmp_path, **changed).trouble())


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"workers": 0}, "workers: 0 came"),
        ({"threads": 0}, "threads: 0 came"),
        ({"gpus_per_run": 0.5}, "--ray local"),
        ({"ray": "auto", "gpus_per_run": 1.5}, "give 0, 1 or a part of one"),
        ({"ray": "nowhere:1", "gpus_per_run": -1}, "give 0, 1 or a part of one"),
    ],
)
def test_who_does_the_runs_is_checked(asked, said):
    with pytest.raises(InputError, match=said):
        asked_workers(**{"workers": None, "threads": None, **asked})
