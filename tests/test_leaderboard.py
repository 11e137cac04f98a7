from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from made_runs import made_run, rising_curve
from rich.console import Console

from ncselect.comparison import compare
from ncselect.leaderboard import flat_rows, leaderboard, losses
from ncselect.methods import method
from ncselect.numerics.agreement import MEASURES
from ncselect.pools import compare_pools
from ncselect.types import Estimate, Estimates

SIMPLE = {name: method(name) for name in ("last-value", "best-value", "capacitance")}


@dataclasses.dataclass(frozen=True)
class Combined:
    """Orders by the last value, the other way round if told to."""

    name = "combined"
    signals = frozenset({"validation-accuracy"})
    pooled = True
    sign: int = 1
    refuses: tuple = ()

    def estimate(self, records):
        last = {one.spec.model: float(one.curve("validation-accuracy")[-1]) for one in records}
        each = [
            Estimate(name, value, score=self.sign * value)
            for name, value in last.items()
            if name not in self.refuses
        ]
        refused = {name: "no luck" for name in last if name in self.refuses}
        return Estimates("combined", tuple(each), refused)


def finished_pool(models=8, epochs=10):
    rng = np.random.default_rng(2)
    return [
        made_run(
            f"model-{turn}", rising_curve(0.5 + 0.05 * turn, 0.4 + rng.random(), epochs, rng, 0.01),
            truth={epochs: 0.5 + 0.05 * turn},
        )
        for turn in range(models)
    ]  # fmt: skip


def printed(comparison, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(leaderboard(comparison))
    return console.file.getvalue()


@pytest.fixture(scope="module")
def comparison():
    return compare(finished_pool(), methods=SIMPLE, epochs=[1, 5], resamples=50)


@pytest.fixture(scope="module")
def pools():
    return compare_pools(finished_pool(), methods=SIMPLE, epochs=[5], pools=6, size=4, resamples=50)


@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_shows_every_figure(comparison, width):
    text = printed(comparison, width)
    assert "…" not in text.replace("OPTION=VALUE,…", "")
    assert "after 5 of 10 epochs, n = 8" in text
    for row in comparison.rows:
        if row.agreement is None:
            continue
        lines = [line for line in text.splitlines() if line.startswith(row.method)]
        rho = row.agreement.rho
        assert any(f"{rho.value:.2f} [{rho.low:.2f}, {rho.high:.2f}]" in line for line in lines)
        for name in ("regret_points", "hit3", "crps_points", "coverage_80"):
            value = getattr(row.agreement, name).value
            assert any(re.search(rf"\s{value:.2f}(\s|$)", line) for line in lines)
    assert "refused: capacitance: 1 epoch observed; observe 2 or more" in text
    assert "2000" not in text
    assert "50 resamples of the models" in re.sub(r"\s+", " ", text)


def test_the_best_is_first(comparison):
    text = printed(comparison)
    block = text[text.index("after 5 of") :].splitlines()[2:5]
    ranked = sorted(
        (row for row in comparison.rows if row.epochs == 5),
        key=lambda row: -row.agreement.rho.value,
    )
    assert [line.split()[0] for line in block] == [row.method for row in ranked]


def test_pools_are_shown_with_the_interval_over_models(pools):
    text = printed(pools)
    found = next(row for row in pools.rows if row.method == "last-value").agreement.rho
    assert f"{found.value:.2f} [{found.low_models:.2f}, {found.high_models:.2f}]" in text
    flowing = re.sub(r"\s+", " ", text)
    assert "6 pools of 4 from 8 runs of 8 models on digits" in flowing
    assert "the pools share runs" in flowing


def test_what_refusals_cost_in_pools_is_said():
    every = [one.spec.model for one in finished_pool()]
    short = made_run("short", [0.1] * 2, truth={10: 0.5})
    found = compare_pools(
        [*finished_pool(), short],
        methods={**SIMPLE, "combined": Combined(refuses=tuple(every[:2]))},
        epochs=[5], pools=40, size=4, resamples=5,
    )  # fmt: skip
    row = next(one for one in found.rows if one.method == "combined")
    flowing = re.sub(r"\s+", " ", printed(found))
    assert 2 < row.mean_n < 4
    assert f"on digits, n = {row.mean_n:.1f} per pool on average" in flowing
    assert "left out by combined: 2 of 8 runs: no luck" in flowing
    assert flowing.count("left out by") == 1
    assert "in no pool: 1 of 9 runs: only 2 of 5 epochs were run" in flowing
    flat = {one["method"]: one for one in flat_rows(found)}
    assert flat["combined"]["mean_n"] == flat["last-value"]["mean_n"] == row.mean_n
    assert (flat["combined"]["left_out"], flat["last-value"]["left_out"]) == (2, 0)
    plain = next(one for one in found.to_json()["rows"] if one["method"] == "combined")
    assert (plain["mean_n"], plain["left_out"]) == (row.mean_n, 2)


def test_flat_rows_hold_every_measure_and_interval(comparison, pools):
    for found, ends in ((comparison, ("low", "high")), (pools, ("low_models", "high"))):
        rows = flat_rows(found)
        assert len(rows) == len(found.rows)
        assert len({tuple(row) for row in rows}) == 1
        for flat, row in zip(rows, found.rows, strict=True):
            for name in MEASURES:
                interval = row.agreement and getattr(row.agreement, name)
                np.testing.assert_equal(flat[name], interval and interval.value)
                for end in ends:
                    np.testing.assert_equal(
                        flat[f"{name}_{end}"], interval and getattr(interval, end)
                    )
                assert (flat[f"less_reference_{name}"] is None) == (
                    row.agreement is None or row.method == "best-value"
                )


def test_where_the_recommended_method_loses_the_table_says_so():
    methods = {"combined": Combined(sign=-1), "last-value": method("last-value")}
    found = compare(
        finished_pool(), methods=methods, epochs=[5], references=["last-value"], resamples=50
    )  # fmt: skip
    (line,) = losses(found, 5)
    gain = next(one for one in found.differences if one.reference == "combined").agreement
    assert line.startswith(f"combined loses to last-value: ρ {gain.rho.value:+.3f} [")
    assert f"regret {gain.regret_points.value:+.3f} [{gain.regret_points.low:+.3f}" in line
    assert "combined loses to last-value" in printed(found)


def test_where_it_does_not_lose_the_table_says_that():
    methods = {"combined": Combined(), "last-value": method("last-value")}
    found = compare(
        finished_pool(), methods=methods, epochs=[5], references=["last-value"], resamples=50
    )  # fmt: skip
    assert losses(found, 5) == ["combined: no method here has a higher ρ or less regret"]


def test_nothing_is_said_of_a_recommended_method_that_is_not_there(comparison):
    assert losses(comparison, 5) == []


def ncselect(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "ncselect", "compare", *map(str, arguments)],
        env={**os.environ, "COLUMNS": "100"}, cwd=cwd, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def curves(tmp_path_factory):
    path = tmp_path_factory.mktemp("curves") / "curves.jsonl"
    rng = np.random.default_rng(0)
    lines = [
        {"dataset": dataset, "model": f"Net-{turn % 5}", "hparams": {"lr": 0.1},
         "acc": rising_curve(rng.uniform(0.4, 0.9), 0.5 + rng.random(), 12, rng, 0.02).tolist()}
        for dataset in ("one", "two") for turn in range(15)
    ]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_a_file_of_curves_on_the_command_line(curves, tmp_path):
    asked = ("--curves", curves, "--dataset", "one", "--method", "last-value", "--epochs", "0,3,6")
    whole = ncselect(*asked, "--resamples", 20, "--format", "json", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    found = json.loads(whole.stdout)
    assert [row["epochs"] for row in found["rows"]] == [0, 0, 3, 3, 6, 6]
    assert len(found["truth"]) == 15
    many = (
        "--pools", 5, "--pool-size", 4, "--history", curves, "--history-from", "other-datasets",
        "--draw-seed", 3,
    )  # fmt: skip
    in_pools = ncselect(*asked, *many, "--format", "csv", cwd=tmp_path)
    assert in_pools.returncode == 0, in_pools.stderr
    rows = list(csv.DictReader(io.StringIO(in_pools.stdout)))
    assert [row["pools"] for row in rows] == ["0", "0", "5", "5", "5", "5"]
    table = ncselect(*asked, *many, cwd=tmp_path)
    assert "after 3 of 12 epochs" in table.stdout
    assert "5 pools of 4 from 15 runs of 5 models on one" in table.stdout


def test_a_history_of_which_nothing_is_left_is_noted_beside_the_answer(curves, tmp_path):
    asked = (
        "--curves", curves, "--dataset", "one", "--method", "last-value", "--epochs", "3",
        "--resamples", 2, "--format", "csv", "--history", curves,
    )  # fmt: skip
    whole = ncselect(*asked, cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    assert "history: its 30 curves are all of models that are scored" in whole.stderr
    assert len(list(csv.DictReader(io.StringIO(whole.stdout)))) == 2
    pools = ncselect(*asked, "--pools", 2, "--pool-size", 4, cwd=tmp_path)
    assert pools.returncode == 0, pools.stderr
    assert "history: " not in pools.stderr


@pytest.mark.parametrize(
    ("command", "remedy"),
    [
        ("--curves {curves} --store runs", "curves: --store came, too; give one of them"),
        ("--curves {curves}", "choose with --dataset VALUE"),
        ("--curves {curves} --dataset one --history nowhere", "there are no runs in 'nowhere'"),
        ("--curves {curves} --dataset one --history-from afar", "unknown origin of the history"),
        (
            "--curves {curves} --dataset one --history-from same-dataset",
            "history-from: 'same-dataset' came, and no history",
        ),
        ("--curves {curves} --dataset one --horizon 0", "horizon: 0 came; give a whole number"),
        ("--curves {curves} --dataset one --epochs -3", "positive numbers, or 0"),
        ("--curves {curves} --dataset one --pools 4", "pool size is 17, and 15 runs"),
        ("--curves {curves} --dataset one --pools 4 --workers 0", "workers: 0 came"),
    ],
)
def test_bad_input_says_the_remedy(curves, command_line, command, remedy):
    done = command_line("compare", *command.format(curves=curves).split())
    assert done.returncode == 2, done.stderr
    assert remedy in " ".join(done.stderr.split())
