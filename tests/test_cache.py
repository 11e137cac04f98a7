"""The cache stays within its limit, keeps what is in use, and survives its writers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from zoo.cache import IMAGES, META, Cache
from zoo.datasets import Dataset, prepare
from zoo.errors import InputError
from zoo.preparation import _batches, write
from zoo.prepared import LABELS, ORIGINS
from zoo.sources.arrays import ArraySource, arrays_source
from zoo.sources.source import Item

ROOT = Path(__file__).parents[1]
Y = np.arange(40) % 2


def images(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (40, 16, 16, 3), dtype=np.uint8)


def sets(cache: Path) -> list[Path]:
    return sorted(entry for entry in (cache / "prepared-1").iterdir() if entry.is_dir())


def test_least_recently_used_goes_first_and_what_is_open_stays(tmp_path: Path) -> None:
    gigabytes = 40 * 16 * 16 * 3 * 3.2 / 1e9  # three sets and what belongs to them

    def made(seed: int) -> Dataset:
        return prepare((images(seed), Y), cache=tmp_path, cache_gigabytes=gigabytes)

    folders = []
    for age, seed in enumerate((0, 1, 2)):
        folders.append(made(seed).folder)
        os.utime(folders[-1] / IMAGES, (age, age))
    held = made(0)  # used again, and open
    third = made(3)
    assert sets(tmp_path) == sorted([folders[0], folders[2], third.folder])
    os.utime(held.folder / IMAGES, (0, 0))
    os.utime(folders[2] / IMAGES, (1, 1))
    made(4)
    assert held.folder.exists()
    assert not folders[2].exists()
    np.testing.assert_array_equal(held.images("train"), images(0)[held.splits["train"]])


def test_foreign_folders_are_never_touched(tmp_path: Path) -> None:
    gigabytes = 40 * 16 * 16 * 3 * 1.2 / 1e9  # one set and what belongs to it
    home = tmp_path / "prepared-1"
    foreign = [tmp_path / "photographs", home / "photographs", home / "other-format"]
    for folder in foreign:
        folder.mkdir(parents=True)
        (folder / "mine.jpg").write_bytes(bytes(100_000))
    (foreign[2] / "meta.json").write_text('{"format": 0}')
    (home / "linked").symlink_to(foreign[0])
    first = prepare((images(0), Y), cache=tmp_path, cache_gigabytes=gigabytes).folder
    second = prepare((images(1), Y), cache=tmp_path, cache_gigabytes=gigabytes).folder
    assert (first.exists(), second.exists()) == (False, True)
    assert all((folder / "mine.jpg").stat().st_size == 100_000 for folder in foreign)


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    text = r"the disk of '.*' is full \(No space left on device\); free space, set NCSELECT_CACHE"
    source = arrays_source({None: (images(0), Y)})

    def write_to_a_full_disk(file: str) -> None:
        with cache.writing("x") as partial:
            (partial / file).symlink_to("/dev/full")
            write(source, partial, cache, image_size=None, skip_corrupt=False, progress=None)

    for file in (IMAGES, LABELS, META):
        with pytest.raises(InputError, match=text):
            write_to_a_full_disk(file)
    assert sets(tmp_path) == []


def test_space_is_reserved_before_anything_is_decoded(tmp_path: Path) -> None:
    class Unread(ArraySource):
        def items(self) -> Iterator[Item]:
            raise AssertionError("images are read")

    source = Unread("x", {}, lambda: {None: (images(0), Y)})
    cache = Cache(tmp_path, 1)
    text = r"take 1\.20 GB, but the cache .* may hold 1\.00 GB"
    with pytest.raises(InputError, match=text), cache.writing("x") as partial:
        write(source, partial, cache, image_size=3163, skip_corrupt=False, progress=None)


def test_batches_are_limited_by_what_they_become() -> None:
    items = [Item(b"", 0, None, str(number)) for number in range(7)]
    assert [len(batch) for batch in _batches(iter(items), 2 * 2**20)] == [2, 2, 2, 1]
    assert [len(batch) for batch in _batches(iter(items), 1)] == [7]


@pytest.mark.parametrize("damaged", [IMAGES, LABELS, ORIGINS])
@pytest.mark.parametrize("how", ["gone", "cut"])
def test_a_set_that_is_damaged_is_prepared_again(tmp_path: Path, damaged: str, how: str) -> None:
    document = prepare("digits", cache=tmp_path).to_json()
    folder = Path(document["folder"])
    if how == "gone":
        (folder / damaged).unlink()
    else:
        os.truncate(folder / damaged, (folder / damaged).stat().st_size - 8)
    text = r"are no longer in .* start the command again to prepare them"
    with pytest.raises(InputError, match=text):
        Dataset.from_json(document)
    assert prepare("digits", cache=tmp_path).to_json() == document
    assert Dataset.from_json(document).identity() == document["identity"]


def test_a_damaged_set_in_use_or_without_its_facts_stays(tmp_path: Path) -> None:
    held = prepare("digits", cache=tmp_path)
    (held.folder / LABELS).unlink()
    with pytest.raises(InputError, match=r"is damaged; end the processes that use it, remove it"):
        prepare("digits", cache=tmp_path)
    assert (held.folder / IMAGES).exists()
    folder = held.folder
    del held
    (folder / META).unlink()
    with pytest.raises(InputError, match=r"is damaged; end the processes that use it, remove it"):
        prepare("digits", cache=tmp_path)
    assert (folder / IMAGES).exists()


def test_what_cannot_fit_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    text = r"take 0\.00 GB, but the cache .* may hold 0\.00 GB.*raise NCSELECT_CACHE_GB"
    with pytest.raises(InputError, match=text):
        prepare((images(0), Y), cache=tmp_path, cache_gigabytes=1e-6)
    assert sets(tmp_path) == []


def test_environment_sets_folder_and_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NCSELECT_CACHE", str(tmp_path / "here"))
    monkeypatch.setenv("NCSELECT_CACHE_GB", "3")
    cache = Cache()
    assert (cache.folder, cache.limit) == (tmp_path / "here" / "prepared-1", 3_000_000_000)
    monkeypatch.setenv("NCSELECT_CACHE_GB", "many")
    with pytest.raises(InputError, match="NCSELECT_CACHE_GB is 'many'; give a number"):
        Cache()
    with pytest.raises(InputError, match=r"cache_gigabytes is '-1'"):
        Cache(gigabytes=-1)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written .*; set NCSELECT_CACHE"):
        Cache(tmp_path / "file" / "cache")


PREPARE = """
import json, sys, numpy as np
from zoo.datasets import prepare
y = np.arange(6000) % 2
x = np.random.default_rng(0).integers(0, 256, (6000, 16, 16, 3), dtype=np.uint8)
if sys.argv[2] == "die":
    import os
    die = lambda done, total: os.kill(os.getpid(), 9)
    prepare((x, y), cache=sys.argv[1], image_size=20, progress=die)
print(json.dumps(prepare((x, y), cache=sys.argv[1], image_size=20).identity()))
"""


def start(cache: Path, how: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PREPARE, str(cache), how],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_two_processes_at_once_and_one_that_was_killed(tmp_path: Path) -> None:
    with start(tmp_path, "die") as killed:
        killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert len(sets(tmp_path)) == 1  # what it left behind
    both = [start(tmp_path, "live") for _ in range(2)]
    answers = [json.loads(process.communicate()[0]) for process in both]
    assert answers[0] == answers[1]
    (only,) = sets(tmp_path)
    assert (only / IMAGES).stat().st_size == 6000 * 20 * 20 * 3
    assert time.time() - (only / IMAGES).stat().st_mtime < 60
