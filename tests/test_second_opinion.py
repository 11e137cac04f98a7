"""When a ranking is doubted, and when nothing is said."""

from __future__ import annotations

from math import nan

import pytest
from made_runs import made_run

from ncselect.ordering import ranked
from ncselect.second_opinion import second_opinion
from ncselect.types import Estimate, Estimates

CURVES = {"high": [0.5, 0.8], "low": [0.5, 0.6]}


def doubts(method="capacitance", curves=CURVES, sd=0.05, **predicted):
    records = [made_run(name, curve) for name, curve in curves.items()]
    estimates = tuple(Estimate(name, mean, sd, score=mean) for name, mean in predicted.items())
    ranking = ranked(Estimates(method, estimates), records, dataset="digits", beta="beta/none")
    return second_opinion(ranking, records)


def test_nothing_is_said_where_the_plainest_method_agrees():
    assert doubts(high=0.9, low=0.7) == ()


def test_another_pick_of_the_plainest_method_is_named_with_what_it_saw():
    assert doubts(high=0.85, low=0.9) == (
        "best-value would take high (validation accuracy 0.800) instead.",
    )


def test_candidates_of_equal_accuracy_are_no_other_pick():
    assert doubts(curves={"high": [0.5, 0.8], "low": [0.8, 0.7]}, high=0.85, low=0.9) == ()


@pytest.mark.parametrize(("sd", "said"), [(0.05, True), (0.2, False)])
def test_less_than_was_seen_is_told_unless_its_deviation_reaches_it(sd, said):
    notes = doubts(sd=sd, high=0.7, low=0.65)
    assert any("predicts less than was already seen for high:" in note for note in notes) == said


@pytest.mark.parametrize(
    ("method", "curves"), [("best-value", CURVES), ("logme", {"high": [], "low": []})]
)
def test_nothing_is_said_of_the_plainest_method_or_before_training(method, curves):
    assert doubts(method, curves, sd=nan, high=0.1, low=0.9) == ()


def test_nothing_is_said_where_nothing_was_ranked():
    assert doubts() == ()
