"""Where the time of an observed epoch goes, part by part, and how far that is from the floor.

Every part is timed by itself, in turns, in processor seconds of one thread, and given as a share
of an epoch of plain ``fit(validation_data=…)`` on arrays in memory. A checkpoint's share, too, is
processor time: it holds no waiting for the disk. The floor of any ranking from the images is one
forward pass of them through each candidate.

    python -m bench.epoch_parts --model MobileNet --images 2500 --size 64 --turns 3
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
from typing import Any

from bench.noise import prepared_noise
from ncselect.environment import environment, process_variables

BATCH = 64


def main() -> None:
    """Print the shares as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="MobileNet")
    parser.add_argument("--images", type=int, default=2500)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--turns", type=int, default=3)
    given = vars(parser.parse_args())
    os.environ.update(process_variables(environment(1)))
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps({**given, **measured(**given, folder=Path(folder))}))


def measured(*, model: str, images: int, size: int, turns: int, folder: Path) -> dict[str, Any]:
    """Return the seconds of a plain epoch, and the share of it that each part takes."""
    from ncselect.spec import RunSpec
    from ncselect.store import RunStore
    from ncselect.train import Training
    from zoo.models import candidates

    dataset = prepared_noise(images, size, folder)
    candidate = candidates(model, weights="random")[0]
    spec = RunSpec(
        model=model,
        dataset="noise",
        candidate=candidate.identity(),
        data=dataset.identity(),
        environment=environment(1),
    )
    training = Training(spec, candidate, dataset)
    arrays = dataset.images("train"), dataset.labels("train")
    validation = dataset.images("validation"), dataset.labels("validation")
    plain = Training(spec, candidate, dataset).model
    plain.compile(optimizer="adam", loss=plain.loss, metrics=["accuracy"])
    measurement = training._measurement
    probe = dataset.stratified("train", spec.settings.probe_size, spec.seed)
    probed, labels = dataset.images("train", probe), dataset.labels("train")[probe]
    seen: list[Any] = []

    with RunStore(folder / "store").run(spec).writer() as writer:
        parts: dict[str, Callable[[], Any]] = {
            "plain epoch": lambda: plain.fit(
                *arrays, batch_size=BATCH, validation_data=validation, verbose=0
            ),
            "plain training": lambda: plain.fit(*arrays, batch_size=BATCH, verbose=0),
            "plain validation": lambda: plain.evaluate(*validation, batch_size=BATCH, verbose=0),
            "one forward pass": lambda: plain.predict(arrays[0], batch_size=BATCH, verbose=0),
            "training": lambda: training._fit(1, None),
            "validation": measurement.on_validation,
            "probe subset, forward": lambda: measurement._base.features(probed),
            "probe subset, forward and reaches": lambda: seen.append(
                measurement._base.seen(probed)
            ),
            "degrees and closed forms": lambda: measurement._of_training(seen[-1], labels),
            "graph signatures": training._graphs.measure,
            "checkpoint": lambda: writer.append(_observation(writer.epochs), training.variables()),
        }
        seconds: dict[str, list[float]] = {name: [] for name in parts}
        for _ in range(1 + turns):
            for name, part in parts.items():
                started = time.process_time()
                part()
                seconds[name].append(time.process_time() - started)
    medians = {name: statistics.median(found[1:]) for name, found in seconds.items()}
    whole = medians.pop("plain epoch")
    forward = medians["probe subset, forward"]
    medians["probe subset, reaches"] = medians.pop("probe subset, forward and reaches") - forward
    return {
        "plain_epoch_seconds": round(whole, 2),
        "shares": {name: round(one / whole, 4) for name, one in medians.items()},
    }


def _observation(epoch: int) -> Any:
    """Return what is kept of an epoch, of which only the checkpoint's size matters here."""
    from ncselect.types import Observation

    return Observation(
        epoch=epoch, signals={}, seconds=0.0, measuring_seconds=0.0, beta_seconds=0.0
    )


if __name__ == "__main__":
    main()
