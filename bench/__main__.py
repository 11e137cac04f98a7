"""Every measurement of speed and memory, one JSON line each: ``python -m bench``."""

from __future__ import annotations

import subprocess
import sys

MODELS = ("MobileNet", "MobileNetV2", "MobileNetV3Small", "EfficientNetV2B0")
MEASUREMENTS = (
    *(("bench.epoch_cost", "--model", model, "--images", "2500") for model in MODELS),
    ("bench.epoch_cost", "--model", "MobileNet", "--images", "2500", "--whole"),
    ("bench.epoch_parts", "--images", "640"),
    ("bench.cost_growth",),
    ("bench.input_pipeline", "--images", "640"),
    ("bench.process_start",),
    ("bench.pool_memory",),
    ("bench.mixed_precision",),
    ("bench.curve_methods",),
    ("bench.dataset_memory",),
    ("bench.graph_cost",),
)


def main() -> int:
    """Run each in a process of its own; return the number of those that failed."""
    failed = 0
    for module, *arguments in MEASUREMENTS:
        print(f"python -m {module} {' '.join(arguments)}", flush=True)
        failed += (
            subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode > 0
        )
    return failed


if __name__ == "__main__":
    sys.exit(main())
