"""What recording the graphs of a network costs against training it.

One epoch of ``fit`` on noise, alone and with ``ncselect.GraphSignatures`` (which then follows the
wiring and measures twice, before and after the epoch), in turn; and the seconds of each part of a
measurement: wiring once, the graph, the degrees, the centralities. Seconds are of the processor,
all threads together, so that other work on the machine does not count: training uses several
threads and measuring one, so by the clock measuring costs up to as many times more. ``--figure``
draws them in the form of figure 6 of Vahedian et al. (2021).

    python -m bench.graph_cost [--models LeNet5,AlexNetSmall] [--figure FILE.svg]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ncselect.environment import available_cores, environment, process_variables

os.environ.update(process_variables(environment(available_cores())))

IMAGES = {"LeNet5": 10_000, "AlexNetSmall": 2_000}
TURNS = {"LeNet5": 3, "AlexNetSmall": 1}
RECORDED = ("none", "rolled", "rolled+unrolled")


def main() -> None:
    """Print a JSON line per network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default=",".join(IMAGES))
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args()
    found = [measured(model) for model in given.models.split(",")]
    for one in found:
        print(json.dumps(one))
    if given.figure:
        draw(found, given.figure)


def measured(name: str) -> dict[str, Any]:
    """Return the ratios of the epochs, and the seconds of each part."""
    import keras
    import numpy as np

    from ncselect.graphs.callback import GraphSignatures
    from zoo.models import build, candidates

    images, turns = IMAGES[name], TURNS[name]
    rng = np.random.default_rng(0)
    x = rng.random((images, 32, 32, 3), dtype=np.float32)
    y = rng.integers(0, 10, images)
    base = build(candidates(name, weights="random")[0], (32, 32, 3), seed=0).model
    model = keras.Model(base.input, keras.layers.Dense(10)(base.output))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(1e-3), loss=loss)
    warm = [GraphSignatures()]  # compiles, for the last small batch too, and imports
    model.fit(x, y, batch_size=128, verbose=0, callbacks=warm)
    seconds: dict[str, list[float]] = {recorded: [] for recorded in RECORDED}
    for turn in range(turns):  # each goes first in turn: a drifting machine favours none
        for recorded in RECORDED if turn % 2 == 0 else RECORDED[::-1]:
            callbacks = [] if recorded == "none" else [GraphSignatures(recorded)]
            epoch = timed(
                lambda with_them=callbacks: model.fit(
                    x, y, batch_size=128, verbose=0, callbacks=with_them
                )
            )
            seconds[recorded].append(epoch[0])
    plain = seconds["none"]
    parts = {"rolled": rolled_parts(model), "unrolled": unrolled_parts(model)}
    epoch = statistics.median(plain)
    return {
        "model": name,
        "images": images,
        "turns": turns,
        "epoch_seconds": round(epoch, 2),
        "fit_over_plain": {
            recorded: round(
                statistics.median(a / b for a, b in zip(seconds[recorded], plain, strict=True)), 3
            )
            for recorded in RECORDED[1:]
        },
        "part_seconds": {
            kind: {part: round(value, 4) for part, value in of.items()}
            for kind, of in parts.items()
        },
        "measurement_over_epoch": {
            kind: round((sum(of.values()) - of["wiring"]) / epoch, 3) for kind, of in parts.items()
        },
    }


def rolled_parts(model: Any) -> dict[str, float]:
    """Return the seconds of each part of measuring the rolled graph."""
    from ncselect.graphs.rolled import RolledNetwork

    wiring, network = timed(lambda: RolledNetwork(model))
    built, graph = timed(network.graph)
    return {"wiring": wiring, "graph": built, **feature_seconds([graph])}


def unrolled_parts(model: Any) -> dict[str, float]:
    """Return the seconds of each part of measuring the unrolled graph, of both signs."""
    from ncselect.graphs.unrolled import UnrolledNetwork

    wiring, network = timed(lambda: UnrolledNetwork(model))
    built, graphs = timed(lambda: signed(network.graph()))
    return {"wiring": wiring, "graph": built, **feature_seconds(graphs)}


def signed(graph: Any) -> list[Any]:
    """Return the graphs of the positive and of the negative edges."""
    return [graph.positive(), graph.negative()]


def feature_seconds(graphs: list[Any]) -> dict[str, float]:
    """Return the seconds of all nodes' degrees and centralities."""
    from ncselect.graphs.centrality import eigenvector_centrality
    from ncselect.graphs.degree import weighted_degree

    return {
        "degree": timed(lambda: [weighted_degree(graph) for graph in graphs])[0],
        "eigenvector": timed(lambda: [eigenvector_centrality(graph) for graph in graphs])[0],
    }


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the processor seconds that some work takes, and what it gives."""
    started = time.process_time()
    answer = work()
    return time.process_time() - started, answer


def draw(found: list[dict[str, Any]], file: Path) -> None:
    """Draw the seconds of an epoch and of each part, a panel per network."""
    from ncselect.plots import Bar, BarFigure, BarPanel, drawn, save

    panels = []
    for one in found:
        epoch = one["epoch_seconds"]
        bars = [Bar("an epoch of training", epoch, group="training", text=f"{epoch:.3g} s")]
        bars += [
            Bar(f"{kind}: {part}", value, group=kind, text=f"{value:.2g} s")
            for kind, parts in one["part_seconds"].items()
            for part, value in parts.items()
        ]
        panels.append(BarPanel(f"{one['model']}, {one['images']:,} images", tuple(bars)))
    caption = (
        "Wiring is followed once a training, the rest measured after every epoch; unrolled: of the "
        "positive and of the negative edges."
    )
    labels = ("processor seconds",) * len(panels)
    save(drawn(BarFigure(tuple(panels), labels, logarithmic=True, caption=caption)), file)


if __name__ == "__main__":
    main()
