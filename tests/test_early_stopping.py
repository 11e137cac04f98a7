"""A run with patience ends where its best epoch is that old, once and for all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ncselect.environment import environment
from ncselect.execute import Job, complete, is_wanting
from ncselect.history import curve_of
from ncselect.spec import RunSpec, Settings
from ncselect.store import RunStore
from ncselect.types import Observation, is_out_of_patience
from zoo.datasets import prepare
from zoo.models import Candidate

PATIENCE, HORIZON = 2, 12


def observed(accuracies):
    return [
        Observation(epoch, {"validation-accuracy": accuracy}, 0.0)
        for epoch, accuracy in enumerate([0.0, *accuracies])
    ]


def waited(accuracies, patience):
    """Walk through the epochs one by one, as a person at the screen would."""
    best, since = -1.0, 0
    for accuracy in accuracies:
        best, since = (accuracy, 0) if accuracy > best else (best, since + 1)
    return since >= patience


def test_a_walk_through_the_epochs_says_the_same():
    random = np.random.default_rng(0)
    said = set()
    for _ in range(300):
        accuracies = random.integers(0, 4, size=random.integers(1, 8)) / 4
        for patience in (1, 2, 3):
            answer = is_out_of_patience(observed(accuracies), patience)
            assert answer == waited(accuracies, patience)
            said.add(answer)
    assert said == {True, False}


@pytest.mark.parametrize("accuracies", [[], [0.5], [0.5] * 50])
def test_without_patience_no_run_ends_early(accuracies):
    assert not is_out_of_patience(observed(accuracies), 0)


@pytest.fixture(scope="module", autouse=True)
def _here(in_this_process):
    with in_this_process():
        yield


@pytest.fixture(scope="module")
def job(tmp_path_factory, small_network):
    """Return a run with momentum and dropout, whose accuracy comes and goes."""
    network = Candidate("small", "file", str(small_network(8, 0.2)), {}, "included")
    digits = prepare(
        "digits",
        image_size=32,
        train_size=128,
        validation_size=40,
        test_size=40,
        cache=tmp_path_factory.mktemp("cache"),
    )

    def asked(epochs, horizon=HORIZON, **settings):
        spec = RunSpec(
            model="small",
            dataset=digits.name,
            candidate=network.identity(),
            data=digits.identity(),
            environment=environment(1),
            settings=Settings(
                unit="classifier", optimizer="sgd", learning_rate=0.02, graphs="none", **settings
            ),
        )
        return Job(spec, network.to_json(), digits.to_json(), epochs, horizon)

    return asked


@pytest.fixture(scope="module")
def patient(job, tmp_path_factory):
    """Return the run that goes on to its horizon, and where the impatient one ends."""
    (record,) = complete([job(HORIZON)], RunStore(tmp_path_factory.mktemp("patient")))
    assert (record.epochs, record.has_stopped) == (HORIZON, False)
    ends = [
        epoch
        for epoch in range(HORIZON + 1)
        if is_out_of_patience(record.observations[: epoch + 1], PATIENCE)
    ]
    assert 1 + PATIENCE <= ends[0] < HORIZON
    assert len(set(record.curve("training-loss"))) == HORIZON
    return record, ends[0]


def test_a_run_out_of_patience_is_complete_with_its_truth_and_stays_so(job, patient, tmp_path):
    whole, end = patient
    store = RunStore(tmp_path)
    (first,) = complete([job(2, patience=PATIENCE)], store)
    assert (first.epochs, first.status, first.has_stopped) == (2, "partial", False)
    (ended,) = complete([job(HORIZON, patience=PATIENCE)], store)
    assert (ended.epochs, ended.status, ended.has_stopped) == (end, "complete", True)
    assert set(ended.truth) == {end}
    assert [one.signals for one in ended.observations] == [
        one.signals for one in whole.observations[: end + 1]
    ]
    assert not is_wanting(job(HORIZON, patience=PATIENCE), ended)
    (again,) = complete([job(HORIZON, patience=PATIENCE)], store)
    assert again == ended


def test_a_run_killed_before_its_truth_was_kept_goes_on_to_it(job, patient, tmp_path):
    _, end = patient
    store = RunStore(tmp_path)
    asked = job(end, end, patience=PATIENCE)  # patience is out exactly at the horizon
    (ended,) = complete([replace(asked, keep=True)], store)
    assert (ended.status, set(ended.truth)) == ("complete", {end})
    folder = store.run(asked.spec).folder
    for file in ("truth.json", "outcome.json"):
        (folder / file).unlink()
    (mended,) = complete([replace(asked, epochs=HORIZON, horizon=HORIZON)], store)
    assert (mended.status, mended.truth, mended.epochs) == ("complete", ended.truth, end)


def test_what_has_stopped_holds_its_last_values(job, patient, tmp_path):
    whole, end = patient
    (ended,) = complete([job(HORIZON, patience=PATIENCE)], RunStore(tmp_path))
    held = ended.held(HORIZON)
    assert held.epochs == HORIZON
    assert held.curve("validation-accuracy")[:end].tolist() == (
        ended.curve("validation-accuracy").tolist()
    )
    assert set(held.curve("training-loss")[end:]) == {ended.curve("training-loss")[-1]}
    assert held.truth == {end: ended.truth[end], HORIZON: ended.truth[end]}
    assert ended.observed(HORIZON).epochs == HORIZON
    assert ended.observed(2).epochs == 2
    assert whole.held(HORIZON + 3) is whole
    curve = curve_of(ended).held(HORIZON)
    assert curve.accuracy.tolist() == held.curve("validation-accuracy").tolist()
    assert len(curve_of(whole).held(HORIZON + 3).accuracy) == HORIZON
