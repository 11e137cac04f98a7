"""A folder's lock: one process writes at a time, on whichever machine.

POSIX file locks (``flock``) end with the process; no lock of one that was killed is left over.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


class RunBusyError(RuntimeError):
    """Another process writes this run."""


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
                holder = lock.read().strip() or "unknown"
                raise RunBusyError(
                    f"'{folder}' is being written by process {holder}; wait for it or stop it"
                )
            time.sleep(0.1)
        lock.truncate(0)
        lock.write(f"{os.getpid()} on {socket.gethostname()}")
        lock.flush()
        yield


def _taken(lock: IO[str]) -> bool:
    """Tell whether a lock could be taken."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
