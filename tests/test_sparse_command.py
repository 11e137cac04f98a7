"""``ncselect sparse``: what it prints, writes and refuses."""

from __future__ import annotations

import json
import math
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from ncselect.cli import app, main
from ncselect.sparse.connections_file import read_connections
from ncselect.sparse_evaluation import compared
from ncselect.sparse_evaluation.trained import mean
from ncselect.store import RunStore
from zoo.errors import InputError

COMMON = [
    "--models", "MLP300", "--width", "0.1", "--dataset", "digits", "--image-size", "8",
    "--train-size", "200", "--validation-size", "60", "--test-size", "60", "--threads", "1",
    "--workers", "2", "--yes", "--repeats", "2",
]  # fmt: skip
TRAIN = [*COMMON, "--rule", "dense,set", "--epsilon", "3", "--epochs", "2"]
PRUNE = [*COMMON, "--rounds", "1", "--round-epochs", "1", "--rate", "0.5"]


def run(*words):
    return CliRunner().invoke(app, ["sparse", *map(str, words)])


@pytest.fixture(scope="module")
def trained(in_this_process, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    store = folder / "runs"
    with in_this_process():
        done = run("train", *TRAIN, "--store", store, "--out", folder / "out", "--format", "json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout), folder


@pytest.fixture(scope="module")
def pruned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pruned")
    done = run("prune", *PRUNE, "--store", folder / "runs", "--out", folder / "out",
               "--format", "json")  # fmt: skip
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout), folder


def test_rows_are_means_over_the_runs(trained):
    found, folder = trained
    records = RunStore(folder / "runs").records()
    dense, evolved = found["rows"]
    assert (dense["variant"], evolved["variant"]) == ("dense", "set")
    truth = {
        name: {one.spec.seed: one.truth[2] for one in records
               if (one.spec.settings.sparse is None) == (name == "dense")}
        for name in ("dense", "set")
    }  # fmt: skip
    for row in (dense, evolved):
        values = truth[row["variant"]]
        assert sorted(values) == [0, 1]
        assert row["test_accuracy"] == pytest.approx(np.mean(list(values.values())))
        assert row["runs"] == 2
    apart = [truth["set"][seed] - truth["dense"][seed] for seed in (0, 1)]
    assert evolved["difference"] == pytest.approx(np.mean(apart))
    assert dense["difference"] is None
    assert dense["connections"] is None
    assert dense["parameters"] == 64 * 30 + 30 + 30 * 10 + 10 + 10 * 10 + 10
    # ε(inputs + outputs) of the two hidden layers less a share of .3, and the whole classifier.
    expected = 0.7 * (3 * (64 + 30) + 3 * (30 + 10)) + 100
    assert evolved["connections"] == pytest.approx(expected, abs=4 * math.sqrt(expected))
    assert evolved["parameters"] == evolved["connections"] + 30 + 10 + 10


def test_files_are_written_and_runs_are_not_made_again(trained):
    found, folder = trained
    names = {path.name for path in (folder / "out").iterdir()}
    assert names == {"trained.json", "epochs-mlp300-width-0.1.svg", "epochs-mlp300-width-0.1.png"}
    assert json.loads((folder / "out" / "trained.json").read_text())["rows"] == found["rows"]
    again = run("train", *TRAIN, "--store", folder / "runs", "--format", "json")
    assert json.loads(again.stdout) == found


def test_rounds_are_told(pruned):
    found, folder = pruned
    first, second = found["rounds"]
    assert (first["round"], first["density"], first["runs"]) == (0, 1.0, 2)
    assert second["density"] == pytest.approx(0.5, abs=1 / first["connections"])
    [record, _] = RunStore(folder / "runs").records()
    ends = [
        one.observations[2].signals["mean-weight"] for one in RunStore(folder / "runs").records()
    ]
    assert second["mean_weight"] == pytest.approx(np.mean(ends))
    assert record.spec.settings.pruning.epochs == 1
    assert (folder / "out" / "rounds-mlp300-width-0.1.svg").exists()
    for row, epoch in ((first, 1), (second, 2)):
        truth = [one.truth[epoch] for one in RunStore(folder / "runs").records()]
        assert row["test_accuracy"] == pytest.approx(np.mean(truth))
    assert found["rows"] == []


def test_runs_are_measured_epoch_by_epoch(trained, tmp_path):
    _, folder = trained
    store = RunStore(folder / "runs")
    run_of_set = next(one for one in store.runs() if one.spec.settings.sparse is not None)
    done = run("measure", run_of_set.key, "--store", folder / "runs", "--out", tmp_path,
               "--format", "json")  # fmt: skip
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    counts = {
        row["epoch"]: row["value"]
        for row in rows
        if (row["layer"], row["measure"]) == ("network", "connections")
    }
    kept = {epoch: sum(one.count for one in read_connections(file))
            for epoch, file in run_of_set.connections.items()}  # fmt: skip
    assert counts == kept
    assert len(list(tmp_path.glob("degrees-*.svg"))) == 1
    table = run("measure", run_of_set.key, "--store", folder / "runs", "--tails")
    assert "epoch 0" in table.stdout
    assert "hidden" in table.stdout


def test_means_have_students_interval():
    # Three values 1, 2, 3: sd 1, t(.975, 2) = 4.302653, over √3.
    found = mean([1.0, 2.0, 3.0])
    assert (found.value, found.high - found.value) == pytest.approx((2.0, 4.302653 / math.sqrt(3)))
    assert math.isnan(mean([1.0]).low)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["train", *COMMON, "--rule", "dense,st"], "unknown rule 'st'. Did you mean set?"),
        (["train", *COMMON, "--epsilon", "0"], "epsilon is 0.0; give a positive number"),
        (["train", *COMMON, "--zeta", "1"], "zeta: 1.0 came; give the share to drop"),
        (["train", *COMMON, "--growth", "one"], "growth 'one'"),
        (["train", *COMMON, "--width", "0"], "width: 0 came; give a positive number"),
        (["train", *COMMON, "--dropout", "1.5"], "dropout: 1.5 came; give a rate in [0, 1)"),
        (["train", *COMMON, "--learning-rate", "inf"], "learning_rate: inf came"),
        (["train", *COMMON, "--repeats", "0"], "repeats: 0 came; give a whole number"),
        (["train", *COMMON, "--models", "MobileNet"], "takes no width; leave it out"),
        (["prune", *COMMON, "--criterion", "magnitud"], "criterion 'magnitud'"),
        (["prune", *COMMON, "--rate", "0"], "rate: 0.0 came; give the share to cut"),
        (["prune", *COMMON, "--rewind-epoch", "11"], "rewind_epoch: 11 came"),
        (["prune", *COMMON, "--rounds", "-1"], "--rounds: -1 came"),
        (["measure", "nothing"], "store: there are no runs in 'runs'"),
        (["measure", "missing.npz"], "no file 'missing.npz'"),
        (["measure", "missing.npz", "--replicas", "5"], "give tails too"),
    ],
)
def test_bad_input_is_refused_with_the_remedy(words, text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["ncselect", "sparse", *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert text in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.iterdir()) == []


def test_a_store_tells_the_same_as_its_command(trained, pruned):
    for found, folder in (trained, pruned):
        again = compared(folder / "runs").to_dict()
        assert again["rows"] == found["rows"]
        assert again["rounds"] == found["rounds"]


def test_a_store_of_several_protocols_is_refused(trained, tmp_path):
    _, folder = trained
    shutil.copytree(folder / "runs", tmp_path / "runs")
    store = RunStore(tmp_path / "runs")
    one = next(one for one in store.runs() if one.spec.settings.sparse is not None)
    document = one.spec.to_json()
    document["settings"]["sparse"]["epsilon"] = 4.0
    (shutil.copytree(one.folder, tmp_path / "runs" / "other") / "spec.json").write_text(
        json.dumps(document)
    )
    with pytest.raises(InputError, match=r"holds several runs of .* trained otherwise"):
        compared(tmp_path / "runs")
    with pytest.raises(InputError, match="no runs"):
        compared(tmp_path / "nothing")
