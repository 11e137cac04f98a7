"""Datasets: prepared once, the same in every process, split as asked, refused with a remedy."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_images import counts, files, folder_of, pattern, png, tar_of, zip_of

import zoo.prepared
from zoo.datasets import DATASETS, Dataset, prepare
from zoo.errors import InputError, UnknownNameError

Prepare = Callable[..., Dataset]


@pytest.fixture
def prepared(tmp_path: Path) -> Prepare:
    """Return ``prepare`` with a cache of its own."""
    return lambda source, **arguments: prepare(source, cache=tmp_path / "cache", **arguments)


def test_digits_are_scikit_learns(prepared: Prepare) -> None:
    from sklearn.datasets import load_digits

    dataset = prepared("digits")
    assert (dataset.name, dataset.image_shape, len(dataset.classes)) == ("digits", (8, 8, 3), 10)
    assert sum(counts(dataset)) == DATASETS["digits"].train == 1797
    values, labels = load_digits(return_X_y=True)
    for split, indices in dataset.splits.items():
        np.testing.assert_array_equal(dataset.labels(split), labels[indices])
        expected = values[indices].reshape(-1, 8, 8, 1) * 255 / 16
        assert np.abs(dataset.images(split) - expected).max() <= 0.5


@pytest.mark.parametrize("kind", ["folder", "tar", "tar.gz", "zip"])
def test_class_folders_in_every_wrapping(prepared: Prepare, tmp_path: Path, kind: str) -> None:
    contents = {f"insects/{name}": data for name, data in files().items()}
    contents |= {"insects/README.txt": b"hello", "insects/ant/.DS_Store": b"x"}
    path = {
        "folder": lambda: folder_of(tmp_path / "images", contents),
        "tar": lambda: tar_of(tmp_path / "images.tar", contents),
        "tar.gz": lambda: tar_of(tmp_path / "images.tar.gz", contents, "w:gz"),
        "zip": lambda: zip_of(tmp_path / "images.zip", contents),
    }[kind]()
    dataset = prepared(path)
    assert (dataset.name, dataset.classes) == ("images", ("ant", "bee"))
    assert dataset.image_shape == (12, 12, 3)
    assert counts(dataset) == [8, 2, 2]
    seen = set()
    for split in dataset.splits:
        for image, label in zip(dataset.images(split), dataset.labels(split), strict=True):
            np.testing.assert_array_equal(image, pattern(label, image[0, 0, 1]))
            seen.add((int(label), int(image[0, 0, 1])))
    assert len(seen) == 12
    assert dataset.notes[0] == "files that are not images ignored: .txt (1), .DS_Store (1)"


def test_all_wrappings_have_the_same_fingerprint(prepared: Prepare, tmp_path: Path) -> None:
    contents = files(("train/", "valid/", "test/"))
    same = {
        prepared(path).fingerprint
        for path in (
            folder_of(tmp_path / "images", dict(reversed(contents.items()))),
            tar_of(tmp_path / "images.tar", dict(sorted(contents.items()))),
            zip_of(tmp_path / "images.zip", dict(sorted(contents.items()))),
        )
    }
    assert len(same) == 1


def test_split_folders_stay_and_strangers_beside_them_are_noted(
    prepared: Prepare, tmp_path: Path
) -> None:
    contents = files(("Train/", "val/", "TEST/"), 5)
    contents["images to predict/1.png"] = png(pattern(0, 0))
    dataset = prepared(folder_of(tmp_path / "birds", contents))
    assert dataset.classes == ("ant", "bee")
    assert counts(dataset) == [10, 10, 10]
    assert dataset.notes == ("images outside the class folders ignored: images to predict (1)",)


def test_train_and_test_folders_without_validation(prepared: Prepare, tmp_path: Path) -> None:
    dataset = prepared(folder_of(tmp_path / "x", files(("train/", "test/"), 10)))
    assert counts(dataset) == [16, 4, 20]


def test_a_class_called_train_is_a_class(prepared: Prepare, tmp_path: Path) -> None:
    contents = {
        f"{name}/{number}.png": png(pattern(0, number))
        for name in ("train", "car", "plane")
        for number in range(5)
    }
    assert prepared(folder_of(tmp_path / "x", contents)).classes == ("car", "plane", "train")


def test_deeper_folders_belong_to_their_class_and_empty_ones_are_noted(
    prepared: Prepare, tmp_path: Path
) -> None:
    contents = files() | {"ant/deep/er/1.png": png(pattern(0, 99))}
    root = folder_of(tmp_path / "x", contents)
    (root / "cat").mkdir()
    (root / ".ipynb_checkpoints").mkdir()
    (root / "ant" / "loop").symlink_to(root)
    dataset = prepared(root)
    assert dataset.classes == ("ant", "bee")
    assert sum(counts(dataset)) == 13
    assert dataset.notes[0] == "classes without images left out: cat"


def test_sizes(prepared: Prepare, tmp_path: Path) -> None:
    mixed = files() | {"ant/wide.png": png(np.zeros((10, 30, 3), dtype=np.uint8))}
    root = folder_of(tmp_path / "mixed", mixed)
    dataset = prepared(root)
    assert dataset.image_shape == (224, 224, 3)
    assert dataset.notes[0] == "images resized from mixed sizes to 224×224"
    assert prepared(root, image_size=16).image_shape == (16, 16, 3)
    flat = {f"{name}/{i}.png": png(np.zeros((10, 30, 3), np.uint8)) for name in "ab" for i in "123"}
    assert prepared(folder_of(tmp_path / "flat", flat)).image_shape == (10, 30, 3)
    large = {name: png(pattern(0, 0, 225)) for name in flat}
    dataset = prepared(folder_of(tmp_path / "large", large))
    assert dataset.notes[0] == "images resized from 225×225 to 224×224"


def test_prepared_once_and_again_when_a_file_changes(prepared: Prepare, tmp_path: Path) -> None:
    root = folder_of(tmp_path / "x", files())
    calls: list[tuple[int, int | None]] = []

    def seen(done: int, total: int | None) -> None:
        calls.append((done, total))

    first = prepared(root, progress=seen)
    assert calls == [(12, 12)]
    again = prepared(root, progress=seen, split_seed=3)
    assert len(calls) == 1
    assert again.fingerprint == first.fingerprint
    assert again.identity()["splits"] != first.identity()["splits"]
    (root / "ant" / "0.png").write_bytes(png(pattern(0, 77)))
    changed = prepared(root, progress=seen)
    assert len(calls) == 2
    assert changed.fingerprint != first.fingerprint


def test_another_process_opens_the_same(prepared: Prepare, tmp_path: Path) -> None:
    dataset = prepared("digits", train_size=100, split_seed=4)
    code = (
        "import json, sys; from zoo.datasets import Dataset\n"
        "d = Dataset.from_json(json.load(sys.stdin))\n"
        "heavy = [m for m in ('tensorflow', 'keras', 'jax', 'sklearn') if m in sys.modules]\n"
        "print(json.dumps([d.identity(), d.images('train').sum().item(), heavy]))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(dataset.to_json()),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(zoo.prepared.__file__).parents[1])},
    )
    assert json.loads(answer.stdout) == [
        dataset.identity(),
        int(dataset.images("train").sum()),
        [],
    ]


def test_reading_from_the_file_equals_reading_from_memory(
    prepared: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = prepared("digits")
    positions = np.array([5, 0, 5, 700])
    expected = dataset.images("train", positions)
    np.testing.assert_array_equal(expected, dataset.images("train")[positions])
    monkeypatch.setattr(zoo.prepared, "IN_MEMORY_BYTES", 0)
    streamed = prepared("digits")
    np.testing.assert_array_equal(streamed.images("train", positions), expected)
    assert "_all_images" in vars(streamed)
    assert streamed._all_images is None


def test_probe_positions_are_stratified_and_fixed(prepared: Prepare) -> None:
    dataset = prepared("digits")
    chosen = dataset.stratified("train", 512, seed=0)
    np.testing.assert_array_equal(chosen, dataset.stratified("train", 512, seed=0))
    labels = dataset.labels("train")
    share = 512 * np.bincount(labels) / len(labels)
    assert np.abs(np.bincount(labels[chosen]) - share).max() < 1
    assert len(dataset.stratified("validation", 10_000, seed=0)) == dataset.count("validation")
    with pytest.raises(InputError, match="split is 'dev'; give train or validation or test"):
        dataset.labels("dev")


def test_prepared_images_that_are_gone_or_changed(prepared: Prepare) -> None:
    dataset = prepared("digits")
    document = dataset.to_json()
    with pytest.raises(InputError, match="have changed"):
        Dataset.from_json({**document, "identity": {}})
    with pytest.raises(InputError, match=r"are no longer in .* start the command again"):
        Dataset.from_json({**document, "folder": document["folder"] + "-gone"})


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_corrupt_files_are_all_named_and_can_be_skipped(
    prepared: Prepare, tmp_path: Path, kind: str
) -> None:
    whole = png(np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8))
    contents = files(count=40) | {"ant/cut.png": whole[:200], "bee/text.jpg": b"hello"}
    if kind == "folder":
        path = folder_of(tmp_path / "x", contents)
    else:
        path = tar_of(tmp_path / "x.tar", contents)
    with pytest.raises(InputError) as caught:
        prepared(path)
    text = str(caught.value)
    assert text.startswith("2 corrupt files in x: ant/cut.png (")
    assert "bee/text.jpg (not an image in any known format)" in text
    assert "--skip-corrupt" in text
    dataset = prepared(path, skip_corrupt=True)
    assert sum(counts(dataset)) == 80
    assert dataset.notes[0].startswith("2 corrupt files skipped: ant/cut.png (")


def test_an_error_names_all_corrupt_files_and_a_note_some(
    prepared: Prepare, tmp_path: Path
) -> None:
    bad = [f"ant/bad{number:02}.jpg" for number in range(25)]
    root = folder_of(tmp_path / "x", files() | dict.fromkeys(bad, b"x"))
    with pytest.raises(InputError, match="25 corrupt files") as caught:
        prepared(root)
    assert all(name in str(caught.value) for name in bad)
    assert "bad19.jpg (not an image in any known format) and 5 more" in "".join(
        prepared(root, skip_corrupt=True).notes
    )


def test_images_that_cannot_be_opened_are_corrupt(prepared: Prepare, tmp_path: Path) -> None:
    root = folder_of(tmp_path / "x", files())
    (root / "ant" / "gone.jpg").symlink_to("nowhere.jpg")
    (root / "ant" / "loop.jpg").symlink_to("loop.jpg")
    os.mkfifo(root / "bee" / "pipe.jpg")
    (root / "bee" / "secret.jpg").write_bytes(png(pattern(1, 1)))
    (root / "bee" / "secret.jpg").chmod(0)
    expected = [
        "ant/gone.jpg (No such file or directory)",
        "ant/loop.jpg (Too many levels of symbolic links)",
        "bee/pipe.jpg (not a plain file)",
    ]
    if os.geteuid() != 0:  # root may read everything
        expected.append("bee/secret.jpg (Permission denied)")
    with pytest.raises(InputError) as caught:
        prepared(root)
    assert f"{len(expected)} corrupt files in x: {', '.join(expected)};" in str(caught.value)
    dataset = prepared(root, skip_corrupt=True)
    assert sum(counts(dataset)) == 16 - len(expected)
    (root / "ant" / "nowhere.jpg").write_bytes(png(pattern(0, 50)))
    assert sum(counts(prepared(root, skip_corrupt=True))) == 18 - len(expected)


def test_names_that_are_not_utf8(prepared: Prepare, tmp_path: Path) -> None:
    cafe = os.fsdecode(b"caf\xe9")
    contents = {name.replace("ant", cafe): data for name, data in files().items()}
    contents |= {f"{cafe}/bad.png": b"x"}
    for path in (
        folder_of(tmp_path / cafe, contents),
        tar_of(tmp_path / f"{cafe}.tar", contents),
    ):
        dataset = prepared(path, skip_corrupt=True)
        assert (dataset.name, dataset.classes) == ("caf\\xe9", ("bee", "caf\\xe9"))
        assert "caf\\xe9/bad.png" in dataset.notes[0]
        assert sum(counts(dataset)) == 12


@pytest.mark.parametrize("kind", ["folder", "tar", "zip"])
def test_hidden_files_are_no_images(prepared: Prepare, tmp_path: Path, kind: str) -> None:
    contents = files() | {"ant/._0.png": b"resource fork", "bee/.1.png": png(pattern(1, 1))}
    wrapped = {"folder": folder_of, "tar": tar_of, "zip": zip_of}[kind]
    dataset = prepared(wrapped(tmp_path / "x", contents))
    assert sum(counts(dataset)) == 12
    assert dataset.notes[0] == "files that are not images ignored: .*.png (2)"


@pytest.mark.parametrize("place", ["", "insects/"])
def test_loose_images_above_the_classes_are_noted(
    prepared: Prepare, tmp_path: Path, place: str
) -> None:
    contents = {f"{place}loose.png": png(pattern(0, 0))}
    contents |= {f"insects/{name}": data for name, data in files().items()}
    dataset = prepared(folder_of(tmp_path / "x", contents))
    assert dataset.classes == ("ant", "bee")
    where = place.strip("/") or "the top folder"
    assert dataset.notes[0] == f"images outside the class folders ignored: {where} (1)"


def test_known_names_in_any_case_and_before_a_folder_of_that_name(
    prepared: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert prepared("Digits").name == "digits"
    folder_of(tmp_path / "digits", files())
    dataset = prepared("digits")
    assert sum(counts(dataset)) == 1797
    assert dataset.notes[0] == "this is the known dataset digits; give ./digits for what lies here"
    assert Dataset.from_json(dataset.to_json()).identity() == dataset.identity()
    assert prepared("./digits").classes == ("ant", "bee")


def test_what_is_not_there(prepared: Prepare, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown dataset 'cifar1O'. Did you mean cifar10"):
        prepared("cifar1O")
    with pytest.raises(InputError, match=r"there is no file or folder '.*/none\.tar'"):
        prepared(str(tmp_path / "none.tar"))
    with pytest.raises(InputError, match="holds no images; give a folder with one folder"):
        prepared(folder_of(tmp_path / "empty", {"ant/readme.txt": b""}))


def test_too_little(prepared: Prepare, tmp_path: Path) -> None:
    one = {name: data for name, data in files().items() if name.startswith("ant")}
    with pytest.raises(InputError, match=r"x has one class \('ant'\); ranking needs at least 2"):
        prepared(folder_of(tmp_path / "x", one))
    loose = {name.split("/")[1]: data for name, data in one.items()}
    with pytest.raises(InputError, match="holds images but no class folders; move the images"):
        prepared(folder_of(tmp_path / "loose", loose))
    three = {"ant/1.png": png(pattern(0, 1)), "ant/2.png": png(pattern(0, 2))}
    three["bee/1.png"] = png(pattern(1, 1))
    with pytest.raises(InputError, match=r"too few images of ant \(2\), bee \(1\)"):
        prepared(folder_of(tmp_path / "three", three))


@pytest.mark.parametrize(
    "arguments", [{"image_size": 0}, {"train_size": -1}, {"test_size": 2.5}, {"split_seed": -1}]
)
def test_numbers_that_make_no_sense(prepared: Prepare, arguments: dict[str, int]) -> None:
    (name,) = arguments
    with pytest.raises(InputError, match=f"{name} is .*; give a whole number of at least"):
        prepared("digits", **arguments)


def idx(values: np.ndarray) -> bytes:
    """Write the idx format as its author describes it (LeCun, yann.lecun.com/exdb/mnist)."""
    header = bytes((0, 0, 8, values.ndim)) + np.array(values.shape, dtype=">u4").tobytes()
    return header + values.astype(np.uint8).tobytes()


def test_idx_files(prepared: Prepare, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (30, 6, 5), dtype=np.uint8), np.arange(30) % 3
    contents = {
        "train-images-idx3-ubyte.gz": gzip.compress(idx(images[:20])),
        "train-labels-idx1-ubyte": idx(labels[:20]),
        "t10k-images.idx3-ubyte": idx(images[20:]),
        "t10k-labels-idx1-ubyte.gz": gzip.compress(idx(labels[20:])),
    }
    root = folder_of(tmp_path / "mnist", contents)
    dataset = prepared(root)
    assert counts(dataset) == [16, 4, 10]
    np.testing.assert_array_equal(dataset.images("test")[..., 2], images[20:])
    np.testing.assert_array_equal(dataset.labels("test"), labels[20:])
    (root / "train-labels-idx1-ubyte").write_bytes(idx(labels[:20])[:-1])
    with pytest.raises(InputError, match="holds 19 bytes where its header says"):
        prepared(root)
    (root / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(InputError, match="has no labels file of the train split"):
        prepared(root)


def test_flowers(prepared: Prepare, real_data: Path) -> None:
    dataset = prepared(
        real_data / "flowers" / "flowers128.tar",
        image_size=64,
        train_size=2500,
        validation_size=800,
        test_size=1000,
    )
    assert dataset.classes == ("daisy", "dandelion", "rose", "sunflower", "tulip")
    assert counts(dataset) == [2500, 800, 1000]
    stored = np.load(dataset.folder / "labels.npy")
    assert np.bincount(stored).tolist() == [764, 1052, 784, 733, 984]
    assert dataset.notes == ("images resized from 128×128 to 64×64",)


def test_mnist(prepared: Prepare, real_data: Path) -> None:
    dataset = prepared(real_data / "mnist")
    assert counts(dataset) == [48_000, 12_000, 10_000]
    assert dataset.image_shape == (28, 28, 3)
    # Mean grey of the 60,000 training images: known as the normalisation constant 0.1307.
    training = np.concatenate([dataset.images("train"), dataset.images("validation")])
    assert training[..., 0].mean() / 255 == pytest.approx(0.1307, abs=5e-5)


def test_fashion_mnists_test_split(prepared: Prepare, real_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "fashion"
    folder.mkdir()
    for file in (real_data / "fashion-mnist").glob("t10k-*"):
        (folder / file.name.replace("t10k", "train")).symlink_to(file)
    dataset = prepared(folder)
    assert dataset.image_shape == (28, 28, 3)
    # 1,000 images of each class (Xiao, Rasul and Vollgraf 2017, section 2).
    assert np.bincount(np.load(dataset.folder / "labels.npy")).tolist() == [1000] * 10


def test_cifar10_npz(prepared: Prepare, real_data: Path) -> None:
    path = real_data / "cifar10" / "cifar10_12k.npz"
    dataset = prepared(path)
    assert counts(dataset) == [8_000, 2_000, 2_000]
    with np.load(path) as file:
        np.testing.assert_array_equal(dataset.images("test"), file["x_test"])
