"""A sweep for real: a grid of trainings, sampled, resumed, with the graphs of every epoch."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ncselect import Swept, sweep
from ncselect.graphs.names import GRAPH_SIGNALS
from ncselect.sweeping import DROPOUTS, LEARNING_RATES, SETTINGS, prepared_sweep, sampled
from zoo.datasets import prepare
from zoo.errors import InputError

FAST = {"epochs": 4, "threads": 1, "progress": False}
GRID = {"learning_rates": (1e-9, 0.1, 1e6), "dropouts": (0.25,)}


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
def swept(in_this_process, digits, tmp_path_factory):
    store = tmp_path_factory.mktemp("runs")
    with in_this_process():
        return sweep("LeNet5", digits, store=store, **GRID, **FAST), store


def test_the_grid_is_the_papers():
    # Vahedian et al., appendix A.1: 48 learning rates, 10 dropout rates, 480 networks.
    assert len(set(LEARNING_RATES)) == 48
    assert (min(LEARNING_RATES), max(LEARNING_RATES)) == (1e-6, 0.45)
    assert tuple(pytest.approx(tenths / 10) for tenths in range(10)) == DROPOUTS
    assert (SETTINGS.batch_size, SETTINGS.patience, SETTINGS.momentum) == (128, 10, 0.0)


def test_a_larger_sample_begins_with_the_smaller_one():
    points = [(float(a), float(b)) for a in range(6) for b in range(4)]
    small, large = sampled(points, 5, 3), sampled(points, 12, 3)
    assert large[:5] == small
    assert len(set(large)) == 12
    assert sampled(points, 5, 4) != small
    assert sampled(points, None, 0) == points
    with pytest.raises(InputError, match="sample: 25 came, the grid has 24 points"):
        sampled(points, 25, 0)


def test_every_point_is_trained_with_its_own_rate_and_dropout(swept):
    answer, _ = swept
    assert isinstance(answer, Swept)
    rows = answer.to_dict()["runs"]
    assert {(row["learning_rate"], row["dropout"]) for row in rows} == {
        (rate, dropout) for rate in GRID["learning_rates"] for dropout in GRID["dropouts"]
    }
    at_rest = [row for row in rows if row["learning_rate"] == 1e-9]
    learning = [row for row in rows if row["learning_rate"] == 0.1]
    assert all(row["epochs"] == 4 and row["test_accuracy"] is not None for row in learning)
    assert max(row["validation_accuracy"] for row in learning) > 0.1 + max(
        row["validation_accuracy"] for row in at_rest
    )
    diverged = [row for row in rows if row["learning_rate"] == 1e6]
    assert all(row["error"].startswith("diverged at epoch 1") for row in diverged)


def test_every_epoch_has_the_signatures_of_the_rolled_graph(swept):
    answer, _ = swept
    rolled = {name for name in GRAPH_SIGNALS if name.startswith("graph/rolled/")}
    moved = {1e-9: False, 0.1: True}
    for record in answer.records:
        if record.status == "failed":
            continue
        for one in record.observations:
            assert {name for name in one.signals if name.startswith("graph/")} == rolled
        means = [one.signals["graph/rolled/degree/mean"] for one in record.observations]
        changed = abs(means[-1] / means[0] - 1) > 1e-5
        assert changed == moved[record.spec.settings.learning_rate]
        assert "unrolled" in record.facts["absent_signals"]["graph/unrolled-negative/degree/mean"]


def test_a_second_call_trains_nothing_and_says_the_same(swept, digits):
    answer, store = swept
    lines = {path: path.stat().st_mtime_ns for path in store.glob("*/observations.jsonl")}
    again = sweep("LeNet5", digits, store=store, **GRID, **FAST)
    assert again.to_dict() == answer.to_dict()
    for path, when in lines.items():
        complete = "diverged" not in path.with_name("outcome.json").read_text()
        assert not complete or path.stat().st_mtime_ns == when


def test_the_table_counts_what_was_trained_and_names_what_failed(swept):
    text = io.StringIO()
    Console(file=text, width=200).print(swept[0])
    assert "Trained on digits" in text.getvalue()
    assert text.getvalue().count("diverged at epoch 1") == 1
    (line,) = [line for line in text.getvalue().splitlines() if line.startswith("LeNet5 ")]
    assert line.split()[1:4] == ["2", "1", "4–4"]


def test_a_point_has_its_own_seed_whatever_else_the_grid_holds(digits, tmp_path):
    def seeds(**given):
        asked = {"learning_rates": (0.1, 0.2), "dropouts": (0, 0.5), **given}
        ready = prepared_sweep("LeNet5", digits, store=tmp_path, **asked)
        return {job.spec.model: job.spec.seed for job in ready.jobs}

    few, more = seeds(), seeds(dropouts=(0, 0.2, 0.5), learning_rates=(0.1, 0.15, 0.2))
    assert len(set(few.values())) == 4
    assert few.items() <= more.items()
    assert not set(few.values()) & set(seeds(seed=1).values())
    assert set(seeds(shared_start=True, seed=3).values()) == {3}
    assert not tmp_path.exists() or not list(tmp_path.glob("*/spec.json"))


def test_a_number_is_the_same_however_it_is_written(digits, tmp_path):
    keys = [
        [job.spec.key for job in prepared_sweep("LeNet5", digits, store=tmp_path, **given).jobs]
        for given in (
            {"learning_rates": [1], "dropouts": [0], "width": 2},
            {"learning_rates": [1.0], "dropouts": [0.0], "width": 2.0},
        )
    ]
    assert keys[0] == keys[1]


def test_a_network_without_dropout_is_swept_over_rates_alone(digits, tmp_path):
    ready = prepared_sweep(
        "MobileNetV2", digits, learning_rates=[0.1, 0.2], dropouts=[0], store=tmp_path
    )
    assert [dict(job.candidate["arguments"]) for job in ready.jobs] == [{}, {}]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dropouts": [1.0]}, "dropouts: 1 is not in"),
        ({"learning_rates": []}, "learning_rates: .* came; give finite numbers in a list"),
        ({"learning_rates": [0.1, 0.1]}, "each once"),
        ({"learning_rates": 0.1}, "learning_rates: 0.1 came"),
        ({"learning_rates": "paper"}, "learning_rates: 'paper' came"),
        ({"learning_rates": [-0.1]}, "learning_rate: -0.1 came"),
        ({"width": 0}, "width: 0 came"),
        ({"width": float("inf")}, "width: .*inf.* came"),
        ({"sample": 0}, "sample: 0 came"),
        ({"models": "MobileNetV2"}, "'MobileNetV2' takes no dropout; give --dropouts 0"),
        ({"models": "MobileNetV2", "dropouts": [0], "width": 2}, "takes no width"),
    ],
)
def test_bad_input_is_named_before_anything_is_trained(digits, tmp_path, given, message):
    asked = {
        "models": "LeNet5", "store": tmp_path, "learning_rates": [0.1], "dropouts": [0.5],
        **FAST, **given,
    }  # fmt: skip
    with pytest.raises(InputError, match=message):
        sweep(asked.pop("models"), digits, **asked)
    assert not list(tmp_path.glob("*/spec.json"))
