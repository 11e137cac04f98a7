"""Versions of the libraries that numbers are computed with."""

from __future__ import annotations

from importlib import metadata


def library_versions(*names: str) -> dict[str, str]:
    """Return name → version, of those that are installed."""
    return {name: metadata.version(name) for name in names if _is_installed(name)}


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
