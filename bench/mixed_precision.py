"""What Keras's mixed precision gains here: an epoch of ``fit`` ÷ one in float32.

The same network is trained on the same images of noise under each policy, in turns in one process;
ratios are of processor seconds of one thread and of wall-clock seconds: the median of the turns,
and every turn's.

    python -m bench.mixed_precision --model MobileNet --images 128 --size 32 --turns 2
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time

from ncselect.environment import environment, process_variables

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")


def main() -> None:
    """Print the ratios as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="MobileNet")
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--turns", type=int, default=2)
    given = vars(parser.parse_args())
    os.environ.update(process_variables(environment(1)))
    print(json.dumps({**given, **measured(**given)}))


def measured(
    *, model: str, images: int, size: int, turns: int
) -> dict[str, dict[str, float | list[float]]]:
    """Return processor and wall-clock ratios by policy."""
    import keras
    import numpy as np

    from zoo.models import build, candidates

    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (images, size, size, 3), dtype=np.uint8)
    y = rng.integers(0, 5, images)
    networks = {}
    for policy in POLICIES:
        keras.config.set_dtype_policy(policy)
        base = build(candidates(model, weights="random")[0], (size, size, 3), seed=0).model
        logits = keras.layers.Dense(5, dtype="float32")(base.output)
        networks[policy] = keras.Model(base.input, logits)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        networks[policy].compile(optimizer="adam", loss=loss)
    keras.config.set_dtype_policy("float32")
    seconds: dict[str, list[tuple[float, float]]] = {policy: [] for policy in POLICIES}
    for _ in range(1 + turns):
        for policy, network in networks.items():
            processor, wall = time.process_time(), time.perf_counter()
            network.fit(x, y, batch_size=64, verbose=0)
            seconds[policy].append((time.process_time() - processor, time.perf_counter() - wall))
    plain = seconds.pop("float32")[1:]
    found: dict[str, dict[str, float | list[float]]] = {}
    for policy, turned in seconds.items():
        found[policy] = {}
        for at, kind in enumerate(("processor_ratio", "wall_ratio")):
            ratios = [one[at] / float32[at] for one, float32 in zip(turned[1:], plain, strict=True)]
            found[policy][kind] = round(statistics.median(ratios), 2)
            found[policy][f"{kind}s"] = [round(ratio, 2) for ratio in sorted(ratios)]
    return found


if __name__ == "__main__":
    main()
