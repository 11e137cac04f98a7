from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from made_runs import made_run, rising_curve

from ncselect.curves import read_curves
from ncselect.history import Origin, curve_of, model_of, read_history, unseen
from ncselect.store import RunStore
from ncselect.types import Curve, RunSpec, Settings
from zoo.errors import InputError, UnknownNameError

LINES = [
    {"dataset": "a", "model": "Net", "hparams": {"lr": 0.1, "kind": "x", "on": True},
     "acc": [0.1, 0.5]},
    {"dataset": "a", "model": "Net", "hparams": {"lr": 0.2}, "acc": [0.2, 0.4], "truth": 0.45},
    {"dataset": "b", "model": "Net", "acc": [0.3, 1]},
    {"dataset": "a", "model": "Other", "hparams": {}, "acc": [0.6, 0.7], "truth": None},
]  # fmt: skip


def written(path, lines):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt") as file:
        file.write("\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines))
    return path


@pytest.mark.parametrize("name", ["curves.jsonl", "curves.jsonl.gz"])
def test_every_curve_is_a_finished_run_with_a_name_of_its_own(tmp_path, name):
    records = read_curves(written(tmp_path / name, [*LINES[:2], "", *LINES[2:]]))
    assert [(one.spec.model, one.spec.dataset) for one in records] == [
        ("Net #1", "a"), ("Net #2", "a"), ("Net", "b"), ("Other", "a"),
    ]  # fmt: skip
    assert [model_of(one) for one in records] == ["Net", "Net", "Net", "Other"]
    assert [one.truth for one in records] == [{2: 0.5}, {2: 0.45}, {2: 1.0}, {2: 0.7}]
    assert all(one.status == "complete" and one.epochs == 2 for one in records)
    assert records[0].observations[0].signals == {}
    np.testing.assert_array_equal(records[0].curve("validation-accuracy"), [0.1, 0.5])
    assert records[0].spec.candidate["facts"] == {"lr": 0.1}


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("{", "line 2 is no JSON"),
        ("[1]", "line 2 is a list; give an object"),
        ({"model": "m", "acc": [0.1]}, "line 2: dataset is None; give a name"),
        ({"dataset": "d", "model": 3, "acc": [0.1]}, "line 2: model is 3"),
        ({"dataset": "d", "model": "m"}, "line 2: acc is None"),
        ({"dataset": "d", "model": "m", "acc": []}, r"line 2: acc is \[\]"),
        (
            {"dataset": "d", "model": "m", "acc": [0.1, 71.0]},
            "acc is 71.0 after epoch 2; .*0 and 1",
        ),
        ('{"dataset": "d", "model": "m", "acc": [NaN]}', "acc is nan after epoch 1"),
        ({"dataset": "d", "model": "m", "acc": [0.1, True]}, "acc is True after epoch 2"),
        ({"dataset": "d", "model": "m", "acc": [0.1], "truth": "x"}, "truth is 'x'; .*leave it"),
        ({"dataset": "d", "model": "m", "acc": [0.1], "hparams": 3}, "hparams is 3"),
    ],
)
def test_a_line_that_is_no_curve_is_named(tmp_path, line, text):
    with pytest.raises(InputError, match=text):
        read_curves(written(tmp_path / "curves.jsonl", [LINES[0], line]))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(InputError, match=r"ends in \.jsonl or \.jsonl\.gz"):
        read_curves("curves.csv")
    with pytest.raises(InputError, match=r"cannot read .*nowhere\.jsonl"):
        read_curves(tmp_path / "nowhere.jsonl")
    with pytest.raises(InputError, match="holds no curve"):
        read_curves(written(tmp_path / "empty.jsonl", []))
    (tmp_path / "plain.jsonl.gz").write_text(json.dumps(LINES[0]))
    with pytest.raises(InputError, match="cannot read"):
        read_curves(tmp_path / "plain.jsonl.gz")
    whole = written(tmp_path / "cut.jsonl.gz", LINES * 50).read_bytes()
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cannot read"):
        read_curves(tmp_path / "cut.jsonl.gz")


def test_the_curve_of_a_run_knows_its_model_and_what_was_known_before_training():
    run = made_run("MobileNet", [0.3, 0.6])
    curve = curve_of(run)
    assert (curve.model, curve.dataset) == ("MobileNet", "digits")
    np.testing.assert_array_equal(curve.accuracy, [0.3, 0.6])
    assert curve.facts["learning_rate"] == Settings().learning_rate
    assert "optimizer" not in curve.facts


def test_hyperparameters_of_a_file_are_facts_and_default_settings_are_not(tmp_path):
    first, *_ = read_history(written(tmp_path / "curves.jsonl", LINES))
    assert first.facts == {"lr": 0.1}
    assert first.model == "Net"


def test_the_history_of_a_store_is_its_complete_runs(tmp_path):
    store = RunStore(tmp_path / "store")
    lengths = {"done": 3, "partial": 2, "failed": 1}
    for model, length in lengths.items():
        spec = RunSpec(model=model, dataset="digits", candidate={"source": model}, data={})
        with store.run(spec).writer() as writer:
            for seen in made_run(model, rising_curve(0.8, 1, length)).observations:
                writer.append(seen, [])
            if model == "done":
                writer.complete(keep_checkpoint=False)
            if model == "failed":
                writer.fail("loss is nan")
    (only,) = read_history(tmp_path / "store")
    assert only.model == "done"
    assert len(only.accuracy) == 3


def test_a_history_that_is_neither_store_nor_curves_is_named(tmp_path):
    with pytest.raises(InputError, match="there are no runs in"):
        read_history(tmp_path)


def test_origins():
    history = [Curve(name, name, np.array([0.5])) for name in ("here", "there", "elsewhere")]
    named = {
        origin: [one.dataset for one in Origin.named(origin).of(history, "here")]
        for origin in ("anywhere", "other-datasets", "same-dataset")
    }
    assert named == {
        "anywhere": ["here", "there", "elsewhere"],
        "other-datasets": ["there", "elsewhere"],
        "same-dataset": ["here"],
    }
    with pytest.raises(UnknownNameError, match=r"'other'. Did you mean other-datasets"):
        Origin.named("other")


def test_curves_of_judged_models_and_the_judged_curves_themselves_are_not_learnt_from(tmp_path):
    records = read_curves(written(tmp_path / "curves.jsonl", LINES))
    history = [
        Curve("a", "Net", np.array([0.9, 0.9])),
        Curve("c", "Net", np.array([0.9, 0.9])),
        Curve("a", "renamed", np.array([0.1, 0.5])),
        Curve("b", "chance", np.array([0.1, 0.5])),
        Curve("a", "Other", np.array([0.6, 0.7])),
    ]
    left = unseen(history, records[:1])
    assert [(one.dataset, one.model) for one in left] == [("b", "chance"), ("a", "Other")]


def test_real_curves(real_data):
    records = read_curves(real_data / "curves" / "lemur_50_epochs.jsonl.gz")
    assert len(records) == 1241
    assert len({(one.spec.dataset, one.spec.model) for one in records}) == 1241
    assert {one.epochs for one in records} == {50}
    assert all(one.truth[50] == one.observations[-1].signals["validation-accuracy"]
               for one in records)  # fmt: skip
