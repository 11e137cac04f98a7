"""A real Ray cluster of three nodes: a node is lost, and numbers must not notice."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ncselect.cluster import LOSSES, Cluster, Submitted
from ncselect.environment import environment, machine_has_gpu
from ncselect.execute import Job, complete
from ncselect.node import Expected, run_variables
from ncselect.node_checks import token
from ncselect.ray_connection import is_refusal
from ncselect.spec import RunSpec, Settings
from ncselect.store import RunStore
from ncselect.task import Task
from ncselect.types import Observation
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
        timeout=600,  # a cluster that hangs must not hold up the rest
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


def test_runs_that_share_a_gpu_are_counted_and_need_one_that_is_there(found):
    _, said = found
    told = said["gpus"]
    assert told["slots"] == 1  # two halves of a GPU, but one CPU
    assert told["device"] == "gpu"
    if machine_has_gpu():
        assert told["CUDA_VISIBLE_DEVICES"] == "0"
        assert told["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    else:  # Ray counts what it was told of
        assert "no GPU is there" in told["refused"]


def test_a_run_that_waits_for_room_can_be_ended(found):
    _, said = found
    assert said["waited"] == ["waiting"]


def test_what_a_cluster_has_is_not_guessed(found):
    _, said = found
    assert said["cpus"] == [1, 1]  # a stored run of eight threads finds no larger node
    assert "gpus-per-run: nodes at 'auto' have GPUs" in said["no share"]
    assert re.search("'local' came, but .* connected to '[0-9.]+:[0-9]+'", said["elsewhere"])


@pytest.mark.parametrize(
    ("gpus", "told"),
    [
        (0.0, {"CUDA_VISIBLE_DEVICES": "-1"}),
        (0.5, {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_MEM_FRACTION": "0.450"}),
    ],
)
def test_a_run_is_told_its_share_of_a_gpu(gpus, told, tmp_path):
    variables = run_variables(environment(1, gpu=gpus > 0), expected(tmp_path, gpus=gpus))
    assert variables.items() >= told.items()


def test_a_run_is_given_up_when_it_is_lost_again_and_again_without_an_epoch(tmp_path):
    job = jobs(tmp_path)[0]
    run = RunStore(tmp_path / "store").run(job.spec)
    one = Submitted(0, Task(job, run, None, frozenset()))
    assert LOSSES == 3
    assert [one.is_given_up(), one.is_given_up()] == [False, False]
    with run.writer() as writer:
        for epoch in range(2):
            writer.append(Observation(epoch, {}, 1.0), [])
    assert [one.is_given_up() for _ in range(LOSSES)] == [False, False, True]
    scored = Submitted(0, Task(job, None, None, frozenset()))
    assert [scored.is_given_up() for _ in range(LOSSES)] == [False, False, True]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("head", "'head' came; give auto"),
        ("head:x", "'head:x' came; give auto"),
        ("127.0.0.1:1", "no cluster at '127.0.0.1:1'.*refused"),
        ("127.0.0.1:70000", "no cluster at '127.0.0.1:70000'"),
        ("ray://127.0.0.1:1", "no cluster at 'ray://127.0.0.1:1'.*RAY_AUTH_MODE"),
        (r"[::1]:1", r"no cluster at '\[::1\]:1' \((?!.*not known)"),
    ],
)
def test_an_address_where_no_cluster_is_is_said_to_be_none(address, said):
    pytest.importorskip("ray")
    with pytest.raises(InputError, match=said):
        Cluster(address)


def test_a_token_that_is_missing_is_said_to_be(tmp_path):
    pytest.importorskip("ray")
    variables = {name: one for name, one in os.environ.items() if not name.startswith("RAY_")}
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        asked = subprocess.run(
            [sys.executable, "-c", f"from ncselect.cluster import Cluster; Cluster('{address}')"],
            env={**variables, "HOME": str(tmp_path), "RAY_AUTH_MODE": "token"},
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    assert f"InputError: ray: the cluster at '{address}' and this machine differ" in asked.stderr
    assert "RAY_AUTH_MODE=disabled" in asked.stderr


def test_a_refusal_is_told_from_a_cluster_that_is_not_there():
    reason = RuntimeError(
        "Failed to connect to GCS. Last connection error: RpcError: RPC error: InvalidAuthToken: "
        "Authentication token is missing or incorrect"
    )  # what Ray 2.60 says of a token that differs
    said = ConnectionError("Failed to connect to Ray cluster at 127.0.0.1:6379")
    assert not is_refusal(said)
    said.__cause__ = reason
    assert is_refusal(said)


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
            ({"gpus": 0.5}, "device gpu for cpu" if machine_has_gpu() else "no GPU is there"),
        ]:
            assert re.search(said, expected(tmp_path, **changed).trouble())


def test_a_store_without_file_locks_is_said_to_have_none(tmp_path, monkeypatch):
    def none(_file, _how):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    asked = expected(tmp_path)
    monkeypatch.setattr(fcntl, "flock", none)  # every file system here has locks
    assert "has no file locks there" in asked.trouble()
    with pytest.raises(InputError, match="has no file locks"), token(tmp_path):
        pass
    assert [*tmp_path.glob(".cluster-*")] == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"workers": 0}, "workers: 0 came"),
        ({"threads": 0}, "threads: 0 came"),
        ({"gpus_per_run": 0.5}, "--ray local"),
        ({"gpus_per_run": 0.0}, "--ray local"),
        ({"ray": "auto", "gpus_per_run": 1.5}, "give 0, 1 or a part of one"),
        ({"ray": "nowhere:1", "gpus_per_run": -1}, "give 0, 1 or a part of one"),
    ],
)
def test_who_does_the_runs_is_checked(asked, said):
    with pytest.raises(InputError, match=said):
        asked_workers(**{"workers": None, "threads": None, **asked})
