"""The file of a page: what it may replace, and how it is written."""

from __future__ import annotations

from pathlib import Path

from ncselect.run import replace_text
from zoo.errors import InputError

_MARK = '<meta name="generator" content="ncselect'
_HEAD = 1000  # bytes in which a page says who made it


def check_page(path: Path) -> None:
    """Raise an InputError if a page cannot be written to a path.

    It can where there is no file, or one that is a page of ours.
    """
    if path.is_dir():
        raise InputError(f"out: '{path}' is a folder; name a file, such as {path / 'report.html'}")
    if not path.absolute().parent.is_dir():
        raise InputError(f"out: there is no folder '{path.absolute().parent}'; make it first")
    if path.exists() and _MARK.encode() not in _head(path):
        raise InputError(
            f"out: '{path}' is there and was not made by 'ncselect report'; name another file"
        )


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError as error:
        raise InputError(
            f"out: '{path}' is there and cannot be read ({error.strerror}); name another file"
        ) from error


def write_page(path: Path, text: str) -> None:
    """Write a page, replacing the one before as a whole.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    check_page(path)
    try:
        replace_text(path, text)
    except OSError as error:
        raise InputError(
            f"out: '{path}' cannot be written ({error.strerror}); name another file"
        ) from error
