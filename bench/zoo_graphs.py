"""Rolled graphs of every classifier of ``keras.applications``: nodes, edges, seconds, memory.

Each is built with random weights for 1,000 classes at its own size in a process of its own; seconds
are the processor's for the graph alone, megabytes what the peak grew by above the built network.

    python -m bench.zoo_graphs [NAME …]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main() -> None:
    """Print a JSON line for each network and one for all."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measured(sys.argv[2])))
        return
    names = sys.argv[1:] or exported()
    found = []
    for name in names:
        said = subprocess.run(
            [sys.executable, "-m", "bench.zoo_graphs", "--one", name],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        found.append(json.loads(said.stdout))
        print(json.dumps(found[-1]), flush=True)
    seconds = sum(one["seconds"] for one in found)
    print(json.dumps({"networks": len(found), "seconds": round(seconds, 1)}))


def exported() -> list[str]:
    """Return the classes that the installed Keras exports."""
    import keras

    return [name for name in dir(keras.applications) if name[0].isupper()]


def measured(name: str) -> dict[str, object]:
    """Return what a network's graph is and costs."""
    import keras

    from ncselect.environment import peak_megabytes
    from ncselect.graphs.rolled import rolled_graph

    model = getattr(keras.applications, name)(weights=None)
    before = peak_megabytes()
    started = time.process_time()
    graph = rolled_graph(model)
    seconds = time.process_time() - started
    return {
        "network": name,
        "nodes": graph.nodes,
        "edges": graph.edges,
        "seconds": round(seconds, 2),
        "megabytes": round(peak_megabytes() - before),
    }


if __name__ == "__main__":
    main()
