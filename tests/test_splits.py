"""Splits are exact in size, stratified, seeded and disjoint."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.errors import InputError
from zoo.splits import SplitError, SplitRequest, split, stratified

CLASSES = ("ant", "bee", "cat")


def labelled(*counts: int) -> np.ndarray:
    return np.random.default_rng(5).permutation(np.repeat(np.arange(len(counts)), counts))


def unsplit(labels: np.ndarray) -> np.ndarray:
    return np.full(len(labels), -1, dtype=np.int8)


def test_shares_are_hamiltons() -> None:
    # Quotas of 10 seats for 53, 24, 23: 5.3, 2.4, 2.3; the tenth seat goes to the remainder .4.
    labels = labelled(53, 24, 23)
    chosen = stratified(labels, 10, np.random.default_rng(0))
    assert np.bincount(labels[chosen]).tolist() == [5, 3, 2]
    assert (np.diff(chosen) > 0).all()


def test_every_class_gets_an_image_and_keeps_one_back() -> None:
    labels = labelled(500, 2, 2)
    rng = np.random.default_rng(0)
    chosen = stratified(labels, 20, rng, least=1, reserve=1)
    assert np.bincount(labels[chosen]).tolist() == [18, 1, 1]
    everything = stratified(labels, 504, rng)
    assert everything.tolist() == list(range(504))


@pytest.mark.parametrize("size", [2, 502])
def test_impossible_sizes_raise(size: int) -> None:
    with pytest.raises(ValueError, match="cannot choose"):
        stratified(labelled(500, 2, 2), size, np.random.default_rng(0), least=1, reserve=1)


def test_shares_off_by_less_than_one_image_over_random_counts() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        counts = rng.integers(1, 60, size=rng.integers(2, 9))
        labels = labelled(*counts)
        size = int(rng.integers(0, counts.sum() + 1))
        got = np.bincount(labels[stratified(labels, size, rng)], minlength=len(counts))
        assert got.sum() == size
        assert np.abs(got - size * counts / counts.sum()).max() < 1


def test_default_takes_a_fifth_twice() -> None:
    labels = labelled(100, 60, 40)
    splits, notes = split(labels, unsplit(labels), CLASSES, SplitRequest())
    assert {name: len(part) for name, part in splits.items()} == {
        "train": 128,
        "validation": 32,
        "test": 40,
    }
    assert np.bincount(labels[splits["test"]]).tolist() == [20, 12, 8]
    together = np.concatenate(list(splits.values()))
    assert sorted(together.tolist()) == list(range(200))
    assert notes == (
        "test: 40 of 200 images split off (20%, stratified, seed 0)",
        "validation: 32 of 160 images split off (20%, stratified, seed 0)",
    )


def test_the_seed_decides_and_the_test_set_ignores_other_sizes() -> None:
    labels = labelled(100, 60, 40)

    def test_set(**request: int) -> list[int]:
        return split(labels, unsplit(labels), CLASSES, SplitRequest(**request))[0]["test"].tolist()

    assert test_set() == test_set(validation=50, train=30)
    assert test_set() != test_set(seed=1)


def test_original_splits_stay() -> None:
    labels = labelled(40, 30, 30)
    origins = np.arange(100, dtype=np.int8) // 40  # 40 train, 40 validation, 20 test
    splits, notes = split(labels, origins, CLASSES, SplitRequest())
    for number, name in enumerate(("train", "validation", "test")):
        assert splits[name].tolist() == np.flatnonzero(origins == number).tolist()
    assert notes == ()


def test_sizes_take_a_stratified_part_of_original_splits() -> None:
    labels = np.tile([0, 0, 1, 2], 50)
    origins = (np.arange(200) // 100 * 2).astype(np.int8)  # 100 train, 100 test
    request = SplitRequest(train=40, validation=20, test=12)
    splits, notes = split(labels, origins, CLASSES, request)
    assert [np.bincount(labels[splits[name]]).tolist() for name in splits] == [
        [20, 10, 10],
        [10, 5, 5],
        [6, 3, 3],
    ]
    assert (origins[splits["test"]] == 2).all()
    assert (origins[splits["train"]] == 0).all()
    assert (origins[splits["validation"]] == 0).all()
    assert not set(splits["train"].tolist()) & set(splits["validation"].tolist())
    assert notes == ()


def test_an_own_validation_split_without_a_test_split() -> None:
    labels = np.tile([0, 1, 2], 20)
    origins = (np.arange(60) // 30).astype(np.int8)  # 30 train, 30 validation
    splits, _ = split(labels, origins, CLASSES, SplitRequest())
    assert {name: len(part) for name, part in splits.items()} == {
        "train": 24,
        "validation": 30,
        "test": 6,
    }


def test_fifteen_thousand_where_the_paper_did_if_there_are_enough() -> None:
    for available, taken in ((50_000, 15_000), (5_994, 1_199)):
        labels = np.arange(available) % 3
        request = SplitRequest(paper_validation=15_000)
        origins = np.zeros(available + 30, dtype=np.int8)
        origins[available:] = 2
        splits, notes = split(np.append(labels, [0, 1, 2] * 10), origins, CLASSES, request)
        assert len(splits["validation"]) == taken
        assert ("as in the paper" in notes[0]) == (taken == 15_000)


def test_too_large_sizes_say_what_is_available() -> None:
    labels = labelled(100, 60, 40)
    with pytest.raises(InputError, match=r"train_size is 129, but only 128 images are available"):
        split(labels, unsplit(labels), CLASSES, SplitRequest(train=129))
    with pytest.raises(InputError, match=r"test_size is 195, but only 194 .* --test-size 194"):
        split(labels, unsplit(labels), CLASSES, SplitRequest(test=195))


def test_sizes_below_the_number_of_classes_are_refused() -> None:
    labels = labelled(100, 60, 40)
    with pytest.raises(InputError, match="validation_size is 2, but there are 3 classes"):
        split(labels, unsplit(labels), CLASSES, SplitRequest(validation=2))


def test_three_images_are_too_few() -> None:
    with pytest.raises(InputError, match=r"too few images of ant \(2\), bee \(1\): .*add images"):
        split(np.array([0, 0, 1]), unsplit(np.zeros(3)), ("ant", "bee"), SplitRequest())


def test_three_images_a_class_are_enough() -> None:
    labels = labelled(3, 3)
    splits, _ = split(labels, unsplit(labels), ("ant", "bee"), SplitRequest())
    assert all(sorted(labels[part].tolist()) == [0, 1] for part in splits.values())


def test_a_class_that_is_only_tested_is_refused_and_one_that_is_not_is_noted() -> None:
    labels = np.array([0, 0, 1, 1, 0, 2])
    origins = np.array([0, 0, 0, 0, 2, 2], dtype=np.int8)
    with pytest.raises(InputError, match="no training image of: cat; spell class names alike"):
        split(labels, origins, CLASSES, SplitRequest())
    _, notes = split(labels[:5], origins[:5], CLASSES[:2], SplitRequest())
    assert notes[0] == "the dataset's own test split has no image of: bee"


def test_in_order_takes_the_first_and_the_last_of_the_training_images() -> None:
    labels = labelled(100, 60, 40)
    origins = np.zeros(200, dtype=np.int8)
    origins[50:70] = 2  # tests in the middle
    splits, _ = split(
        labels, origins, CLASSES, SplitRequest(train=60, validation=30, in_order=True)
    )
    assert splits["train"].tolist() == [*range(50), *range(70, 80)]
    assert splits["validation"].tolist() == list(range(170, 200))
    assert splits["test"].tolist() == list(range(50, 70))


def test_in_order_splits_a_test_set_off_first_the_same_for_all_sizes() -> None:
    labels = labelled(100, 60, 40)
    tests = [
        split(
            labels,
            unsplit(labels),
            CLASSES,
            SplitRequest(train=size, validation=20, test=30, in_order=True),
        )[0]["test"].tolist()
        for size in (40, 90)
    ]
    assert tests[0] == tests[1]
    assert len(tests[0]) == 30


@pytest.mark.parametrize(
    ("request_", "remedy"),
    [
        (SplitRequest(train=60, in_order=True), "it needs train_size and validation_size"),
        (SplitRequest(train=150, validation=80, in_order=True), "make one of them smaller"),
    ],
)
def test_in_order_needs_sizes_that_fit(request_: SplitRequest, remedy: str) -> None:
    labels = labelled(100, 60, 40)
    with pytest.raises(InputError, match=remedy):
        split(labels, np.zeros(200, dtype=np.int8), CLASSES, request_)


def test_what_cannot_be_split_is_told_apart_from_the_remedy() -> None:
    labels = np.resize(np.arange(len(CLASSES)), 30)
    with pytest.raises(SplitError) as refused:
        split(labels, np.full(30, -1, dtype=np.int8), CLASSES, SplitRequest(test=500))
    assert refused.value.what.startswith("test_size is 500, but only ")
    assert str(refused.value).startswith(f"{refused.value.what}; give --test-size ")


def test_in_order_refuses_images_that_are_sorted_by_class() -> None:
    labels = np.repeat(np.arange(3), 50)
    with pytest.raises(InputError, match=r"first 60 images hold none of cat: .* sorted by class"):
        split(
            labels,
            np.zeros(150, dtype=np.int8),
            CLASSES,
            SplitRequest(train=60, validation=60, in_order=True),
        )
