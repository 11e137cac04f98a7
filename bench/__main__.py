"""Every measurement of speed and memory, one JSON line each: ``python -m bench``."""

from __future__ import annotations

import subprocess
import sys

MEASUREMENTS = (
    ("bench.epoch_cost", "--model", "MobileNet", "--images", "2500"),
    ("bench.epoch_cost", "--model", "MobileNetV2", "--images", "2500"),
    ("bench.dataset_memory",),
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
