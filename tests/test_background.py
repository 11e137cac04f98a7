"""What a user names for methods to know: read, or refused in the words of the argument."""

from __future__ import annotations

import json
import re

import pytest
from made_runs import made_run

from ncselect.background import background
from ncselect.spec import RunSpec
from ncselect.store import RunStore
from ncselect.types import Outcome
from zoo.errors import InputError

CURVE = {"dataset": "there", "model": "Net", "acc": [0.3, 0.6]}


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a store, one without finished runs, and files of all kinds."""
    for name in ("finished", "unfinished"):
        spec = RunSpec(model="net", dataset="there", candidate={"source": "net"}, data={})
        with RunStore(tmp_path / name).run(spec).writer() as writer:
            for seen in made_run("net", [0.3, 0.6]).observations:
                writer.append(seen, [])
            if name == "finished":
                writer.keep_truth(2, 0.5)
                writer.complete(keep_checkpoint=False)
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "store.json").write_text('{"format": 99}')
    (tmp_path / "empty").mkdir()
    (tmp_path / "curves.jsonl").write_text(json.dumps(CURVE))
    (tmp_path / "wrong.jsonl").write_text(json.dumps({**CURVE, "acc": [71.0]}))
    (tmp_path / "known.csv").write_text("model,dataset,accuracy\nnet,there,0.7\n")
    (tmp_path / "wrong.csv").write_text("model,accuracy\nnet,0.7\n")
    return tmp_path


def test_stores_and_files_are_read_together(folder):
    told = background(
        history=[folder / "finished", folder / "curves.jsonl"],
        experience=[folder / "finished", str(folder / "known.csv")],
        horizon=7,
    )
    assert [one.model for one in told.history] == ["net", "Net"]
    assert told.experience[0].accuracy == 0.5
    assert told.experience[1] == Outcome("net", "there", 0.7)
    assert told.horizon == 7


STORE_OR_CURVES = "a store with finished runs, or a file of plain curves (.jsonl, .jsonl.gz)"
STORE_OR_CSV = "a store with finished runs, or a CSV file of model,dataset,accuracy"


@pytest.mark.parametrize(
    ("argument", "name", "what", "remedy"),
    [
        ("history", "nowhere", "there are no runs in", STORE_OR_CURVES),
        ("history", "empty", "there are no runs in", STORE_OR_CURVES),
        ("history", "known.csv", "there are no runs in", STORE_OR_CURVES),
        ("history", "later", "has format 99", STORE_OR_CURVES),
        ("history", "unfinished", "no run in", "finish some with 'ncselect rank --epochs N"),
        ("history", "wrong.jsonl", "line 1: acc is 71.0", "give accuracies between 0 and 1"),
        ("history", "nowhere.jsonl", "cannot read", "correct the path"),
        ("history", 3, "3 came", STORE_OR_CURVES),
        ("experience", "nowhere", "there is no", STORE_OR_CSV),
        ("experience", "nowhere.csv", "there is no", STORE_OR_CSV),
        ("experience", "empty", "there are no runs in", STORE_OR_CSV),
        ("experience", "later", "has format 99", STORE_OR_CSV),
        ("experience", "unfinished", "has reached its horizon", "or name a CSV file"),
        ("experience", "curves.jsonl", "is a file of plain curves; give it as the history",
         STORE_OR_CSV),
        ("experience", "wrong.csv", "has no column 'dataset'", "must name model,dataset,accuracy"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named_with_what_may_be_given(folder, argument, name, what, remedy):
    path = folder / name if isinstance(name, str) else name
    with pytest.raises(InputError) as raised:
        background(**{argument: [path]}, horizon=5)
    said = str(raised.value)
    assert said.startswith(f"{argument}: ")
    assert not re.search(r"\b(store|curves): |--store", said)
    assert what in said
    assert remedy in said
