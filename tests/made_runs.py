"""Runs with given validation curves, for the tests of methods and comparisons."""

from __future__ import annotations

import numpy as np

from ncselect.graphs.names import GRAPH_SIGNALS
from ncselect.numerics.capacitance import DEFINITIONS
from ncselect.scores import SCORES
from ncselect.spec import RunSpec
from ncselect.types import Observation, RunRecord


def made_run(
    model, accuracy, *, beta=None, validation=500, status="complete", error=None, truth=None,
    dataset="digits", seed=0, drop=(), scores=None, **signals,
):  # fmt: skip
    """Return a run with the given curve; its other signals fall as the accuracy rises.

    Its scores that need no training are random, but the same for the same name.
    """
    accuracy = np.asarray(accuracy, dtype=float)
    epochs = np.arange(1, len(accuracy) + 1)
    noise = np.random.default_rng([len(model), *model.encode()])
    beta = 2.0 / epochs**0.7 + 0.05 * noise.random(len(epochs)) if beta is None else beta
    curves = {
        "validation-accuracy": accuracy,
        "training-loss": 1.5 / epochs + 0.02 * noise.random(len(epochs)),
        "training-error": 0.5 / epochs + 0.02 * noise.random(len(epochs)),
        "residual": 0.3 / epochs + 0.02 * noise.random(len(epochs)),
        **graph_signals(accuracy, seed=[7, len(model), *model.encode()]),
        **{f"beta/{definition}": np.asarray(beta, dtype=float) for definition in DEFINITIONS},
        **{
            name.replace("_", "-"): np.asarray(curve, dtype=float)
            for name, curve in signals.items()
        },
    }
    observations = [Observation(0, {name: 0.0 for name in curves if name not in drop}, 0.0)]
    observations += [
        Observation(
            int(epoch),
            {name: float(curve[epoch - 1]) for name, curve in curves.items() if name not in drop},
            1.0,
        )
        for epoch in epochs
    ]
    spec = RunSpec(
        model=model,
        dataset=dataset,
        candidate={"source": model},
        data={"counts": {"validation": validation}} if validation else {},
        seed=seed,
    )
    if scores is None:
        scores = {
            name: float(score)
            for name, score in zip(SCORES, noise.random(len(SCORES)), strict=True)
        }
    return RunRecord(spec, tuple(observations), status, error, truth=truth or {}, scores=scores)


def graph_signals(accuracy, seed):
    """Return degrees of a graph that grow as the accuracy rises, one value per epoch."""
    rng = np.random.default_rng(seed)
    return {
        name: (1 + place) * accuracy + 0.05 * rng.random(len(accuracy))
        for place, name in enumerate(GRAPH_SIGNALS)
        if name.startswith("graph/rolled/degree/")
    }


def rising_curve(final, speed, epochs, rng=None, noise=0.0):
    """Return final − c/(1 + epoch)^speed, with noise, inside [0, 1]."""
    epoch = np.arange(1, epochs + 1)
    wiggle = noise * rng.normal(size=epochs) if rng is not None else 0.0
    return np.clip(final - 0.5 / (1 + epoch) ** speed + wiggle, 0.0, 1.0)
