"""A folder's lock: one process writes at a time, on whichever machine.

POSIX file locks (``flock``) end with the process; no lock of one that was killed is left over. The
file's lines name the process that took it last and its machine, its PID namespace, and the epoch
that it goes to.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO


class RunBusyError(RuntimeError):
    """Another process writes this run."""


@dataclass(frozen=True)
class Holder:
    """The process that took a folder's lock last.

    Attributes
    ----------
    pid, node
        Its number, and the name of its machine.
    until
        The epoch that it goes to; None where it has not said so.
    has_it
        Whether it still has the lock; None where that cannot be told from here: it is a process of
        another machine, another container or another user.
    """

    pid: int
    node: str
    until: int | None
    has_it: bool | None


@contextmanager
def locked(folder: Path, *, patience: float = 0.0) -> Iterator[None]:
    """Hold a folder's lock, which names the process that has it; it ends with the process.

    On a file system that several machines share it holds between them if ``flock`` does there.

    Parameters
    ----------
    folder
        Whose file ``lock``.
    patience
        Seconds to wait while another process holds it; inf: as long as it does.

    Raises
    ------
    RunBusyError
        If another process holds it and goes on doing so.
    """
    until = time.monotonic() + patience
    with (folder / "lock").open("a+") as lock:
        while not _taken(lock):
            if time.monotonic() >= until:
                lock.seek(0)
                holder = lock.readline().strip() or "unknown"
                raise RunBusyError(
                    f"'{folder}' is being written by process {holder}; wait for it or stop it"
                )
            time.sleep(0.1)
        lock.truncate(0)
        lock.write(f"{os.getpid()} on {socket.gethostname()}\n{_namespace()}\n")
        lock.flush()
        yield


def note_until(folder: Path, epoch: int) -> None:
    """Note the epoch that the holder of a folder's lock goes to; for the holder."""
    with (folder / "lock").open("a") as lock:
        lock.write(f"until {epoch}\n")


def last_holder(folder: Path) -> Holder | None:
    """Return who took a folder's lock last, or None if nobody has named itself.

    Nothing is locked for it: a process has the lock as long as it has the file open.
    """
    lock = folder / "lock"
    try:
        lines = lock.read_text().splitlines()
    except FileNotFoundError:
        return None
    named = re.fullmatch(r"(\d+) on (.+)", lines[0]) if lines else None
    if named is None:
        return None
    pid, node = int(named[1]), named[2]
    is_here = node == socket.gethostname() and lines[1:2] == [_namespace()] != [""]
    noted = re.fullmatch(r"until (\d+)", lines[-1])
    return Holder(
        pid,
        node,
        until=int(noted[1]) if noted else None,
        has_it=_has_open(pid, lock) if is_here else None,
    )


def _taken(lock: IO[str]) -> bool:
    """Tell whether a lock could be taken."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _namespace() -> str:
    """Return which processes' numbers this process sees; empty where the system does not tell."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _has_open(pid: int, path: Path) -> bool | None:
    """Tell whether a process of this PID namespace has a file open; None if it is not ours."""
    wanted = path.stat()
    try:
        descriptors = os.listdir(f"/proc/{pid}/fd")
    except PermissionError:
        return None
    except (FileNotFoundError, ProcessLookupError):  # it is gone
        return False
    for descriptor in descriptors:
        with suppress(FileNotFoundError, ProcessLookupError):  # closed meanwhile
            if os.path.samestat(os.stat(f"/proc/{pid}/fd/{descriptor}"), wanted):
                return True
    return False
