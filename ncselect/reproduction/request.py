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
from ncselect.reproduction.scales import SCALES, Scale, scale_named
from ncselect.reproduction.targets import target_named
from ncselect.selection import selection
from ncselect.spec import Settings
from ncselect.store import RunStore
from ncselect.workers import asked_workers
from zoo.datasets import DATASETS, Dataset, prepare
from zoo.errors import InputError
from zoo.models import GROUPS, Candidate, candidates
from zoo.splits import SplitError

_NO_WEIGHTS = (
    "Keras has no ImageNet weights of it; name a pool file with an entry 'AlexNet' that has "
    'weights = "FILE", such as --pool paper,alexnet.toml'
)
_NAMED = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)=(.+)")


def reproduction(
    target: str,
    *,
    scale: str = "small",
    pool: Any = None,
    datasets: Sequence[str] | None = None,
    repeats: int | None = None,
    store: str | Path = "runs",
    workers: int | None = None,
    threads: int | None = None,
    ray: str | None = None,
    gpus_per_run: float | None = None,
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
    workers, threads, ray, gpus_per_run
        As in ``ncselect.select``.
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
    if repeats is not None:
        check_whole(repeats=repeats)
    doing = asked_workers(workers, threads, ray, gpus_per_run)
    run_store = RunStore(store)
    chosen, lost = _candidates(size.models if pool is None else pool, run_store)
    size = dataclasses.replace(
        size,
        repeats=repeats or size.repeats,
        datasets=size.datasets if datasets is None else tuple(datasets),
    )
    named = [_named(text) for text in size.datasets]
    _check_different([name for name, _ in named])
    parts: list[Part] = []
    notes: list[str] = []

    def add(data: Dataset, shown: str, epochs: int, images: int | None) -> None:
        for seed in range(size.repeats):
            asked = selection(
                chosen,
                data,
                method_name="last-value",
                epochs=epochs,
                horizon=epochs,
                seed=seed,
                settings=Settings(measure_whole=size.measure_whole),
                store=store,
                workers=workers,
                threads=threads,
                ray=ray,
                gpus_per_run=gpus_per_run,
            )
            parts.append(Part(shown, images, seed, asked.jobs, {**lost, **asked.missing}))

    for name, source in named if card.all_datasets else named[:1]:
        data = _prepared(name, source, size, prepared)
        notes += [f"{name}: {note}" for note in data.notes]
        add(data, name, size.horizon, None)
        for images in size.sizes if card.sizes else ():
            if images >= data.count("train"):
                raise InputError(
                    f"datasets: {name} has {data.count('train'):,} training images, and figure 3c "
                    f"at the scale '{size.name}' compares {images:,} with all of them; choose a "
                    "smaller scale or a larger dataset"
                )
            add(_reduced(name, source, size, images), name, size.longest, images)
    if not any(part.jobs for part in parts):
        raise InputError(
            "pool: none of its candidates can be run: "
            + "; ".join(f"{name}: {why}" for name, why in parts[0].missing.items())
        )
    return Reproduction(
        target, size, tuple(parts), run_store, doing.count, tuple(notes), doing.cluster
    )


def _candidates(models: Any, store: RunStore) -> tuple[list[Candidate], dict[str, str]]:
    """Return the candidates that have weights, and why others have none.

    What is named beside a group, as an entry of a pool file, takes the place of the group's
    network of the same name.

    Raises
    ------
    InputError
        If none is left.
    """
    scratch = store.folder / "objects"
    groups: dict[str, Candidate] = {}
    others: list[Candidate] = []
    for item in models if isinstance(models, list | tuple) else [models]:
        for part in _items(item):
            if isinstance(part, str) and part.casefold() in GROUPS:
                groups |= {one.name: one for one in candidates(part, scratch=scratch)}
            else:
                others += candidates(part, scratch=scratch)
    stated = {one.name for one in others}
    kept = [*(one for name, one in groups.items() if name not in stated), *others]
    lost = {one.name: _NO_WEIGHTS for one in kept if _lacks_weights(one)}
    if kept and len(lost) == len(kept):
        raise InputError(
            f"pool: none of its candidates can be run: {', '.join(lost)}: {_NO_WEIGHTS}"
        )
    return [one for one in kept if one.name not in lost], lost


def _items(item: Any) -> list[Any]:
    """Return what a text lists, unless it is a file's path."""
    if not isinstance(item, str) or Path(item).expanduser().is_file():
        return [item]
    return [part.strip() for part in item.split(",") if part.strip()]


def _lacks_weights(candidate: Candidate) -> bool:
    return candidate.source == paper.ALEXNET and candidate.weights == "imagenet"


def _named(text: str) -> tuple[str, str]:
    """Return a dataset's name and source from ``NAME=SOURCE`` or a source alone.

    What lies at a path that has an equals sign in it is a source alone.
    """
    found = _NAMED.fullmatch(text)
    if found and not Path(text).exists():
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
    try:
        return prepare(
            source,
            name=_shown(name, source),
            image_size=_image_size(name, scale),
            train_size=scale.train,
            validation_size=_validation(name, source, scale),
            test_size=scale.test,
            progress=lambda done, total: prepared(name, done, total),
        )
    except SplitError as error:
        raise InputError(
            f"datasets: {name} cannot be split as the scale '{scale.name}' asks: {error.what}; "
            f"choose another scale ({', '.join(one for one in SCALES if one != scale.name)}) or "
            "another dataset"
        ) from None


def _reduced(name: str, source: str, scale: Scale, images: int) -> Dataset:
    """Return the first images to train on and the last ones to validate on, as figure 3c."""
    try:
        return prepare(
            source,
            name=_shown(name, source),
            image_size=_image_size(name, scale),
            train_size=images,
            validation_size=scale.sizes_validation,
            test_size=scale.test,
            in_order=True,
        )
    except SplitError as error:
        raise InputError(
            f"datasets: {name} does not do for figure 3c at the scale '{scale.name}': "
            f"{error.what}; figure 3c needs enough images in a mixed order, as in npz or idx files "
            "and tensorflow-datasets; those of a folder, tar or zip are sorted by class"
        ) from None


def _validation(name: str, source: str, scale: Scale) -> int | None:
    """Return how many images validate: the paper's number of its datasets, wherever they lie."""
    known = paper.DATASETS.get(name)
    if scale.validation is not None or known is None or source.casefold() in DATASETS:
        return scale.validation
    return known.validation


def _shown(name: str, source: str) -> str | None:
    """Return what the runs call a dataset: None leaves it to the source."""
    return None if name == source or name == source.casefold() else name


def _image_size(name: str, scale: Scale) -> int | None:
    known = paper.DATASETS.get(name)
    if scale.image_size is not None or known is None:
        return scale.image_size
    return known.image_size
