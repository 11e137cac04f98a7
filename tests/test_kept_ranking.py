from __future__ import annotations

import dataclasses
import json
import os
from math import nan

import pytest
from made_runs import made_run

from ncselect.execute import Job
from ncselect.kept_ranking import kept, kept_names, kept_ranking
from ncselect.ordering import ranked
from ncselect.ranking import Ranking
from ncselect.store import RunStore
from ncselect.types import Estimate, Estimates
from zoo.errors import InputError

RECORDS = [made_run(name, [0.5, 0.6]) for name in ("slow", "quick")]
ANSWER = Estimates(
    "capacitance",
    (Estimate("slow", 0.70, 0.01), Estimate("quick", nan, nan, score=1.2)),
    {"broken": "diverged at epoch 2"},
    ("t0 fixed",),
    foresee=lambda: {2: 0.9},
)
BESIDE = Estimates("parameters", (Estimate("slow", nan, score=3e6),))
RANKING = ranked(ANSWER, RECORDS, dataset="my birds", beta="beta", beside=[BESIDE])
JOBS = [
    Job(one.spec, {"name": one.spec.model}, {"name": "my birds"}, epochs=2, horizon=50)
    for one in RECORDS
]


def test_a_ranking_is_rebuilt_from_its_json():
    read = Ranking.from_dict(json.loads(RANKING.to_json()))
    assert read.to_json() == RANKING.to_json()
    assert str(read.rows) == str(RANKING.rows)  # nan is not equal to itself
    assert (read.outlook, read.others) == ({2: 0.9}, ("parameters",))


def test_an_answer_is_found_again_with_its_runs(tmp_path):
    store = RunStore(tmp_path)
    store.run(RECORDS[0].spec)
    named = kept(RANKING, JOBS, store, {"epochs": 2, "command": "ncselect rank"})
    assert named.name.startswith("my-birds-")
    found = kept_ranking(RunStore(tmp_path), named.name[:10])
    assert found.name == found.ranking.name == named.name
    assert found.ranking.store == named.store == str(tmp_path)
    assert found.ranking.to_json() == named.to_json()
    assert found.question == {"epochs": 2, "command": "ncselect rank"}
    assert found.specs == {one.spec.model: one.spec for one in RECORDS}
    assert found.candidates["slow"] == {"name": "slow"}
    assert (found.dataset, found.horizon) == ({"name": "my birds"}, 50)
    assert {model: one.spec.model for model, one in found.ranking.records.items()} == {
        "slow": "slow",
        "quick": "quick",
    }


def test_the_same_question_keeps_its_name_and_another_has_its_own(tmp_path):
    store = RunStore(tmp_path)
    first = kept(RANKING, JOBS, store, {"epochs": 2, "workers": 1})
    assert kept(RANKING, JOBS, store, {"epochs": 2, "workers": 4}).name == first.name
    second = kept(RANKING, JOBS, store, {"epochs": 3, "workers": 1})
    third = kept(RANKING, JOBS[:1], store, {"epochs": 3, "workers": 1})
    assert len({first.name, second.name, third.name}) == 3
    for age, one in enumerate((second, third, first)):
        os.utime(tmp_path / "rankings" / f"{one.name}.json", (1e9 - age, 1e9 - age))
    assert kept_names(store) == [second.name, third.name, first.name]
    assert kept_ranking(store).name == second.name


def test_what_cannot_be_found_is_said_with_what_is_there(tmp_path):
    store = RunStore(tmp_path)
    with pytest.raises(InputError, match=r"none is kept in .*ncselect rank"):
        kept_ranking(store)
    names = [kept(RANKING, JOBS, store, {"epochs": epochs}).name for epochs in (2, 3)]
    for wrong in ("other", "my-birds"):
        with pytest.raises(InputError, match=f"'{wrong}' fits .* there are .*{names[0]}"):
            kept_ranking(store, wrong)


@pytest.mark.parametrize(
    "damage",
    [
        {"specs": [1]},
        {"specs": {}},
        {"specs": {"slow": [1], "quick": [1]}},
        {"horizon": None},
        {"question": None},
        {"candidates": {}},
        {"candidates": {"slow": {"name": "slow"}}},
        {"candidates": {"slow": "slow", "quick": "quick"}},
        {"ranking": {"ranking": [1]}},
        None,
    ],
)
def test_what_is_damaged_is_said_with_the_remedy(tmp_path, damage):
    store = RunStore(tmp_path)
    name = kept(RANKING, JOBS, store, {}).name
    file = tmp_path / "rankings" / f"{name}.json"
    file.write_text("{" if damage is None else json.dumps(json.loads(file.read_text()) | damage))
    with pytest.raises(InputError, match=r"cannot be read .* rank again"):
        kept_ranking(store, name)


def test_without_candidates_nothing_is_kept(tmp_path):
    empty = dataclasses.replace(RANKING, rows=())
    assert kept(empty, [], RunStore(tmp_path), {}) is empty
    assert not (tmp_path / "rankings").exists()
