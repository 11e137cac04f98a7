"""ncselect reproduce and what reads its runs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ncselect.reproduction import read
from zoo.errors import InputError, UnknownNameError


def test_a_store_that_is_not_there_is_made_by_the_command_that_is_named(tmp_path):
    with pytest.raises(InputError, match="ncselect reproduce table1 --scale tiny --store"):
        read("table1", tmp_path / "gone", scale="tiny")
    with pytest.raises(UnknownNameError, match="table1"):
        read("table3", tmp_path)


WRONG = {
    "target": ("table3", "table1"),
    "scale": ("table1 --scale tinny", "tiny"),
    "dataset": ("table1 --scale tiny --datasets digitz", "digits"),
    "twice": ("table1 --scale tiny --datasets digits,digits=digits", "name each once"),
    "repeats": ("table1 --scale tiny --repeats 0", "at least 1"),
    "model": ("table1 --scale tiny --pool MobilNet", "MobileNet"),
    "where": ("table1 --scale tiny --where seed=0", "--stored"),
    "stored": ("table1 --stored --store gone", "ncselect reproduce table1"),
    "output": ("table1 --scale tiny --output taken", "output: nothing can be written to 'taken'"),
    "none": ("table1 --stored --repeats 0", "for runs that are trained"),
    "both": ("table1 --stored --repeats 2", "for runs that are trained"),
}


@pytest.mark.parametrize(("command", "remedy"), WRONG.values(), ids=list(WRONG))
def test_bad_input_says_the_remedy_and_exits_with_2(command_line, tmp_path, command, remedy):
    (tmp_path / "taken").write_text("")
    done = command_line("reproduce", *command.split())
    assert done.returncode == 2, done.stderr
    assert remedy in done.stderr


def test_help_loads_nothing_heavy():
    program = (
        "import sys\nfrom ncselect.cli import main\n"
        "sys.argv = ['ncselect', 'reproduce', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'keras', 'tensorflow', 'jax', 'sklearn', 'pandas', 'scipy', 'matplotlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_reproduce_from_end_to_end(command_line, in_this_process, tmp_path, small_network):
    pool_option = ",".join(str(small_network(width)) for width in (4, 8))
    asked = ("reproduce", "figure3a", "--scale", "tiny", "--pool", pool_option, "--repeats", 1)
    plan = command_line(*asked, "--plan")
    assert plan.returncode == 0, plan.stderr
    assert "digits" in plan.stdout
    assert not list((tmp_path / "runs").glob("*/observations.jsonl"))

    with in_this_process():
        done = command_line(*asked, "--workers", 2)
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "reproduced" / "figure3a.json").read_text())
    assert set(document["figures"]["digits"]["models"]) == {"small-4", "small-8"}
    assert document["command"].startswith("ncselect reproduce figure3a --scale tiny")
    assert "Too few models for any conclusion" in done.stdout
    lines = {path: path.read_text() for path in (tmp_path / "runs").glob("*/observations.jsonl")}
    assert len(lines) == 2

    again = command_line(*asked, "--workers", 2)
    assert again.returncode == 0, again.stderr
    assert {path: path.read_text() for path in lines} == lines
    assert json.loads((tmp_path / "reproduced" / "figure3a.json").read_text()) == document

    stored = command_line("reproduce", "figure-g6", "--scale", "tiny", "--stored")
    assert stored.returncode == 0, stored.stderr
    costs = json.loads((tmp_path / "reproduced" / "figure-g6.json").read_text())
    assert set(costs["figures"]["datasets"]["digits"]) == {"small-4", "small-8"}
    found = read("figure3a", tmp_path / "runs", scale="tiny")
    assert found.to_json()["figures"] == document["figures"]
