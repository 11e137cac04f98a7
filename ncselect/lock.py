"""A folder's lock: one process writes at a time, on whichever machine.

The locks are those of ``flock``: they end with the process, so none of one that was killed is left
over. The file's lines name the process that took it last and its machine, the system that numbers
its processes, and the epoch that it goes to.
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
        Its number, and the name of its machine; None where the file may not be read.
    until
        The epoch that it goes to; None where it has not said so.
    has_it
        Whether it still has the lock; None where that cannot be told from here: it is a process of
        another machine, container or user, or of before the machine was started anew.
    """

    pid: int | None
    node: str | None
    until: int | None
    has_it: bool | None


@contextmanager
def locked(folder: Path, *, patience: float = 0.0, until: int | None = None) -> Iterator[None]:
    """Hold a folder's lock, which names the process that has it; it ends with the process.

    On a file system that several machines share it holds between them if ``flock`` does there.

    Parameters
    ----------
    folder
        Whose file ``lock``.
    patience
        Seconds to wait while another process holds it; inf: as long as it does.
    until
        The epoch that a run goes to, noted for who asks :func:`last_holder`.

    Raises
    ------
    RunBusyError
        If another process holds it and goes on doing so.
    """
    given_up = time.monotonic() + patience
    with (folder / "lock").open("a+") as lock:
        while not _taken(lock):
            if time.monotonic() >= given_up:
                lock.seek(0)
                holder = lock.readline().strip() or "unknown"
                raise RunBusyError(
                    f"'{folder}' is being written by process {holder}; wait for it or stop it"
                )
            time.sleep(0.1)
        lock.truncate(0)
        noted = "" if until is None else f"until {until}\n"
        lock.write(f"{os.getpid()} on {socket.gethostname()}\n{_system()}\n{noted}")
        lock.flush()
        yield


def last_holder(folder: Path) -> Holder | None:
    """Return who took a folder's lock last, or None if nobody has named itself.

    Nothing is locked for it: a process has the lock as long as it has the file open.
    """
    lock = folder / "lock"
    try:
        lines = lock.read_text().splitlines()
    except FileNotFoundError:
        return None
    except PermissionError:
        return Holder(None, None, until=None, has_it=None)
    named = re.fullmatch(r"(\d+) on (.+)", lines[0]) if lines else None
    if named is None:
        return None
    pid, node = int(named[1]), named[2]
    is_here = node == socket.gethostname() and lines[1:2] == [_system()] != [""]
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


def _system() -> str:
    """Return whose numbers of processes are seen here; empty where the system does not tell.

    It is the PID namespace and the kernel's start: machines and containers may share a name.
    """
    try:
        start = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{os.readlink('/proc/self/ns/pid')} {start}"
    except OSError:
        return ""


def _has_open(pid: int, path: Path) -> bool | None:
    """Tell whether a process that is numbered here has a file open; None if it may not be seen."""
    hidden = False
    try:
        wanted = path.stat()
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            try:
                if os.path.samestat(os.stat(f"/proc/{pid}/fd/{descriptor}"), wanted):
                    return True
            except (FileNotFoundError, ProcessLookupError):  # closed meanwhile
                continue
            except PermissionError:
                hidden = True
    except PermissionError:
        return None
    except ProcessLookupError:
        return False
    except FileNotFoundError:  # it is gone, or /proc is mounted so that others' are hidden
        return _may_run(pid)
    return None if hidden else False


def _may_run(pid: int) -> bool | None:
    """Return False if there is no process of this number, None if there is one."""
    try:
        with suppress(PermissionError):  # another user's
            os.kill(pid, 0)  # sends nothing
    except ProcessLookupError:
        return False
    return None
