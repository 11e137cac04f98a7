"""What an observed epoch costs against an epoch of plain ``fit(validation_data=…)``.

Both train the same network on the same arrays in one process, in turn; the figures are the
medians of the paired ratios, of processor seconds, which other processes on the machine hardly
touch, and of wall-clock seconds. An observed epoch includes reading the prepared images,
validation, the forward pass over the probe subset, every signal and the checkpoint. With one
thread processor seconds hold no waiting of a thread for another. ``beta_over_training`` is T_β
/ T_train as in figure G.6: the seconds spent on training images, on the probe subset alone or,
with ``--whole``, on it and then on all of them (the paper: on all of them), against the seconds
of training. Each pair's ratio is told on the error stream as it is done.

    python -m bench.epoch_cost --images 2500 --size 64 --pairs 5 [--threads 1] [--whole]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench.noise import prepared_noise
from ncselect.environment import available_cores, environment, process_variables
from ncselect.reproduction.paper import COST_G6


def main() -> None:
    """Print the ratio and its parts as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="MobileNetV2")
    parser.add_argument("--images", type=int, default=2500)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=available_cores())
    parser.add_argument("--whole", action="store_true")
    given = vars(parser.parse_args())
    os.environ.update(process_variables(environment(given["threads"])))
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measured(**given, folder=folder)))


def measured(
    *, model: str, images: int, size: int, pairs: int, threads: int, whole: bool, folder: str
) -> dict[str, object]:
    """Return the median ratio, its range, and the seconds of each part."""
    from ncselect.spec import RunSpec, Settings
    from ncselect.store import RunStore
    from ncselect.train import Training
    from zoo.models import candidates

    dataset = prepared_noise(images, size, Path(folder))
    candidate = candidates(model, weights="random")[0]
    spec = RunSpec(
        model=model,
        dataset="noise",
        candidate=candidate.identity(),
        data=dataset.identity(),
        settings=Settings(measure_whole=whole),
        environment=environment(threads),
    )
    training = Training(spec, candidate, dataset)
    arrays = dataset.images("train"), dataset.labels("train")
    validation = dataset.images("validation"), dataset.labels("validation")

    plain = Training(spec, candidate, dataset).model
    plain.compile(optimizer="adam", loss=plain.loss, metrics=["accuracy"])

    def plain_epoch() -> tuple[float, float]:
        processor, wall = time.process_time(), time.perf_counter()
        plain.fit(*arrays, batch_size=64, validation_data=validation, verbose=0)
        return time.process_time() - processor, time.perf_counter() - wall

    plain_epoch()
    processor_ratios, ratios, trained, measuring, beta, kept, plains = ([] for _ in range(7))
    with RunStore(Path(folder) / "store").run(spec).writer() as writer:
        for epoch in (0, 1):
            writer.append(training.epoch(epoch), training.variables())
        for epoch in range(2, 2 + pairs):
            if epoch % 2:  # who goes first takes turns: a drifting machine favours neither
                plains.append(plain_epoch())
            processor = time.process_time()
            seen = training.epoch(epoch)
            observed = time.perf_counter()
            writer.append(seen, training.variables())
            kept.append(time.perf_counter() - observed)
            processor = time.process_time() - processor
            if not epoch % 2:
                plains.append(plain_epoch())
            trained.append(seen.seconds)
            measuring.append(seen.measuring_seconds)
            beta.append(seen.beta_seconds)
            processor_ratios.append(processor / plains[-1][0])
            ratios.append((seen.seconds + seen.measuring_seconds + kept[-1]) / plains[-1][1])
            pair = {"pair": epoch - 1, "processor_ratio": round(processor_ratios[-1], 3)}
            print(json.dumps(pair), file=sys.stderr, flush=True)
    return {
        "model": model,
        "images": images,
        "size": size,
        "pairs": pairs,
        "threads": threads,
        "processor_ratio": round(statistics.median(processor_ratios), 3),
        "processor_ratios": [round(ratio, 3) for ratio in sorted(processor_ratios)],
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in sorted(ratios)],
        "training_seconds": round(statistics.median(trained), 2),
        "measuring_seconds": round(statistics.median(measuring), 2),
        "checkpoint_seconds": round(statistics.median(kept), 2),
        "beta_images": training.facts["probe_images"] + (images if whole else 0),
        "beta_seconds": round(statistics.median(beta), 2),
        "beta_over_training": round(statistics.median(beta) / statistics.median(trained), 3),
        "beta_over_training_paper": COST_G6,
        "plain_fit_seconds": round(statistics.median(wall for _, wall in plains), 2),
    }


if __name__ == "__main__":
    main()
