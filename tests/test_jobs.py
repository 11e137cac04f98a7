"""Which candidates become runs, and why the others do not."""

from __future__ import annotations

import pytest

from ncselect.environment import environment
from ncselect.jobs import jobs_for
from ncselect.spec import Settings
from zoo.candidate import Candidate
from zoo.datasets import prepare
from zoo.errors import InputError

QUARTER = Candidate("quarter", "application", "MobileNet", {"alpha": 0.25}, "random")
HALF = Candidate("half", "application", "MobileNet", {"alpha": 0.5}, "random")


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return prepare(
        "digits", image_size=32, train_size=40, validation_size=20, test_size=20,
        cache=tmp_path_factory.mktemp("cache"),
    )  # fmt: skip


def made(candidates, dataset, epochs=2, **settings):
    return jobs_for(
        candidates, dataset, settings=Settings(**settings), environment=environment(1), seed=7,
        epochs=epochs, horizon=9, keep=True, scores=frozenset({"logme"}),
    )  # fmt: skip


def test_a_job_asks_for_what_was_asked(digits):
    (first, second), missing = made([HALF, QUARTER], digits, batch_size=32)
    assert not missing
    assert [first.spec.model, second.spec.model] == ["half", "quarter"]
    assert first.spec.candidate == HALF.identity()
    assert first.spec.data == digits.identity()
    assert (first.spec.seed, first.spec.settings.batch_size) == (7, 32)
    assert (first.epochs, first.horizon, first.keep, first.scores) == (2, 9, True, {"logme"})
    assert Candidate.from_json(first.candidate) == HALF
    assert first.spec.key != second.spec.key


def test_without_epochs_there_is_no_run(digits):
    (job,), _ = made([QUARTER], digits, epochs=0)
    assert job.epochs is None


def test_a_lost_file_costs_its_candidate_alone(digits, tmp_path):
    path = tmp_path / "gone.weights.h5"
    lost = Candidate("lost", "application", "MobileNet", {"alpha": 0.25}, str(path))
    (job,), missing = made([lost, QUARTER], digits)
    assert job.spec.model == "quarter"
    assert missing == {"lost": f"missing file {path}; correct the path or its permissions"}


def test_one_network_under_two_names_is_an_error(digits):
    twin = Candidate("twin", "application", "MobileNet", {"alpha": 0.25}, "random")
    with pytest.raises(InputError, match="'quarter' and 'twin' are the same network with the same"):
        made([QUARTER, HALF, twin], digits)
