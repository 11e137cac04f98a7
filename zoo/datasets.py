"""Which datasets are known, and how any source of images becomes a prepared dataset."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from typing import Any

from zoo.cache import FORMAT, Cache
from zoo.errors import InputError
from zoo.preparation import Progress, write
from zoo.prepared import Dataset, IncompleteSetError
from zoo.sources.opening import open_source
from zoo.splits import SplitRequest

__all__ = ["DATASETS", "Dataset", "DatasetCard", "prepare"]

PAPER_VALIDATION = 15_000
"""Images that the neural capacitance paper takes from training for validation (section 5)."""


@dataclass(frozen=True)
class DatasetCard:
    """Facts about a dataset that has a name.

    Attributes
    ----------
    name
        What to type.
    tfds
        Its name in tensorflow-datasets; ``None`` for the bundled one.
    classes
        Number of classes.
    image_size
        (height, width); ``None`` if the images differ.
    train, test
        Numbers of images; ``test`` is 0 where there is no test split.
    paper_validation
        Images that the paper took from training for validation; ``None`` if it did not use it.
    about
        One line for a list.
    """

    name: str
    tfds: str | None
    classes: int
    image_size: tuple[int, int] | None
    train: int
    test: int
    paper_validation: int | None
    about: str


_CARDS = (
    DatasetCard(
        "cifar10", "cifar10", 10, (32, 32), 50_000, 10_000, PAPER_VALIDATION,
        "tiny photographs of animals and vehicles",
    ),
    DatasetCard(
        "cifar100", "cifar100", 100, (32, 32), 50_000, 10_000, PAPER_VALIDATION,
        "tiny photographs, 100 fine classes",
    ),
    DatasetCard(
        "svhn", "svhn_cropped", 10, (32, 32), 73_257, 26_032, PAPER_VALIDATION,
        "house number digits; the 531,131 'extra' images are not used",
    ),
    DatasetCard(
        "fashion_mnist", "fashion_mnist", 10, (28, 28), 60_000, 10_000, PAPER_VALIDATION,
        "grey pictures of clothes",
    ),
    DatasetCard("mnist", "mnist", 10, (28, 28), 60_000, 10_000, None, "handwritten digits"),
    DatasetCard("flowers", "tf_flowers", 5, None, 3_670, 0, None, "photographs of five flowers"),
    DatasetCard(
        "birds", "caltech_birds2011", 200, None, 5_994, 5_794, PAPER_VALIDATION,
        "photographs of birds; the paper's set is another (Kaggle's): give its folder",
    ),
    DatasetCard(
        "digits", None, 10, (8, 8), 1_797, 0, None, "8×8 handwritten digits, bundled, offline"
    ),
)  # fmt: skip

DATASETS: dict[str, DatasetCard] = {card.name: card for card in _CARDS}
"""Name → facts; :func:`prepare` takes these names, and much else."""


def prepare(
    source: Any,
    *,
    name: str | None = None,
    image_size: int | None = None,
    train_size: int | None = None,
    validation_size: int | None = None,
    test_size: int | None = None,
    split_seed: int = 0,
    in_order: bool = False,
    skip_corrupt: bool = False,
    cache: str | os.PathLike[str] | None = None,
    cache_gigabytes: float | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Bring a source's images to one size, once, and split them.

    Parameters
    ----------
    source
        A name in ``DATASETS``, in any case of its letters, even if a file has the same name (give
        ``./NAME`` for that); ``tfds:NAME[/CONFIG][:VERSION]``; the path of a folder of class
        folders (with or without train, validation and test folders above them), of a tar or zip
        of the same, of a ``.npz`` with x_train, y_train and optionally x_val, y_val, x_test,
        y_test, or of a folder of idx files (MNIST's format); in Python also ``(x, y)``,
        ``((x_train, y_train), (x_test, y_test))``, a ``tf.data.Dataset`` or Keras ``PyDataset``
        of (image, label) pairs, a Hugging Face dataset, or a mapping of split → any of these.
    name
        What to call it; the source's name by default.
    image_size
        Side of the square images; by default the source's own size if all images share it and it
        is at most 224, else 224.
    train_size, validation_size, test_size
        Numbers of images, stratified. By default the source's own splits stay; a missing test
        split takes 20%, a missing validation split 15,000 where the paper did and 20% elsewhere;
        training gets what is left.
    split_seed
        Decides which images go where.
    in_order
        Train on the first ``train_size`` images of the training split and validate on its last
        ``validation_size``, instead of on stratified parts; both must be given.
    skip_corrupt
        Leave out and count images that cannot be decoded; by default they are an error.
    cache, cache_gigabytes
        Where prepared images are kept and how much they may take, see :class:`zoo.cache.Cache`.
    progress
        Called with (images done, images in all or ``None``) while preparing.

    Returns
    -------
    Dataset
        The prepared images; read from the cache if the same source was prepared before.

    Raises
    ------
    InputError
        For anything that cannot be used: the text says what came and what to do.
    """
    _check_whole(
        image_size=image_size,
        train_size=train_size,
        validation_size=validation_size,
        test_size=test_size,
    )
    if isinstance(split_seed, bool) or not isinstance(split_seed, int) or split_seed < 0:
        raise InputError(f"split_seed is {split_seed!r}; give a whole number of at least 0")
    card = DATASETS.get(source.casefold()) if isinstance(source, str) else None
    remarks: tuple[str, ...] = ()
    if card and os.path.exists(source):
        remarks = (f"this is the known dataset {card.name}; give ./{source} for what lies here",)
    opened = open_source(
        card.name if card else source, card.tfds if card else None, known=tuple(DATASETS)
    )
    shown = name or (card.name if card else opened.name)
    request = SplitRequest(
        train=train_size,
        validation=validation_size,
        test=test_size,
        paper_validation=card.paper_validation if card else None,
        seed=split_seed,
        in_order=in_order,
    )
    store = Cache(cache, cache_gigabytes)
    stem = re.sub(r"[^A-Za-z0-9._]+", "-", shown).strip("-.")[:40] or "images"
    decides = [FORMAT, opened.identity, image_size, skip_corrupt]
    known_by = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
    key = f"{stem}-{known_by[:16]}"
    with store.locked(key):
        with store.locked():
            if opened.identity is not None:
                present = _open_whole(store, key, shown, request, remarks)
                if present is not None:
                    return present
        with store.writing(key) as partial:
            content = write(
                opened,
                partial,
                store,
                image_size=image_size,
                skip_corrupt=skip_corrupt,
                progress=progress,
            )
            with store.locked():
                final = f"{stem}-{content[:16]}" if opened.identity is None else key
                present = _open_whole(store, final, shown, request, remarks)
                return present or Dataset.open(store.keep(partial, final), shown, request, remarks)


def _open_whole(
    store: Cache, name: str, shown: str, request: SplitRequest, remarks: tuple[str, ...]
) -> Dataset | None:
    """Open a set that is there and whole; remove what is left of one that is not."""
    try:
        return Dataset.open(store.folder / name, shown, request, remarks)
    except IncompleteSetError:
        store.remove(name)
        return None


def _check_whole(**sizes: int | None) -> None:
    """Refuse sizes that are no positive whole numbers."""
    for argument, size in sizes.items():
        if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
            raise InputError(f"{argument} is {size!r}; give a whole number of at least 1")
