"""What a run costs besides its epochs: Ray's part, its process, building, compiling.

A Ray cluster of three nodes is started on this machine; runs of a few networks are done on it one
at a time. Seconds of a run's process and of the one that asks are those that it computes, so that
other work on the machine does not count; Ray's own are those of the clock.

    unshare -rn bash -c 'ip link set lo up; python -m bench.cluster_overheads > overheads.json'
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from ncselect.cluster import Cluster
from ncselect.selection import selection

NETWORKS = ("MobileNet", "ResNet50", "EfficientNetB0", "DenseNet121", "NASNetMobile")
TASKS = 300
EPOCHS = 2


def nothing() -> float:
    return time.time()


@contextmanager
def three_nodes() -> Iterator[None]:
    import ray
    from ray.cluster_utils import Cluster as Nodes

    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(2):
        nodes.add_node(num_cpus=1)
    os.environ["RAY_ADDRESS"] = nodes.address
    yield
    ray.shutdown()
    nodes.shutdown()


def rays_part(cluster: Cluster, store: Path) -> dict[str, float]:
    """Return seconds to look at the nodes, per task handed over, and until a task begins."""
    import ray

    began = time.monotonic()
    with cluster.processes(1, store, frozenset()):
        entered = time.monotonic() - began
    task = ray.remote(nothing).options(num_cpus=1, max_retries=0, scheduling_strategy="SPREAD")
    ray.get([task.remote() for _ in range(12)])  # Ray's own processes are there from now on
    began = time.monotonic()
    ray.get([task.remote() for _ in range(TASKS)])
    through = (time.monotonic() - began) / TASKS
    waits = []
    for _ in range(40):
        asked = time.time()
        waits.append(ray.get(task.remote()) - asked)
    return {
        "nodes_looked_at": entered,
        "task_handed_over": through,
        "task_begins_after": statistics.median(waits),
    }


def speed() -> float:
    """Return floating-point operations a second of a matrix product, on one thread."""
    left = np.random.default_rng(0).random((768, 768), dtype=np.float32)
    left @ left
    began = time.process_time()
    for _ in range(20):
        left @ left
    return 20 * 2 * 768**3 / (time.process_time() - began)


def computed(process: int) -> float:
    """Return the seconds that a process has computed so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def a_runs_part(network: str, store: Path) -> dict[str, float]:
    """Return the seconds of a run's process up to its first epoch, phase by phase.

    Building holds compiling, and what is observed before training.
    """
    asked = selection(
        network, "digits", method_name="last-value", epochs=EPOCHS, horizon=50, weights="random",
        image_size=64, train_size=256, validation_size=64, test_size=64, store=store, workers=1,
        ray="auto", gpus_per_run=0,
    )  # fmt: skip
    seconds: dict[str, float] = {}
    process = 0

    def watch(_model: str, event: Mapping[str, Any]) -> None:
        nonlocal process
        name = event["event"]
        if name == "started":
            (lock,) = store.glob(f"{network}-*/lock")
            process = int(lock.read_text().split()[0])
        if name in ("started", "observation"):
            seconds[f"{name} {event['epoch']}"] = computed(process)

    began, used = time.monotonic(), time.process_time()
    asked.ranking(watch=watch)
    again = seconds["observation 2"] - seconds["observation 1"]
    return {
        "process": seconds["started 0"],
        "building": seconds["observation 1"] - seconds["started 0"] - again,
        "asking": time.process_time() - used,
        "clock": time.monotonic() - began,
    }


def main() -> None:
    import ray

    with three_nodes(), tempfile.TemporaryDirectory() as folder:
        cluster = Cluster("auto", gpus=0)
        store = Path(folder) / "store"
        found = {
            "command": "python -m bench.cluster_overheads",
            "ray": ray.__version__,
            "nodes": 3,
            "cores": len(os.sched_getaffinity(0)),
            "load": os.getloadavg()[0],
            "operations_per_second_and_thread": speed(),
            "seconds": rays_part(cluster, store),
            "networks": {network: a_runs_part(network, store) for network in NETWORKS},
        }
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
