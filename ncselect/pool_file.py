"""The pool file of a source stage: extended, never rewritten."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ncselect.pretrained import PretrainedNetwork
from ncselect.run import replace_text
from zoo.pool import read_pool

_HEADER = """\
# Networks trained by 'ncselect pretrain'. Rank them on another dataset:
# ncselect rank --models pool.toml --dataset TARGET
"""


def listed_models(pool: Path) -> set[str]:
    """Return the names in a pool file; none if there is no file.

    Raises
    ------
    InputError
        If it is no pool file.
    """
    return {candidate.name for candidate in read_pool(pool)} if pool.exists() else set()


def extend(pool: Path, networks: Sequence[PretrainedNetwork]) -> None:
    """Add the networks that a pool file lacks; what it says already stays as it is.

    Parameters
    ----------
    pool
        The TOML file, made if it does not exist. Files are named relative to its folder.
    networks
        Saved in that folder.

    Raises
    ------
    InputError
        If what is there is no pool file.
    """
    with _held(pool.parent):
        listed = listed_models(pool)
        fresh = [_entry(one) for one in networks if toml_text(one.spec.model) not in listed]
        if fresh:
            before = pool.read_text(encoding="utf-8") if pool.exists() else _HEADER
            replace_text(pool, before.rstrip("\n") + "\n\n" + "\n".join(fresh))


def _entry(network: PretrainedNetwork) -> str:
    spec = network.spec
    smallest = network.smallest_size
    return (
        f"# Trained on {_one_line(spec.dataset)} for {network.epochs} epochs, seed {spec.seed}, "
        f"from {_one_line(network.weights)} weights;\n"
        f"# accuracy there: validation {network.validation_accuracy:.4f}, "
        f"test {network.test_accuracy:.4f}.\n"
        f"[[model]]\nname = {_quoted(spec.model)}\nfile = {_quoted(network.file.name)}\n"
        + (f"smallest_size = {smallest}\n" if smallest else "")
    )


def toml_text(text: str) -> str:
    """Return a text as TOML can hold it: what is no Unicode becomes question marks."""
    return text.encode("utf-8", "replace").decode()


def _quoted(text: str) -> str:
    """Return a TOML string. JSON's escapes are TOML's, but DEL, which JSON leaves alone."""
    return json.dumps(toml_text(text), ensure_ascii=False).replace("\x7f", "\\u007f")


def _one_line(text: str) -> str:
    """Return a text that may stand in a comment."""
    return "".join(sign if sign.isprintable() else " " for sign in toml_text(text))


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a folder against other processes that extend its pool file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
