"""What is done on a node of a Ray cluster; the functions here run inside Ray's own processes."""

from __future__ import annotations

import fcntl
import os
import select
import socket
import time
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ncselect.environment import environment, machine_has_gpu, process_variables
from ncselect.processes import Process

_MOUNT = "mount it with flock between machines, such as NFS 4 has"
_SECONDS = 0.25  # between what is told, and until a cancelled task notices


@dataclass(frozen=True)
class Expected:
    """What a node must have so that runs done there are those of the machine that asks.

    Attributes
    ----------
    token
        A file in the store that the asking machine holds a lock on.
    text
        What stands in it.
    files
        Files and folders that must be there too.
    environment
        What runs are pinned to.
    variables
        The variables that Keras and its backends are configured by.
    gpus
        Each run's share of a GPU.
    """

    token: Path
    text: str
    files: frozenset[str]
    environment: Mapping[str, str]
    variables: Mapping[str, str]
    gpus: float

    def trouble(self) -> str | None:
        """Say what this node lacks, or None."""
        try:
            token = self.token.open("r+")
        except OSError as error:
            return (
                f"the store is not there or cannot be written ({error}); name a folder that all "
                "nodes share with --store"
            )
        with token:
            if token.read() != self.text:
                return f"'{self.token.parent}' is another folder there; share it between all nodes"
            try:
                reaches = not _lockable(token.fileno())
            except OSError as error:
                return f"'{self.token.parent}' has no file locks there ({error}); {_MOUNT}"
            if not reaches:
                return (
                    f"file locks in '{self.token.parent}' do not reach there, so that two could "
                    f"write one run; {_MOUNT}"
                )
        for file in sorted(self.files):
            if not Path(file).exists():
                return (
                    f"'{file}' is not there; keep images (NCSELECT_CACHE), networks and weights "
                    "where all nodes see them"
                )
        if self.gpus and not machine_has_gpu():
            return (
                "no GPU is there that Keras could use (no NVIDIA driver), though Ray counts some; "
                "start Ray there without --num-gpus, or install the driver"
            )
        here = environment(
            int(self.environment["threads"]),
            gpu=self.gpus > 0,
            variables={**os.environ, **self.variables},
        )
        other = [name for name in {*here, *self.environment} if self._differs(here, name)]
        if other:
            pairs = (f"{n} {here.get(n)} for {self.environment.get(n)}" for n in sorted(other))
            return f"other software is there: {', '.join(pairs)}; use one image for all nodes"
        return None

    def _differs(self, here: Mapping[str, str], name: str) -> bool:
        return here.get(name) != self.environment.get(name)


class Mailbox:
    """An actor: takes what the processes say until it is fetched."""

    def __init__(self) -> None:
        self._told: list[tuple[str, Mapping[str, Any]]] = []

    def tell(self, model: str, events: list[Mapping[str, Any]]) -> None:
        """Keep a process's events."""
        self._told += [(model, event) for event in events]

    def fetch(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Return what has been told since the last time: model and event."""
        told, self._told = self._told, []
        return told


def trouble(expected: Expected) -> str | None:
    """Say what keeps runs from being done on this node, or None."""
    return expected.trouble()


def done(
    job: Mapping[str, Any],
    *,
    model: str,
    folder: str,
    pinned: Mapping[str, str],
    files: Set[str],
    expected: Expected,
    mailbox: Any,
) -> str | None:
    """Do a job in a process of its own on this node; return why it failed, or None.

    Parameters
    ----------
    job, folder, pinned
        What ``worker`` reads, where it writes its log, the environment it is pinned to.
    model
        The candidate's name.
    files
        Files and folders that it needs.
    expected
        What this node must have besides.
    mailbox
        The :class:`Mailbox` that is told its events.
    """
    import ray

    lacking = replace(expected, files=frozenset(files)).trouble()
    if lacking is not None:
        return f"node {socket.gethostname()}: {lacking}"
    process = Process(job, folder=Path(folder), variables=run_variables(pinned, expected))
    try:
        told: list[Mapping[str, Any]] = []
        events: list[dict[str, Any]] | None = []
        next_time = 0.0
        while events is not None:
            # Ray raises KeyboardInterrupt in a cancelled task, between two waits
            if select.select([process.pipe], [], [], _SECONDS)[0]:
                events = process.events()
                told = _joined(told, events or [])
            if told and (events is None or time.monotonic() >= next_time):
                ray.get(mailbox.tell.remote(model, told))
                told, next_time = [], time.monotonic() + _SECONDS
        return process.reason()
    finally:
        process.terminate()
        process.close()


def _joined(told: list[Mapping[str, Any]], events: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
    """Append events; of steps that follow each other only the latest is of interest."""
    joined = list(told)
    for event in events:
        if joined and joined[-1]["event"] == event["event"] == "progress":
            joined.pop()
        joined.append(event)
    return joined


def run_variables(pinned: Mapping[str, str], expected: Expected) -> dict[str, str]:
    """Return the variables of a run's process; several on a GPU share its memory."""
    variables = process_variables(pinned, {**os.environ, **expected.variables})
    if not expected.gpus:
        return {**variables, "CUDA_VISIBLE_DEVICES": "-1"}
    if expected.gpus < 1:
        variables["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
        variables["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{0.9 * expected.gpus:.3f}"
    return variables


def _lockable(file: int) -> bool:
    """Tell whether a file that another process has locked can be locked here."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
