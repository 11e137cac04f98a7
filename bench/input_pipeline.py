"""What the input pipeline adds to a training step: ours ÷ arrays that lie in memory.

The same compiled network is trained by ``fit`` on a dataset's batches, as a run trains it, and on
one array that holds the same images in the same order; the two take turns in one process. Ratios
are of processor seconds, which other processes on the machine hardly touch, and of wall-clock
seconds.

    python -m bench.input_pipeline --model MobileNet --images 2500 --size 64 --pairs 5
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.noise import prepared_noise
from ncselect.environment import environment, process_variables

BATCH = 64


def main() -> None:
    """Print a line for each augmentation and kind of storage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="MobileNet")
    parser.add_argument("--images", type=int, default=2500)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    given = vars(parser.parse_args())
    threads = given.pop("threads")
    os.environ.update(process_variables(environment(threads)))
    with tempfile.TemporaryDirectory() as folder:
        for case in measured(**given, cache=Path(folder)):
            print(json.dumps({**given, "threads": threads, **case}), flush=True)


def measured(*, model: str, images: int, size: int, pairs: int, cache: Path) -> list[dict]:
    """Return augmentation, storage and median ratios of each case."""
    import keras
    import numpy as np

    import zoo.prepared
    from ncselect.batches import Batches
    from zoo.models import build, candidates

    keras.utils.set_random_seed(0)
    base = build(candidates(model, weights="random")[0], (size, size, 3), seed=0).model
    network = keras.Model(base.inputs, keras.layers.Dense(5)(base.output))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(optimizer="adam", loss=loss)
    found = []
    for storage, limit in (("in memory", zoo.prepared.IN_MEMORY_BYTES), ("from the file", 0)):
        zoo.prepared.IN_MEMORY_BYTES = limit
        dataset = prepared_noise(images, size, cache / storage)
        order = np.random.default_rng(0).permutation(images)
        arrays = dataset.images("train", order), dataset.labels("train")[order]

        def plain(arrays: tuple = arrays) -> None:
            network.fit(*arrays, batch_size=BATCH, shuffle=False, verbose=0)

        for kind in ("none", "flip", "flip-crop"):
            batches = Batches(dataset, "train", BATCH, order=order, augmentation=kind)

            def ours(batches: Batches = batches) -> None:
                network.fit(batches, shuffle=False, verbose=0)

            ratios = [_ratio(ours, plain, ours_first=bool(turn % 2)) for turn in range(-1, pairs)]
            processor, wall = zip(*ratios[1:], strict=True)
            found.append(
                {
                    "augmentation": kind,
                    "storage": storage,
                    "processor_ratio": round(statistics.median(processor), 3),
                    "processor_ratios": [round(one, 3) for one in sorted(processor)],
                    "wall_ratio": round(statistics.median(wall), 3),
                }
            )
    return found


def _ratio(
    ours: Callable[[], None], plain: Callable[[], None], *, ours_first: bool
) -> tuple[float, float]:
    """Return processor and wall-clock seconds of one ÷ the other."""
    if ours_first:
        mine, other = _seconds(ours), _seconds(plain)
    else:
        other, mine = _seconds(plain), _seconds(ours)
    return mine[0] / other[0], mine[1] / other[1]


def _seconds(action: Callable[[], None]) -> tuple[float, float]:
    processor, wall = time.process_time(), time.perf_counter()
    action()
    return time.process_time() - processor, time.perf_counter() - wall


if __name__ == "__main__":
    main()
