"""Candidates dropped while they are trained."""

from __future__ import annotations

import json
import time

import pytest

from ncselect import Settings, select
from ncselect.cli.options import seconds
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


def test_who_is_improbable_is_dropped_and_a_second_call_trains_nothing(
    digits, small_network, tmp_path
):
    networks = [str(small_network(width)) for width in (4, 8)]
    asked = {
        "epochs": 2, "eliminate": "confident:chance=99", "store": tmp_path,
        **QUIET, "method": "combined",
    }  # fmt: skip
    ranking = select(networks, digits, **asked)
    assert [(row.rank, row.epochs) for row in ranking] == [(1, 1), (2, 1)]
    assert ranking[1].notes.startswith("dropped after 1 epoch: P(best) 0.")
    assert ranking[0].p_best == 1  # among those left
    told = json.loads(ranking.to_json())["decisions"]
    assert [one["what"] for one in told] == ["observed", "dropped", "ended"]
    assert told[1]["models"] == [ranking[1].model]
    assert told[1]["reason"].startswith("P(best)")

    again = select(networks, digits, **asked)
    assert [(one["what"], one["models"], one["reason"]) for one in again.decisions] == [
        (one["what"], one["models"], one["reason"]) for one in told
    ]
    assert [row.score for row in again] == [row.score for row in ranking]


def test_a_budget_that_is_too_small_trains_nothing_and_says_so(digits, small_network, tmp_path):
    networks = [str(small_network(width)) for width in (4, 8)]
    ranking = select(networks, digits, budget=1e-6, store=tmp_path, **QUIET)
    assert not ranking.rows
    assert all("observe 1 or more" in reason for reason in ranking.failed.values())
    assert ranking.decisions[-1]["reason"] == "the budget is spent"


def test_no_more_than_an_epoch_is_spent_beyond_the_budget(digits, small_network, tmp_path):
    networks = [str(small_network(width)) for width in (4, 8)]
    budget = 25.0
    started = time.monotonic()
    ranking = select(networks, digits, budget=budget, eliminate="uniform", store=tmp_path, **QUIET)
    taken = time.monotonic() - started
    longest = max(
        one.seconds + one.measuring_seconds
        for record in ranking.records.values()
        for one in record.observations
    )
    stopping = 5.0  # seconds that processes are given to end
    assert taken < budget + longest + stopping
    assert ranking.rows[0].epochs >= 1
    assert all(record.epochs < 50 for record in ranking.records.values())


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
        ({"eliminate": True, "epochs": 0, "method": "parameters"}, "nobody is trained"),
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
