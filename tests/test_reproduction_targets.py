"""Every table and figure from made runs."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest
from made_pools import QUICK, SMALL, made_pool, with_spec
from scipy.stats import spearmanr

from ncselect.methods import parsed_method
from ncselect.reproduction import TARGETS, Pool, Repeat, reproduced
from ncselect.reproduction.readings import FROM_T0
from ncselect.spec import Settings
from zoo.errors import InputError


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_is_made_with_figures_tables_and_words(target, tmp_path):
    made = [made_pool(models=3, reduced=(200, 400)), made_pool("digits", models=3, repeats=1)]
    result = reproduced(target, made, QUICK)
    assert result.target == target
    assert result.tables
    assert all(len(row) == len(table.headings) for table in result.tables for row in table.rows)
    document = json.loads((result.save(tmp_path, command="x")[0]).read_text())
    assert document["command"] == "x"
    assert document["figures"]
    assert document["protocol"]["datasets"]["cifar10"]["seeds"] == [0, 1]
    assert document["protocol"]["scale"]["name"] == "small"
    assert any("T = 16 epochs (paper: 50)" in line for line in document["deviations"])
    assert any("2 repeats (paper: 20)" in line for line in document["deviations"])
    assert any("Too few models" in note for note in document["notes"])
    assert (tmp_path / f"{target}.png").stat().st_size > 10_000
    assert (tmp_path / f"{target}.svg").read_text().startswith("<?xml")
    assert "differs from the paper" in result._repr_html_()
    if target != "figure-g6":  # all that depends on the reading of a length tells both by name
        assert f'"{FROM_T0}"' in json.dumps(document["figures"])
        assert {"capacitance", FROM_T0} <= set(re.findall(r"[\w-]+", result._repr_html_()))


def test_table_1_is_rho_against_the_truth_beside_the_papers():
    made = made_pool()
    cells = reproduced("table1", [made], QUICK).figures["cifar10"]["5"]
    truth = [[run.truth[16] for run in repeat.runs] for repeat in made.repeats]
    last = [[run.curve("validation-accuracy")[4] for run in one.runs] for one in made.repeats]
    expected = np.mean([spearmanr(*each).statistic for each in zip(truth, last, strict=True)])
    assert cells["last-value"]["value"] == pytest.approx(expected)
    assert cells["last-value"]["paper"] == 0.85
    assert cells["capacitance"]["paper"] == 0.93
    assert cells["bgrn"]["reason"].startswith("it learns from 6 finished curves or more and 5 of 5")
    assert cells["bgrn"]["n"] == 0
    of = {"capacitance": "improvement_percent", FROM_T0: "improvement_percent_from_t0"}
    for reading, name in of.items():
        assert (cells[reading]["paper"], cells[name]["paper"]) == (0.93, 9.1)
        over = cells[reading]["value"] / cells[cells[name]["over"]]["value"]
        assert cells[name]["value"] == pytest.approx(100 * (over - 1))


def test_methods_may_be_asked_in_several_processes():
    alone, spread = (
        reproduced("figure-f4", [made_pool(models=3)], SMALL).figures,
        reproduced("figure-f4", [made_pool(models=3)], SMALL, workers=2).figures,
    )
    assert json.dumps(alone) == json.dumps(spread)


@pytest.mark.parametrize("target", ["table1", "figure3a", "figure-f5", "table-g2"])
def test_a_repeat_that_has_just_begun_is_left_out_and_said(target):
    made = made_pool(models=3, repeats=2)
    begun = tuple(
        dataclasses.replace(run, observations=run.observations[:3], status="running", truth={})
        for run in made.repeats[0].runs
    )
    with_it = Pool("cifar10", 16, (Repeat(0, begun), made.repeats[1]))
    alone = Pool("cifar10", 16, made.repeats[1:])
    found = reproduced(target, [with_it], QUICK)
    if target != "table-g2":
        assert found.tables == reproduced(target, [alone], QUICK).tables
        said = "left out: all of seed 0"
        assert any(said in note and "epochs yet" in note for note in found.notes)
    assert any("1 repeat," in note for note in found.notes)
    with pytest.raises(InputError, match="came to its end"):
        reproduced(target, [Pool("cifar10", 16, (Repeat(0, begun),))], QUICK)


def test_capacitance_reads_the_whole_training_set_where_runs_measured_it():
    whole = made_pool()
    rng = np.random.default_rng(3)
    runs = []
    for one in whole.repeats:
        changed = with_spec(one.runs, settings=Settings(measure_whole=True))
        runs.append(Repeat(one.seed, tuple(
            dataclasses.replace(run, observations=tuple(
                dataclasses.replace(seen, signals={
                    **seen.signals, "beta/base/held/signed@all": float(rng.random())
                }) for seen in run.observations
            )) for run in changed
        )))  # fmt: skip
    made = Pool("cifar10", 16, tuple(runs))
    found = reproduced("figure-f4", [made], SMALL)
    asked = parsed_method("capacitance:subset=all")
    first = asked.estimate([run.observed(5) for run in made.repeats[0].runs]).estimates
    second = asked.estimate([run.observed(5) for run in made.repeats[1].runs]).estimates
    for one, other in zip(first, second, strict=True):
        mean = found.figures["cifar10"]["models"][one.model]["predicted"]
        assert mean == pytest.approx((one.mean + other.mean) / 2)


def test_a_dataset_whose_runs_all_failed_is_left_out_and_said():
    lost = made_pool("svhn", repeats=1, status="failed", error="killed: out of memory")
    result = reproduced("figure-f4", [made_pool(), lost], SMALL)
    assert list(result.figures) == ["cifar10"]
    assert any("no run on svhn came to its end" in note for note in result.notes)
    with pytest.raises(InputError, match="killed: out of memory"):
        reproduced("figure-f4", [lost], SMALL)


def test_a_failed_run_is_left_out_and_said():
    made = made_pool(repeats=1)
    runs = (dataclasses.replace(made.runs[0], status="failed", error="diverged"), *made.runs[1:])
    result = reproduced("figure-f5", [Pool("cifar10", 16, (Repeat(0, runs),))], SMALL)
    assert result.figures["cifar10"]["5"]["best-value"]["n"] == 5
    assert any("left out: Net0, seed 0 on cifar10: the run failed: diverged" in note
               for note in result.notes)  # fmt: skip
