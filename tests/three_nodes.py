"""Runs on a Ray cluster of three nodes on this machine, one of which is killed; for test_cluster.

``python -m tests.three_nodes FOLDER`` writes ``FOLDER/found.json``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import ray
from ray.cluster_utils import Cluster as Nodes

import ncselect.cluster
from ncselect.cluster import Cluster
from ncselect.execute import Stopped, complete
from ncselect.store import RunStore
from tests.test_cluster import jobs, seen, shown
from zoo.errors import InputError

BEGAN = time.monotonic()
HEAD = {"num_cpus": 1, "num_gpus": 1}  # Ray counts the GPUs that it is told of


def raylet_of(process: int) -> int:
    """Return the Ray daemon that a run's process descends from."""
    while True:
        status = Path(f"/proc/{process}/status").read_text()
        if "raylet" in status.splitlines()[0]:
            return process
        process = int(status.split("PPid:")[1].split()[0])


def log(line: str) -> None:
    """Write a line with the seconds since the beginning."""
    sys.stderr.write(f"{time.monotonic() - BEGAN:6.1f} s  {line}\n")


def killed_mid_run(folder: Path, nodes: Nodes, cluster: Cluster) -> dict[str, object]:
    """Kill the node of a run that has observed an epoch; return what comes of it and the other."""
    store, wanted = RunStore(folder / "store"), jobs(folder)
    killed: list[str] = []
    events: list[tuple[str, str]] = []

    def watch(model: str, event: dict[str, object]) -> None:
        if event["event"] not in ("progress", "waiting"):
            log(f"{model}: {event['event']} {event.get('epoch', '')}{event.get('error', '')}")
            events.append((model, str(event["event"])))
        if event["event"] != "observation" or event["epoch"] != 1 or killed:
            return
        run = next(store.find(job.spec) for job in wanted if job.spec.model == model)
        raylet = raylet_of(int((run.folder / "lock").read_text().split()[0]))
        for node in nodes.worker_nodes:  # the head is not among them
            if node.all_processes["raylet"][0].process.pid == raylet:
                log(f"{model}: its node is killed")
                killed.append(model)
                nodes.remove_node(node, allow_graceful=False)
                return

    found = complete(wanted, store, workers=cluster.slots, cluster=cluster, watch=watch)
    return {"killed": killed, "events": events, "runs": shown(found)}


def stopped_mid_run(folder: Path, cluster: Cluster) -> dict[str, object]:
    """Stop a long run after an epoch; return what is stored, and whether its lock is free."""
    store, wanted = RunStore(folder / "store"), replace(jobs(folder, seed=1)[0], horizon=500)

    def watch(_model: str, event: dict[str, object]) -> None:
        if event["event"] == "observation" and event["epoch"] == 1:
            raise Stopped

    log("a long run is stopped after its first epoch")
    (record,) = complete([replace(wanted, epochs=500)], store, cluster=cluster, watch=watch)
    with store.find(record.spec).writer() as writer:
        written = writer.epochs - 1
    return {"status": record.status, "epochs": seen(record)[-1][0], "written": written}


def seen_by_a_run_with_half_a_gpu(folder: Path) -> dict[str, object]:
    """Begin a run that shares a GPU; return what its process is told of GPUs, or who refuses."""
    store, cluster = RunStore(folder / "gpus"), Cluster("auto", gpus=0.5)
    of_cluster = {"slots": cluster.slots, "device": cluster.environment["device"]}
    wanted = jobs(folder)[1]
    wanted = replace(wanted, spec=replace(wanted.spec, environment=cluster.environment))
    told: dict[str, str] = {}

    def watch(_model: str, event: dict[str, object]) -> None:
        if event["event"] == "started":
            lock = store.find(wanted.spec).folder / "lock"
            process = Path(f"/proc/{lock.read_text().split()[0]}/environ")
            told.update(line.split("=", 1) for line in process.read_text().split("\0") if line)
            raise Stopped

    try:
        complete([wanted], store, cluster=cluster, watch=watch)
    except InputError as error:
        return {**of_cluster, "refused": str(error)}
    return {**of_cluster, **told}


def asleep() -> None:
    """Take a place on a node."""
    time.sleep(600)


def ended_while_it_waits(folder: Path, cluster: Cluster) -> list[str]:
    """Ask for a run while others have all room; end it when it is said to wait."""
    ncselect.cluster.SILENCE = 1.0
    others = [ray.remote(asleep).remote() for _ in range(cluster.slots)]
    events: list[str] = []

    def watch(_model: str, event: dict[str, object]) -> None:
        events.append(str(event["event"]))
        raise Stopped

    log("a run waits for room")
    complete(jobs(folder, seed=2)[:1], RunStore(folder / "store"), cluster=cluster, watch=watch)
    for other in others:
        ray.cancel(other, force=True)
    return events


def refused(**asked: object) -> str:
    """Ask for a cluster that is not to be had; return what is said."""
    try:
        Cluster(**asked)
    except InputError as error:
        return str(error)
    return "nothing"


def main() -> None:
    """Start the nodes, try everything, write what is found."""
    folder = Path(sys.argv[1])
    nodes = Nodes(initialize_head=True, head_node_args={**HEAD, "include_dashboard": False})
    for _ in range(2):
        nodes.add_node(num_cpus=1)
    os.environ["RAY_ADDRESS"] = nodes.address
    cluster = Cluster("auto", gpus=0)
    log(f"three nodes, room for {cluster.slots} runs")
    found = {
        "slots": cluster.slots,
        "cpus": [cluster.cpus(threads) for threads in (1, 8)],
        "no share": refused(address="auto"),
        "elsewhere": refused(address="local", gpus=0),
        "lost": killed_mid_run(folder, nodes, cluster),
        "stopped": stopped_mid_run(folder, cluster),
        "slots left": cluster.slots,
        "waited": ended_while_it_waits(folder, cluster),
        "gpus": seen_by_a_run_with_half_a_gpu(folder),
        "files left": [path.name for path in (folder / "store").glob(".cluster-*")],
    }
    log(f"room for {cluster.slots} runs left")
    (folder / "found.json").write_text(json.dumps(found))
    ray.shutdown()
    nodes.shutdown()


if __name__ == "__main__":
    main()
