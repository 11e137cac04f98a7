"""How large a network is and how long it takes to answer, measured in a process of its own.

``python -m ncselect.latency FILE`` reads what to measure on standard input and writes the file.
Measurements are kept below ``footprints`` in the store, by network, input, machine and versions,
with the date, until they are deleted there.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ncselect.environment import available_cores, process_variables
from ncselect.processes import with_this_package
from ncselect.run import replace_text
from ncselect.store import RunStore
from zoo.candidate import Candidate
from zoo.cards import megabytes
from zoo.datasets import Dataset
from zoo.errors import InputError, WeightsUnavailableError

BATCHES = (1, 64)
WARM_UPS, LEAST, MOST = 3, 3, 50  # calls
ENOUGH_SECONDS = 2.0
_DETERMINISTIC = ("TF_DETERMINISTIC_OPS", "TF_CUDNN_DETERMINISTIC")  # in use nobody sets them


class MeasuringError(RuntimeError):
    """A network cannot be measured; the text says why."""


@dataclass(frozen=True)
class Footprint:
    """What a network takes.

    Attributes
    ----------
    parameters
        Weights of the headless base.
    latency_ms
        Images at a time → median milliseconds that base and classifier take for them.
    made
        The day on which they were measured, ISO 8601, UTC; empty where they were not.
    """

    parameters: int
    latency_ms: Mapping[int, float]
    made: str = ""

    @property
    def megabytes(self) -> float:
        """Size of the headless base as float32, in 2^20 bytes."""
        return megabytes(self.parameters)


def footprint(
    candidate: Candidate,
    dataset: Dataset,
    store: RunStore,
    environment: Mapping[str, str],
    *,
    timed: bool,
    told: Callable[[], None],
) -> Footprint:
    """Return what a candidate takes on a dataset's images; measured once, then read.

    An application is measured with random weights: its speed does not depend on them, and none
    are downloaded.

    Parameters
    ----------
    candidate
        The network.
    dataset
        Gives the size of the images and the number of classes.
    store
        Where measurements are kept.
    environment
        Backend, versions, threads, device: see ``ncselect.environment``.
    timed
        Whether latency is wanted; otherwise the network is only built, if it has to be.
    told
        Called before it is measured; not where that is stored.

    Raises
    ------
    MeasuringError
        If it cannot be built, or its process failed.
    """
    known = _parameters_on_card(candidate)
    if known is not None and not timed:
        return Footprint(known, {})
    if candidate.card is not None:
        candidate = dataclasses.replace(candidate, weights="random")
    identity = {
        "candidate": candidate.identity(),
        "image_shape": list(dataset.image_shape),
        "classes": len(dataset.classes),
        "environment": dict(environment),
        "machine": machine(),
    }
    text = json.dumps(identity, sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    file = footprints(store) / f"{key}.json"
    found = _read(file)
    if found is not None and (found.latency_ms or not timed):
        return found
    told()
    store.make()
    file.parent.mkdir(exist_ok=True)
    variables = process_variables(environment)
    for name in _DETERMINISTIC:
        del variables[name]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "ncselect.latency", file],
        input=json.dumps({"candidate": candidate.to_json(), "timed": timed, "of": identity}),
        env=with_this_package(variables),
        capture_output=True,
        text=True,
        check=False,
    )
    found = _read(file)
    if done.returncode != 0 or found is None:
        *_, last = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise MeasuringError(last)
    return found


def footprints(store: RunStore) -> Path:
    """Return the folder that measurements are kept in."""
    return store.folder / "footprints"


def machine() -> str:
    """Return what this machine computes with, in words."""
    cpu = platform.machine()
    table = Path("/proc/cpuinfo")
    lines = table.read_text().splitlines() if table.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cards = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    gpus = [
        line.partition(":")[2].strip()
        for card in cards
        for line in card.read_text().splitlines()
        if line.startswith("Model")
    ]
    return ", ".join([models[0] if models else cpu, f"{available_cores()} cores", *gpus])


def median_milliseconds(
    call: Callable[[], object], clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the median time of a call, after a few that are not counted.

    Parameters
    ----------
    call
        What is timed; it returns when all is computed.
    clock
        Seconds.
    """
    _times(call, clock, least=1, most=WARM_UPS)
    return 1000 * statistics.median(_times(call, clock, least=LEAST, most=MOST))


def _times(
    call: Callable[[], object], clock: Callable[[], float], *, least: int, most: int
) -> list[float]:
    """Time calls until there are most, or enough seconds and least."""
    times: list[float] = []
    while len(times) < least or (len(times) < most and sum(times) < ENOUGH_SECONDS):
        started = clock()
        call()
        times.append(clock() - started)
    return times


def _parameters_on_card(candidate: Candidate) -> int | None:
    """Return the weights of a network whose number depends on nothing but its name."""
    card = candidate.card
    if card is None or card.application is None or candidate.arguments:
        return None
    return card.parameters


def _read(file: Path) -> Footprint | None:
    if not file.exists():
        return None
    try:
        document = json.loads(file.read_text())
        times = {int(images): float(ms) for images, ms in document["latency_ms"].items()}
        return Footprint(int(document["parameters"]), times, document["made"])
    except (ValueError, KeyError, TypeError, AttributeError):  # it is measured again
        return None


def _measured(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Build a network and time it."""
    import keras
    import numpy as np

    from zoo.models import build

    of = asked["of"]
    base = build(Candidate.from_json(asked["candidate"]), tuple(of["image_shape"]), seed=0)
    head = keras.layers.Dense(of["classes"], activation="softmax")
    network = keras.Model(base.model.inputs[0], head(base.model.outputs[0]))
    rng = np.random.default_rng(0)
    times = {}
    for count in BATCHES if asked["timed"] else ():
        images = rng.integers(0, 256, (count, *of["image_shape"]), dtype=np.uint8)
        times[count] = median_milliseconds(partial(network.predict_on_batch, images))
    made = datetime.now(UTC).date().isoformat()
    return {"parameters": base.facts["parameters"], "latency_ms": times, "made": made, **of}


def main() -> None:
    """Measure one network: the process of one measurement."""
    try:
        document = _measured(json.load(sys.stdin))
    except (InputError, WeightsUnavailableError) as error:
        sys.exit(str(error))
    replace_text(Path(sys.argv[1]), json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
