"""Stored runs, sorted into pools."""

from __future__ import annotations

import dataclasses

import pytest
from made_pools import all_runs, made_pool, with_data, with_spec

from ncselect.reproduction.sorting import sorted_out
from ncselect.spec import Settings
from zoo.errors import InputError


def test_stored_runs_are_sorted_into_datasets_repeats_and_sizes():
    first, second = made_pool(reduced=(200, 400)), made_pool("svhn", repeats=1)
    found = sorted_out([*all_runs(first), *all_runs(second)][::-1], sizes=(200, 400))
    one, other = sorted(found, key=lambda each: each.dataset)
    assert (one.dataset, other.dataset) == ("cifar10", "svhn")
    assert [repeat.seed for repeat in one.repeats] == [0, 1]
    assert set(one.models) == set(first.models)
    assert list(one.reduced) == [200, 400]
    assert one.horizon == 16


def test_runs_on_fewer_images_are_of_the_same_images_in_their_order():
    made = made_pool(reduced=(200, 400))
    full = with_data(made.runs, fingerprint="a", image_shape=[32, 32, 3])
    parts = {
        size: [run for repeat in repeats for run in repeat.runs]
        for size, repeats in made.reduced.items()
    }
    good = with_data(parts[200], fingerprint="a", image_shape=[32, 32, 3])
    for wrong in (
        with_data(parts[400], fingerprint="b", image_shape=[64, 64, 3]),
        with_data(parts[400], fingerprint="a", image_shape=[32, 32, 3], in_order=False),
    ):
        (found,) = sorted_out([*full, *good, *wrong], sizes=(200, 400))
        assert list(found.reduced) == [200]


def test_of_runs_that_differ_in_threads_alone_the_first_is_taken():
    runs = all_runs(made_pool(repeats=1, models=3))
    one, two = (with_spec(runs, environment={"threads": text}) for text in "12")
    (found,) = sorted_out([*one, *two])
    assert [run.spec.environment["threads"] for run in found.runs] == ["1"] * 3


def test_two_runs_of_one_candidate_are_refused_by_what_differs():
    runs = all_runs(made_pool(repeats=1, models=3))
    other = with_spec(runs[:1], candidate={**runs[0].spec.candidate, "weights": "sha256:b"})
    with pytest.raises(InputError, match=r"differ in candidate.weights: None, sha256:b"):
        sorted_out([*runs, *other])


def test_datasets_that_end_at_different_epochs_are_refused_by_their_ends():
    longer = all_runs(made_pool("svhn", repeats=1, horizon=20, epochs=20))
    with pytest.raises(InputError, match=r"cifar10 at 16, svhn at 20; choose with --datasets"):
        sorted_out([*all_runs(made_pool(repeats=1)), *longer])


def test_a_dataset_can_be_called_by_the_papers_name():
    (found,) = sorted_out(all_runs(made_pool("cifar10_12k")), names={"cifar10_12k": "cifar10"})
    assert found.dataset == "cifar10"


def other_settings(runs):
    return [
        dataclasses.replace(
            run, spec=dataclasses.replace(run.spec, settings=Settings(batch_size=32))
        )
        for run in runs
    ]


def test_runs_of_two_protocols_are_told_apart_or_refused():
    runs = all_runs(made_pool(repeats=1))
    both = [*runs, *other_settings(runs)]
    with pytest.raises(InputError, match=r"differ in settings.batch_size: 32, 64; .*--where"):
        sorted_out(both)
    (found,) = sorted_out(both, where={"settings.batch_size": "32"})
    assert found.runs[0].spec.settings.batch_size == 32


BAD = {
    "nothing": ([], {}, "it holds no runs"),
    "value": (None, {"where": {"seed": "7"}}, r"no run has '7'; there are 0"),
    "name": (None, {"where": {"sead": "0"}}, "seed"),
    "dataset": (None, {"names": {"cifar11": "cifar10"}}, "cifar10"),
    "horizon": (None, {"horizon": 99}, "none of its 6 runs has a test accuracy at epoch 99"),
}


@pytest.mark.parametrize(("runs", "asked", "remedy"), BAD.values(), ids=list(BAD))
def test_runs_that_cannot_be_sorted_are_refused(runs, asked, remedy):
    with pytest.raises(InputError, match=remedy):
        sorted_out(all_runs(made_pool(repeats=1)) if runs is None else runs, **asked)
