from __future__ import annotations

import dataclasses
import gzip
import json

import numpy as np
import pytest
from made_runs import made_run, rising_curve

from ncselect.answers import not_told_of
from ncselect.curves import read_curves
from ncselect.history import (
    Origin,
    curve_of,
    model_of,
    nothing_left,
    read_history,
    unseen,
    without_candidates,
)
from ncselect.methods import method
from ncselect.scores import SCORES
from ncselect.spec import RunSpec, Settings
from ncselect.store import RunStore
from ncselect.types import Background, Curve
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


def test_a_history_of_unfinished_runs_is_refused(tmp_path):
    store = RunStore(tmp_path / "store")
    spec = RunSpec(model="partial", dataset="digits", candidate={"source": "partial"}, data={})
    with store.run(spec).writer() as writer:
        for seen in made_run("partial", [0.3, 0.6]).observations:
            writer.append(seen, [])
    with pytest.raises(InputError, match=r"^history: no run in '.*store' has reached its horizon;"):
        read_history(tmp_path / "store")


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
    curves = [Curve(name, "m", np.array([0.5])) for name in ("cifar_10", "CIFAR-10", "mnist")]
    assert Origin.same_dataset.of(curves, "cifar-10") == tuple(curves[:2])
    assert Origin.other_datasets.of(curves, "cifar-10") == tuple(curves[2:])
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


def test_the_same_network_by_another_name_is_not_learnt_from():
    judged = made_run("ResNet50", [0.3, 0.6])
    renamed = dataclasses.replace(judged.spec, model="mine", dataset="elsewhere", seed=3)
    other = made_run("VGG16", [0.3, 0.6], dataset="elsewhere")
    history = [
        curve_of(made_run("mine", [0.2, 0.5], dataset="elsewhere")),
        curve_of(dataclasses.replace(judged, spec=renamed)),
        curve_of(other),
        Curve("elsewhere", "plain", np.array([0.2, 0.5])),
    ]
    left = unseen(history, [judged])
    assert [one.model for one in left] == ["mine", "VGG16", "plain"]
    assert history[1].identity == curve_of(judged).identity
    assert history[0].identity != history[2].identity


def test_the_judged_curve_is_not_learnt_from_by_another_name_of_its_dataset():
    judged = made_run("Net", [0.3, 0.6], dataset="cifar-10")
    history = [Curve(name, "x", np.array([0.3, 0.6])) for name in ("CIFAR_10", "mnist")]
    assert [one.dataset for one in unseen(history, [judged])] == ["mnist"]


def test_plain_curves_of_different_models_are_not_the_same_network(tmp_path):
    records = read_curves(written(tmp_path / "curves.jsonl", LINES))
    assert {curve_of(one).identity for one in records} == {""}
    history = [Curve("b", "stranger", np.array([0.3, 0.9]))]
    assert unseen(history, records) == tuple(history)


def test_what_candidates_came_to_later_is_not_learnt_from():
    ranked = [made_run("A", [0.3, 0.6]), made_run("B", [0.4, 0.5, 0.9])]
    history = [
        curve_of(made_run("A", [0.3, 0.6, 0.8, 0.9])),
        Curve("digits", "renamed", np.array([0.3, 0.6, 0.7])),
        Curve("Digits", "renamed", np.array([0.4, 0.5, 0.9])),
        curve_of(made_run("B", [0.1, 0.2, 0.3], seed=1)),
        Curve("digits", "stranger", np.array([0.3, 0.61, 0.7])),
        Curve("digits", "cut", np.array([0.3])),
        Curve("digits", "fell", np.array([0.4, 0.5, 0.8])),
        curve_of(made_run("A", [0.3, 0.6, 0.8, 0.9], dataset="elsewhere")),
    ]
    assert without_candidates(history, ranked) == tuple(history[4:])


def test_before_training_and_of_a_failed_run_the_network_alone_is_known():
    unseen_yet = dataclasses.replace(made_run("A", []), observations=())
    failed = made_run("B", [0.3, 0.6], status="failed", error="loss is nan")
    history = [
        curve_of(made_run("A", [0.3, 0.6])),
        curve_of(made_run("B", [0.2, 0.7])),
        Curve("digits", "C", np.array([0.3, 0.6, 0.7])),
    ]
    assert without_candidates(history, [unseen_yet, failed]) == (history[2],)
    assert without_candidates(history, []) == tuple(history)


def test_a_ranked_method_is_not_told_of_its_candidates():
    history = (curve_of(made_run("A", [0.3, 0.6, 0.8])), Curve("there", "x", np.array([0.5, 0.6])))
    told = Background(horizon=3, history=history)
    seen = [made_run("A", [0.3])]
    assert not_told_of(method("cl", told), seen).history == history[1:]
    plain = method("last-value", told)
    assert not_told_of(plain, seen) is plain


def test_a_history_of_which_nothing_is_left_is_told():
    judged = [made_run("A", [0.3, 0.6]), made_run("B", [0.3, 0.7])]
    history = [curve_of(one) for one in judged]
    assert nothing_left([], Origin.anywhere, [judged]) == ""
    said = nothing_left(history, Origin.other_datasets, [judged])
    assert said.startswith("history: --history-from other-datasets leaves none of its 2 curves")
    assert "from digits" in said
    assert "its 2 curves are all of models that are scored" in nothing_left(
        history, Origin.same_dataset, [judged]
    )
    assert nothing_left(history, Origin.anywhere, [[one] for one in judged]) == ""


def test_a_plain_curve_says_why_it_has_no_score(tmp_path):
    records = read_curves(written(tmp_path / "curves.jsonl", LINES))
    for name in SCORES:
        refused = method(name).estimate(records).refused
        assert set(refused) == {one.spec.model for one in records}
        assert all(why.startswith("a plain curve") for why in refused.values())
        assert "rank" not in "".join(refused.values())
    assert "no network to extract features from" in records[0].unscored["knn"]


def test_real_curves(real_data):
    records = read_curves(real_data / "curves" / "lemur_50_epochs.jsonl.gz")
    assert len(records) == 1241
    assert len({(one.spec.dataset, one.spec.model) for one in records}) == 1241
    assert {one.epochs for one in records} == {50}
    assert all(one.truth[50] == one.observations[-1].signals["validation-accuracy"]
               for one in records)  # fmt: skip


def test_a_history_teaches_those_that_are_trained_as_it_was():
    judged = made_run("mine", [0.3, 0.6])
    scratch = dataclasses.replace(
        judged.spec, model="other", candidate={"source": "other", "weights": "random"}
    )
    plain_head = dataclasses.replace(
        judged.spec,
        model="third",
        candidate={"source": "third"},
        settings=Settings(unit="classifier"),
    )
    by_steps = dataclasses.replace(
        judged.spec,
        model="fourth",
        candidate={"source": "fourth"},
        settings=Settings(observation_steps=10),
    )
    runs = [
        made_run("fifth", [0.2, 0.5]),
        *(dataclasses.replace(judged, spec=spec) for spec in (scratch, plain_head, by_steps)),
    ]
    published = Curve("elsewhere", "sixth", np.array([0.1, 0.2]))
    history = (*(curve_of(one) for one in runs), published)
    for left in (unseen(history, [judged]), without_candidates(history, [judged])):
        assert [one.model for one in left] == ["fifth", "sixth"]
    assert [one.model for one in unseen(history, [runs[1]])] == ["sixth"]
    assert len({one.protocol for one in history}) == 5
