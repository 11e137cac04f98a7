"""Stored trainings, evaluated: the figures are those of the predictions, controls beside them."""

from __future__ import annotations

import csv
import dataclasses
import io
import json

import numpy as np
import pytest
from made_dynamics import decreed_runs, stored
from rich.console import Console
from typer.testing import CliRunner

from ncselect.cli import app
from ncselect.graph_evaluation import Question, evaluated, learnt, prediction_rows
from ncselect.graph_evaluation.chosen import all_runs, chosen_runs
from ncselect.graph_evaluation.question import controls
from ncselect.graphs.prediction.classification import classification
from ncselect.graphs.prediction.inputs import Window, signature_inputs
from ncselect.graphs.prediction.predictor_file import read_predictor, save_predictor
from ncselect.graphs.prediction.published import PublishedError, network_threshold, published_error
from ncselect.graphs.prediction.regression import regression
from ncselect.graphs.prediction.trajectories import gathered, run_name
from zoo.errors import InputError, UnknownNameError

COUNT, EPOCHS = 40, 4
SMALL = Question(
    features=("degree",), classifiers=("svm",), last_epochs=(1, 3), windows=(Window(1, 3),)
)


def runs(seed, model="LeNet5", *, telling="signature", own_seeds=True, dataset="cifar10"):
    """Return runs whose accuracy either the mean degree or the plain signals tell."""
    rng = np.random.default_rng(seed)
    accuracy = rng.permutation(np.linspace(0.05, 0.75, COUNT))
    signatures = rng.standard_normal((COUNT, EPOCHS + 1, 5))
    plain = rng.random((COUNT, EPOCHS + 1))
    if telling == "signature":
        signatures[:, 1:, 1] = 10 * accuracy[:, None]
    else:
        plain[:, 1:] = accuracy[:, None]
    made = decreed_runs(signatures, accuracy, controls=plain, model=model, dataset=dataset)
    return [
        dataclasses.replace(
            run, spec=dataclasses.replace(run.spec, seed=seed * 1000 + own_seeds * number)
        )
        for number, run in enumerate(made)
    ]


def without_graphs(run):
    """Return a run that recorded no graphs."""
    plain = [
        dataclasses.replace(
            seen, signals={k: v for k, v in seen.signals.items() if not k.startswith("graph/")}
        )
        for seen in run.observations
    ]
    return dataclasses.replace(run, observations=tuple(plain))


@pytest.fixture(scope="module")
def told_by_graphs(tmp_path_factory):
    return stored(tmp_path_factory.mktemp("graphs"), runs(1))


@pytest.fixture(scope="module")
def found(told_by_graphs):
    return evaluated([told_by_graphs], SMALL)


def printed(answer, width=100):
    console = Console(width=width, file=io.StringIO())
    console.print(answer)
    return console.file.getvalue()


def test_the_figures_are_those_of_the_predictions(found, told_by_graphs):
    records = all_runs([told_by_graphs])
    inputs = (*controls(), signature_inputs("degree"))
    level = float(np.median([run.truth[EPOCHS] for run in records]))
    expected = tuple(
        classification(
            gathered(records, inputs, Window(0, last)), threshold=level, classifiers=["svm"]
        )
        for last in (1, 3)
    )
    assert found.classifications == expected
    expected = regression(gathered(records, inputs, Window(1, 3)), threshold=level)
    assert found.regressions == (expected,)
    assert found.question.threshold == level
    assert found.dataset == "cifar10"
    assert [one.inputs for one in found.explanations] == ["rolled degree"]
    assert (found.explanations[0].first, found.explanations[0].last) == (0, 3)


@pytest.mark.parametrize("telling", ["signature", "plain"])
def test_a_difference_is_that_to_the_best_control(telling, found, tmp_path):
    if telling == "plain":
        found = evaluated([stored(tmp_path, runs(2, telling=telling))], SMALL)
    rows = found.rows()
    judged = [row for row in rows if not row["control"] and row["measure"] != "r2"]
    assert len(judged) == 3
    for row in judged:
        rivals = {
            other["inputs"]: other["value"]
            for other in rows
            if other["control"]
            and all(other[name] == row[name] for name in ("part", "last", "learner", "measure"))
        }
        assert len(rivals) == len(controls())
        best = (min if row["measure"] == "mae" else max)(rivals.values())
        assert rivals[row["best_control"]] == best
        assert row["difference"] == pytest.approx(row["value"] - best, abs=1e-12)
        assert row["difference_low"] < row["difference"] < row["difference_high"]
        better = (row["difference"] > 0) == (row["measure"] == "accuracy")
        assert better == (telling == "signature")
    assert all(row["best_control"] is None for row in rows if row["control"])


def test_the_table_says_who_was_judged_and_marks_what_is_no_chance(found):
    text = printed(found)
    assert "40 networks (40 LeNet5), 20 high and 20 low, 40 seeds, judged by test accuracy" in text
    assert "both included" in text
    assert "the paper's LeNet5, rolled degree" in text
    assert ".30" in text.split("the paper's LeNet5")[1]  # Table 4, LeNet, 1-3
    less = [line for line in text.splitlines() if line.startswith("  less the control")]
    assert len(less) == 2
    assert all("*" in line for line in less)
    assert max(map(len, printed(found, width=80).splitlines())) <= 80


def test_what_is_saved_is_what_was_found(found, tmp_path):
    written = found.save(tmp_path / "new" / "folder", command="typed")
    document = json.loads(written[0].read_text())
    assert document.pop("command") == "typed"
    assert document == json.loads(json.dumps(found.to_dict()))
    names = {path.name for path in written[1:]}
    assert names == {
        f"{name}.{suffix}"
        for name in ("classification", "importances-rolled-degree", "trajectories-rolled-degree")
        for suffix in ("svg", "png")
    }
    assert all(path.stat().st_size > 1000 for path in written)
    with pytest.raises(InputError, match="out: nothing can be written to"):
        found.save("/dev/null/folder")


def test_a_figure_shows_the_accuracies_signatures_first(found):
    (panel,) = found.figures()["classification"].panels
    assert [one.control for one in panel.series] == [False, True, True, True, True]
    shown = {one.label: one.accuracy for one in panel.series}
    for name, values in shown.items():
        assert values == tuple(
            score.accuracy.value
            for one in found.classifications
            for score in one.scores
            if score.inputs == name
        )
    titles = [panel.title for panel in found.figures()["trajectories-rolled-degree"].panels]
    assert titles == ["median", "mean", "sd", "skewness", "kurtosis"]


def test_statistics_of_both_signs_are_told_apart(found):
    one = found.explanations[0].importances[0]
    both = tuple(
        dataclasses.replace(one, signal=f"graph/unrolled-{sign}/degree/mean")
        for sign in ("positive", "negative")
    )
    explained = dataclasses.replace(found.explanations[0], inputs="unrolled", importances=both)
    figure = dataclasses.replace(found, explanations=(explained,)).figures()["importances-unrolled"]
    weights, losses = figure.panels
    for panel, measure in ((weights, one.weight), (losses, one.loss)):
        assert [bar.label for bar in panel.bars] == ["mean, positive", "mean, negative"]
        assert {bar.value for bar in panel.bars} == {measure.value}


def test_another_architecture_is_judged_by_what_these_taught(tmp_path):
    learnt_from, strange = runs(1), runs(3, "AlexNetSmall")
    low = [run for run in runs(4, "VGGSmall") if run.truth[EPOCHS] < 0.4]
    mute = [without_graphs(run) for run in runs(5, "ResNet32")]
    both = stored(tmp_path / "both", [*learnt_from, *strange, *low, *mute])
    question = dataclasses.replace(SMALL, threshold=0.4, windows=())
    found = evaluated([both], question, judge_on=[both], where={"candidate.source": "LeNet5"})
    assert [one.last for one in found.transfers] == [1, 3]
    for one in found.transfers:
        assert one.learnt.architectures == {"LeNet5": COUNT}
        assert one.judged.architectures == {"AlexNetSmall": COUNT}
        by_name = {score.inputs: score.accuracy.value for score in one.scores}
        assert by_name["rolled degree"] > 0.85
        assert all(by_name[name.name] < 0.75 for name in controls())
    assert found.regressions == ()
    assert set(found.unjudged) == {"VGGSmall", "ResNet32"}
    assert found.unjudged["ResNet32"].startswith("none of its networks: ")
    text = printed(found)
    assert "AlexNetSmall by SVM taught by LeNet5" in text
    assert "VGGSmall was not judged: 0 networks are above the threshold 0.4" in text
    assert "transfer-AlexNetSmall" in found.figures()
    assert {row["judged"] for row in found.rows() if row["part"] == "transfer"} == {"AlexNetSmall"}


def test_what_a_reader_should_know_is_noted(tmp_path):
    shared = runs(1, own_seeds=False)
    unfinished = [
        dataclasses.replace(run, status="partial", truth={}, observations=run.observations[:3])
        for run in runs(5)[:4]
    ]
    patient = dataclasses.replace(
        shared[0].spec, settings=dataclasses.replace(shared[0].spec.settings, patience=3)
    )
    failed = dataclasses.replace(
        shared[1], status="failed", error="diverged at epoch 3: loss is nan", truth={}
    )
    records = [dataclasses.replace(shared[0], spec=patient), failed, *shared[2:], *unfinished]
    store = stored(tmp_path, records)
    question = dataclasses.replace(SMALL, windows=(), last_epochs=(2,))
    found = evaluated([store], question)
    differ, absent, start = found.notes
    assert differ.startswith("The runs of LeNet5 differ in settings.patience; choose with --where")
    assert absent == "4 runs have not ended; they are absent here."
    assert start.startswith("Networks of LeNet5 share their initial weights with others")
    assert "Left out: 1: the run failed: diverged." in printed(found, width=200)
    low = evaluated([store], dataclasses.replace(question, diverged="low"))
    judged = low.classifications[0].population
    assert judged.judged_by == {"test accuracy": 39, "chance, the run having diverged": 1}
    assert (judged.networks, judged.left_out) == (40, {})


def test_networks_that_repeat_others_are_noted(tmp_path):
    once = runs(1)
    again = [
        dataclasses.replace(run, spec=dataclasses.replace(run.spec, seed=run.spec.seed + 1000))
        for run in once[:3]
    ]
    store = stored(tmp_path, [*once, *again])
    found = evaluated([store], dataclasses.replace(SMALL, windows=(), last_epochs=(2,)))
    assert found.notes == (
        "3 networks repeat another with another seed: none is judged by what its repeats taught.",
    )


def test_runs_are_chosen_by_their_values_and_compared_on_one_dataset(told_by_graphs, tmp_path):
    digits = stored(tmp_path, [*runs(6, dataset="digits"), *runs(7, "AlexNetSmall")])
    with pytest.raises(InputError, match="the runs are on cifar10, digits, whose accuracies do"):
        chosen_runs([digits])
    chosen = chosen_runs([digits], {"dataset": "digits"})
    assert (len(chosen.records), chosen.unfinished, chosen.dataset) == (COUNT, 0, "digits")
    twice = chosen_runs([told_by_graphs, told_by_graphs])
    assert len(twice.records) == COUNT
    with pytest.raises(InputError, match="no run has dataset=mnist; there are cifar10, digits"):
        chosen_runs([digits], {"dataset": "mnist"})
    with pytest.raises(UnknownNameError, match=r"Did you mean settings\.learning_rate"):
        chosen_runs([digits], {"settings.learningrate": "0.1"})
    with pytest.raises(InputError, match="there are no runs in"):
        chosen_runs([tmp_path / "gone"])
    with pytest.raises(InputError, match=r"no run in .* has ended, and 0 have not"):
        chosen_runs([told_by_graphs], besides=twice.records)


def test_windows_that_no_run_reaches_are_refused_and_by_default_left_out(told_by_graphs):
    records = chosen_runs([told_by_graphs]).records
    default = Question()
    assert [one.last for one in default.windows_from_start(records)] == [1, 2, 3, 4]
    assert default.windows_of_regression(records) == (Window(0, 2), Window(1, 3))
    for question, words in (
        (Question(last_epochs=(2, 5)), "last epoch: 5 came, and the longest run has 4 epochs"),
        (Question(last_epochs=(2,), windows=(Window(3, 7),)), "window: 7 came"),
    ):
        with pytest.raises(InputError, match=words):
            evaluated([told_by_graphs], question)


def test_thresholds_of_the_paper():
    # Table 2: CIFAR-10 40 for all, ImageNet LeNet 9 and AlexNet 10. Table 4: VGG, 5-7.
    assert network_threshold("imagenet", "LeNet5") == 0.09
    assert published_error("cifar10", "VGGSmall", "5-7") == PublishedError(6.87, 0.94)
    assert published_error("cifar10", "ResNet44", "0-2") == PublishedError(19.84, 0.60)
    assert published_error("digits", "LeNet5", "0-2") is None
    assert published_error("cifar10", "LeNet5", "0-9") is None
    question = Question(threshold="paper")

    def data(*records):
        return gathered(records, [signature_inputs("degree")], Window(0, 1))

    assert question.level(data(*runs(1), *runs(2, "AlexNetSmall"))) == 0.4
    both = data(*runs(1, dataset="imagenet"), *runs(2, "AlexNetSmall", dataset="imagenet"))
    with pytest.raises(InputError, match=r"the paper's are 0\.09, 0\.1 for these networks"):
        question.level(both)
    with pytest.raises(UnknownNameError, match="or 'median' as the threshold"):
        question.level(data(*runs(1, dataset="digits")))


def test_a_predictor_learnt_from_a_store_says_what_others_come_to(told_by_graphs, tmp_path):
    fresh = runs(8)
    young = dataclasses.replace(
        fresh[0], status="partial", truth={}, observations=fresh[0].observations[:4]
    )
    younger = dataclasses.replace(
        fresh[1], status="partial", truth={}, observations=fresh[1].observations[:2]
    )
    store = stored(tmp_path / "fresh", [young, younger, *fresh[2:]])
    question = Question(features=("degree",), threshold=0.4)
    for learner in ("linear-regression", "svm", "mlp"):
        predictor = learnt([told_by_graphs], question, window=Window(2, 3), learner=learner)
        save_predictor(tmp_path / "p.skops", predictor)
        rows, said = prediction_rows([store], read_predictor(tmp_path / "p.skops"))
        assert list(said.refused) == [run_name(younger)]
        assert len(rows) == COUNT - 1
        by_run = {f"{row['model']} [{row['key']}]": row for row in rows}
        assert by_run[run_name(young)]["accuracy"] is None
        assert by_run[run_name(young)]["true class"] is None
        for run in fresh[2:]:
            row, final = by_run[run_name(run)], run.truth[EPOCHS]
            assert row["accuracy"] == final
            assert row["true class"] == ("high" if final > 0.4 else "low")
            if learner == "linear-regression":
                assert row["predicted"] == pytest.approx(final, abs=0.02)
                assert row["class"] == ("high" if row["predicted"] > 0.4 else "low")
            else:
                assert row["predicted"] is None
            if learner == "mlp":
                assert (row["class"] == "high") == (row["probability"] > 0.5)
                assert 0 <= row["probability"] <= 1
            else:
                assert row["probability"] is None
            assert not row["learnt"]
        right = np.mean([row["class"] == row["true class"] for row in rows if row["true class"]])
        assert right > 0.85
    rows, said = prediction_rows([told_by_graphs], predictor)
    assert all(row["learnt"] for row in rows)
    assert said.notes == ("40 of the runs were learnt from: what is said of them is no prediction",)
    with pytest.raises(InputError, match="2 kinds of signatures came; a predictor is told one"):
        learnt([told_by_graphs], Question(), window=Window(0, 1), learner="svm")


def test_the_command_line_evaluates_learns_and_predicts(told_by_graphs, command_line, tmp_path):
    done = command_line(
        "graph", "evaluate", told_by_graphs, "--feature", "degree", "--classifier", "svm",
        "--epochs", "2", "--windows", "0-2", "--out", "out", "--format", "csv",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {(row["part"], row["last"]) for row in rows} == {
        ("classification", "2"), ("regression", "2"),
    }  # fmt: skip
    document = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert [row["value"] for row in document["rows"]] == [float(row["value"]) for row in rows]
    assert "graph evaluate" in document["command"]
    done = command_line("graph", "learn", told_by_graphs, "--window", "0-3", "--out", "p.skops")
    assert done.returncode == 0, done.stderr
    asked = ("graph", "predict", told_by_graphs, "--predictor")
    done = command_line(*asked, "p.skops", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["predictions"]) == COUNT
    done = command_line(*asked, "gone.skops")
    assert done.returncode == 2
    assert "name a file that was saved" in done.stderr


BAD = {
    "threshold": (("--threshold", "high"), "give an accuracy such as 0.4"),
    "window": (("--windows", "0to2"), "give FIRST-LAST"),
    "feature": (("--feature", "degrees"), "Did you mean degree"),
    "kind": (("--kind", "unrolled"), "was not recorded"),
    "classifier": (("--classifier", "svn"), "Did you mean svm"),
    "diverged": (("--diverged", "high"), "left-out"),
    "none": (("--form", ","), "give names separated by commas"),
}


@pytest.mark.parametrize(("options", "remedy"), BAD.values(), ids=list(BAD))
def test_bad_options_say_the_remedy(options, remedy, told_by_graphs):
    done = CliRunner().invoke(app, ["graph", "evaluate", str(told_by_graphs), *options])
    assert isinstance(done.exception, InputError)  # which the program answers with exit code 2
    assert remedy in str(done.exception)
    assert done.output == ""
