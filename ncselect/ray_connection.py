"""The connection of this process to a Ray cluster."""

from __future__ import annotations

import logging
import os
import socket
from typing import Any

from zoo.errors import InputError

_OBJECTS = 80 * 2**20  # bytes of Ray's object store: next to nothing passes through it
_REACH = 10.0  # seconds that an address has to answer
_TOKEN = (
    "set RAY_AUTH_MODE=token here and on all nodes, with one token in ~/.ray/auth_token or "
    "RAY_AUTH_TOKEN, or RAY_AUTH_MODE=disabled on all; else 'ray start' wants one where that file "
    "is, and an address does not"
)
_heads: dict[str, str] = {}  # address that was asked for → that of the head behind it


def connect(address: str) -> None:
    """Connect this process to a Ray cluster, unless it is connected to it.

    Parameters
    ----------
    address
        See :class:`ncselect.cluster.Cluster`.

    Raises
    ------
    InputError
        If Ray is not installed, no cluster answers there or it wants another token, or this
        process is connected to another cluster.
    """
    try:
        import ray
    except ImportError as error:
        raise InputError("ray: it is not installed; pip install 'ncselect[ray]'") from error
    if ray.is_initialized():
        head = ray.get_runtime_context().gcs_address
        if address != "auto" and head not in (address, _heads.get(address)):
            raise InputError(
                f"ray: '{address}' came, but this process is connected to '{head}'; give auto for "
                "that cluster, or end the connection with ray.shutdown()"
            )
        return
    _check_answers(address)
    alone: dict[str, Any] = (
        {"include_dashboard": False, "object_store_memory": _OBJECTS} if address == "local" else {}
    )
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **alone)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        if is_refusal(error):
            raise InputError(
                f"ray: the cluster at '{address}' and this machine differ in their token, or in "
                f"whether they use one; {_TOKEN}"
            ) from error
        raise _no_cluster(address, error) from error
    _heads[address] = ray.get_runtime_context().gcs_address


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
        socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address: str, error: Exception) -> InputError:
    by_client = address.startswith("ray://")  # whose server does not say that a token is wanted
    return InputError(
        f"ray: there is no cluster at '{address}' ({first_line(error)}); start one with "
        "'ray start --head', give the address of one, or 'local' for this machine alone"
        + (f"; if it is there and wants a token, {_TOKEN}" if by_client else "")
    )


def is_refusal(error: BaseException) -> bool:
    """Tell whether a connection failed because the token is missing or another one.

    Ray raises an error of its own only where it finds no token; else the text says it, in what
    the error came from.
    """
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(cause)
    signs = ("AuthenticationError", "Unauthenticated", "InvalidAuthToken")
    return any(sign in f"{type(one).__name__}: {one}" for one in causes for sign in signs)


def first_line(error: Exception) -> str:
    """Return the first line of what an error says."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")
