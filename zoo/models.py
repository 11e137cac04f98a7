"""What can be ranked: from what a user writes to candidates, and from those to headless networks.

``candidates`` turns names, groups, files and objects into :class:`Candidate` values without
loading Keras; ``build`` makes one of them a network from pixels to features.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.base import Base, build
from zoo.candidate import Candidate
from zoo.cards import GROUPS, MODELS, Card, find_card
from zoo.errors import InputError, UnknownNameError
from zoo.pool import read_pool
from zoo.preset import locate_preset

__all__ = ["GROUPS", "MODELS", "Base", "Candidate", "Card", "build", "candidates"]

_WORDS = ("imagenet", "random")
_PRESET = "hub:"
_FORMS = "Or give a pool file (.toml), a .keras file, or hub:PRESET."


def candidates(
    models: Any,
    *,
    weights: str | os.PathLike[str] = "imagenet",
    default: str = "imagenet",
    scratch: Path | None = None,
) -> list[Candidate]:
    """Return the candidates that a user's words or objects stand for, in their order.

    Weights that cannot be had are no error here: ``build`` raises for that candidate alone.

    Parameters
    ----------
    models
        One or a sequence of: a network's name, a group's name (case is ignored), the path of
        a pool file (``.toml``) or a ``.keras`` file, ``hub:PRESET``, a ``Candidate``, a Keras
        model. A string may list several of them, separated by commas, unless it is itself
        the path of a file.
    weights
        For networks given by name, and for those whose pool entry states none: ``imagenet``,
        ``random``, or a path: a weights file where there is one such network, else a folder
        with ``NAME.weights.h5`` or ``NAME.h5`` for each.
    default
        The value of ``weights`` that leaves alone what brings weights of its own; any other
        contradicts it.
    scratch
        Folder into which Keras models are saved, once each.

    Returns
    -------
    list of Candidate
        At least one. A network that two groups share comes once.

    Raises
    ------
    UnknownNameError
        If a name is in no table; the text offers the nearest.
    InputError
        If nothing is named, two candidates bear one name, a pool file is wrong, or ``weights``
        contradicts what a candidate brings along.

    Examples
    --------
    >>> [candidate.name for candidate in candidates("mobilenetv2, ResNet50")]
    ['MobileNetV2', 'ResNet50']
    """
    stated = os.fspath(weights)
    _check_weights(stated)
    found: dict[str, Candidate] = {}
    shared: set[str] = set()
    for item in _items(models):
        grouped = isinstance(item, str) and item.casefold() in GROUPS
        for candidate in _expand(item, scratch):
            earlier = found.get(candidate.name)
            if earlier is not None and not (
                earlier == candidate and (grouped or candidate.name in shared)
            ):
                raise InputError(
                    f"models name '{candidate.name}' twice. Name each candidate once; in a pool "
                    "file give each entry its own name."
                )
            if candidate.weights and stated != default and not isinstance(item, Candidate):
                raise InputError(
                    f"weights is '{stated}', but {candidate.name} brings its own "
                    f"({candidate.weights}). Leave weights out, and state those of the other "
                    "networks in a pool file."
                )
            found.setdefault(candidate.name, candidate)
            if grouped:
                shared.add(candidate.name)
    if not found:
        raise InputError(
            f"models is {models!r}: no candidate. Name networks, such as MobileNetV2, or a group: "
            f"{', '.join(GROUPS)}."
        )
    return _with_weights(list(found.values()), stated)


def _items(models: Any) -> list[Any]:
    if isinstance(models, str):
        if os.path.isfile(os.path.expanduser(models)):
            return [models]
        return [part.strip() for part in models.split(",") if part.strip()]
    if isinstance(models, Sequence):
        return [item for part in models for item in _items(part)]
    return [models]


def _check_weights(stated: str) -> None:
    if stated in _WORDS or Path(stated).suffix or os.sep in stated or Path(stated).is_dir():
        return
    raise UnknownNameError(
        "weights", stated, _WORDS, "Or give the path of a weights file or a folder of them."
    )


def _expand(item: Any, scratch: Path | None) -> list[Candidate]:
    """Return an item's candidates; weights are empty where the item states none."""
    if isinstance(item, Candidate):
        return [item]
    if isinstance(item, os.PathLike):
        return _from_path(Path(item))
    if isinstance(item, Card):
        return [_named(item.name)]
    if not isinstance(item, str):
        return [_from_object(item, scratch)]
    if item.startswith(_PRESET):
        return [_preset(item.removeprefix(_PRESET))]
    group = GROUPS.get(item.casefold())
    if group is not None:
        return [_named(name) for name in group]
    card = find_card(item)
    if card is not None:
        return [_named(card.name)]
    if item.endswith((".toml", ".keras")) or os.sep in item:
        return _from_path(Path(item))
    raise UnknownNameError("model", item, (*MODELS, *GROUPS), _FORMS)


def _named(name: str) -> Candidate:
    return Candidate(name, "application", name, {}, "")


def _from_path(path: Path) -> list[Candidate]:
    path = path.expanduser().absolute()
    if path.suffix == ".toml":
        return read_pool(path)
    if path.suffix == ".keras":
        return [Candidate(path.stem, "file", str(path), {}, "included")]
    raise InputError(
        f"model file {path} is neither a pool file (.toml) nor a .keras file. "
        "Save a network with model.save('NAME.keras'), or give weights by a pool file."
    )


def _preset(name: str) -> Candidate:
    source = locate_preset(name, Path())
    return Candidate(source.rsplit("/", 1)[-1], "preset", source, {}, "included")


def _from_object(model: Any, scratch: Path | None) -> Candidate:
    if not (hasattr(model, "save") and hasattr(model, "layers")):
        raise InputError(
            f"models holds {model!r}, of type {type(model).__name__}. "
            "Give names, paths, Candidate values or Keras models."
        )
    if scratch is None:
        raise InputError(
            f"model '{model.name}' is a Keras object and there is no scratch folder to save it "
            "in. Pass scratch, or save it yourself and give the path of the .keras file."
        )
    from zoo.saved import save_once

    return Candidate(model.name, "file", str(save_once(model, scratch)), {}, "included")


def _with_weights(found: list[Candidate], stated: str) -> list[Candidate]:
    """Give every candidate that has no weights yet the stated ones."""
    open_ones = [candidate.name for candidate in found if not candidate.weights]
    if stated in _WORDS:
        chosen = dict.fromkeys(open_ones, stated)
    elif Path(stated).expanduser().is_dir():
        folder = Path(stated).expanduser().absolute()
        chosen = {name: str(_weights_file(folder, name)) for name in open_ones}
    elif len(open_ones) == 1:
        chosen = {open_ones[0]: str(Path(stated).expanduser().absolute())}
    else:
        raise InputError(
            f"weights is one file, {stated}, for {len(open_ones)} networks. Give a folder with "
            "NAME.weights.h5 for each, or a pool file."
        )
    return [
        dataclasses.replace(candidate, weights=candidate.weights or chosen[candidate.name])
        for candidate in found
    ]


def _weights_file(folder: Path, name: str) -> Path:
    legacy = folder / f"{name}.h5"
    return legacy if legacy.exists() else folder / f"{name}.weights.h5"
