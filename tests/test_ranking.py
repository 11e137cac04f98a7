from __future__ import annotations

import csv
import dataclasses
import io
import json
from math import nan

import numpy as np
import pytest
from made_runs import made_run
from rich.console import Console

from ncselect.ordering import ranked
from ncselect.ranking import Ranking
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
    assert "caption" in RANKING._repr_html_()
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


def joint(outlook=None):
    """Return a pool whose first two move together and cannot be told from each other."""
    rng = np.random.default_rng(0)
    draws = np.array([0.70, 0.705, 0.5]) + rng.normal(0, 0.02, size=(4000, 3))
    estimates = tuple(
        Estimate(name, float(mean), 0.02)
        for name, mean in zip(("a", "b", "c"), draws.mean(axis=0), strict=True)
    )
    return Estimates("combined", estimates, draws=draws, foresee=lambda: outlook or {})


def ranked_joint(**outlook):
    records = [made_run(name, [0.5, 0.6]) for name in "abc"]
    return ranked(joint(**outlook), records, dataset="digits", beta="beta/none")


def test_joint_draws_give_confidence_and_groups():
    ranking = ranked_joint()
    assert [row.model for row in ranking] == ["b", "a", "c"]
    assert [row.tie for row in ranking] == [1, 1, 2]
    assert sum(row.p_best for row in ranking) == pytest.approx(1)
    # the difference of b and a is normal(0.005, (0.02·√2)²)
    assert ranking[0].p_best == pytest.approx(0.570, abs=0.02)
    assert ranking[0].regret_points < ranking[1].regret_points < ranking[2].regret_points
    assert "P(best) 0.5" in ranking.advice
    assert "a is tied with it (expected loss by taking it: 0." in ranking.advice


def test_the_advice_says_what_would_settle_a_tie():
    settled = ranked_joint(outlook={1: 0.6, 5: 0.82, 10: 0.9}).advice
    assert settled.endswith("; 5 more epochs would settle it.")
    assert ranked_joint(outlook={1: 0.5, 45: 0.7}).advice.endswith(
        "; 45 more epochs would hardly settle it."
    )
    assert ranked_joint(outlook={1: 0.95}).advice.endswith("; 1 more epoch would settle it.")


def test_scores_without_accuracies_and_other_methods_beside():
    records = [made_run(name, []) for name in "abc"]
    first = Estimates(
        "logme", tuple(Estimate(m, nan, score=s) for m, s in zip("abc", (1, 3, 2), strict=True))
    )
    second = Estimates("knn", (Estimate("a", nan, score=0.9), Estimate("b", nan, score=0.2)),
                       {"c": "too few images"})  # fmt: skip
    ranking = ranked(first, records, dataset="digits", beta="beta/none", beside=[second])
    assert [row.model for row in ranking] == ["b", "c", "a"]
    assert [dict(row.beside) for row in ranking] == [{"knn": 0.2}, {}, {"knn": 0.9}]
    assert [ranking.place("knn", model) for model in "ab"] == [1, 2]
    assert ranking.notes == ("knn: c: too few images",)
    assert ranking.advice == "Take b: highest logme."
    console = Console(file=io.StringIO(), width=80)
    console.print(ranking)
    lines = console.file.getvalue().splitlines()
    assert [line.split()[-1] for line in lines[2:5]] == ["2", "–", "1"]
    assert "predicted" not in console.file.getvalue()
    assert list(csv.DictReader(io.StringIO(ranking.to_csv())))[2]["score:knn"] == "0.9"
    assert json.loads(ranking.to_json())["ranking"][0]["beside"] == {"knn": 0.2}


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_no_cell_is_ever_cut(width):
    models = [f"EfficientNetV2B{number}" for number in range(3)]
    rng = np.random.default_rng(0)
    draws = np.clip(0.9 + rng.normal(0, 0.04, size=(500, 3)), 0, 1)
    estimates = tuple(Estimate(name, 0.9 + k / 100, 0.039) for k, name in enumerate(models))
    others = [
        Estimates(name, tuple(Estimate(model, nan, score=1.0) for model in models))
        for name in ("imagenet-top1", "linear-head", "transrate", "knn", "n-leep")
    ]
    records = [made_run(name, [0.5, 0.6]) for name in models]
    ranking = ranked(
        Estimates("combined", estimates, draws=draws), records, dataset="digits",
        beta="beta/base/held/signed", beside=others,
    )  # fmt: skip
    console = Console(file=io.StringIO(), width=width)
    console.print(ranking)
    text = console.file.getvalue()
    words = text.split()
    for row in ranking:
        assert row.model in words
        assert f"{row.p_best:.2f}" in words
        assert f"{row.accuracy:.3f} ± {row.sd:.3f}" in text
    assert all(other.method in words for other in others)
    left_out = [line for line in text.splitlines() if line.startswith("left out in")]
    assert bool(left_out) == ("weights" not in words[: words.index("1")])


def test_a_method_beside_that_refuses_all_says_so_once():
    records = [made_run(name, []) for name in "ab"]
    first = Estimates("logme", tuple(Estimate(name, nan, score=1.0) for name in "ab"))
    second = Estimates("leep", (), {"a": "no head", "b": "no head"})
    ranking = ranked(first, records, dataset="digits", beta="beta/none", beside=[second])
    assert ranking.notes == ("leep refuses all; a: no head",)


def test_random_weights_are_marked_where_nothing_was_built():
    record = made_run("a", [])
    spec = dataclasses.replace(record.spec, candidate={"weights": "random"})
    first = Estimates("parameters", (Estimate("a", nan, score=3.0),))
    records = [dataclasses.replace(record, spec=spec)]
    ranking = ranked(first, records, dataset="digits", beta="beta/none")
    console = Console(file=io.StringIO(), width=80)
    console.print(ranking)
    assert "random (!)" in console.file.getvalue()
    assert "random weights (!), not pre-trained: a" in console.file.getvalue()


@pytest.mark.parametrize(("silent", "told"), [(0.34, True), (0.01, False)])
def test_features_that_are_mostly_nothing_are_noted(silent, told):
    facts = {**RECORDS[0].facts, "silent_images": silent}
    records = [dataclasses.replace(RECORDS[0], facts=facts), *RECORDS[1:]]
    ranking = ranked(ANSWER, records, dataset="digits", beta="beta/base/held/signed")
    text = ranking.to_json()
    assert ("all 0 for 34% of the images" in text) == told
