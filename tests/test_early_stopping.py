"""A run with patience ends where its best epoch is that old, once and for all."""

from __future__ import annotations

import numpy as np
import pytest

from ncselect.environment import environment
from ncselect.execute import Job, complete, is_wanting
from ncselect.spec import RunSpec, Settings
from ncselect.store import RunStore
from ncselect.types import Observation, is_out_of_patience
from zoo.datasets import prepare
from zoo.models import Candidate

PATIENCE, HORIZON = 2, 9


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


@pytest.fixture(scope="module")
def job(tmp_path_factory, small_network):
    """Return a run so slow to learn that no epoch is better than the first."""
    network = Candidate("small", "file", str(small_network(8, 0.0)), {}, "included")
    digits = prepare(
        "digits",
        image_size=32,
        train_size=128,
        validation_size=40,
        test_size=40,
        cache=tmp_path_factory.mktemp("cache"),
    )

    def asked(epochs, **settings):
        spec = RunSpec(
            model="small",
            dataset=digits.name,
            candidate=network.identity(),
            data=digits.identity(),
            environment=environment(1),
            settings=Settings(
                unit="classifier", optimizer="sgd", momentum=0.0, learning_rate=1e-12, **settings
            ),
        )
        return Job(spec, network.to_json(), digits.to_json(), epochs, HORIZON)

    return asked


def test_a_run_out_of_patience_is_complete_with_its_truth_and_stays_so(job, tmp_path):
    store = RunStore(tmp_path)
    (first,) = complete([job(1, patience=PATIENCE)], store)
    assert (first.epochs, first.status, first.has_stopped) == (1, "partial", False)
    (ended,) = complete([job(HORIZON, patience=PATIENCE)], store)
    assert (ended.epochs, ended.status) == (1 + PATIENCE, "complete")
    assert ended.has_stopped
    assert set(ended.truth) == {1 + PATIENCE}
    assert not is_wanting(job(HORIZON, patience=PATIENCE), ended)
    (again,) = complete([job(HORIZON, patience=PATIENCE)], store)
    assert again == ended

    (patient,) = complete([job(HORIZON)], store)
    assert patient.epochs == HORIZON
    alike = [one.signals for one in patient.observations[: 2 + PATIENCE]]
    assert alike == [one.signals for one in ended.observations]
