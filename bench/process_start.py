"""What a run's process costs before its first step, beside a plain Keras script that does as much.

Both are fresh processes: they load Keras, build the same network, compile its training step and
take one step. Ours also opens the prepared images, puts the probe unit on top, keeps all variables
and puts them back. Seconds are the processor's, user and system; the ratio is ours ÷ plain.

    python -m bench.process_start --model MobileNet --size 64 --pairs 3
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.noise import prepared_noise
from ncselect.environment import environment, process_variables

IMAGES = 256
BATCH = 64


def main() -> None:
    """Print the medians of each phase as JSON; with a part's name, be that process."""
    if sys.argv[1:2] in (["ours"], ["plain"]):
        part, model, size, cache = sys.argv[1:]
        begun = ours(model, int(size), Path(cache)) if part == "ours" else plain(model, int(size))
        print(json.dumps(begun))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="MobileNet")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        prepared_noise(IMAGES, given.size, Path(cache))
        turns = [
            {part: _process(part, given.model, given.size, cache) for part in ("ours", "plain")}
            for _ in range(1 + given.pairs)
        ][1:]  # the first turn reads the packages from disk
    medians = {
        part: {
            phase: round(statistics.median(turn[part][phase] for turn in turns), 2)
            for phase in turns[0][part]
        }
        for part in turns[0]
    }
    ratios = [sum(turn["ours"].values()) / sum(turn["plain"].values()) for turn in turns]
    print(
        json.dumps(
            {
                **vars(given),
                "processor_seconds": medians,
                "ratio": round(statistics.median(ratios), 3),
                "ratios": [round(one, 3) for one in sorted(ratios)],
            }
        )
    )


def ours(model: str, size: int, cache: Path) -> dict[str, float]:
    """Return the processor seconds of a run's phases."""
    clock = _Clock()
    from ncselect.spec import RunSpec
    from ncselect.train import Training
    from zoo.models import candidates

    clock.lap("import")
    dataset = prepared_noise(IMAGES, size, cache)
    clock.lap("images")
    candidate = candidates(model, weights="random")[0]
    spec = RunSpec(
        model=model,
        dataset="noise",
        candidate=candidate.identity(),
        data=dataset.identity(),
        environment=environment(1),
    )
    training = Training(spec, candidate, dataset)
    clock.lap("build and compile")
    training.epoch(0)
    clock.lap("first measurement")
    return clock.laps


def plain(model: str, size: int) -> dict[str, float]:
    """Return the processor seconds of the same phases of a plain script."""
    clock = _Clock()
    import keras
    import numpy as np

    clock.lap("import")
    keras.utils.set_random_seed(0)
    shape = (size, size, 3)
    base = getattr(keras.applications, model)(
        include_top=False, weights=None, input_shape=shape, pooling="avg"
    )
    network = keras.Model(base.input, keras.layers.Dense(5)(base.output))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(optimizer="adam", loss=loss)
    network.fit(np.zeros((BATCH, *shape), "float32"), np.zeros(BATCH), verbose=0)
    clock.lap("build and compile")
    network.evaluate(np.zeros((IMAGES, *shape), "float32"), np.zeros(IMAGES), verbose=0)
    clock.lap("first measurement")
    return clock.laps


class _Clock:
    """Processor seconds since the process began, lap by lap."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = 0.0

    def lap(self, phase: str) -> None:
        now = time.process_time()
        self.laps[phase] = now - self._last
        self._last = now


def _process(part: str, model: str, size: int, cache: str) -> dict[str, float]:
    finished = subprocess.run(
        [sys.executable, "-m", "bench.process_start", part, model, str(size), cache],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **process_variables(environment(1))},
    )
    return {phase: float(seconds) for phase, seconds in json.loads(finished.stdout).items()}


if __name__ == "__main__":
    main()
