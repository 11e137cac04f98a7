"""Candidates dropped while they are trained."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from ncselect import Settings, select
from ncselect.cli.options import seconds
from ncselect.cost import ROUGH, Price
from ncselect.elimination.live import Live
from ncselect.execute import complete
from ncselect.selection import selection
from zoo.datasets import prepare
from zoo.errors import InputError

QUIET = {
    "method": "best-value",
    "settings": Settings(probe_size=64, graphs="none"),
    "threads": 1,
    "progress": False,
}


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return prepare(
        "digits", image_size=32, train_size=128, validation_size=60, test_size=60,
        cache=tmp_path_factory.mktemp("cache"),
    )  # fmt: skip


class Clock:
    """A clock that goes on by what is seen: 10 seconds to start a process, 5 for an epoch."""

    def __init__(self, **later):
        self.now = 0.0
        self.told = []
        self.costs = {"started": 10.0, "epoch": 5.0, **later}

    def __call__(self):
        return self.now

    def watch(self, model, event):
        what = event["event"]
        self.told.append((model, what))
        self.now += self.costs.get(
            "epoch" if event.get("epoch") and what == "observation" else what, 0
        )


@pytest.fixture(scope="module")
def networks(small_network):
    return [str(small_network(width)) for width in (4, 8)]


def jobs_of(models, digits, store, **changed):
    """Return the jobs of networks, their store and their names."""
    chosen = selection(
        models, digits, method_name="best-value", settings=QUIET["settings"], epochs=40,
        threads=1, store=store,
    )  # fmt: skip
    jobs = [dataclasses.replace(job, **changed) for job in chosen.jobs]
    return jobs, chosen.store, [job.spec.model for job in jobs]


@pytest.fixture
def asked(digits, networks, tmp_path):
    """Return the jobs of two small networks, or of other candidates, and their store."""
    return lambda *models: jobs_of([*models] or networks, digits, tmp_path / "runs")


@pytest.fixture(scope="module")
def extracted(in_this_process, digits, networks, tmp_path_factory):
    """Return a store with the features of the small networks; all scores but one are wanting."""
    folder = tmp_path_factory.mktemp("extracted") / "runs"
    jobs, store, names = jobs_of(networks, digits, folder, scores=frozenset({"h-score"}))
    clock = Clock(scored=20.0)
    live = Live(jobs, store, watch=clock.watch, expected={}, clock=clock)
    with in_this_process():
        assert {*live.scored(math.inf)} == {*names}
    assert (live.unscored, live.spent) == ((), 40)
    assert [what for _, what in clock.told] == ["features", "scored", "finished"] * 2
    return folder


def test_the_time_that_is_left_decides_who_begins_and_when_all_stop(asked):
    jobs, store, (first, second) = asked()
    clock = Clock()
    prices = {first: Price(10.0, 0.01, "made"), second: Price(10.0, 0.01, "made")}
    live = Live(jobs, store, watch=clock.watch, expected=prices, clock=clock)
    seen = live.observe([first, second], 40, 12.0)
    assert {model: one.epochs for model, one in seen.items()} == {first: 1, second: 0}
    assert live.spent == 15  # it had begun its epoch in time
    assert {model for model, _ in clock.told} == {first}
    assert [run.spec.model for run in store.runs()] == [first]  # nothing of who did not begin
    assert live.stored == {first: 1, second: 0}
    took = seen[first].observations[0].measuring_seconds  # by another clock
    assert live.starts == {first: pytest.approx(10 - took), second: 10.0}

    clock.told.clear()
    clock.costs["progress"] = 100.0
    seen = live.observe([first], 40, 60.0)  # there is a start to pay again, and then it is late
    assert [what for _, what in clock.told] == ["started", "progress"]
    assert 1 <= seen[first].epochs < 40
    assert not live.observe([second], 40, 60.0)[second].observations


@pytest.mark.parametrize(
    ("budget", "expected", "reached", "spent"),
    [
        (100.0, (20.0, 20.0), 1, 20),  # a third is 33
        (100.0, (40.0, 5.0), 1, 20),  # the first does not fit
        (150.0, (math.nan, math.nan), 2, 40),
        (50.0, (math.nan, math.nan), 1, 20),  # heard of too late
        (math.inf, (1e9, 1e9), 2, 40),
    ],
)
def test_features_get_a_third_of_the_budget_and_who_has_none_is_said(
    in_this_process, digits, networks, extracted, tmp_path, budget, expected, reached, spent
):
    folder = shutil.copytree(extracted, tmp_path / "runs")
    jobs, store, (first, second) = jobs_of(networks, digits, folder, scores=frozenset({"logme"}))
    clock = Clock(scored=20.0)
    extraction = dict(zip((first, second), expected, strict=True))
    live = Live(jobs, store, watch=clock.watch, expected={}, extraction=extraction, clock=clock)
    with in_this_process():
        seen = live.scored(budget)
    assert live.spent == spent
    assert len(live.unscored) == 2 - reached
    assert {model for model, one in seen.items() if "logme" in one.scores} == {first, second} - {
        *live.unscored
    }
    assert not any(one.observations for one in seen.values())
    if budget == 50.0:
        clock.told.clear()
        with in_this_process():
            assert live.observe([second], 1, math.inf)[second].epochs == 1
        assert "scored" not in {what for _, what in clock.told}  # it is trained without


def test_nobody_begins_whose_start_and_first_epoch_do_not_fit(asked):
    jobs, store, names = asked()
    clock = Clock()
    prices = {model: Price(60.0, 5.0, ROUGH) for model in names}
    live = Live(jobs, store, watch=clock.watch, expected=prices, clock=clock)
    seen = live.observe(names, 3, 64.0)
    assert not any(one.observations for one in seen.values())
    assert not clock.told
    assert not store.runs()


def test_failures_are_kept_and_no_network_is_begun_when_its_building_took_all_the_time(
    in_this_process, asked, small_network
):
    jobs, store, (broken, sound) = asked("AlexNet", str(small_network(4)))
    clock = Clock(failed=5.0)
    live = Live(jobs, store, watch=clock.watch, expected={}, clock=clock)
    with in_this_process():
        seen = live.observe([broken, sound], 40, 12.0)
    assert [what for _, what in clock.told] == ["started", "failed"]
    assert clock.now == 15
    clock.now = 3.0
    with in_this_process():
        seen |= live.observe([sound], 40, 12.0)
    assert clock.told[2:] == [(sound, "started")]
    assert seen[broken].status == "failed"
    assert "path" in seen[broken].error
    assert not seen[sound].observations


def test_who_is_behind_is_dropped_ctrl_c_loses_no_epoch_and_a_second_call_trains_nothing(
    in_this_process, digits, networks, extracted, tmp_path
):
    store = shutil.copytree(extracted, tmp_path / "runs")
    asked = {
        "epochs": 2, "eliminate": "top-after-one:top=1", "store": store,
        **QUIET, "method": "combined",
    }  # fmt: skip
    started = []

    def interrupted(model, event):
        started.extend([model] if event["event"] == "started" else [])
        if len(started) == 2:
            raise KeyboardInterrupt

    question = selection(
        networks, digits, method_name="combined", epochs=2, eliminate=asked["eliminate"],
        settings=QUIET["settings"], threads=1, store=store,
    )  # fmt: skip
    with in_this_process():
        complete([dataclasses.replace(job, epochs=None) for job in question.jobs], question.store)
    with pytest.raises(KeyboardInterrupt):
        question.ranking(watch=interrupted)
    assert sorted(run.record().epochs for run in question.store.runs()) == [0, 1]

    with in_this_process():
        ranking = select(networks, digits, **asked)
    assert [(row.rank, row.epochs) for row in ranking] == [(1, 1), (2, 1)]
    assert ranking[1].notes.startswith("dropped after 1 epoch: not among the best 1")
    assert ranking[0].p_best + ranking[1].p_best == pytest.approx(1)
    assert ranking[0].p_best < 0.99
    told = json.loads(ranking.to_json())["decisions"]
    assert [one["what"] for one in told] == ["round", "observed", "dropped", "ended"]
    assert told[2]["models"] == [ranking[1].model]
    assert told[2]["reason"] == "not among the best 1 after epoch 1"

    done = subprocess.run(
        [
            sys.executable, "-m", "ncselect", "rank", "--dataset", "digits",
            "--models", ",".join(networks), "--image-size", "32", "--train-size", "128",
            "--validation-size", "60", "--test-size", "60", "--probe-size", "64",
            "--graphs", "none", "--threads", "1", "--store", store, "--epochs", "2",
            "--strategy", "top-after-one:top=1", "--format", "json",
        ],
        env={**os.environ, "NCSELECT_CACHE": str(tmp_path / "cache"), "COLUMNS": "200"},
        cwd=tmp_path, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout)
    assert [(one["what"], one["models"], one["reason"]) for one in again["decisions"]] == [
        (one["what"], one["models"], one["reason"]) for one in told
    ]
    assert [row["score"] for row in again["ranking"]] == [row.score for row in ranking]
    winner, loser = (row.model for row in ranking)
    assert "By top-after-one: all but the best few are dropped" in done.stderr
    lines = done.stderr[done.stderr.index("To epoch 1: ") :].splitlines()
    assert lines[0] in {f"To epoch 1: {winner}, {loser}", f"To epoch 1: {loser}, {winner}"}
    assert sorted(lines[1:3]) == [f"{one}: stored, epoch 1/1" for one in sorted((winner, loser))]
    assert lines[3].startswith(f"{loser}: dropped after epoch 1: not among the best 1")
    assert lines[4] == "Ended: one is left"

    nothing_to_spend = {**asked, "eliminate": "uniform", "budget": 1e-6}
    ranking = select(networks, digits, **nothing_to_spend)
    assert [row.epochs for row in ranking] == [1, 1]  # what is stored costs nothing
    assert ranking.decisions[-1]["reason"] == "the budget is spent"


def test_a_budget_that_is_too_small_trains_nothing_and_says_so(digits, networks, tmp_path):
    halving = "successive-halving"
    ranking = select(networks, digits, budget=1e-6, eliminate=halving, store=tmp_path, **QUIET)
    assert not ranking.rows
    assert {*ranking.failed.values()} == {
        "the budget of 0 s was spent before its first epoch; raise --budget"
    }
    assert {*ranking.unreached} == {*ranking.failed}
    assert ranking.advice.endswith("Raise --budget.")
    assert ranking.decisions[-1]["reason"] == "the budget is spent"


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("20m", 1200), ("1h30m", 5400), ("0.5m", 30)]
)
def test_times_are_read_with_their_units(text, expected):
    assert seconds("budget", text) == expected


@pytest.mark.parametrize("text", ["", "20", "m", "20x", "1h 30m", "-5m", "5m3"])
def test_times_without_a_unit_are_refused_with_the_remedy(text):
    with pytest.raises(InputError, match=r"budget: .* give a time such as 90s, 20m or 1h30m"):
        seconds("budget", text)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"budget": 0}, "budget: 0 came; give seconds"),
        ({"budget": True}, "budget: True came"),
        ({"budget": math.inf}, "budget: inf came; give seconds, a finite number"),
        ({"budget": np.float32("nan")}, "budget: .*nan.* came"),
        ({"budget": np.int64(0)}, "budget: .* came"),
        ({"budget": np.int64(60), "method": "best-value"}, "--method combined, or --strategy succ"),
        ({"eliminate": True, "epochs": 2, "method": "best-value"}, "how sure it is of the end"),
        ({"eliminate": True, "epochs": 0, "method": "parameters"}, "eliminate: nobody is trained"),
        ({"budget": 60, "epochs": 0, "method": "combined"}, "budget: nobody is trained"),
        ({"budget": 60, "method": "logme"}, "budget: method 'logme' learns nothing from epochs"),
        ({"eliminate": True, "epochs": 2, "method": "logme"}, "learns nothing from epochs"),
        ({"eliminate": 1, "epochs": 2}, "eliminate: 1 came; give True"),
        ({"eliminate": "halve"}, "successive-halving"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_trained(
    asked, said, digits, small_network, tmp_path
):
    with pytest.raises(InputError, match=said):
        select([str(small_network(4))], digits, store=tmp_path, **asked)
    assert not list(tmp_path.iterdir())
