"""Archives: hostile and damaged ones are refused, a bad member is one corrupt image."""

from __future__ import annotations

import contextlib
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_images import counts, files, folder_of, tar_of, zip_of

from zoo.datasets import Dataset, prepare
from zoo.errors import InputError
from zoo.sources.opening import open_source

Prepare = Callable[..., Dataset]


@pytest.fixture
def prepared(tmp_path: Path) -> Prepare:
    """Return ``prepare`` with a cache of its own."""
    return lambda source, **arguments: prepare(source, cache=tmp_path / "cache", **arguments)


def link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    ("member", "fault"),
    [
        (tarfile.TarInfo("../evil.png"), "leads out of the archive"),
        (tarfile.TarInfo("ant/../../evil.png"), "leads out of the archive"),
        (tarfile.TarInfo("ant\\..\\..\\evil.png"), "leads out of the archive"),
        (tarfile.TarInfo("/etc/evil.png"), "has an absolute name"),
        (tarfile.TarInfo("C:/evil.png"), "has an absolute name"),
        (link("ant/evil.png", "/etc/passwd", tarfile.SYMTYPE), "is a link"),
        (link("ant/evil.png", "ant/0.png", tarfile.LNKTYPE), "is a link"),
        (link("ant/evil.png", "", tarfile.CHRTYPE), "is a device"),
        (link("ant/evil.png", "", tarfile.FIFOTYPE), "is a device"),
    ],
)
def test_hostile_tars_are_refused_and_write_nothing(
    prepared: Prepare, tmp_path: Path, member: tarfile.TarInfo, fault: str
) -> None:
    path = tar_of(tmp_path / "x.tar", files())
    with tarfile.open(path, "a") as archive:
        archive.addfile(member)
    with pytest.raises(InputError) as caught:
        prepared(path)
    assert f"member '{member.name}' {fault}; images are only read from plain files" in str(
        caught.value
    )
    assert [entry.name for entry in (tmp_path / "cache").glob("*/*") if entry.is_dir()] == []


def test_hostile_zips_are_refused(prepared: Prepare, tmp_path: Path) -> None:
    path = zip_of(tmp_path / "x.zip", files() | {"../evil.png": b""})
    with pytest.raises(InputError, match=r"member '\.\./evil\.png' leads out of the archive"):
        prepared(path)
    evil = zipfile.ZipInfo("ant/evil.png")
    evil.external_attr = 0o120777 << 16
    with zipfile.ZipFile(zip_of(tmp_path / "y.zip", files()), "a") as archive:
        archive.writestr(evil, "/etc/passwd")
    with pytest.raises(InputError, match=r"member 'ant/evil.png' is a link"):
        prepared(tmp_path / "y.zip")


def test_damaged_archives(prepared: Prepare, tmp_path: Path) -> None:
    whole = tar_of(tmp_path / "x.tar.gz", files(count=50), "w:gz").read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"is damaged .* pack it again"):
        prepared(tmp_path / "cut.tar.gz")
    (tmp_path / "text.tar").write_bytes(b"hello")
    with pytest.raises(InputError, match="is no tar, zip or npz file, or it is damaged"):
        prepared(tmp_path / "text.tar")


def images_in(path: Path) -> int:
    """Return how many images a source of any kind gives."""
    return len(list(open_source(path, None, known=()).items()))


def test_a_damaged_header_anywhere_in_a_tar_is_found(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "x.tar", files())
    whole = path.read_bytes()
    with tarfile.open(path) as archive:
        offsets = [member.offset for member in archive]
    rng = np.random.default_rng(0)
    for offset in offsets[1:]:
        for position in offset + rng.choice(500, 5, replace=False):
            damaged = bytearray(whole)
            damaged[position] ^= 0x15
            path.write_bytes(damaged)
            with pytest.raises(InputError, match=r"is damaged \((bad checksum|invalid header)\)"):
                images_in(path)
    path.write_bytes(whole[: offsets[3]] + bytes(512) + whole[offsets[3] + 512 :])
    with pytest.raises(InputError, match=r"is damaged \(there is data after its end\)"):
        images_in(path)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_cut_anywhere_is_found(tmp_path: Path, mode: str) -> None:
    path = tar_of(tmp_path / "x.tar", files(count=3), mode)
    whole = path.read_bytes()
    with tarfile.open(path) as archive:
        end = archive.getmembers()[-1].offset + 1024 if mode == "w" else len(whole) - 1
    assert images_in(path) == 6
    for size in sorted({*range(0, end, 61), *range(0, end + 1, 512), end}):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match="damaged"):
            images_in(path)


def zip_with_bad_members(path: Path) -> Path:
    """Write a zip with a member that fails its checksum, one encrypted, one of unknown method."""
    bad = {f"ant/{name}.png": name.encode() * 9 for name in ("changed", "secret", "strange")}
    data = bytearray(zip_of(path, files() | bad).read_bytes())
    data[data.index(b"changedchanged")] ^= 1
    for name, field, value in (("secret", 8, 1), ("strange", 10, 97)):  # flags, method
        member = data.rindex(f"ant/{name}.png".encode()) - 46  # in the central directory
        assert data[member : member + 4] == b"PK\1\2"
        data[member + field] = value
    path.write_bytes(data)
    return path


def test_bad_members_of_a_zip_are_corrupt_images(prepared: Prepare, tmp_path: Path) -> None:
    path = zip_with_bad_members(tmp_path / "x.zip")
    with pytest.raises(InputError) as caught:
        prepared(path)
    text = str(caught.value)
    assert text.startswith("3 corrupt files in x: ant/changed.png (Bad CRC-32")
    assert "ant/secret.png (encrypted; pack it again without a password)" in text
    assert "ant/strange.png (That compression method is not supported)" in text
    assert sum(counts(prepared(path, skip_corrupt=True))) == 12


def test_a_zip_that_is_damaged_itself(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "x.zip", files())
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2")] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"is damaged \(Bad magic number.*pack it again"):
        images_in(path)


def test_archives_with_any_byte_changed_never_fail_otherwise(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for path in (
        zip_of(tmp_path / "x.zip", files(count=2)),
        tar_of(tmp_path / "x.tar", files(count=2)),
        tar_of(tmp_path / "x.tar.gz", files(count=2), "w:gz"),
    ):
        whole = path.read_bytes()
        for position in rng.choice(len(whole), 300):
            damaged = bytearray(whole)
            damaged[position] = rng.integers(256)
            path.write_bytes(damaged)
            with contextlib.suppress(InputError):
                images_in(path)


def test_a_tar_that_ends_in_a_zip_is_a_tar(prepared: Prepare, tmp_path: Path) -> None:
    inner = zip_of(tmp_path / "inner.zip", {"x/1.png": b""}).read_bytes()
    path = tar_of(tmp_path / "x.tar", files() | {"notes.zip": inner})
    assert zipfile.is_zipfile(path)
    assert prepared(path).classes == ("ant", "bee")


def sparse_tar(path: Path) -> Path:
    """Write a tar with a sparse member of 300 MB (GNU's format 1.0: its map precedes its data)."""
    tar_of(path, files())
    member = tarfile.TarInfo("ant/huge.png")
    member.size = 512
    member.pax_headers = {
        f"GNU.sparse.{key}": value
        for key, value in (("major", "1"), ("minor", "0"), ("name", "ant/huge.png"))
    } | {"GNU.sparse.realsize": str(300 * 10**6)}
    with tarfile.open(path, "a", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(member, io.BytesIO(b"1\n300000000\n0\n".ljust(512, b"\0")))
    return path


def huge_zip(path: Path) -> Path:
    """Write a zip with 300 MB of zeros."""
    with (
        zipfile.ZipFile(zip_of(path, files()), "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("ant/huge.png", "w") as file,
    ):
        for _ in range(300):
            file.write(bytes(10**6))
    return path


def huge_folder(path: Path) -> Path:
    """Write a folder with a file of 300 MB, all of it a hole."""
    with (folder_of(path, files()) / "ant" / "huge.png").open("wb") as file:
        file.truncate(300 * 10**6)
    return path


@pytest.mark.parametrize("make", [sparse_tar, huge_zip, huge_folder])
def test_huge_files_are_refused_unread(
    prepared: Prepare, tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    path = make(tmp_path / "x")
    with pytest.raises(InputError, match=r"ant/huge\.png \(300 MB; images may have 256 MB\)"):
        prepared(path)
    assert sum(counts(prepared(path, skip_corrupt=True))) == 12
