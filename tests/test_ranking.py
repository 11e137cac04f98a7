from __future__ import annotations

import csv
import io
import json

import pytest
from made_runs import made_run
from rich.console import Console

from ncselect.ranking import Ranking, ranked
from ncselect.types import Estimate, Estimates

RECORDS = [made_run(name, [0.5, 0.6]) for name in ("slow", "quick", "best<b>", "broken")]
ANSWER = Estimates(
    "capacitance",
    (
        Estimate("slow", 0.70, 0.01),
        Estimate("quick", 1.0, 0.02, score=1.2),
        Estimate("best<b>", 1.0, 0.02, score=1.3),
    ),
    {"broken": "diverged at epoch 2"},
    ("t0 fixed",),
)
RANKING = ranked(
    ANSWER, RECORDS, dataset="digits", beta="beta/base/held/signed", failed={"lost": "no file"}
)


def test_best_first_and_what_was_clipped_keeps_its_order():
    assert [(row.rank, row.model) for row in RANKING] == [(1, "best<b>"), (2, "quick"), (3, "slow")]
    assert RANKING.best == "best<b>"
    assert len(RANKING) == 3
    assert RANKING[2].last == 0.6
    assert RANKING.failed == {"lost": "no file", "broken": "diverged at epoch 2"}


def test_advice_names_those_within_one_standard_deviation():
    assert "Take best<b>: predicted accuracy 1.000 ± 0.020." in RANKING.advice
    assert RANKING.advice.endswith("Within one standard deviation of it: quick.")


def test_every_form_shows_every_candidate():
    console = Console(file=io.StringIO(), width=80)
    console.print(RANKING)
    frame = RANKING.to_dataframe()
    forms = [console.file.getvalue(), RANKING.to_json(), RANKING.to_csv(), frame.to_string()]
    for form in forms:
        assert all(name in form for name in ("best<b>", "quick", "slow", "broken", "lost"))
    assert "best&lt;b&gt;" in RANKING._repr_html_()
    assert json.loads(RANKING.to_json())["ranking"][0]["model"] == "best<b>"
    assert [row["rank"] for row in csv.DictReader(io.StringIO(RANKING.to_csv()))] == [
        "1", "2", "3", "", "",
    ]  # fmt: skip
    assert list(frame["model"]) == ["best<b>", "quick", "slow", "lost", "broken"]
    assert list(frame["failed"].notna()) == [False, False, False, True, True]


def test_what_is_no_number_is_null_in_json():
    unmeasured = ranked(ANSWER, RECORDS, dataset="digits", beta="beta/none")
    assert json.loads(unmeasured.to_json())["ranking"][0]["beta"] is None


def test_an_empty_ranking_says_why_there_is_no_best():
    with pytest.raises(LookupError, match="lost: no file"):
        _ = Ranking((), {"lost": "no file"}).best
