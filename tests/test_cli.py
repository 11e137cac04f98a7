"""The command line as a person uses it: a process, its output, its exit code."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys

import pytest
import typer

from ncselect.cli.training import agreed
from zoo.errors import InputError


def ncselect(*arguments, cwd=None, **variables):
    return subprocess.run(
        [sys.executable, "-m", "ncselect", *map(str, arguments)],
        env={**os.environ, **variables}, cwd=cwd, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


LIGHT = (
    "--help", "models", "datasets", "methods", "rank --help", "compare --help", "runs --help",
    "pretrain --help", "reproduce --help", "graph --help", "graph evaluate --help",
)  # fmt: skip


@pytest.mark.parametrize("command", LIGHT)
def test_looking_around_imports_no_backend(command):
    program = (
        "import sys\nfrom ncselect.cli import main\n"
        f"sys.argv = ['ncselect', *{command.split()!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'keras', 'tensorflow', 'jax', 'sklearn', 'scipy', 'pandas', 'matplotlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_models_as_data():
    rows = json.loads(ncselect("models", "paper", "--format", "json").stdout)
    assert len(rows) == 17
    vgg = next(row for row in rows if row["model"] == "VGG16")
    assert vgg["top1"] == 0.713
    assert vgg["parameters"] == 14_714_688
    table = list(csv.DictReader(io.StringIO(ncselect("models", "--format", "csv").stdout)))
    assert len(table) == 41


BAD = {
    "model": ("rank --models MobilNetV2 --dataset digits", "MobileNetV2"),
    "dataset": ("rank --models MobileNet --dataset digitz --weights random", "digits"),
    "method": (
        "rank --models MobileNet --dataset digits --weights random --method capacitence",
        "capacitance",
    ),
    "epochs": ("rank --models MobileNet --dataset digits --epochs -1", "0 for no training"),
    "no epochs": (
        "rank --models MobileNet --dataset digits --epochs 0 --method best-value",
        "needs 1 or more",
    ),
    "history": ("rank --models MobileNet --dataset digits --history gone", "gone"),
    "experience": ("rank --models MobileNet --dataset digits --experience gone.csv", "gone.csv"),
    "horizon": ("rank --models MobileNet --dataset digits --epochs 9 --horizon 3", "horizon"),
    "optimizer": ("rank --models MobileNet --dataset digits --optimizer adamm", "adam, sgd"),
    "lengths": ("compare --epochs five", "positive numbers"),
    "seed": ("rank --models MobileNet --dataset digits --seed -1", "from 0 to"),
    "threads": ("rank --models MobileNet --dataset digits --threads 0", "at least 1"),
    "too few epochs": (
        "rank --models MobileNet --dataset digits --epochs 1 --method capacitance",
        "needs 2 or more",
    ),
    "option": (
        "rank --models MobileNet --dataset digits --method capacitance:window=x",
        "a value like 5",
    ),
    "no store": ("runs --store nowhere", "there are no runs"),
    "store": ("runs --store /dev/null/runs", "--store"),
}


@pytest.mark.parametrize(("command", "remedy"), BAD.values(), ids=list(BAD))
def test_bad_input_says_the_remedy_and_exits_with_2(command_line, command, remedy):
    done = command_line(*command.split())
    assert done.returncode == 2, done.stderr
    assert remedy in done.stderr
    assert done.stdout == ""


def test_a_process_whose_input_is_bad_shows_no_traceback(tmp_path):
    done = ncselect("runs", "--store", "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


class Stdin(io.StringIO):
    def __init__(self, typed, *, terminal):
        super().__init__(typed)
        self.terminal = terminal

    def isatty(self):
        return self.terminal


def test_a_long_plan_asks_first_and_without_anyone_to_ask_is_not_started(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", Stdin("", terminal=False))
    with pytest.raises(InputError, match="start it with --yes, or look with --plan"):
        agreed("The plan.", is_long=True, yes=False)
    agreed("The plan.", is_long=True, yes=True)
    agreed("The plan.", is_long=False, yes=False)
    monkeypatch.setattr(sys, "stdin", Stdin("y\nn\n", terminal=True))
    agreed("The plan.", is_long=True, yes=False)
    with pytest.raises(typer.Abort):
        agreed("The plan.", is_long=True, yes=False)
    said = capsys.readouterr()
    assert said.err.count("The plan.") == 5
    assert said.err.count("Start? [y/N]") == 2
    assert not said.out.strip()


def test_rank_compare_and_runs_from_end_to_end(tmp_path, command_line, in_this_process):
    pool = tmp_path / "pool.toml"
    pool.write_text(
        "".join(
            f'[[model]]\nname = "{name}"\napplication = "LeNet5"\n'
            f'arguments = {{ width = {width} }}\nweights = "{weights}"\n'
            for name, width, weights in (
                ("quarter", 0.25, "random"),
                ("half", 0.5, "random"),
                ("lost", 0.5, "nowhere.weights.h5"),
            )
        )
    )
    rank = (
        "rank", "--models", pool, "--dataset", "digits", "--image-size", 32, "--train-size", 192,
        "--validation-size", 60, "--test-size", 60, "--epochs", 2, "--horizon", 2,
        "--format", "json",
    )  # fmt: skip
    cache = {"NCSELECT_CACHE": str(tmp_path / "cache")}

    plan = command_line(*rank, "--plan")
    assert plan.returncode == 0, plan.stderr
    assert [run["epochs"] for run in json.loads(plan.stdout)["runs"]] == [2, 2]
    assert {one.name for one in tmp_path.iterdir()} == {"cache", "pool.toml"}

    done = ncselect(*rank, cwd=tmp_path, **cache)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert {row["model"] for row in answer["ranking"]} == {"quarter", "half"}
    assert "nowhere.weights.h5" in answer["failed"]["lost"]
    assert all(row["weights"] == "random" for row in answer["ranking"])
    assert answer["best"] == answer["ranking"][0]["model"]
    assert "quarter: training, epoch 1/2" in done.stderr

    again = ncselect(*rank, cwd=tmp_path, **cache)
    assert json.loads(again.stdout) == answer
    assert "stored" in again.stderr

    methods = ("--method", "last-value", "--method", "combined", "--method", "n-leep")
    compared = command_line("compare", "--epochs", "2", *methods, "--format", "json")
    assert compared.returncode == 0, compared.stderr
    comparison = json.loads(compared.stdout)
    assert set(comparison["truth"]) == {"quarter", "half"}
    last = next(row for row in comparison["rows"] if row["method"] == "last-value")
    assert last["predictions"] == {row["model"]: row["last"] for row in answer["ranking"]}
    table = command_line("compare", "--epochs", "2", "--seed", "0", "--method", "last-value")
    assert "after 2 of 2 epochs, n = 2" in table.stdout

    listed = json.loads(command_line("runs", "--format", "json").stdout)
    assert [run["status"] for run in listed] == ["complete"] * 2 + ["features"] * 2
    gone = command_line("runs", "--delete", listed[0]["key"], "--yes")
    assert gone.returncode == 0, gone.stderr
    assert len(json.loads(command_line("runs", "--format", "json").stdout)) == 3

    with in_this_process():
        untrained = command_line(
            *rank[:-6], "--epochs", 0, "--method", "logme", "--method", "n-leep", "--method",
            "leep", "--format", "json",
        )  # fmt: skip
    assert untrained.returncode == 0, untrained.stderr
    scored = json.loads(untrained.stdout)
    assert [row["epochs"] for row in scored["ranking"]] == [0, 0]
    assert scored["ranking"][0]["score"] >= scored["ranking"][1]["score"]
    assert all(set(row["beside"]) == {"n-leep"} for row in scored["ranking"])
    assert any(note.startswith("leep refuses all; ") for note in scored["notes"])


def test_ctrl_c_stops_the_run_s_process_and_prints_the_command_that_goes_on(
    tmp_path, small_network
):
    rank = (
        "rank", "--models", small_network(8), "--dataset", "digits", "--image-size", 32,
        "--train-size", 128, "--validation-size", 60, "--test-size", 60, "--epochs", 200,
        "--horizon", 200, "--method", "last-value", "--graphs", "none", "--format", "csv", "--yes",
    )  # fmt: skip
    # A shell that started us in the background has SIGINT ignored, and children inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    running = subprocess.Popen(
        [sys.executable, "-m", "ncselect", *map(str, rank)],
        env={**os.environ, "NCSELECT_CACHE": str(tmp_path / "cache"), "COLUMNS": "200"},
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    signal.signal(signal.SIGINT, before)
    with running:
        while "epoch 2/200" not in running.stderr.readline():
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        said = running.stderr.read()
        assert running.wait(timeout=30) == 130
    assert "go on with" in said
    assert f"python -m ncselect rank --models {small_network(8)} --dataset digits" in said
    (run,) = (tmp_path / "runs").glob("*/lock")
    with pytest.raises(ProcessLookupError):
        os.kill(int(run.read_text().split()[0]), 0)
    listed = json.loads(ncselect("runs", "--format", "json", cwd=tmp_path).stdout)
    assert listed[0]["status"] == "partial"
    assert listed[0]["epochs"] >= 2
