"""A Ray cluster that runs are done on, each a task on a node that has room for it.

A task starts the same process as a run on this machine, so that its numbers are the same and its
memory is freed. Tasks that are lost with their node are submitted again from here, not retried by
Ray: a run goes on from its checkpoint, and is given up only when it is lost again and again without
a new epoch.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ncselect.environment import configuring, environment
from ncselect.lock import RunBusyError, locked
from ncselect.node import Expected, Mailbox, done
from ncselect.node_checks import alive_nodes, check_nodes, raised, token
from ncselect.ray_connection import connect, first_line
from ncselect.task import Task, Watch
from zoo.errors import InputError

LOSSES = 3
"""Losses in a row without a new epoch after which a run is given up."""

PATIENCE = 120.0
"""Seconds that a run waits for its lock: NFS frees those of a lost machine after 90. It may have
been lost before this command began."""

SILENCE = 5.0
"""Seconds without an event after which a watch is told ``waiting``: it may look at the clock."""

_STOP = 15.0  # seconds that a cancelled task has to stop its process, and Ray to end it by force
_POLL = 0.25  # seconds between two looks at what the processes say


class Cluster:
    """A Ray cluster; the connection stays until ``ray.shutdown()`` or the end of this process.

    Parameters
    ----------
    address
        ``auto``: the one this machine belongs to; ``local``: one that is started on this machine
        alone; ``HOST:PORT`` of its head, or ``ray://HOST:PORT`` of its client server. With
        ``auto`` a connection that this process has is used, whatever it is.
    threads
        CPUs of each run.
    gpus
        GPUs of each run: 0, 1, or a part of one that several runs share. None: 0, if no node has
        a GPU; else it must be said.

    Raises
    ------
    InputError
        If Ray is not installed, there is no such cluster, this process is connected to another,
        no node has room for a run, or nodes have GPUs and ``gpus`` is None.
    """

    def __init__(self, address: str, *, threads: int = 1, gpus: float | None = None) -> None:
        if gpus is not None and not 0 <= gpus <= 1:
            raise InputError(
                f"gpus-per-run: {gpus:g} came; give 0, 1 or a part of one, such as 0.5"
            )
        connect(address)
        if gpus is None and any(node["Resources"].get("GPU") for node in alive_nodes()):
            raise InputError(
                f"gpus-per-run: nodes at '{address}' have GPUs and no share came; give 1, a part "
                "of one that several runs share, or 0 to train on CPUs alone"
            )
        self.address, self.threads, self.gpus = address, threads, gpus or 0.0
        self._checked: dict[Path, frozenset[str]] = {}  # store → files that were asked for
        if not self.slots:
            raise InputError(
                f"ray: no node at '{address}' has {threads} CPUs"
                + (f" and {self.gpus:g} GPUs" if self.gpus else "")
                + " for a run; give fewer --threads, or add nodes"
            )

    @property
    def slots(self) -> int:
        """Runs that the nodes have room for, all together."""
        return sum(self._room(node) for node in alive_nodes())

    @property
    def environment(self) -> dict[str, str]:
        """What belongs into a run's key, see ``ncselect.environment``."""
        return environment(self.threads, gpu=self.gpus > 0)

    def processes(self, workers: int, store: Path, files: frozenset[str]) -> RayProcesses:
        """Return the processes of runs on this cluster.

        Parameters
        ----------
        workers
            How many at a time; those that find no room wait in Ray's queue.
        store
            The folder that all nodes share.
        files
            Files and folders besides that they must see.
        """
        return RayProcesses(self, workers, store, files)

    def check(self, expected: Expected) -> None:
        """Ask the nodes that have room whether they can do runs: once for a store and its files.

        Nodes that come later say so in each task, see ``node.done``.

        Raises
        ------
        InputError
            If one cannot.
        """
        store = expected.token.parent
        checked = self._checked.get(store)
        if checked is None or not expected.files <= checked:
            able = [node for node in alive_nodes() if self._room(node)]
            check_nodes(
                {node["NodeID"]: str(node["NodeManagerHostname"]) for node in able}, expected
            )
            self._checked[store] = expected.files | (checked or frozenset())

    def cpus(self, threads: int) -> int:
        """Return the CPUs of a run of so many threads: as many, or those of the largest node.

        Only nodes that have room for a run count; if there is none now, the run waits for one.
        """
        able = (node for node in alive_nodes() if self._room(node))
        most = max((int(node["Resources"]["CPU"]) for node in able), default=self.threads)
        return min(threads, most)

    def _room(self, node: Mapping[str, Any]) -> int:
        has = node["Resources"]
        runs = int(has.get("CPU", 0) / self.threads)
        if not self.gpus:
            return runs
        return min(runs, int(has.get("GPU", 0) / self.gpus + 1e-9))  # 1 / 0.1 is 10


@dataclass
class Submitted:
    """A task on the cluster, and what became of it so far."""

    number: int
    task: Task
    losses: int = 0
    epochs: int = 0

    def is_given_up(self) -> bool:
        """Take in that the task was lost; tell whether that has been so too often."""
        run = self.task.run
        epochs = 0 if run is None else run.record().epochs
        self.losses = 1 if epochs > self.epochs else self.losses + 1
        self.epochs = epochs
        return self.losses >= LOSSES


class RayProcesses:
    """Processes on a cluster, see :class:`~ncselect.task.Processes`; got from a :class:`Cluster`.

    When the block is first entered for a store and its files every node is asked whether it sees
    them and has the same software.
    """

    def __init__(self, cluster: Cluster, workers: int, store: Path, files: frozenset[str]) -> None:
        self._cluster = cluster
        self._workers = workers
        self._store, self._files = store.resolve(), files
        self._running: dict[Any, Submitted] = {}
        self._heard = time.monotonic()  # when somebody has last said anything

    def __enter__(self) -> Self:
        """Begin.

        Raises
        ------
        InputError
            If a node cannot do runs.
        """
        import ray

        with ExitStack() as stack:
            path, text = stack.enter_context(token(self._store))
            expected = Expected(
                path,
                text,
                self._files,
                self._cluster.environment,
                configuring(),
                self._cluster.gpus,
            )
            self._cluster.check(expected)
            self._mailbox = _mailbox()
            stack.callback(ray.kill, self._mailbox)
            self._expected = ray.put(dataclasses.replace(expected, files=frozenset()))
            stack.callback(self._stop)
            stack.enter_context(redirect_stdout(sys.stderr))  # there Ray reports lost nodes
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop what is running, and wait until it has stopped."""
        self._stack.close()

    def finish(
        self, due: Sequence[int], begin: Callable[[int], Task | None], watch: Watch
    ) -> Iterator[tuple[int, str | None]]:
        """Do the tasks of numbered jobs; yield each number when it is done, and why it failed."""
        queue = deque(due)
        while queue or self._running:
            while queue and len(self._running) < self._workers:
                number = queue.popleft()
                task = begin(number)
                if task is None:
                    yield number, None
                else:
                    self._submit(Submitted(number, task))
            if self._running:
                yield from self._ended(watch)

    def _submit(self, one: Submitted) -> None:
        """Hand a task to Ray. A stored run keeps its own number of threads."""
        import ray

        ref = (
            ray.remote(done)
            .options(
                name=one.task.model,
                num_cpus=self._cluster.cpus(int(one.task.environment["threads"])),
                num_gpus=self._cluster.gpus,
                max_retries=0,
                scheduling_strategy="SPREAD",
            )
            .remote(
                one.task.to_json(patience=PATIENCE),
                model=one.task.model,
                folder=str(one.task.folder),
                pinned=one.task.environment,
                files=one.task.job.files,
                expected=self._expected,
                mailbox=self._mailbox,
            )
        )
        self._running[ref] = one

    def _ended(self, watch: Watch) -> Iterator[tuple[int, str | None]]:
        """Wait a moment, pass on what the processes have said, yield those that have ended."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        ready, _ = ray.wait([*self._running], num_returns=1, timeout=_POLL)
        told = ray.get(self._mailbox.fetch.remote())
        now = time.monotonic()
        if told or ready:
            self._heard = now
        elif now - self._heard >= SILENCE:
            self._heard = now
            told = [(next(iter(self._running.values())).task.model, {"event": "waiting"})]
        for model, event in told:
            watch(model, event)
        for ref in ready:
            one = self._running.pop(ref)
            try:
                reason = ray.get(ref)
            except RayTaskError as error:  # the task itself raised
                reason = f"on the cluster: {raised(error.cause)}"
            except RayError as error:  # its node or its process is gone
                cause = f"lost by the cluster: {first_line(error).partition('. ')[0]}"
                if not one.is_given_up():
                    watch(one.task.model, {"event": "lost", "error": cause})
                    self._submit(one)
                    continue
                reason = f"{cause} {LOSSES} times in a row without a new epoch"
            yield one.number, reason

    def _stop(self) -> None:
        """Cancel what is running; each task stops its process in order."""
        import ray

        running = [*self._running]
        for ref in running:
            ray.cancel(ref, force=False)
        if running:
            _, left = ray.wait(running, num_returns=len(running), timeout=_STOP)
            for ref in left:
                ray.cancel(ref, force=True)
            if left:
                ray.wait(left, num_returns=len(left), timeout=_STOP)
        for one in self._running.values():  # a cancelled task may be told to have ended too early
            if one.task.run is not None:
                with suppress(RunBusyError), locked(one.task.run.folder, patience=_STOP):
                    pass


def _mailbox() -> Any:
    """Return an actor beside this process: what is told is lost only with that node."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = ray.get_runtime_context().get_node_id()
    return (
        ray.remote(Mailbox)
        .options(
            num_cpus=0,
            max_restarts=-1,
            max_task_retries=-1,
            scheduling_strategy=NodeAffinitySchedulingStrategy(here, soft=True),
        )
        .remote()
    )
