"""Which image is for training, validation and test: stratified, seeded, of exact sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.errors import InputError
from zoo.sources.source import SPLITS, listed

SHARE = 0.2
"""What is split off where a dataset has no split of its own."""

Indices = NDArray[np.int64]


class SplitError(InputError):
    """A split that cannot be had from the images that there are.

    Parameters
    ----------
    what
        What was asked for and what is there.
    remedy
        What to ask for instead, in the words of the command line.
    """

    def __init__(self, what: str, remedy: str) -> None:
        self.what = what
        super().__init__(f"{what}; {remedy}")


@dataclass(frozen=True)
class SplitRequest:
    """How a dataset is to be split.

    Attributes
    ----------
    train, validation, test
        Numbers of images; ``None`` takes what is there (test and validation: the dataset's own
        split, else a share of 20%; training: all that is left).
    paper_validation
        Images that the paper took from training for validation; used instead of the share where
        the training set has more than twice as many.
    seed
        Decides which images.
    in_order
        Train on the first ``train`` images of the training split and validate on its last
        ``validation``, instead of on stratified parts; both numbers must be given.
    """

    train: int | None = None
    validation: int | None = None
    test: int | None = None
    paper_validation: int | None = None
    seed: int = 0
    in_order: bool = False


def split(
    labels: Indices, origins: NDArray[np.int8], classes: Sequence[str], request: SplitRequest
) -> tuple[dict[str, Indices], tuple[str, ...]]:
    """Split a dataset.

    An original test or validation split stays (a size takes a stratified part of it). A missing
    one is split off what is left for training: first test, then validation. Each choice has its
    own random stream, so that the test set does not depend on the size of the others.

    Parameters
    ----------
    labels
        Class of every image, shape (n,).
    origins
        Original split of every image as an index into ``SPLITS``, or -1, shape (n,).
    classes
        Names of the classes.
    request
        Sizes and seed.

    Returns
    -------
    tuple[dict[str, Indices], tuple[str, ...]]
        Split → sorted indices of its images; and what a person should know about them.

    Raises
    ------
    SplitError
        If a size is larger than what is there, or a class would be missing in a split.
    InputError
        If a class has no image to train on, or ``in_order`` came without sizes.
    """
    for name in SPLITS:
        size = getattr(request, name)
        if size is not None and size < len(classes):
            raise SplitError(
                f"{name}_size is {size}, but there are {len(classes)} classes and each needs an "
                "image",
                f"give --{name}-size {len(classes)} or more",
            )
    left = np.flatnonzero(~np.isin(origins, (1, 2)))
    _check_training(labels[left], classes)
    chosen: dict[str, Indices] = {}
    notes: list[str] = []
    own_validation = bool((origins == SPLITS.index("validation")).any())
    cut = (("test", 1 if own_validation else 2), ("validation", 1))
    for name, reserve in cut[:1] if request.in_order else cut:
        rng = np.random.default_rng([request.seed, SPLITS.index(name)])
        own = np.flatnonzero(origins == SPLITS.index(name))
        size = getattr(request, name)
        if own.size:
            chosen[name] = (
                own if size is None else own[_part(labels[own], size, rng, name, classes)]
            )
            absent = sorted(set(range(len(classes))) - set(labels[chosen[name]].tolist()))
            if absent:
                names = listed(classes[label] for label in absent)
                notes.append(f"the dataset's own {name} split has no image of: {names}")
            continue
        if size is None:
            size, why = _default(name, left.size, len(classes), request)
            notes.append(f"{name}: {size:,} of {left.size:,} images split off ({why})")
        picked = _part(labels[left], size, rng, name, classes, reserve=reserve)
        chosen[name] = left[picked]
        left = np.delete(left, picked)
    if request.in_order:
        left, chosen["validation"] = _ends(left, labels, classes, request)
    elif request.train is not None:
        rng = np.random.default_rng([request.seed, SPLITS.index("train")])
        left = left[_part(labels[left], request.train, rng, "train", classes)]
    chosen["train"] = left
    return {name: chosen[name] for name in SPLITS}, tuple(notes)


def _ends(
    left: Indices, labels: Indices, classes: Sequence[str], request: SplitRequest
) -> tuple[Indices, Indices]:
    """Return the first images, to train on, and the last, to validate on."""
    train, validation = request.train, request.validation
    if train is None or validation is None:
        raise InputError(
            "in_order: it needs train_size and validation_size; give both, or leave in_order out"
        )
    if train + validation > left.size:
        raise SplitError(
            f"train_size is {train:,} and validation_size {validation:,}, but the training split "
            f"has {left.size:,} images",
            "make one of them smaller",
        )
    ends = left[:train], left[-validation:]
    for name, part in zip(("train", "validation"), ends, strict=True):
        absent = sorted(set(range(len(classes))) - set(labels[part].tolist()))
        if absent:
            raise SplitError(
                f"in_order: the {'first' if name == 'train' else 'last'} {part.size:,} images "
                f"hold none of {listed(classes[label] for label in absent)}: the images are sorted "
                "by class, or too few",
                "shuffle them or make the part larger",
            )
    return ends


def stratified(
    labels: Indices, size: int, rng: np.random.Generator, *, least: int = 0, reserve: int = 0
) -> Indices:
    """Choose positions such that every class keeps its share.

    Shares are rounded by largest remainders (Hamilton's method), after every class has been
    given ``least``.

    Parameters
    ----------
    labels
        Class of every image, shape (n,).
    size
        How many to choose, at most n − reserve · classes.
    rng
        Decides which.
    least
        Images that every class gets at least.
    reserve
        Images that every class keeps back at least.

    Returns
    -------
    Indices
        Sorted positions, shape (size,).
    """
    present, counts = np.unique(labels, return_counts=True)
    room = counts - reserve
    if not least * present.size <= size <= room.sum():
        raise ValueError(f"cannot choose {size} of {labels.size} images in {present.size} classes")
    ideal = size * counts / counts.sum()
    share = np.clip(np.floor(ideal).astype(np.int64), least, room)
    while (missing := size - int(share.sum())) != 0:
        step = 1 if missing > 0 else -1
        open_ = np.flatnonzero(share < room if step > 0 else share > least)
        order = np.argsort(-step * (ideal - share)[open_], kind="stable")
        share[open_[order[: abs(missing)]]] += step
    chosen = [
        rng.permutation(np.flatnonzero(labels == label))[:number]
        for label, number in zip(present, share, strict=True)
    ]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def _part(
    labels: Indices,
    size: int,
    rng: np.random.Generator,
    name: str,
    classes: Sequence[str],
    *,
    reserve: int = 0,
) -> Indices:
    """Choose a split's images, at least one of every class, or say why that cannot be."""
    present, counts = np.unique(labels, return_counts=True)
    few = counts <= reserve
    if few.any():
        names = listed(
            f"{classes[label]} ({count})"
            for label, count in zip(present[few], counts[few], strict=True)
        )
        raise SplitError(
            f"too few images of {names}: training, validation and test need one of every class "
            "each",
            "add images or leave the class out",
        )
    available = int(labels.size - reserve * present.size)
    if size > available:
        rest = " once every class keeps an image for the other splits" if reserve else ""
        raise SplitError(
            f"{name}_size is {size:,}, but only {available:,} images are available{rest}",
            f"give --{name}-size {available} or less, or make another split smaller",
        )
    return stratified(labels, size, rng, least=min(1, size // present.size), reserve=reserve)


def _default(name: str, count: int, classes: int, request: SplitRequest) -> tuple[int, str]:
    """Return how many images to split off, and why."""
    paper = request.paper_validation
    if name == "validation" and paper is not None and count > 2 * paper:
        return paper, "as in the paper"
    return max(classes, round(SHARE * count)), f"{SHARE:.0%}, stratified, seed {request.seed}"


def _check_training(labels: Indices, classes: Sequence[str]) -> None:
    """Refuse classes that could not be learned."""
    absent = sorted(set(range(len(classes))) - set(labels.tolist()))
    if absent:
        names = listed(classes[label] for label in absent)
        raise InputError(
            f"no training image of: {names}; spell class names alike in every split and give "
            "every class training images"
        )
