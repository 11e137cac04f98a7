"""Graph signatures of networks as they stand: in runs, in anyone's fit, of saved checkpoints."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import ncselect
from ncselect.graphs.checkpoints import checkpoint_signatures
from ncselect.graphs.names import GRAPH_SIGNALS, STATISTICS
from ncselect.graphs.recording import GraphRecorder
from zoo.errors import InputError, UnknownNameError, WeightsUnavailableError


def network(seed=0):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            keras.layers.Conv2D(3, 3),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
            keras.layers.Dense(4, "softmax"),
        ]
    )


def by_hand(model):
    """Degrees of the rolled graph, edge by edge."""
    kernel, dense = (layer.kernel.numpy() for layer in (model.layers[0], model.layers[3]))
    degrees = np.zeros(2 + 3 + 4)
    for source in range(2):
        for target in range(3):
            weight = np.sqrt((kernel[:, :, source, target] ** 2).sum())
            degrees[[source, 2 + target]] += weight
    positions = dense.reshape(16, 3, 4)
    for source in range(3):
        for target in range(4):
            weight = np.sqrt((positions[:, source, target] ** 2).sum())
            degrees[[2 + source, 5 + target]] += weight
    return degrees


def test_a_recorder_follows_the_weights_of_its_network():
    model = network()
    recorder = GraphRecorder(model)
    before = recorder.measure()
    assert before["graph/rolled/degree/mean"] == pytest.approx(by_hand(model).mean())
    assert before["graph/rolled/degree/sd"] == pytest.approx(by_hand(model).std())
    model.layers[0].kernel.assign(3 * model.layers[0].kernel)
    after = recorder.measure()
    assert after["graph/rolled/degree/mean"] == pytest.approx(by_hand(model).mean())
    assert after["graph/rolled/degree/mean"] > before["graph/rolled/degree/mean"]


@pytest.mark.parametrize(
    ("recorded", "kinds"),
    [
        ("none", set()),
        ("rolled", {"rolled"}),
        ("rolled+unrolled", {"rolled", "unrolled-positive", "unrolled-negative"}),
    ],
)
def test_what_is_measured_and_what_is_absent_are_all_signals(recorded, kinds):
    recorder = GraphRecorder(network(), recorded)
    measured = recorder.measure()
    assert {name.split("/")[1] for name in measured} == kinds
    assert len(measured) == len(kinds) * 2 * len(STATISTICS)
    assert not set(measured) & set(recorder.absent)
    assert set(measured) | set(recorder.absent) == set(GRAPH_SIGNALS)


def test_signs_go_to_their_own_graphs():
    model = network()
    dense = model.layers[3].kernel
    model.layers[0].kernel.assign(np.abs(model.layers[0].kernel.numpy()))
    dense.assign(-np.abs(dense.numpy()))
    measured = GraphRecorder(model, "rolled+unrolled").measure()
    nodes = 72 + 48 + 4
    taps = 16 * np.abs(model.layers[0].kernel.numpy()).sum()
    assert measured["graph/unrolled-positive/degree/mean"] * nodes == pytest.approx(2 * taps)
    links = np.abs(dense.numpy()).sum()
    assert measured["graph/unrolled-negative/degree/mean"] * nodes == pytest.approx(2 * links)


def test_a_network_without_such_a_graph_is_absent_with_the_reason():
    states = keras.Input((5, 3))
    recurrent = keras.Model(states, keras.layers.Dense(2)(keras.layers.LSTM(4)(states)))
    recorder = GraphRecorder(recurrent)
    assert recorder.measure() == {}
    assert "lstm" in recorder.absent["graph/rolled/degree/mean"].lower()


def test_what_cannot_be_measured_is_nan_and_said_once_for_each_feature():
    model = network()
    recorder = GraphRecorder(model, "rolled+unrolled")
    kernel = model.layers[3].kernel
    kernel.assign(np.full(kernel.shape, np.nan))
    with pytest.warns(RuntimeWarning, match="graph signatures are nan: .*diverged"):
        measured = recorder.measure()
    assert set(measured) == set(GRAPH_SIGNALS)
    assert math.isnan(measured["graph/rolled/degree/mean"])
    with pytest.raises(UnknownNameError, match="unknown graphs 'unroled'"):
        GraphRecorder(model, "unroled")


def test_a_training_that_diverges_is_not_ended_by_its_callback():
    random = np.random.default_rng(0)
    images, labels = random.normal(size=(64, 6, 6, 2)), random.integers(0, 4, 64)
    model = network()
    model.compile(keras.optimizers.SGD(1e38), "sparse_categorical_crossentropy")
    with pytest.warns(RuntimeWarning, match="graph signatures are nan"):
        history = model.fit(
            images, labels, epochs=2, verbose=0, callbacks=[ncselect.GraphSignatures()]
        ).history
    assert len(history["graph/rolled/degree/mean"]) == 2
    assert math.isnan(history["graph/rolled/degree/mean"][-1])


def test_the_callback_writes_what_a_recorder_sees_after_each_epoch():
    random = np.random.default_rng(0)
    images, labels = random.normal(size=(64, 6, 6, 2)), random.integers(0, 4, 64)
    model = network()
    model.compile("sgd", "sparse_categorical_crossentropy")
    watch = ncselect.GraphSignatures()
    start = GraphRecorder(model).measure()
    seen = []
    spy = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(by_hand(model).mean())
    )
    history = model.fit(images, labels, epochs=3, verbose=0, callbacks=[watch, spy]).history
    assert watch.start == start
    assert history["graph/rolled/degree/mean"] == pytest.approx(seen)
    assert len(set(seen)) == 3
    with pytest.raises(UnknownNameError, match="rolled"):
        ncselect.GraphSignatures("unroled")


def test_the_callback_refuses_a_model_without_such_a_graph():
    states = keras.Input((5, 3))
    model = keras.Model(states, keras.layers.Dense(1)(keras.layers.LSTM(4)(states)))
    model.compile("sgd", "mse")
    with pytest.raises(InputError, match="has no such graph"):
        model.fit(np.zeros((4, 5, 3)), np.zeros((4, 1)), verbose=0,
                  callbacks=[ncselect.GraphSignatures()])  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    for seed in (1, 2):
        network(seed).save(folder / f"epoch-{seed}.keras")
        network(seed).save_weights(folder / f"epoch-{seed}.weights.h5")
    return folder


def test_saved_checkpoints_have_the_signatures_of_their_networks(saved):
    whole = [saved / "epoch-1.keras", saved / "epoch-2.keras"]
    found = checkpoint_signatures(whole)
    assert found.absent == {}
    for seed, path, row in zip((1, 2), whole, found.rows, strict=True):
        assert row.pop("checkpoint") == str(path)
        assert row == pytest.approx(GraphRecorder(network(seed)).measure())
    weights = [saved / "epoch-1.weights.h5", saved / "epoch-2.weights.h5"]
    alone = checkpoint_signatures(weights, network=whole[1])
    assert [row.pop("checkpoint") for row in alone.rows] == [str(path) for path in weights]
    assert alone.rows == found.rows


@pytest.fixture(scope="module")
def gated(tmp_path_factory):
    """Return the file of a network with a rolled graph, and none unrolled: it multiplies maps."""
    pixels = keras.Input((6, 6, 2))
    gate = keras.layers.Conv2D(2, 1, activation="sigmoid")(pixels)
    product = keras.layers.Multiply(name="gated")([pixels, gate])
    model = keras.Model(pixels, keras.layers.Dense(2)(keras.layers.Flatten()(product)))
    path = tmp_path_factory.mktemp("gated") / "epoch-1.keras"
    model.save(path)
    return path


def test_a_graph_that_one_of_several_networks_lacks_is_none_with_the_reason(saved, gated):
    found = checkpoint_signatures([gated, saved / "epoch-1.keras"], graphs="rolled+unrolled")
    own, other = found.rows
    assert list(own) == list(other) == ["checkpoint", *GRAPH_SIGNALS]
    assert {name.split("/")[1] for name in GRAPH_SIGNALS if own[name] is None} == {
        "unrolled-positive", "unrolled-negative",
    }  # fmt: skip
    assert None not in other.values()
    assert set(found.absent) == {str(gated)}
    for kind in ("unrolled-positive", "unrolled-negative"):
        assert "'gated' (Multiply)" in found.absent[str(gated)][kind]


def test_a_checkpoint_that_diverged_has_no_values_and_the_reason(tmp_path, saved):
    broken = network()
    broken.layers[0].kernel.assign(np.full((3, 3, 2, 3), np.nan))
    broken.save(tmp_path / "broken.keras")
    found = checkpoint_signatures([tmp_path / "broken.keras", saved / "epoch-1.keras"])
    own, other = found.rows
    assert set(own.values()) == {None, str(tmp_path / "broken.keras")}
    assert None not in other.values()
    assert "diverged" in found.absent[own["checkpoint"]]["rolled"]


def test_the_command_shows_files_of_one_name_apart_and_says_what_they_lack(saved, gated):
    own = saved / "epoch-1.keras"
    run = subprocess.run(
        [sys.executable, "-m", "ncselect", "graph", "signatures", gated, own,
         "--graphs", "rolled+unrolled"],
        capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "400"},
    )  # fmt: skip
    head, *lines = run.stdout.splitlines()
    assert head.split() == ["signal", str(gated), str(own)]
    cells = {line.split()[0]: line.split()[1:] for line in lines}
    mean = GraphRecorder(network(1), "rolled+unrolled").measure()
    assert cells["graph/unrolled-negative/degree/mean"] == [
        "–", f"{mean['graph/unrolled-negative/degree/mean']:.3f}",
    ]  # fmt: skip
    assert cells["graph/rolled/degree/mean"][0] != cells["graph/rolled/degree/mean"][1]
    assert f"{gated}, unrolled-positive and unrolled-negative: model: " in run.stderr


@pytest.mark.parametrize("graphs", ["none", "roled"])
def test_the_command_refuses_graphs_that_are_none(graphs, saved, command_line):
    run = command_line("graph", "signatures", saved / "epoch-1.keras", "--graphs", graphs)
    assert run.returncode == 2
    assert f"unknown graphs '{graphs}'. Did you mean rolled" in " ".join(run.stderr.split())


def test_the_command_prints_them(saved, command_line):
    run = command_line("graph", "signatures", saved / "epoch-1.keras", "--format", "json")
    assert run.returncode == 0
    [row] = json.loads(run.stdout)
    assert row == checkpoint_signatures([saved / "epoch-1.keras"]).rows[0]


def test_checkpoints_that_cannot_be_used_are_named(saved, tmp_path):
    states = keras.Input((5, 3))
    keras.Model(states, keras.layers.LSTM(4)(states)).save(tmp_path / "memory.keras")
    for graphs in ("rolled", "rolled+unrolled"):
        with pytest.raises(InputError, match=r"memory.keras': 'lstm\w*' \(LSTM\) has weights"):
            checkpoint_signatures([tmp_path / "memory.keras"], graphs=graphs)
    with pytest.raises(InputError, match="holds weights alone"):
        checkpoint_signatures([saved / "epoch-1.weights.h5"])
    with pytest.raises(InputError, match=r"'model.pt' came; give .keras or .weights.h5"):
        checkpoint_signatures(["model.pt"])
    with pytest.raises(WeightsUnavailableError, match="no file"):
        checkpoint_signatures([tmp_path / "gone.keras"])
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    other.save(tmp_path / "other.keras")
    with pytest.raises(InputError, match="does not fit the network"):
        checkpoint_signatures([saved / "epoch-1.weights.h5"], network=tmp_path / "other.keras")
