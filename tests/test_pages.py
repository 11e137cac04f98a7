"""Every command and every snippet of the pages, run in the pages' order in one folder."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import typer
import yaml
from PIL import Image

import ncselect
from ncselect.cli import app, main

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLAIN = re.compile(r"ncselect [^|<>$;&`\\]*")  # a command on a line, nothing for a shell to do


class _Loader(yaml.SafeLoader):
    """Reads mkdocs.yml, whose tags name Python objects, without making any."""


_Loader.add_multi_constructor("", lambda *_: None)
NAVIGATION = yaml.load((ROOT / "mkdocs.yml").read_text(), _Loader)["nav"]


def pages(entries):
    """Return the pages of the site in their order."""
    for entry in entries:
        for value in entry.values():
            yield from pages(value) if isinstance(value, list) else [value]


PAGES = list(pages(NAVIGATION))
RUN = [page for page in PAGES if page in ("index.md", "methods.md") or page.startswith("how-to/")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with photographs of three classes, and ncselect on the path."""
    root = tmp_path_factory.mktemp("pages")
    rng = np.random.default_rng(0)
    for label, name in enumerate(("cat", "dog", "owl")):
        (root / "photos" / name).mkdir(parents=True)
        for number in range(40):
            noise = rng.integers(0, 128, (32, 32, 3)) + 60 * label
            Image.fromarray(noise.astype(np.uint8)).save(root / f"photos/{name}/{number:04}.png")
    (root / "bin").mkdir()
    for name, arguments in (("ncselect", "-m ncselect"), ("python", "")):
        program = root / "bin" / name
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {arguments} "$@"\n')
        program.chmod(0o755)
    return root


@pytest.mark.parametrize("page", RUN)
def test_what_a_page_shows_runs(folder, page, in_this_process, monkeypatch):
    kinds, texts = [], []
    for kind, text in BLOCK.findall((ROOT / "docs" / page).read_text()):
        if kind == "python" and kinds and kinds[-1] == "python":
            texts[-1] += text  # later snippets go on from earlier ones
        elif kind in ("sh", "python"):
            kinds.append(kind)
            texts.append(text)
    monkeypatch.chdir(folder)
    for name, value in _variables(folder).items():
        monkeypatch.setenv(name, value)
    for kind, text in zip(kinds, texts, strict=True):
        lines = text.splitlines()
        if kind == "sh" and not all(PLAIN.fullmatch(line) for line in lines):
            done = subprocess.run(
                ["bash", "-ec", text], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
            continue
        # In this process: importing Keras anew would cost more than most blocks do.
        with in_this_process(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if kind == "python":
                exec(compile(text, page, "exec"), {"__name__": "__main__"})
                continue
            for line in lines:
                monkeypatch.setattr(sys, "argv", shlex.split(line))
                with pytest.raises(SystemExit) as end:
                    main()
                assert not end.value.code, line


@pytest.mark.parametrize("page", ["../README.md", *PAGES])
def test_every_command_on_a_page_can_be_read(page):
    top = typer.main.get_command(app)
    for _, text in BLOCK.findall((ROOT / "docs" / page).read_text()):
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True) if line.startswith("ncselect ") else []
            if len(words) > 1 and "…" not in line:
                command = top.commands[words[1]]
                rest = words[2:]
                if hasattr(command, "commands"):
                    command, rest = command.commands[words[2]], words[3:]
                rest = rest[: rest.index(">")] if ">" in rest else rest
                command.make_context(" ".join(words[:2]), rest)  # raises for what is unknown


def test_the_reference_has_every_public_name():
    entries = re.findall(r"^::: ([\w.]+)$", (ROOT / "docs/reference/python.md").read_text(), re.M)
    assert set(ncselect.__all__) <= {entry.rpartition(".")[2] for entry in entries}


def _variables(folder):
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "NCSELECT_CACHE": str(folder / "cache"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
