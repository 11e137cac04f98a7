"""``ncselect sparse measure``: names, figures and refusals."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from made_connections import chain, of
from typer.testing import CliRunner

from ncselect.cli import app, main
from ncselect.run import Run
from ncselect.sparse.connections_file import write_connections
from ncselect.sparse_evaluation import degree_figures, measured, table_rows
from ncselect.sparse_evaluation.measured import course_figures
from ncselect.store import RunStore

TRAIN = [
    "train", "--models", "MLP300", "--width", "0.1", "--dataset", "digits", "--image-size", "8",
    "--train-size", "200", "--validation-size", "60", "--test-size", "60", "--threads", "1",
    "--workers", "2", "--yes", "--rule", "set,dense", "--epochs", "2",
]  # fmt: skip


def run(*words):
    return CliRunner().invoke(app, ["sparse", *map(str, words)])


def line(text):
    return " ".join(text.split())


@pytest.fixture(scope="module")
def store(in_this_process, tmp_path_factory):
    """Return a store of networks that differ in ε alone, and a dense one."""
    folder = tmp_path_factory.mktemp("store") / "runs"
    with in_this_process():
        for epsilon in (2, 4):
            done = run(*TRAIN, "--epsilon", epsilon, "--store", folder)
            assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def networks(tmp_path):
    """Return two files of one name, in two folders, of different networks."""
    rng = np.random.default_rng(0)
    for place, density in (("x", 0.2), ("y", 0.8)):
        (tmp_path / place).mkdir()
        write_connections(tmp_path / place / "net.npz", chain(rng, (20, 15, 10), density))
    return [tmp_path / "x" / "net.npz", tmp_path / "y" / "net.npz"]


def sparse_runs(store):
    return [one for one in RunStore(store).runs() if one.spec.settings.sparse]


def test_files_of_one_name_are_two_networks(networks, tmp_path):
    found = measured(networks)
    tables = table_rows(found)
    assert list(tables) == [one.network for one in found] == list(map(str, networks))
    for one in found:
        expected = [(row.layer, row.measure, row.value) for row in one.measurements]
        rows = tables[one.network]
        assert [(row["layer"], row["measure"], row["value"]) for row in rows] == expected
    done = run("measure", *networks, "--out", tmp_path / "out", "--format", "json")
    assert done.exit_code == 0, done.output
    assert {row["network"] for row in json.loads(done.stdout)} == set(map(str, networks))
    assert len(list((tmp_path / "out").glob("degrees-*-x-net-npz.svg"))) == 1
    assert len(list((tmp_path / "out").glob("degrees-*-y-net-npz.svg"))) == 1


def test_names_that_files_cannot_tell_apart_are_numbered(networks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    networks[1].replace("x-net.npz")
    done = run("measure", "x/net.npz", "x-net.npz", "x/net.npz", "--out", "out")
    assert done.exit_code == 0, done.output
    names = {path.name for path in (tmp_path / "out").glob("*.svg")}
    assert names == {"degrees-x-net-npz.svg", "degrees-x-net-npz-2.svg"}


def test_runs_of_one_model_are_told_apart_by_key(store, tmp_path):
    first, second = sparse_runs(store)
    assert first.spec.model == second.spec.model  # which says nothing of ε
    done = run("measure", first.key, second.folder.name, "--store", store, "--out", tmp_path,
               "--format", "json")  # fmt: skip
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    names = [f"{one.spec.model} {one.key}" for one in (first, second)]
    assert list(dict.fromkeys(row["network"] for row in rows)) == names
    written = sorted(path.name for path in tmp_path.glob("*.svg"))
    stems = [name.lower().replace(" ", "-").replace(".", "-") for name in names]
    assert written == sorted(
        f"{kind}-{one}.svg" for kind in ("degrees", "courses") for one in stems
    )


def test_a_run_is_found_by_the_path_of_its_folder(store):
    [one, _] = sparse_runs(store)
    by_path = measured([one.folder], "no store")
    by_key = measured([one.key, one.folder.name], store)
    assert [each.epoch for each in by_path] == [each.epoch for each in by_key] == [0, 1, 2]
    assert [each.measurements for each in by_path] == [each.measurements for each in by_key]
    assert {each.network for each in by_path} == {str(one.folder)}


def test_measures_are_drawn_epoch_by_epoch(store):
    found = measured([sparse_runs(store)[0].key], store)
    [figure] = course_figures(found).values()
    drawn = {panel.y_label: panel.series[0] for panel in figure.panels}
    assert len(drawn) == 4
    for one in found:
        weights = np.concatenate([each.weights[each.mask] for each in one.connections])
        possible = sum(each.mask.size for each in one.connections)
        assert drawn["density"].x[one.epoch] == one.epoch
        assert drawn["density"].y[one.epoch] == pytest.approx(len(weights) / possible)
        assert drawn["mean |w|"].y[one.epoch] == pytest.approx(np.abs(weights).mean(), rel=1e-6)
    assert course_figures(found[:1]) == {}


def test_degrees_and_strengths_are_drawn(tmp_path):
    # Three hidden units of degrees 2, 3 and 0, and of strengths 1.5, 4.5 and 0.
    first = of("first", [[1.0, -2.0, 0.0], [0.0, 0.5, 0.0]])
    second = of("second", [[0.5], [-2.0], [0.0]])
    write_connections(tmp_path / "net.npz", [first, second])
    [figure] = degree_figures(measured([tmp_path / "net.npz"])).values()
    degrees, strengths = (panel.series[0] for panel in figure.panels)
    assert (degrees.x, degrees.y) == ((2, 3), (1, 0.5))
    assert (strengths.x, strengths.y) == ((1.5, 4.5), (1, 0.5))


def test_networks_without_degrees_are_named_and_the_others_drawn(networks, tmp_path):
    cases = {
        "one": ([of("only", np.ones((3, 2)))], "a single layer has no hidden units"),
        "cut": (
            [of("first", np.zeros((3, 2))), of("second", np.zeros((2, 2)))],
            "its hidden units have no connections",
        ),
        "jump": (
            [of("first", np.ones((3, 2))), of("second", np.ones((5, 2)))],
            "no chain, as 'second' has 5 inputs and 'first' before it 2 outputs",
        ),
    }
    files = [tmp_path / f"{name}.npz" for name in cases]
    for file, (layers, _) in zip(files, cases.values(), strict=True):
        write_connections(file, layers)
    done = run("measure", *files, networks[0], "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    for file, (_, why) in zip(files, cases.values(), strict=True):
        assert f"{file}: no degrees to draw: {why}" in line(done.stderr)
    assert len(list((tmp_path / "out").glob("*.svg"))) == 1
    done = run("measure", *files, "--out", tmp_path / "none")
    assert done.exit_code == 0, done.output
    assert list((tmp_path / "none").iterdir()) == []


def test_weights_of_0_have_degrees_and_no_strengths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    layers = [of("first", np.zeros((3, 2)), np.ones((3, 2))),
              of("second", np.zeros((2, 2)), np.ones((2, 2)))]  # fmt: skip
    odd = "[bold]$_{$.npz"  # neither the table nor a figure takes it for markup
    write_connections(odd, layers)
    done = run("measure", odd, "--out", "out")
    assert done.exit_code == 0, done.output
    assert odd in done.stdout
    [figure] = degree_figures(measured([odd])).values()
    assert [panel.series[0].x for panel in figure.panels] == [(5,)]


def test_a_saved_model_is_measured(tmp_path):
    layers = [keras.Input((6,)), keras.layers.Dense(4), keras.layers.Dense(2)]
    keras.Sequential(layers).save(tmp_path / "net.keras")
    [found] = measured([tmp_path / "net.keras"])
    assert found.network == str(tmp_path / "net.keras")
    assert found.rows()[0]["epoch"] is None
    assert {one.mask.shape for one in found.connections} == {(6, 4), (4, 2)}
    assert found.no_degrees == ""


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["missing.keras"], "networks: no file missing.keras. Correct the path."),
        (["damaged.keras"], "networks: damaged.keras is damaged or no .keras file"),
        (["features"], "networks: 'features' holds no run that can be read"),
        (["net.npz", "--tails", "--replicas", "2", "--seed", "-1"], "seed: -1 came; give"),
        (["net.npz", "--tails", "--replicas", "-1"], "replicas: -1 came; give"),
        (["net.npz", "--out", "net.npz"], "nothing can be written to 'net.npz'"),
    ],
)
def test_bad_input_is_refused_with_the_remedy(words, text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "damaged.keras").write_text("no archive")
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "spec.json").write_text("{}")
    write_connections("net.npz", chain(np.random.default_rng(0), (5, 4, 3)))
    monkeypatch.setattr("sys.argv", ["ncselect", "sparse", "measure", *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    said = capsys.readouterr()
    assert text in line(said.err)
    assert said.out == ""


def test_a_run_without_connections_is_refused(store, capsys, monkeypatch):
    [dense, *_] = [one for one in RunStore(store).runs() if one.spec.settings.sparse is None]
    assert isinstance(dense, Run)
    monkeypatch.setattr("sys.argv", ["ncselect", "sparse", "measure", str(dense.folder)])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "has kept no connections" in line(capsys.readouterr().err)
