"""How many runs at a time, where, and what their processes are pinned to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ncselect.arguments import check_whole
from ncselect.cluster import Cluster
from ncselect.environment import available_cores, environment
from zoo.errors import InputError


@dataclass(frozen=True)
class Workers:
    """Who does the runs.

    Attributes
    ----------
    count
        Runs at a time.
    cluster
        Where they are done; None: on this machine.
    environment
        What belongs into their keys, see ``ncselect.environment``.
    """

    count: int
    cluster: Cluster | None
    environment: Mapping[str, str]


def asked_workers(
    workers: int | None,
    threads: int | None,
    ray: str | None = None,
    gpus_per_run: float | None = None,
) -> Workers:
    """Return who does the runs, as asked for; a cluster is connected to.

    Parameters
    ----------
    workers
        Runs at a time. None: one on this machine; on a cluster as many as it has room for.
    threads
        Of each run. None: the cores of this machine divided by the runs; on a cluster one.
    ray, gpus_per_run
        Address of a Ray cluster, and each run's share of a GPU there, see
        :class:`ncselect.cluster.Cluster`.

    Raises
    ------
    InputError
        For a number that cannot be used, or a cluster that is not there or has no room.
    """
    for name, number in (("workers", workers), ("threads", threads)):
        if number is not None:
            check_whole(**{name: number})
    if ray is None:
        if gpus_per_run is not None:
            raise InputError(
                "gpus-per-run: processes on this machine alone see all its GPUs; share them out "
                "with --ray local"
            )
        count = workers or 1
        return Workers(count, None, environment(threads or max(1, available_cores() // count)))
    cluster = Cluster(ray, threads=threads or 1, gpus=gpus_per_run)
    return Workers(workers or cluster.slots, cluster, cluster.environment)
