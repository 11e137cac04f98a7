"""The connection of this process to a Ray cluster."""

from __future__ import annotations

import logging
import os
import socket
from typing import Any

from zoo.errors import InputError

_OBJECTS = 80 * 2**20  # bytes of Ray's object store: next to nothing passes through it
_REACH = 10.0  # seconds that an address has to answer


def connect(address: str) -> None:
    """Connect this process to a Ray cluster, unless it is connected to one.

    Parameters
    ----------
    address
        See :class:`ncselect.cluster.Cluster`.

    Raises
    ------
    InputError
        If Ray is not installed, or no cluster answers there.
    """
    try:
        import ray
    except ImportError as error:
        raise InputError("ray: it is not installed; pip install 'ncselect[ray]'") from error
    if ray.is_initialized():
        return
    _check_answers(address)
    alone: dict[str, Any] = (
        {"include_dashboard": False, "object_store_memory": _OBJECTS} if address == "local" else {}
    )
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **alone)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise _no_cluster(address, error) from error


def _check_answers(address: str) -> None:
    """Raise unless somebody answers at an address; Ray itself goes on asking for minutes."""
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", address)
    if address in ("auto", "local"):
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        raise InputError(
            f"ray: '{address}' came; give auto, local, HOST:PORT of a cluster's head, or "
            "ray://HOST:PORT of its client server"
        )
    try:
        socket.create_connection((host, int(port)), timeout=_REACH).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address: str, error: Exception) -> InputError:
    return InputError(
        f"ray: there is no cluster at '{address}' ({first_line(error)}); start one with "
        "'ray start --head', give the address of one, or 'local' for this machine alone"
    )


def first_line(error: Exception) -> str:
    """Return the first line of what an error says."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")
