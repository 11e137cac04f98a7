"""The process of one run: read a job, observe, report each event as a JSON line.

Started by ``execute`` as ``python -m ncselect.worker DESCRIPTOR`` with the job on standard input;
events go to the inherited file descriptor. Events: ``started``, ``progress``, ``observation``,
``finished``, ``failed``.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from ncselect.run import Run, RunBusyError
from zoo.datasets import Dataset
from zoo.errors import InputError, WeightsUnavailableError
from zoo.models import Candidate


def main() -> int:
    """Run the job; return 0 when its epochs are observed, 1 when it failed."""
    events = os.fdopen(int(sys.argv[1]), "w", buffering=1)

    def tell(event: str, **values: Any) -> None:
        events.write(json.dumps({"event": event, **values}) + "\n")

    job = json.load(sys.stdin)
    run = Run(Path(job["run"]))
    try:
        with run.writer() as writer:
            from ncselect.train import DivergedError, observe

            tell("started", epoch=max(0, writer.epochs - 1))
            try:
                for observation in observe(
                    run.spec,
                    candidate=Candidate.from_json(job["candidate"]),
                    dataset=Dataset.from_json(job["dataset"]),
                    epochs=job["epochs"],
                    horizon=job["horizon"],
                    writer=writer,
                    progress=lambda epoch, step, steps: tell(
                        "progress", epoch=epoch, step=step, steps=steps
                    ),
                ):
                    tell(
                        "observation",
                        epoch=observation.epoch,
                        signals=dict(observation.signals),
                        seconds=observation.seconds,
                    )
            except DivergedError as error:
                writer.fail(str(error))
                tell("failed", error=str(error))
                return 1
            if writer.epochs - 1 == job["horizon"]:
                writer.complete(keep_checkpoint=job["keep"])
        tell("finished")
    except (InputError, WeightsUnavailableError, RunBusyError) as error:
        tell("failed", error=str(error))
        return 1
    except Exception as error:  # the parent turns it into a failed row; the log has the whole
        traceback.print_exc()
        tell("failed", error=f"{type(error).__name__}: {_first_line(error)}")
        return 1
    return 0


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")


if __name__ == "__main__":
    sys.exit(main())
