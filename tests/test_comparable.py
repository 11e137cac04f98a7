from __future__ import annotations

import dataclasses

import pytest
from made_runs import made_run

from ncselect.comparable import comparable
from ncselect.spec import Settings
from zoo.errors import InputError, UnknownNameError

A = made_run("a", [0.5], dataset="digits", seed=0)
B = made_run("a", [0.5], dataset="digits", seed=1)
C = made_run("b", [0.5], dataset="mnist", seed=1)
FASTER = dataclasses.replace(
    C, spec=dataclasses.replace(C.spec, model="c", settings=Settings(learning_rate=0.01))
)


def test_values_choose_the_runs():
    assert comparable([A, B, C], {"dataset": "digits", "seed": "1"}) == [B]
    assert comparable([A, B, C], {"dataset": "mnist"}) == [C]
    assert comparable([C, FASTER], {"settings.learning_rate": "0.01"}) == [FASTER]
    assert comparable([A]) == [A]


@pytest.mark.parametrize(
    ("records", "where", "text"),
    [
        ([A, B, C], {}, r"differ in dataset: digits, mnist; choose with --dataset VALUE"),
        ([A, B], {}, r"differ in seed: 0, 1; choose with --seed VALUE"),
        ([C, FASTER], {}, r"learning_rate: 0.001, 0.01; choose with --where settings.learning_r"),
        ([A, B], {"seed": "5"}, r"--seed: no run has '5'; there are 0, 1"),
        ([], {}, "holds no runs"),
    ],
)
def test_runs_that_differ_in_more_than_the_candidate_are_refused(records, where, text):
    with pytest.raises(InputError, match=text):
        comparable(records, where)


def test_a_name_no_spec_has_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"settings\.learning_rate"):
        comparable([A], {"settings.learning": "1"})
