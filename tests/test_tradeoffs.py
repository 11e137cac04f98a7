"""Networks measured for real, held against limits, and weighed."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import os
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from rich.console import Console

from ncselect import InputError, Settings, select
from ncselect.environment import available_cores, environment
from ncselect.latency import (
    LEAST,
    MOST,
    Footprint,
    MeasuringError,
    footprint,
    median_milliseconds,
)
from ncselect.selection import selection
from ncselect.store import RunStore
from ncselect.tradeoffs import Limits, asked_limits
from ncselect.tradeoffs import weighed as weigh
from zoo.cards import MODELS
from zoo.datasets import prepare
from zoo.models import Candidate

ASKED = {
    "method": "knn", "epochs": 0, "settings": Settings(graphs="none"), "threads": 1,
    "progress": False,
}  # fmt: skip


class Clock:
    """Tells the times between which calls take what they are said to take."""

    def __init__(self, durations):
        self.durations, self.now, self.calls = list(durations), 0.0, 0

    def __call__(self):
        return self.now

    def call(self):
        self.now += self.durations[min(self.calls, len(self.durations) - 1)]
        self.calls += 1


@pytest.mark.parametrize(
    ("durations", "expected", "calls"),
    [
        ([9.0, 1e-3], 1.0, 1 + MOST),  # tracing is not counted
        ([5e-3, 4e-3, 3e-3, 2e-3], 2.0, 3 + MOST),
        ([30.0], 30e3, 1 + LEAST),  # slow ones are not asked often
        ([1e-3] * 3 + [0.5, 0.7, 0.6, 0.1, 9.0], 600.0, 3 + 5),
    ],
)
def test_the_median_of_calls_after_a_few_that_do_not_count(durations, expected, calls):
    clock = Clock(durations)
    assert median_milliseconds(clock.call, clock) == pytest.approx(expected)
    assert clock.calls == calls


def test_limits_say_what_is_exceeded_and_by_how_much():
    found = Footprint(3 * 2**20, {1: 12.5, 64: 300.0})
    assert Limits().reason(found, "2") is None
    assert Limits(12.5, 3 * 2**20, 12.0).reason(found, "2") is None
    assert Limits(latency_ms=12).reason(found, "2") == (
        "12.5 ms for an image (threads: 2), at most 12 are allowed"
    )
    assert Limits(megabytes=11.5).reason(found, "2") == "12.0 MB, at most 11.5 are allowed"
    assert Limits(parameters=3e6).reason(found, "2") == (
        "3,145,728 parameters, at most 3,000,000 are allowed"
    )


@pytest.mark.parametrize("name", ["max_latency", "max_parameters", "max_megabytes"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), True, "5"])
def test_limits_that_are_none_are_refused(name, value):
    asked = {"max_latency": None, "max_parameters": None, "max_megabytes": None, name: value}
    with pytest.raises(InputError, match=f"{name}: .* came; give a positive number"):
        asked_limits(**asked)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return prepare(
        "digits", image_size=32, train_size=64, validation_size=40, test_size=40,
        cache=tmp_path_factory.mktemp("cache"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def networks(small_network):
    return [str(small_network(width)) for width in (4, 8)]


def question(networks, digits, store):
    asked = {name: value for name, value in ASKED.items() if name not in ("method", "progress")}
    return selection(networks, digits, method_name="knn", store=store, **asked)


@pytest.fixture(scope="module")
def weighed(in_this_process, digits, networks, tmp_path_factory):
    store = tmp_path_factory.mktemp("weighed")
    with in_this_process():
        return select(networks, digits, store=store, latency=True, **ASKED), store


def test_a_ranking_is_weighed_once(weighed, digits, networks):
    ranking, store = weighed
    small, large = sorted(ranking.rows, key=lambda row: row.parameters)
    for row, file in ((small, networks[0]), (large, networks[1])):
        base = keras.saving.load_model(file)
        assert row.parameters == base.count_params()
        assert row.megabytes == row.parameters * 4 / 2**20
        assert 0 < row.latency_ms < row.latency_64_ms < 64 * 1000
    by_hand = [
        not any(
            other.score >= row.score and other.latency_ms <= row.latency_ms
            and (other.score, other.latency_ms) != (row.score, row.latency_ms)
            for other in ranking
        )
        for row in ranking
    ]  # fmt: skip
    assert [row.on_front for row in ranking] == by_hand

    before = {one: one.stat().st_mtime_ns for one in (store / "footprints").iterdir()}
    assert len(before) == 2
    for file in before:  # with all of the machine, however the runs share it
        assert json.loads(file.read_text())["environment"] == environment(available_cores())
    again = select(networks, digits, store=store, latency=True, **ASKED)
    assert [row.latency_ms for row in again] == [row.latency_ms for row in ranking]
    assert {one: one.stat().st_mtime_ns for one in before} == before


def test_every_form_of_a_ranking_shows_what_was_weighed(weighed):
    ranking, _ = weighed
    read = json.loads(ranking.to_json())["ranking"]
    lines = list(csv.DictReader(io.StringIO(ranking.to_csv())))
    frame = ranking.to_dataframe()
    for place, row in enumerate(ranking):
        for name in ("megabytes", "latency_ms", "latency_64_ms"):
            value = getattr(row, name)
            assert read[place][name] == float(lines[place][name]) == frame[name][place] == value
        assert read[place]["on_front"] is row.on_front
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(ranking)
    table = console.export_text()
    assert f"{ranking[0].latency_ms:.1f}" in table
    assert "ms: median for 1 image, and for 64 at once; base and classifier, tensorflow" in table
    heading = next(line for line in table.splitlines() if "model" in line)
    assert [word for word in heading.split() if word in ("MB", "ms", "ms/64", "front")] == [
        "MB",
        "ms",
        "ms/64",
        "front",
    ]


def test_who_exceeds_a_limit_is_left_out_before_anything_is_done(
    weighed, digits, networks, tmp_path, in_this_process
):
    of = {row.model: row for row in weighed[0]}
    small, large = of["small-4"], of["small-8"]
    store = shutil.copytree(weighed[1], tmp_path / "runs")
    shutil.rmtree(store / "features")
    limit = (small.parameters + large.parameters) / 2
    with in_this_process():
        ranking = select(networks, digits, store=store, max_parameters=limit, **ASKED)
    assert [row.model for row in ranking] == ["small-4"]
    assert ranking.failed == {
        "small-8": f"{large.parameters:,} parameters, at most {limit:,.0f} are allowed"
    }
    assert [one.name.partition("-digits")[0] for one in (store / "features").iterdir()] == [
        "small-4"
    ]
    for asked in ({"latency": True}, {"max_latency": 5}):
        name = next(iter(asked))
        with pytest.raises(InputError, match=f"{name}: it is measured on this machine, .* 'local'"):
            select(networks, digits, store=store, ray="local", **asked, **ASKED)
    none = select(networks, digits, store=store, max_latency=1e-6, **ASKED)
    assert not none.rows
    assert none.failed["small-4"] == (
        f"{small.latency_ms:.1f} ms for an image (threads: {available_cores()}), at most 1e-06 are "
        "allowed"
    )


def test_the_front_is_of_predicted_accuracy_or_else_of_scores(weighed, digits, networks):
    ranking, store = weighed
    asked = question(networks, digits, store)

    def front(accuracies, scores):
        fast_first = sorted(ranking.rows, key=lambda row: row.latency_ms)
        rows = [
            dataclasses.replace(row, accuracy=accuracy, score=score)
            for row, accuracy, score in zip(fast_first, accuracies, scores, strict=True)
        ]
        bare = dataclasses.replace(ranking, rows=tuple(rows), notes=())
        found = weigh(bare, asked.jobs, digits, asked.store, told=pytest.fail)
        return [row.on_front for row in found], found.notes

    marks, notes = front([0.9, 0.8], [1.0, 2.0])
    assert marks == [True, False]
    assert "better in predicted accuracy or ms" in notes[1]
    marks, notes = front([math.nan, math.nan], [1.0, 2.0])
    assert marks == [True, True]
    assert "better in knn's scores or ms" in notes[1]
    days = {json.loads(file.read_text())["made"] for file in (store / "footprints").iterdir()}
    assert f"measured {' to '.join(sorted(days))} with {available_cores()} threads" in notes[0]
    assert f"delete {store / 'footprints'} to measure again" in notes[0]


def test_a_measurement_that_cannot_be_read_is_made_again(weighed, digits, networks, tmp_path):
    store = RunStore(shutil.copytree(weighed[1], tmp_path / "runs"))
    job, _ = question(networks, digits, store.folder).jobs
    asked = (Candidate.from_json(job.candidate), digits, store, environment(available_cores()))
    told = []
    found = footprint(*asked, timed=False, told=lambda: told.append(1))
    assert set(found.latency_ms) == {1, 64}
    assert not told
    for file in (store.folder / "footprints").iterdir():
        file.write_text("{")
    again = footprint(*asked, timed=False, told=lambda: told.append(1))
    assert (again.parameters, again.latency_ms) == (found.parameters, {})
    assert footprint(*asked, timed=False, told=lambda: told.append(1)) == again
    assert len(told) == 1


def test_a_network_that_cannot_be_measured_says_why(digits, tmp_path):
    lost = Candidate("lost", "file", str(tmp_path / "lost.keras"), {}, "included")
    with pytest.raises(MeasuringError, match=r"lost: no file .*lost\.keras"):
        footprint(lost, digits, RunStore(tmp_path), environment(1), timed=False, told=lambda: None)


def test_sizes_on_cards_are_not_measured(digits, tmp_path):
    told = []
    found = footprint(
        Candidate("MobileNet", "application", "MobileNet"), digits, RunStore(tmp_path),
        environment(1), timed=False, told=lambda: told.append(1),
    )  # fmt: skip
    assert found == Footprint(MODELS["MobileNet"].parameters, {})
    assert not told
    assert not [*tmp_path.iterdir()]


def test_the_command_line_leaves_out_what_is_too_large(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "ncselect", "rank", "--models", "MobileNet,VGG16", "--dataset",
         "digits", "--method", "parameters", "--max-megabytes", "20", "--store", tmp_path,
         "--weights", "random", "--format", "json"],
        env={**os.environ, "NCSELECT_CACHE": str(tmp_path / "cache")},
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert [row["model"] for row in answer["ranking"]] == ["MobileNet"]
    assert answer["failed"] == {"VGG16": "56.1 MB, at most 20 are allowed"}
    size = MODELS["MobileNet"].parameters * 4 / 2**20
    np.testing.assert_allclose(answer["ranking"][0]["megabytes"], size)
