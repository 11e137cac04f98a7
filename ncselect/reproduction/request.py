"""What a table or figure asks for: a scale with a person's own wishes, as jobs."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ncselect.arguments import check_whole
from ncselect.reproduction import paper
from ncselect.reproduction.runs import Part, Reproduction
from ncselect.reproduction.scales import Scale, scale_named
from ncselect.reproduction.targets import target_named
from ncselect.selection import selection
from ncselect.store import RunStore
from zoo.datasets import Dataset, prepare
from zoo.errors import InputError

_NAMED = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)=(.+)")


def reproduction(
    target: str,
    *,
    scale: str = "small",
    pool: Any = None,
    datasets: Sequence[str] | None = None,
    repeats: int | None = None,
    store: str | Path = "runs",
    workers: int = 1,
    threads: int | None = None,
    prepared: Callable[[str, int, int | None], None] = lambda _name, _done, _total: None,
) -> Reproduction:
    """Work out what a table or figure needs; train nothing.

    Parameters
    ----------
    target
        A key of ``TARGETS``.
    scale
        A key of ``SCALES``.
    pool
        Candidates, as ``ncselect.select`` takes them, instead of the scale's.
    datasets
        Instead of the scale's: names or paths as ``ncselect.select`` takes them, or
        ``NAME=PATH``, which calls what lies there by one of the paper's names.
    repeats
        Instead of the scale's.
    store
        The folder of the runs.
    workers, threads
        Runs at a time, and threads of each.
    prepared
        Called with a dataset's name and the images that are read, of how many.

    Raises
    ------
    InputError
        For any argument that cannot be used; nothing has been trained or lost.
    UnknownNameError
        If target or scale is unknown.
    """
    card, size = target_named(target), scale_named(scale)
    check_whole(workers=workers)
    if threads is not None:
        check_whole(threads=threads)
    if repeats is not None:
        check_whole(repeats=repeats)
    size = dataclasses.replace(
        size,
        repeats=repeats or size.repeats,
        datasets=size.datasets if datasets is None else tuple(datasets),
    )
    models = list(size.models) if pool is None else pool
    named = [_named(text) for text in size.datasets]
    _check_different([name for name, _ in named])
    run_store = RunStore(store)
    parts: list[Part] = []
    notes: list[str] = []

    def add(data: Dataset, shown: str, epochs: int, images: int | None) -> None:
        for seed in range(size.repeats):
            asked = selection(
                models,
                data,
                method_name="last-value",
                epochs=epochs,
                horizon=epochs,
                seed=seed,
                store=store,
                workers=workers,
                threads=threads,
            )
            parts.append(Part(shown, images, seed, asked.jobs, asked.missing))

    for name, source in named if card.all_datasets else named[:1]:
        data = _prepared(name, source, size, prepared)
        notes += [f"{name}: {note}" for note in data.notes]
        add(data, name, size.horizon, None)
        for images in size.sizes if card.sizes else ():
            add(_reduced(name, source, size, images), name, size.longest, images)
    if not any(part.jobs for part in parts):
        raise InputError(
            "pool: none of its candidates can be run: "
            + "; ".join(f"{name}: {why}" for name, why in parts[0].missing.items())
        )
    return Reproduction(target, size, tuple(parts), run_store, workers, tuple(notes))


def _named(text: str) -> tuple[str, str]:
    """Return a dataset's name and source from ``NAME=SOURCE`` or a source alone."""
    found = _NAMED.fullmatch(text)
    if found:
        return found[1], found[2]
    return (text.casefold() if text.casefold() in paper.DATASETS else text), text


def _check_different(names: Sequence[str]) -> None:
    if not names:
        raise InputError("datasets: none came; name one or more, such as cifar10")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"datasets: {', '.join(twice)} came more than once; name each once")


def _prepared(
    name: str,
    source: str,
    scale: Scale,
    prepared: Callable[[str, int, int | None], None],
) -> Dataset:
    return prepare(
        source,
        name=_shown(name, source),
        image_size=_image_size(name, scale),
        train_size=scale.train,
        validation_size=scale.validation,
        test_size=scale.test,
        progress=lambda done, total: prepared(name, done, total),
    )


def _reduced(name: str, source: str, scale: Scale, images: int) -> Dataset:
    """Return the first images to train on and the last ones to validate on, as figure 3c."""
    return prepare(
        source,
        name=_shown(name, source),
        image_size=_image_size(name, scale),
        train_size=images,
        validation_size=scale.sizes_validation,
        test_size=scale.test,
        in_order=True,
    )


def _shown(name: str, source: str) -> str | None:
    """Return what the runs call a dataset: None leaves it to the source."""
    return None if name == source or name == source.casefold() else name


def _image_size(name: str, scale: Scale) -> int | None:
    known = paper.DATASETS.get(name)
    if scale.image_size is not None or known is None:
        return scale.image_size
    return known.image_size
