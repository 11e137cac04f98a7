"""Before runs are done on a cluster: every node is asked whether it can do them."""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ncselect.node import Expected, trouble
from ncselect.ray_connection import first_line
from zoo.errors import InputError

_ANSWER = 120.0  # seconds that a node has to say whether it can do runs


@contextmanager
def token(store: Path) -> Iterator[tuple[Path, str]]:
    """Give a locked file in the store and what stands in it, for the nodes to look at.

    Raises
    ------
    InputError
        If the store's file system has no locks.
    """
    store.mkdir(parents=True, exist_ok=True)
    text = uuid.uuid4().hex
    path = store / f".cluster-{text}"
    with path.open("w") as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError as error:
                raise InputError(
                    f"store: '{store}' has no file locks ({error}), so that two could write one "
                    "run; name a folder that has, such as one of NFS 4"
                ) from error
            yield path, text
        finally:
            path.unlink()


def alive_nodes() -> list[Mapping[str, Any]]:
    """Return what Ray says of the nodes that are there."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


def check_nodes(names: Mapping[str, str], expected: Expected) -> None:
    """Ask nodes whether they can do runs; one that is lost meanwhile is passed over.

    Parameters
    ----------
    names
        Identity → host name.
    expected
        What they must have.

    Raises
    ------
    InputError
        If a node cannot, or does not answer.
    """
    import ray
    from ray.exceptions import RayError, RayTaskError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    answers = {
        node: ray.remote(trouble)
        .options(
            num_cpus=0,
            max_retries=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
        )
        .remote(expected)
        for node in names
    }
    for node, answer in answers.items():
        try:
            found = ray.get(answer, timeout=_ANSWER)
        except RayTaskError as error:
            found = raised(error.cause)
        except RayError as error:
            if node not in {one["NodeID"] for one in alive_nodes()}:
                continue
            found = f"it does not answer ({first_line(error)})"
        if found is not None:
            raise InputError(f"ray: node {names[node]}: {found}")


def raised(error: Exception) -> str:
    """Say what a task on a node raised, and the remedy where the package is not there."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, ImportError) or "failed to import" in str(error):  # as Ray puts it
        return f"{lines[-1] if lines else 'no import'}; install the same ncselect on all nodes"
    return f"{type(error).__name__}: {first_line(error)}"
