"""Answers of slow methods are kept: the same numbers, and nothing asked twice."""

from __future__ import annotations

import dataclasses
import json

import pytest
from made_pools import QUICK, made_pool

from ncselect.reproduction import reproduced
from ncselect.reproduction.kept_answers import KeptAnswers
from zoo.errors import InputError

MADE = made_pool(models=2, repeats=2)
SHORT = dataclasses.replace(QUICK, lc_steps=20)


@pytest.fixture(scope="module")
def plain():
    return table()


def table(folder=None, target="table1", **more):
    return reproduced(target, [MADE], SHORT, answers=folder, **more)


def written(result):
    return json.dumps(result.to_json())


def test_the_second_call_reads_what_the_first_one_kept(tmp_path, plain):
    first = table(tmp_path / "answers")
    kept = sorted((tmp_path / "answers").iterdir())
    times = [path.stat().st_mtime_ns for path in kept]
    assert len(kept) == 2 * 2
    assert written(first) == written(plain)
    assert written(table(tmp_path / "answers")) == written(plain)
    assert [path.stat().st_mtime_ns for path in kept] == times
    for path in kept:  # that they are read, and not only there
        held = json.loads(path.read_text())
        held["estimate"]["score"] *= -1
        path.write_text(json.dumps(held))
    turned = table(tmp_path / "answers").figures["cifar10"]["5"]
    assert turned["lc"]["value"] == -plain.figures["cifar10"]["5"]["lc"]["value"]


def test_a_stopped_one_goes_on_to_the_same_numbers(tmp_path, plain):
    def stop(_what, _done, _total):
        if len(list(tmp_path.iterdir())) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        table(tmp_path, watch=stop)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(kept) == 3
    assert written(table(tmp_path)) == written(plain)
    assert len(list(tmp_path.iterdir())) == 4
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_seconds_are_kept_apart_from_answers_that_were_not_timed(tmp_path):
    table(tmp_path)
    first = table(tmp_path, "table-g2").figures["cifar10"]["lc"]
    assert first["answers"] == 4  # two repeats, each answered twice
    assert len(list(tmp_path.iterdir())) == 4 + 4 * 2
    second = table(tmp_path, "table-g2")
    assert second.figures["cifar10"]["lc"] == first
    assert any(str(tmp_path) in note for note in second.notes)


def test_whatever_decides_an_answer_decides_its_name(tmp_path):
    run, other = MADE.runs[:2]
    kept = KeptAnswers(tmp_path)
    asked = {"method": "lc", "run": run, "epochs": 5, "horizon": 16}
    changed = dataclasses.replace(
        run,
        observations=(
            *run.observations[:3],
            dataclasses.replace(run.observations[3], signals={"validation-accuracy": 0.123}),
            *run.observations[4:],
        ),
    )
    others = {
        "method": "lc:steps=30,burn_in=6", "run": other, "epochs": 6, "horizon": 17, "turn": 1,
    }  # fmt: skip
    names = [kept.key(**asked), kept.key(**asked | {"run": changed})]
    names += [kept.key(**asked | {name: value}) for name, value in others.items()]
    names += [dataclasses.replace(kept, timed=True).key(**asked)]
    assert len(set(names)) == len(names) == 8
    longer = dataclasses.replace(run, observations=run.observations[:8])
    assert kept.key(**asked | {"run": longer}) == names[0]  # what it does not see is no matter


def test_an_answer_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "some.json").write_text("{")
    with pytest.raises(InputError, match=r"some.json' cannot be read .*delete it"):
        KeptAnswers(tmp_path).find("some")
