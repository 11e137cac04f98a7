"""The folder that holds prepared images: limited in size, shared by processes.

Every set is a folder of its own. It is written under another name and renamed when complete; a
set that is open in any process (it holds a shared lock on ``images.bin``) is never removed, nor is
a folder that is no set.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from zoo.errors import InputError

FORMAT = 1
"""Version of a set's files; another one makes every prepared set a new one."""

IMAGES, META = "images.bin", "meta.json"
"""A set's pixels, whose modification time is when the set was last used; and its facts."""

DEFAULT_GIGABYTES = 20.0
_PARTIAL = ".partial-"
_GIGABYTE = 1e9


class Cache:
    """A folder of prepared sets.

    Parameters
    ----------
    folder
        Where; ``$NCSELECT_CACHE``, else ``~/.cache/ncselect``, by default. The sets lie in a
        folder ``prepared-1`` in it.
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
        self.folder = Path(folder or default).expanduser().resolve() / f"prepared-{FORMAT}"
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

        Raises
        ------
        InputError
            If the disk is full.
        """
        partial = self.folder / f"{_PARTIAL}{name}"
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir()
            yield partial
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise InputError(
                f"the disk of '{self.folder}' is full ({error.strerror}); free space, set "
                "NCSELECT_CACHE to another disk or give a smaller --image-size"
            ) from None
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def keep(self, partial: Path, name: str) -> Path:
        """Give a complete set its name, which no other has. Needs the folder's lock."""
        return partial.rename(self.folder / name)

    def remove(self, name: str) -> None:
        """Remove what is left of a set, if anything. Needs the folder's lock.

        Raises
        ------
        InputError
            If the folder is no set, or is in use.
        """
        folder = self.folder / name
        if not folder.exists():
            return
        if not _is_set(folder) or not _unused(folder):
            raise InputError(
                f"'{folder}' is damaged; end the processes that use it, remove it and start the "
                "command again"
            )
        shutil.rmtree(folder)

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
        """Yield every set, complete or not; what else lies in the folder is not ours."""
        return filter(_is_set, self.folder.iterdir())


def _limit(gigabytes: float | None) -> float:
    """Return the limit in gigabytes."""
    given = os.environ.get("NCSELECT_CACHE_GB", "") if gigabytes is None else str(gigabytes)
    with contextlib.suppress(ValueError):
        limit = float(given or DEFAULT_GIGABYTES)
        if limit > 0:
            return limit
    argument = "NCSELECT_CACHE_GB" if gigabytes is None else "cache_gigabytes"
    raise InputError(f"{argument} is '{given}'; give a number of gigabytes above 0, such as 20")


def _is_set(folder: Path) -> bool:
    """Tell whether a folder is a set, or one that is being written."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    if folder.name.startswith(_PARTIAL):
        return True
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(meta, dict) and meta.get("format") == FORMAT


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
