"""Pool files: candidates listed in TOML, with weights and arguments of their own.

::

    [[model]]
    name = "mobilenet-0.25"
    application = "MobileNet"               # or file = "net.keras", or preset = "…"
    arguments = { alpha = 0.25 }            # of the application
    weights = "weights/mobilenet.weights.h5"  # or "imagenet", "random"
    preprocessing = "tf"                    # overrides the network's own
    smallest_size = 64                      # smaller images are enlarged to so many pixels a side

Relative paths, those of presets' folders too, begin at the pool file's folder.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.candidate import Candidate
from zoo.cards import MODELS, PREPROCESSINGS, Card, find_card
from zoo.errors import InputError, UnknownNameError
from zoo.preset import locate_preset

_SOURCES = ("application", "file", "preset")
_KEYS = ("name", *_SOURCES, "arguments", "weights", "preprocessing", "smallest_size")


def read_pool(path: Path) -> list[Candidate]:
    """Return the candidates of a pool file, in its order.

    Parameters
    ----------
    path
        The TOML file.

    Returns
    -------
    list of Candidate
        At least one; ``weights`` is empty where an application's entry states none.

    Raises
    ------
    InputError
        If it is not TOML, or an entry lacks or misspells a key; the text names file, entry,
        key and remedy.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"pool file {path} is not TOML: {error}. Correct it there.") from None
    except OSError as error:
        raise InputError(
            f"pool file {path} cannot be read: {error.strerror}. Name a readable TOML file."
        ) from None
    unknown = sorted(set(document) - {"model"})
    if unknown:
        raise InputError(
            f"pool file {path}: unknown key '{unknown[0]}' at the top. "
            "List candidates as [[model]] tables and nothing else."
        )
    entries = document.get("model")
    if not isinstance(entries, list) or not entries:
        raise InputError(
            f"pool file {path} lists no model. Add a [[model]] table with name and application."
        )
    return [
        _candidate(entry, f"pool file {path}, model {number}", path.parent)
        for number, entry in enumerate(entries, start=1)
    ]


def check_arguments(card: Card, arguments: Mapping[str, Any], place: str) -> None:
    """Raise InputError unless the card's network takes every one of the arguments."""
    for argument, value in arguments.items():
        if argument not in card.arguments:
            accepted = ", ".join(card.arguments) or "none"
            raise InputError(
                f"{place}: {card.name} takes no argument '{argument}' here. "
                f"Remove it; accepted: {accepted}."
            )
        if not isinstance(value, (bool, int, float)):
            raise InputError(
                f"{place}: argument '{argument}' of {card.name} is {value!r}. Give a number."
            )


def _candidate(entry: Any, place: str, folder: Path) -> Candidate:
    if not isinstance(entry, dict):
        raise InputError(f"{place} is {entry!r}. Write it as a [[model]] table.")
    name = entry.get("name")
    if not isinstance(name, str) or not name.strip():
        raise InputError(f'{place} has no name. Add name = "…".')
    place = f"{place} ('{name}')"
    for key in entry:
        if key not in _KEYS:
            raise InputError(f"{place}: {UnknownNameError('key', key, _KEYS)}")
    sources = [key for key in _SOURCES if key in entry]
    if len(sources) != 1:
        raise InputError(
            f"{place} states {' and '.join(sources) or 'no source'}. "
            "Give exactly one of application, file, preset."
        )
    kind = sources[0]
    for key in (kind, "weights", "preprocessing"):
        if key in entry and not isinstance(entry[key], str):
            raise InputError(f"{place}: {key} is {entry[key]!r}. Give a string.")
    preprocessing = entry.get("preprocessing")
    if preprocessing is not None and preprocessing not in PREPROCESSINGS:
        raise InputError(
            f"{place}: preprocessing is '{preprocessing}'. Give one of {', '.join(PREPROCESSINGS)}."
        )
    smallest = entry.get("smallest_size")
    if smallest is not None and (not _is_whole(smallest) or smallest < 1):
        raise InputError(
            f"{place}: smallest_size is {smallest!r}. Give a whole number of pixels a side."
        )
    if kind == "application":
        return _application(name, entry, place, folder)
    for key in ("arguments", "weights"):
        if key in entry:
            raise InputError(f"{place}: a {kind} brings its own {key}. Remove '{key}'.")
    if kind == "file":
        source = str((folder / Path(entry["file"]).expanduser()).absolute())
        return Candidate(name, "file", source, {}, "included", preprocessing, smallest)
    source = locate_preset(entry["preset"], folder)
    return Candidate(name, "preset", source, {}, "included", preprocessing, smallest)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _application(name: str, entry: dict[str, Any], place: str, folder: Path) -> Candidate:
    card = find_card(entry["application"])
    if card is None:
        raise InputError(
            f"{place}: {UnknownNameError('application', entry['application'], MODELS)}"
        )
    arguments = entry.get("arguments", {})
    if not isinstance(arguments, dict):
        raise InputError(
            f"{place}: arguments is {arguments!r}. Give a table, such as {{ alpha = 0.25 }}."
        )
    check_arguments(card, arguments, place)
    smallest = entry.get("smallest_size", card.smallest_size)
    if smallest < card.smallest_size:
        raise InputError(
            f"{place}: smallest_size is {smallest}, and {card.name} cannot be built for less than "
            f"{card.smallest_size} pixels a side. Raise it, or remove it."
        )
    stated = entry.get("weights", "")
    if stated and stated not in ("imagenet", "random"):
        stated = str((folder / Path(stated).expanduser()).absolute())
    return Candidate(
        name,
        "application",
        card.name,
        arguments,
        stated,
        entry.get("preprocessing"),
        None if smallest == card.smallest_size else smallest,
    )
