"""What the README says is there, and what is there the README says."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import typer

from ncselect.cli import app
from ncselect.methods import METHODS
from zoo.datasets import DATASETS
from zoo.models import GROUPS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = [
    *(command.callback.__name__ for command in app.registered_commands),
    *(group.typer_instance.info.name for group in app.registered_groups),
]


@pytest.mark.parametrize("name", [*METHODS, *DATASETS, *GROUPS])
def test_readme_names_every_method_dataset_and_group(name):
    assert f"`{name}`" in README


@pytest.mark.parametrize("command", COMMANDS)
def test_readme_names_every_command(command):
    assert f"`ncselect {command}`" in README


def test_readme_names_only_options_that_exist():
    options = {
        option
        for top in typer.main.get_command(app).commands.values()
        for command in getattr(top, "commands", {"": top}).values()
        for parameter in command.params
        for option in parameter.opts
    }
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    assert named <= options | {"--help"}, named - options


def test_every_module_says_what_it_is():
    for module in [*ROOT.glob("ncselect/**/*.py"), *ROOT.glob("zoo/**/*.py")]:
        assert module.read_text().startswith('"""'), module


def test_wheel_holds_both_packages_and_nothing_else(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = {Path(name).parts[0] for name in zipfile.ZipFile(wheel).namelist()}
    packages = {name for name in names if not name.endswith(".dist-info")}
    assert packages == {"ncselect", "zoo"}
    held = set(zipfile.ZipFile(wheel).namelist())
    modules = [*ROOT.glob("ncselect/**/*.py"), *ROOT.glob("zoo/**/*.py")]
    for file in [*modules, *ROOT.glob("ncselect/report/page.*")]:
        assert str(file.relative_to(ROOT)) in held


def test_constraints_hold_no_addresses():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert pins
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", pin) for pin in pins)
