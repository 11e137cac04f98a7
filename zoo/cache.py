"""The folder that holds prepared images: limited in size, shared by processes.

Every set is a folder of its own. It is written under another name and renamed when complete; a
set that is open in any process (it holds a shared lock on ``images.bin``) is never removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from zoo.errors import InputError

IMAGES = "images.bin"
"""A set's pixels; its modification time is when the set was last used."""

DEFAULT_GIGABYTES = 20.0
_PARTIAL = ".partial-"
_GIGABYTE = 1e9


class Cache:
    """A folder of prepared sets.

    Parameters
    ----------
    folder
        Where; ``$NCSELECT_CACHE``, else ``~/.cache/ncselect``, by default.
    gigabytes
        How much all sets together may take (1 GB = 10⁹ bytes); ``$NCSELECT_CACHE_GB``, else 20,
        by default.

    Raises
    ------
    InputError
        If the folder cannot be written or the limit is no positive number.
    """

    def __init__(
        self, folder: str | os.PathLike[str] | None = None, gigabytes: float | None = None
    ) -> None:
        default = os.environ.get("NCSELECT_CACHE") or Path.home() / ".cache" / "ncselect"
        self.folder = Path(folder or default).expanduser().resolve()
        self.limit = int(_limit(gigabytes) * _GIGABYTE)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / ".lock").touch()
        except OSError as error:
            raise InputError(
                f"the cache folder '{self.folder}' cannot be written ({error.strerror}); "
                "set NCSELECT_CACHE to one that can"
            ) from None

    @contextlib.contextmanager
    def locked(self, name: str = "") -> Iterator[None]:
        """Wait until no other process works on the set ``name``, or on the folder as a whole."""
        descriptor = os.open(self.folder / f".lock{name and '-'}{name}", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Give an empty folder to write a set into; it is gone afterwards unless kept.

        The caller holds the lock of the same name, so that what lies there was left by a process
        that died.
        """
        partial = self.folder / f"{_PARTIAL}{name}"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def keep(self, partial: Path, name: str) -> Path:
        """Give a complete set its name; one that has it already stays. Needs the folder's lock."""
        folder = self.folder / name
        if not folder.exists():
            partial.rename(folder)
        return folder

    def reserve(self, needed: int, partial: Path) -> None:
        """Make room for a set by removing the least recently used ones.

        Parameters
        ----------
        needed
            Bytes that the set in ``partial`` takes when complete, as far as known.
        partial
            Where it is being written.

        Raises
        ------
        InputError
            If it does not fit into the limit or on the disk.
        """
        with self.locked():
            present = shutil.disk_usage(self.folder)
            sizes = {folder: _bytes(folder) for folder in self._sets() if folder != partial}
            used = sum(sizes.values())
            more = needed - _bytes(partial)
            free = present.free
            for folder in sorted(sizes, key=_last_use):
                if used + needed <= self.limit and more <= free:
                    return
                if _unused(folder):
                    shutil.rmtree(folder)
                    used, free = used - sizes[folder], free + sizes[folder]
            if used + needed > self.limit:
                raise InputError(
                    f"the prepared images take {needed / _GIGABYTE:.2f} GB, but the cache "
                    f"'{self.folder}' may hold {self.limit / _GIGABYTE:.2f} GB, of which "
                    f"{used / _GIGABYTE:.2f} are in use; raise NCSELECT_CACHE_GB or give a "
                    "smaller --image-size"
                )
            if more > free:
                raise InputError(
                    f"the prepared images need {more / _GIGABYTE:.2f} GB more, but "
                    f"{free / _GIGABYTE:.2f} GB are free in '{self.folder}'; free space, set "
                    "NCSELECT_CACHE to another disk or give a smaller --image-size"
                )

    def _sets(self) -> Iterator[Path]:
        """Yield every set, complete or not."""
        return (entry for entry in self.folder.iterdir() if entry.is_dir())


def _limit(gigabytes: float | None) -> float:
    """Return the limit in gigabytes."""
    given = os.environ.get("NCSELECT_CACHE_GB", "") if gigabytes is None else str(gigabytes)
    with contextlib.suppress(ValueError):
        limit = float(given or DEFAULT_GIGABYTES)
        if limit > 0:
            return limit
    argument = "NCSELECT_CACHE_GB" if gigabytes is None else "cache_gigabytes"
    raise InputError(f"{argument} is '{given}'; give a number of gigabytes above 0, such as 20")


def _bytes(folder: Path) -> int:
    """Return what a set takes on disk; one that is being renamed counts nothing."""
    with contextlib.suppress(FileNotFoundError):
        return sum(entry.stat().st_size for entry in folder.iterdir())
    return 0


def _last_use(folder: Path) -> float:
    """Return when a set was last used; one without images goes first."""
    with contextlib.suppress(FileNotFoundError):
        return (folder / IMAGES).stat().st_mtime
    return 0.0


def _unused(folder: Path) -> bool:
    """Tell whether no process has a set open or is writing it."""
    if folder.name.startswith(_PARTIAL):
        held = folder.parent / f".lock-{folder.name.removeprefix(_PARTIAL)}"
    else:
        held = folder / IMAGES
    try:
        descriptor = os.open(held, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
