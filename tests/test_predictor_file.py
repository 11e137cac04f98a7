"""Predictors that were saved answer as before; what else comes as one is refused, never run."""

from __future__ import annotations

import dataclasses
import io
import json
import pickle
import zipfile

import numpy as np
import pytest
import skops.io
from made_dynamics import decreed_runs
from sklearn.linear_model import LogisticRegression

from ncselect.graphs.prediction.inputs import Window, signature_inputs
from ncselect.graphs.prediction.predictor import LEARNERS, Predictor, taught
from ncselect.graphs.prediction.predictor_file import read_predictor, save_predictor
from ncselect.graphs.prediction.trajectories import gathered, run_name
from zoo.errors import InputError, UnknownNameError

DEGREES = signature_inputs("degree", form="exponential", alpha=0.3, since_start=True)


def made(count, seed=0, model="net", dataset="digits", epochs=3):
    rng = np.random.default_rng([seed, *model.encode()])
    signatures = rng.standard_normal((count, epochs + 1, 5))
    accuracy = np.clip(0.5 + 0.1 * (signatures[:, 2, 1] - signatures[:, 0, 1]), 0, 1)
    return decreed_runs(signatures, accuracy, model=model, dataset=dataset)


RUNS = made(80)
FRESH = made(30, seed=1, model="new")


def lesson(learner, window=None, runs=RUNS):
    data = gathered(runs, [DEGREES], window or Window(0, 2))
    return taught(data, DEGREES.name, learner, threshold=0.5)


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_saved_predictor_says_what_it_said(learner, tmp_path):
    fitted = lesson(learner)
    save_predictor(tmp_path / "p.skops", fitted)
    read = read_predictor(tmp_path / "p.skops")
    assert read.lesson == fitted.lesson
    said = read.predict(FRESH)
    assert said == fitted.predict(FRESH)
    high = np.array([run.truth[3] > 0.5 for run in FRESH])
    assert np.mean([one.high for one in said.predictions] == high) >= 0.75
    if learner == "linear-regression":
        accuracy = [one.accuracy for one in said.predictions]
        np.testing.assert_allclose(accuracy, [run.truth[3] for run in FRESH], atol=0.05)
    else:
        assert {one.accuracy for one in said.predictions} == {None}


def test_it_tells_what_it_has_learnt_from():
    told = lesson("svm").lesson
    assert (len(told.runs), told.architectures, told.datasets) == (80, ("net",), ("digits",))
    assert told.high == sum(run.truth[3] > 0.5 for run in RUNS)
    assert told.judged_by == {"test accuracy": 80}
    assert (told.window, told.threshold) == (Window(0, 2), 0.5)
    assert told.versions["scikit-learn"]
    assert json.dumps(dataclasses.asdict(told))


def test_what_comes_after_the_window_is_not_looked_at():
    fitted = lesson("linear-regression")
    early = [dataclasses.replace(one.observed(2), truth={}) for one in FRESH]
    assert fitted.predict(early) == fitted.predict(FRESH)
    broke = dataclasses.replace(FRESH[0], status="failed", error="nan at epoch 3")
    assert fitted.predict([broke]).predictions == fitted.predict(FRESH[:1]).predictions


def test_runs_of_another_kind_are_refused_by_name():
    elsewhere = made(1, dataset="letters")[0]
    short = FRESH[0].observed(1)
    bare = dataclasses.replace(
        FRESH[1],
        observations=tuple(
            dataclasses.replace(one, signals={"validation-accuracy": 0.5})
            for one in FRESH[1].observations
        ),
    )
    failed = dataclasses.replace(short, status="failed", error="loss is nan at epoch 2")
    failed = dataclasses.replace(failed, spec=FRESH[2].spec)
    answer = lesson("svm").predict([elsewhere, short, bare, failed, FRESH[3]])
    assert [one.run for one in answer.predictions] == [run_name(FRESH[3])]
    refused = [answer.refused[run_name(one)] for one in (elsewhere, short, bare, failed)]
    assert "on letters and the predictor has learnt from digits" in refused[0]
    assert "1 epochs were observed and the window ends with epoch 2; train the" in refused[1]
    assert "signal 'graph/rolled/degree/median' was not recorded after epoch 0" in refused[2]
    assert "the run failed: loss is nan at epoch 2" in refused[3]


def test_models_it_does_not_know_are_named():
    (note,) = lesson("svm").predict(FRESH).notes
    assert note == "not learnt from: new; the predictor knows net"
    assert lesson("svm", runs=RUNS[2:]).predict(RUNS[:2]).notes == ()


def test_runs_it_has_learnt_from_are_no_test():
    (note,) = lesson("svm", runs=RUNS[1:]).predict(RUNS[:3]).notes
    assert note == "2 of the runs were learnt from: what is said of them is no prediction"


def test_other_initial_weights_than_were_learnt_from_are_named():
    other = dataclasses.replace(RUNS[0], spec=dataclasses.replace(RUNS[0].spec, seed=7))
    (note,) = lesson("svm", runs=RUNS[2:]).predict([RUNS[1], other]).notes
    assert "all began with the weights of seed 0; do not trust it" in note
    assert "as with seed 7" in note
    another = dataclasses.replace(RUNS[1], spec=dataclasses.replace(RUNS[1].spec, seed=7))
    assert lesson("svm", runs=[*RUNS, other]).predict([another]).notes == ()


def test_no_runs_no_predictions():
    assert lesson("svm").predict([]).predictions == ()


def test_what_cannot_be_taught_is_refused():
    data = gathered(RUNS, [DEGREES], Window(0, 1))
    with pytest.raises(UnknownNameError, match="unknown inputs 'degree'"):
        taught(data, "degree", "svm", threshold=0.5)
    with pytest.raises(UnknownNameError, match="unknown learner 'forest'"):
        taught(data, DEGREES.name, "forest", threshold=0.5)
    with pytest.raises(InputError, match="80 are not, where 1 of each are needed"):
        taught(data, DEGREES.name, "svm", threshold=1.0)
    with pytest.raises(InputError, match="one network was gathered; a regression learns from 2"):
        lesson("linear-regression", runs=RUNS[:1])


class Opener:
    """What a stranger would like to have run."""

    def __reduce__(self):
        return (open, ("/tmp/never", "w"))


def changed(path, target, **changes):
    """Write a predictor's file anew with other content."""
    document = {**skops.io.load(path), **changes}
    target.write_bytes(skops.io.dumps(document))


def test_files_that_hold_anything_else_are_refused(tmp_path):
    good = tmp_path / "good.skops"
    save_predictor(good, lesson("svm"))

    def refused(content, words):
        bad = tmp_path / "bad.skops"
        bad.write_bytes(content)
        with pytest.raises(InputError, match=words):
            read_predictor(bad)

    refused(b"", "is none")
    refused(pickle.dumps(Opener()), "is none")
    refused(good.read_bytes()[:-200], "is none")
    refused(
        skops.io.dumps({"format": "another"}),
        "is none .it is not of the format 'ncselect predictor 1'",
    )
    refused(skops.io.dumps([1, 2]), "it is not of the format")
    refused(skops.io.dumps({"format": Opener}), "holds more than a predictor")
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    refused(empty.getvalue(), "is none")
    changed(good, tmp_path / "part.skops", witnesses=None, lesson="{}")
    with pytest.raises(InputError, match="is none"):
        read_predictor(tmp_path / "part.skops")
    with pytest.raises(InputError, match=r"cannot read '.*missing\.skops'.*name a file that was"):
        read_predictor(tmp_path / "missing.skops")
    with pytest.raises(InputError, match=r"cannot write '.*no/p\.skops'.*in a folder that exists"):
        save_predictor(tmp_path / "no" / "p.skops", lesson("svm"))


def test_a_predictor_that_answers_otherwise_is_refused(tmp_path):
    save_predictor(tmp_path / "p.skops", lesson("svm"))
    answers = skops.io.load(tmp_path / "p.skops")["answers"]
    changed(tmp_path / "p.skops", tmp_path / "q.skops", answers=answers + 1e-3)
    with pytest.raises(InputError, match=r"fitted with scikit-learn .* and answers otherwise with"):
        read_predictor(tmp_path / "q.skops")
    other = LogisticRegression().fit(np.eye(15), np.arange(15) > 5)
    changed(tmp_path / "p.skops", tmp_path / "r.skops", pipeline=other)
    with pytest.raises(InputError, match="answers otherwise"):
        read_predictor(tmp_path / "r.skops")


def test_the_file_is_no_pickle_and_small(tmp_path):
    path = tmp_path / "p.skops"
    save_predictor(path, lesson("mlp"))
    assert zipfile.is_zipfile(path)
    with zipfile.ZipFile(path) as archive:
        assert not [name for name in archive.namelist() if "pkl" in name or "pickle" in name]
        assert all(b"\x80\x05" not in archive.read(name)[:2] for name in archive.namelist())
    assert path.stat().st_size < 200_000
    assert isinstance(read_predictor(path), Predictor)
