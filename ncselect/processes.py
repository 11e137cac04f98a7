"""The processes of runs on this machine: so many at a time, one for each task."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ncselect.environment import process_variables
from ncselect.task import Task, Watch


class Process:
    """One run's process: ``python -m ncselect.worker``.

    Its output goes to the file ``log.txt``, its events come by a pipe, the job goes to its
    standard input. That stays open: the process ends itself when its parent is gone.

    Parameters
    ----------
    job
        What ``worker`` reads, see ``Task.to_json``.
    folder
        Where the log is.
    variables
        The environment variables of the process.
    """

    def __init__(
        self, job: Mapping[str, Any], *, folder: Path, variables: Mapping[str, str]
    ) -> None:
        self._log = folder / "log.txt"
        self._kills_before = _oom_kills()
        self._unread = b""
        self._error: str | None = None
        self._finished = False
        self.pipe, write = os.pipe()
        with _appended(self._log) as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "ncselect.worker", str(write)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(write,),
                start_new_session=True,  # Ctrl-C reaches the parent, which stops the runs in order
                env=with_this_package(variables),
            )
        os.close(write)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended already; its exit code says how

    def events(self) -> list[dict[str, Any]] | None:
        """Wait for what it says next; None when it has ended."""
        chunk = os.read(self.pipe, 1 << 16)
        if not chunk:
            return None
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        told = []
        for line in lines:
            event = json.loads(line)
            if event["event"] == "failed":
                self._error = event["error"]
            else:
                self._finished = event["event"] == "finished"
                told.append(event)
        return told

    def reason(self) -> str | None:
        """Wait for its end; say why it failed, or None if it did not."""
        code = self._process.wait()
        if self._error is not None:
            return self._error
        if self._finished:
            return None
        if code == -signal.SIGKILL and _oom_kills() > self._kills_before:
            return "killed: out of memory; fewer --workers or a smaller --image-size may help"
        if code < 0:
            return f"killed by signal {signal.Signals(-code).name}; see {self._log}"
        return f"its process ended with exit code {code}; see {self._log}"

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def close(self) -> None:
        """Wait for its end, kill it if that takes more than 5 seconds, and close its pipes."""
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self.pipe)
        assert self._process.stdin is not None
        self._process.stdin.close()


class LocalProcesses:
    """Processes on this machine, see :class:`~ncselect.task.Processes`.

    Parameters
    ----------
    workers
        How many at a time.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._running: list[Process] = []

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop what is running, and wait until it has stopped."""
        for one in self._running:
            one.terminate()
        for one in self._running:
            one.close()

    def finish(
        self, due: Sequence[int], begin: Callable[[int], Task | None], watch: Watch
    ) -> Iterator[tuple[int, str | None]]:
        """Do the tasks of numbered jobs; yield each number when it is done, and why it failed."""
        queue = list(due)
        with selectors.DefaultSelector() as selector:
            while queue or self._running:
                while queue and len(self._running) < self._workers:
                    number = queue.pop(0)
                    task = begin(number)
                    if task is None:
                        yield number, None
                        continue
                    process = Process(
                        task.to_json(),
                        folder=task.folder,
                        variables=process_variables(task.environment),
                    )
                    self._running.append(process)
                    selector.register(process.pipe, selectors.EVENT_READ, (process, number, task))
                for key, _ in selector.select() if self._running else ():
                    process, number, task = key.data
                    events = process.events()
                    for event in events or ():
                        watch(task.model, event)
                    if events is None:
                        selector.unregister(process.pipe)
                        reason = process.reason()
                        self._running.remove(process)
                        process.close()
                        yield number, reason


def with_this_package(variables: Mapping[str, str]) -> dict[str, str]:
    """Let the process find this very package, wherever it starts and whatever lies there."""
    paths = [str(Path(__file__).parents[1]), variables.get("PYTHONPATH", "")]
    return {**variables, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


@contextmanager
def _appended(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _oom_kills() -> int:
    """Count the processes the kernel has killed for memory, where it tells (Linux)."""
    table = Path("/proc/vmstat")
    if not table.exists():
        return 0
    counts = dict(line.split() for line in table.read_text().splitlines())
    return int(counts.get("oom_kill", 0))
