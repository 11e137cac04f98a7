"""Arrays and Python datasets: what their numbers mean, and what is refused."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.datasets import Dataset, prepare
from zoo.errors import InputError

Prepare = Callable[..., Dataset]

rng = np.random.default_rng(0)
X = rng.integers(0, 256, (40, 6, 5, 3), dtype=np.uint8)
Y = np.arange(40) % 2


@pytest.fixture
def prepared(tmp_path: Path) -> Prepare:
    """Return ``prepare`` with a cache of its own."""
    return lambda source, **arguments: prepare(source, cache=tmp_path / "cache", **arguments)


def everything(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return all images and labels in the source's order."""
    order = np.argsort(np.concatenate(list(dataset.splits.values())))
    images = np.concatenate([dataset.images(split) for split in dataset.splits])
    labels = np.concatenate([dataset.labels(split) for split in dataset.splits])
    return images[order], labels[order]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (X, X),
        (X.astype(np.int64), X),
        (X[..., 0], np.repeat(X[..., :1], 3, axis=3)),
        (X[..., :1], np.repeat(X[..., :1], 3, axis=3)),
        (X / 255, X),
        ((X / 255).astype(np.float32), X),
        (X.astype(np.float32), X),
        (X > 127, (X > 127) * 255),
    ],
    ids=["uint8", "int64", "grey", "one channel", "0…1", "float32", "0…255", "bool"],
)
def test_values(prepared: Prepare, given: np.ndarray, expected: np.ndarray) -> None:
    dataset = prepared((given, Y.reshape(-1, 1)))
    images, labels = everything(dataset)
    np.testing.assert_array_equal(images, expected)
    np.testing.assert_array_equal(labels, Y)
    assert any("floating-point" in note for note in dataset.notes) == (given.dtype.kind == "f")


def test_keras_pairs_and_mappings_keep_their_splits(prepared: Prepare) -> None:
    pair = prepared(((X[:30], Y[:30]), (X[30:], Y[30:])))
    assert pair.identity()["counts"] == {"train": 24, "validation": 6, "test": 10}
    np.testing.assert_array_equal(pair.images("test"), X[30:])
    named = prepared({"train": (X[:20], Y[:20]), "val": (X[20:30], Y[20:30]), "test": (X, Y)})
    assert named.identity()["counts"] == {"train": 20, "validation": 10, "test": 40}


def test_labels_need_not_be_dense(prepared: Prepare) -> None:
    dataset = prepared((X, Y * 4 + 1))
    assert dataset.classes == ("1", "5")
    assert dataset.notes[0] == "classes without images left out: 0, 2, 3, 4"


def test_npz(prepared: Prepare, tmp_path: Path) -> None:
    parts = {"x_train": X[:20], "y_train": Y[:20], "x_test": X[20:30], "y_test": Y[20:30]}
    np.savez(tmp_path / "a.npz", **parts, x_val=X[30:], y_val=Y[30:])
    dataset = prepared(tmp_path / "a.npz")
    assert dataset.identity()["counts"] == {"train": 20, "validation": 10, "test": 10}
    np.testing.assert_array_equal(dataset.images("validation"), X[30:])


def test_bad_npz(prepared: Prepare, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=X)
    with pytest.raises(InputError, match=r"has no 'y_train'; it holds x_train; save x_train, y_"):
        prepared(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", images=X)
    with pytest.raises(InputError, match=r"has no 'x_train' and 'y_train'; it holds images"):
        prepared(tmp_path / "b.npz")
    (tmp_path / "c.npz").write_bytes(b"hello")
    with pytest.raises(InputError, match="cannot be read"):
        prepared(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", x_train=np.array([{}]), y_train=Y)
    with pytest.raises(InputError, match=r"cannot be read .*; save plain arrays"):
        prepared(tmp_path / "d.npz")
    with (tmp_path / "e.npz").open("wb") as file:
        np.save(file, X)
    with pytest.raises(InputError, match=r"is one array, an .npy file; save x_train, y_train"):
        prepared(tmp_path / "e.npz")


@pytest.mark.parametrize(
    ("x", "y", "text"),
    [
        (X, Y / 2, "y holds float64 values; give integers"),
        (X, np.array(["a", "b"] * 20), "y holds <U1 values; give integers"),
        (X, np.eye(2)[Y], r"y has shape \(40, 2\).* labels.argmax"),
        (X, Y - 1, "y holds the label -1"),
        (X, Y[:-1], "x has 40 images but y 39 labels; give one label per image"),
        (X, Y * 1000, "labels go up to 1,000, but there are 40 images"),
        (X, Y * 0, r"has one class \('0'\); ranking needs at least 2"),
        (X.astype(float) - 128, Y, "holds values from -128 to 127; .* undo their normalisation"),
        (X.astype(np.uint16) * 256, Y, "values from 0 to 65280; .* divide by 256"),
        (np.full_like(X, np.nan, dtype=float), Y, "holds values from nan to nan"),
        (np.moveaxis(X, 3, 1), Y, "channels first; give channels last"),
        (X.reshape(40, -1), Y, r"x has shape \(40, 90\); give images as"),
        (X[:0], Y[:0], "which is empty"),
    ],
)
def test_refused(prepared: Prepare, x: np.ndarray, y: np.ndarray, text: str) -> None:
    with pytest.raises(InputError, match=text):
        prepared((x, y))


@pytest.mark.parametrize("given", [None, 3, X, [X], {"train": None}])
def test_what_is_no_dataset(prepared: Prepare, given: Any) -> None:
    with pytest.raises(InputError, match=r"dataset is a \w+; give a name, a path, \(x, y\)"):
        prepared(given)


def test_unknown_splits(prepared: Prepare) -> None:
    with pytest.raises(InputError, match="dataset has the split 'extra' among train, extra"):
        prepared({"train": (X, Y), "extra": (X, Y)})
    with pytest.raises(InputError, match="dataset has no split 'train'"):
        prepared({"test": (X, Y)})


def test_tf_data_in_batches_and_single(prepared: Prepare) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    single = tensorflow.data.Dataset.from_tensor_slices((X / 255, Y))
    batches = tensorflow.data.Dataset.from_tensor_slices((X, Y[:, None])).batch(7)
    for given in (single, batches):
        dataset = prepared(given)
        images, labels = everything(dataset)
        np.testing.assert_array_equal(images, X)
        np.testing.assert_array_equal(labels, Y)
    again = prepared(batches)
    assert again.folder == dataset.folder  # known by its content
    assert prepared({"train": batches, "test": batches.take(3)}).count("test") == 21
    assert prepared({"train": batches, "test": batches.skip(3)}).count("test") == 19
    swapped = {"test": batches.take(3), "train": batches.skip(3)}
    same_images = {"train": batches.take(3), "test": batches.skip(3)}
    assert [prepared(given).count("test") for given in (swapped, same_images)] == [21, 19]
    with pytest.raises(InputError, match="mixes types of images; give all of them as uint8"):
        prepared({"train": batches, "test": single})
    with pytest.raises(InputError, match="yields no images"):
        prepared(batches.take(0))


def test_a_batch_of_one_grey_image_is_a_batch(prepared: Prepare) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    grey = X[..., 0]
    given = tensorflow.data.Dataset.from_tensor_slices((grey, Y)).batch(3)  # 13 threes and a one
    images, labels = everything(prepared(given))
    np.testing.assert_array_equal(images, np.repeat(grey[..., None], 3, axis=3))
    np.testing.assert_array_equal(labels, Y)


def test_what_never_ends_is_refused(prepared: Prepare) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    endless = tensorflow.data.Dataset.from_tensor_slices((X, Y)).repeat()
    with pytest.raises(InputError, match=r"never ends; remove \.repeat\(\), or add \.take"):
        prepared(endless)
    assert sum(prepared(endless.take(50)).identity()["counts"].values()) == 50


def test_a_users_own_module_named_datasets(
    prepared: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    monkeypatch.setitem(sys.modules, "datasets", types.ModuleType("datasets"))
    monkeypatch.delitem(sys.modules, "datasets.arrow_dataset", raising=False)
    given = tensorflow.data.Dataset.from_tensor_slices((X, Y))
    np.testing.assert_array_equal(everything(prepared(given))[0], X)


def test_keras_pydataset(prepared: Prepare) -> None:
    keras = pytest.importorskip("keras")

    class Sequence(keras.utils.PyDataset):
        def __len__(self) -> int:
            return 4

        def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
            return X[index::4], Y[index::4]

    dataset = prepared(Sequence())
    assert dataset.name == "Sequence"
    assert sum(dataset.identity()["counts"].values()) == 40
    np.testing.assert_array_equal(everything(dataset)[0][:10], X[0::4])


def test_hugging_face(prepared: Prepare) -> None:
    datasets = pytest.importorskip("datasets")
    from PIL import Image

    features = datasets.Features(
        {"picture": datasets.Image(), "kind": datasets.ClassLabel(names=["ant", "bee"])}
    )
    given = datasets.Dataset.from_dict(
        {"picture": [Image.fromarray(values) for values in X], "kind": Y.tolist()}, features
    )
    dataset = prepared(given)
    images, labels = everything(dataset)
    np.testing.assert_array_equal(images, X)
    np.testing.assert_array_equal(labels, Y)
    assert dataset.classes == ("ant", "bee")
    both = prepared(datasets.DatasetDict(train=given, test=given.select(range(10))))
    assert both.count("test") == 10
    with pytest.raises(InputError, match="must have one ClassLabel column, but it has none"):
        prepared(given.remove_columns("kind"))
