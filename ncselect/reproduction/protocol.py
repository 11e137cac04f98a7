"""What was run, and in what it differs from the paper's protocol: read off the runs themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from ncselect.reproduction import paper
from ncselect.reproduction.pools import Pool
from ncselect.spec import Settings
from ncselect.types import RunRecord
from zoo.datasets import DATASETS

PAPER_STEPS = 35_000 // paper.BATCH_SIZE  # in an epoch on CIFAR10

CHOICES = (
    "optimizer",
    "augmentation",
    "batch_norm_momentum",
    "probe_order",
    "probe_statistics",
    "probe_head",
    "probe_activation",
    "probe_initializer",
)
"""Settings that the paper leaves open."""


def protocol(pools: Sequence[Pool]) -> dict[str, Any]:
    """Return what was run, as JSON values."""
    first = pools[0].repeats[0].runs[0]
    return {
        "settings": dataclasses.asdict(first.spec.settings),
        "horizon": pools[0].horizon,
        "datasets": {
            pool.dataset: {
                "name": pool.repeats[0].runs[0].spec.dataset,
                "data": dict(pool.repeats[0].runs[0].spec.data),
                "models": list(pool.models),
                "seeds": [repeat.seed for repeat in pool.repeats],
                "runs": len(pool.runs),
                "reduced": {
                    str(size): {
                        "seeds": [repeat.seed for repeat in repeats],
                        "validation": _count(repeats[0].runs[0], "validation"),
                    }
                    for size, repeats in pool.reduced.items()
                },
            }
            for pool in pools
        },
    }


def versions(pools: Sequence[Pool]) -> dict[str, list[str]]:
    """Return what the runs were made with, name → its values; threads and device among them."""
    found: dict[str, set[str]] = {}
    for pool in pools:
        for run in pool.runs:
            for name, value in run.spec.environment.items():
                found.setdefault(name, set()).add(value)
    return {name: sorted(values) for name, values in sorted(found.items())}


def open_choices(settings: Settings) -> str:
    """Say how what the paper leaves open was chosen."""
    chosen = [f"{name} {getattr(settings, name)}" for name in CHOICES]
    return (
        f"Left open by the paper, here: {', '.join(chosen)}; the split is the same in all repeats."
    )


def deviations(pools: Sequence[Pool], *, all_datasets: bool) -> tuple[str, ...]:
    """Return every difference from the published protocol, a sentence each.

    Parameters
    ----------
    pools
        What a table or figure is made of.
    all_datasets
        Whether the paper's is of all five datasets; else of CIFAR10.
    """
    return (
        *_datasets(pools, all_datasets),
        *_images(pools),
        *_models(pools),
        *_training(pools),
        *_repeats(pools),
    )


def _datasets(pools: Sequence[Pool], all_datasets: bool) -> Iterable[str]:
    wanted = list(paper.DATASETS) if all_datasets else ["cifar10"]
    here = [pool.dataset for pool in pools]
    missing = [paper.title(name) for name in wanted if name not in here]
    others = [name for name in here if name not in wanted]
    if missing:
        yield f"Not in: {', '.join(missing)}."
    if others:
        yield f"Not the paper's here: {', '.join(paper.title(name) for name in others)}."
    if any(
        pool.dataset == "birds"
        and pool.repeats[0].runs[0].spec.data.get("classes") == DATASETS["birds"].classes
        for pool in pools
    ):
        yield (
            "Birds has 200 classes, as Caltech's set: the paper's is Kaggle's, whose folder is "
            "given as birds=FOLDER."
        )


def _images(pools: Sequence[Pool]) -> Iterable[str]:
    for pool in pools:
        run, known = pool.repeats[0].runs[0], paper.DATASETS.get(pool.dataset)
        counts = [_count(run, name) for name in ("train", "validation", "test")]
        shape = run.spec.data.get("image_shape", [None])
        if known is None or None in counts:
            continue
        theirs = [known.train, known.validation, known.test]
        differs = [
            (ours, other)
            for ours, other in zip(counts, theirs, strict=True)
            if other is not None and ours != other
        ]
        if differs:
            yield (
                f"{known.title}: {_thousands(counts)} images to train, validate and test "
                f"(paper: {_thousands(theirs)})."
            )
        if shape[0] != known.image_size:
            yield f"{known.title}: images of {shape[0]} px (paper: {known.image_size})."
    for pool in pools:
        enlarged = {
            run.spec.model: size[0]
            for run in pool.runs
            if (size := run.facts.get("resized_to")) is not None
        }
        if enlarged:
            said = ", ".join(f"{model} {side} px" for model, side in enlarged.items())
            yield (
                f"{paper.title(pool.dataset)}: images resized for networks that take no others: "
                f"{said} (paper: not stated)."
            )


def _models(pools: Sequence[Pool]) -> Iterable[str]:
    models = tuple(dict.fromkeys(model for pool in pools for model in pool.models))
    missing = [model for model in paper.MODELS if model not in models]
    others = [model for model in models if model not in paper.MODELS]
    if missing or others:
        yield (
            f"{len(models)} models (paper: {len(paper.MODELS)}), "
            f"{len(models) - len(others)} of them the paper's"
            + (f"; not the paper's: {', '.join(others)}." if others else ".")
        )
    weights = [run for pool in pools for run in pool.runs if _is_random(run)]
    names = list(dict.fromkeys(run.spec.model for run in weights))
    if names:
        yield f"Random weights, not pre-trained on ImageNet: {', '.join(names)}."
    files = [run.spec.model for pool in pools for run in pool.runs if _is_own(run)]
    if files:
        yield f"Weights of your own, not Keras's: {', '.join(dict.fromkeys(files))}."
    failed = {
        f"{run.spec.model} on {pool.dataset}"
        for pool in pools
        for run in pool.runs
        if run.status == "failed"
    }
    if failed:
        yield f"Failed runs: {', '.join(sorted(failed))}."


def _training(pools: Sequence[Pool]) -> Iterable[str]:
    settings = pools[0].repeats[0].runs[0].spec.settings
    if pools[0].horizon != paper.HORIZON:
        yield f"T = {pools[0].horizon} epochs (paper: {paper.HORIZON})."
    if settings.batch_size != paper.BATCH_SIZE:
        yield f"Batches of {settings.batch_size} (paper: {paper.BATCH_SIZE})."
    if settings.learning_rate != paper.LEARNING_RATE:
        yield f"Learning rate {settings.learning_rate:g} (paper: {paper.LEARNING_RATE:g})."
    default = Settings()  # the paper's protocol, see ncselect.spec
    if settings.unit != default.unit:
        yield f"A plain {settings.unit} is trained (paper: the neural capacitance probe unit)."
    if settings.probe_units != default.probe_units:
        yield (
            f"Probe unit of {_listed(settings.probe_units)} (paper: "
            f"{_listed(default.probe_units)})."
        )
    if settings.probe_dropout != default.probe_dropout:
        yield f"Dropout {settings.probe_dropout:g} (paper: {default.probe_dropout:g})."
    if settings.observation_steps:
        yield f"Observations every {settings.observation_steps} training steps (paper: an epoch)."
    if not settings.measure_whole:
        yield from _probed(pools)
    steps = sorted({_steps(pool) for pool in pools if pool.train})
    if steps and steps[0] < PAPER_STEPS:
        said = " or ".join(f"{one:,}" for one in steps)
        yield f"{said} training steps an epoch (paper, CIFAR10: {PAPER_STEPS})."


def _probed(pools: Sequence[Pool]) -> Iterable[str]:
    """Say on how many training images β_eff is measured, where it is not on all."""
    found = []
    for pool in pools:
        size, train = pool.repeats[0].runs[0].spec.settings.probe_size, pool.train
        if train is None:
            found.append(f"{size:,} training images ({paper.title(pool.dataset)})")
        elif size < train:
            found.append(f"{size:,} of {train:,} training images ({paper.title(pool.dataset)})")
    if found:
        yield f"β_eff is measured on {', '.join(found)} (paper: on the training set)."


def _repeats(pools: Sequence[Pool]) -> Iterable[str]:
    counts = sorted({len(pool.repeats) for pool in pools})
    if counts != [paper.REPEATS]:
        said = " or ".join(map(str, counts))
        yield f"{said} {'repeat' if counts == [1] else 'repeats'} (paper: {paper.REPEATS})."


def _steps(pool: Pool) -> int:
    batch = pool.repeats[0].runs[0].spec.settings.batch_size
    return max(1, (pool.train or 0) // batch)


def _count(run: RunRecord, split: str) -> int | None:
    count = run.spec.data.get("counts", {}).get(split)
    return None if count is None else int(count)


def _is_random(run: RunRecord) -> bool:
    return bool(run.spec.candidate.get("weights") == "random")


def _is_own(run: RunRecord) -> bool:
    weights = str(run.spec.candidate.get("weights", ""))
    return weights.startswith("sha256:") or weights == "included"


def _listed(numbers: Sequence[int]) -> str:
    return " and ".join(map(str, numbers))


def _thousands(counts: Sequence[int | None]) -> str:
    return " / ".join("not stated" if one is None else f"{one:,}" for one in counts)
