"""Memory over a long pool: the command's own, and the largest of its candidates' processes.

Ranks so many candidates of equal size, one after another, and reads the resident memory of the
command's process and the peak of each candidate's at every finished candidate. Flat means that the
last is as the second: the first brings what all need.

    python -m bench.pool_memory --candidates 20
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

EPOCHS = 1


def main() -> None:
    """Print megabytes by candidate as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=20)
    count = parser.parse_args().candidates
    with tempfile.TemporaryDirectory() as folder:
        own, processes = measured(count, Path(folder))
    print(
        json.dumps(
            {
                "candidates": count,
                "command_megabytes": own,
                "process_megabytes": processes,
                "command_growth": round(own[-1] - own[1], 1),
                "process_growth": round(processes[-1] - processes[1], 1),
            }
        )
    )


def measured(count: int, folder: Path) -> tuple[list[float], list[float]]:
    """Return the command's megabytes after each candidate, and each candidate's peak."""
    from ncselect.selection import selection

    pool = folder / "pool.toml"
    pool.write_text(
        "\n".join(
            f'[[model]]\nname = "m{number}"\napplication = "LeNet5"\n'
            f"arguments = {{ dropout = {number / 1000} }}\n"
            for number in range(count)
        )
    )
    question = selection(
        str(pool), "digits", epochs=EPOCHS, horizon=EPOCHS, train_size=256, validation_size=100,
        test_size=100, weights="random", store=folder / "runs", method_name="last-value",
    )  # fmt: skip
    own = []

    def watch(_model: str, event: Any) -> None:
        if event["event"] == "finished":
            own.append(_resident())

    ranking = question.ranking(watch=watch)
    if ranking.failed:
        raise SystemExit(f"not every candidate could be trained: {dict(ranking.failed)}")
    peaks = [one.facts["peak_megabytes"] for one in ranking.records.values()]
    return own, [round(peak, 1) for peak in peaks]


def _resident() -> float:
    """Return this process's resident memory in megabytes (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


if __name__ == "__main__":
    main()
