"""The process of one candidate: read a job, score, observe, report each event as a JSON line.

Started by ``processes`` as ``python -m ncselect.worker DESCRIPTOR`` with the job, one line, on
standard input; events go to the inherited file descriptor. Standard input is closed only when the
parent is gone; the process then ends. Events: ``features``, ``scored``, ``started``, ``progress``,
``observation``, ``finished``, ``failed``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ncselect.features import StoredFeatures
from ncselect.lock import RunBusyError
from ncselect.run import Run
from ncselect.scoring import scored
from zoo.datasets import Dataset
from zoo.errors import InputError, WeightsUnavailableError
from zoo.models import Candidate

Tell = Callable[..., None]  # event, values


def main() -> int:
    """Do the job; return 0 when it is scored and its epochs are observed, 1 when it failed."""
    events = os.fdopen(int(sys.argv[1]), "w", buffering=1)

    def tell(event: str, **values: Any) -> None:
        events.write(json.dumps({"event": event, **values}) + "\n")

    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    try:
        if job["features"] is not None:
            _score(job, tell)
        error = None if job["run"] is None else _train(job, tell)
        if error is not None:
            tell("failed", error=error)
            return 1
        tell("finished")
    except (InputError, WeightsUnavailableError, RunBusyError) as error:
        tell("failed", error=str(error))
        return 1
    except Exception as error:  # the parent turns it into a failed row; the log has the whole
        traceback.print_exc()
        tell("failed", error=f"{type(error).__name__}: {_first_line(error)}")
        return 1
    return 0


def _end_with_the_parent() -> None:
    """Wait until standard input is closed: a parent that was killed cannot stop its runs."""
    while os.read(sys.stdin.fileno(), 1 << 10):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _score(job: Mapping[str, Any], tell: Tell) -> None:
    """Compute the scores that are wanted; Keras is loaded only where images must be passed."""
    names = set(job["scores"])

    def extracting() -> None:
        _know_layers()
        tell("features")

    scores = scored(
        StoredFeatures(Path(job["features"])),
        names,
        candidate=Candidate.from_json(job["candidate"]),
        dataset=lambda: Dataset.from_json(job["dataset"]),
        seed=job["seed"],
        extracting=extracting,
    )
    tell(
        "scored",
        values={name: value for name, value in scores.values.items() if name in names},
        reasons={name: reason for name, reason in scores.reasons.items() if name in names},
    )


def _train(job: Mapping[str, Any], tell: Tell) -> str | None:
    """Bring the run to its epochs; return why it diverged, if it did."""
    run = Run(Path(job["run"]))
    candidate, dataset = Candidate.from_json(job["candidate"]), Dataset.from_json(job["dataset"])
    with run.writer(patience=job["patience"], until=job["epochs"]) as writer:
        from ncselect.saving import rehearse, save
        from ncselect.train import DivergedError, observe

        _know_layers()
        tell("started", epoch=max(0, writer.epochs - 1))
        if job["saves"] is not None and not writer.has_ended(job["horizon"], run.spec.settings):
            # what cannot be saved is not trained
            rehearse(run.spec, candidate, dataset, resizes=job["resizes"])
        try:
            for observation in observe(
                run.spec,
                candidate=candidate,
                dataset=dataset,
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
                    measuring_seconds=observation.measuring_seconds,
                )
        except DivergedError as error:
            writer.fail(str(error))
            return str(error)
        if writer.has_ended(job["horizon"], run.spec.settings):
            if job["saves"] is not None:
                save(
                    Path(job["saves"]),
                    run,
                    writer,
                    candidate=candidate,
                    dataset=dataset,
                    resizes=job["resizes"],
                )
            writer.complete(keep_checkpoint=job["keep"])
    return None


def _know_layers() -> None:
    """Make known to Keras the layers of this package that files may hold."""
    from ncselect.sparse import layers  # noqa: F401


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")


if __name__ == "__main__":
    sys.exit(main())
