"""Pools of made runs, races between them, and estimators that say what they are told."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from made_runs import made_run, rising_curve

from ncselect.elimination.race import race
from ncselect.elimination.replay import Replay
from ncselect.elimination.standing import Step
from ncselect.elimination.strategies import STRATEGIES, strategy
from ncselect.methods import method
from ncselect.types import Estimate, Estimates

HORIZON = 20
NAMES = [*STRATEGIES]


def made_pool(seed, size=6, epochs=HORIZON):
    """Return finished runs of different final accuracies, noise and prices."""
    rng = np.random.default_rng(seed)
    runs = {}
    for place, final in enumerate(rng.permutation(np.linspace(0.5, 0.9, size))):
        curve = rising_curve(final, 1.0, epochs, rng, noise=0.01)
        run = made_run(f"net {place}", curve, truth={epochs: float(final)})
        price = float(rng.uniform(1, 4))
        seen = tuple(dataclasses.replace(one, seconds=price) for one in run.observations)
        runs[run.spec.model] = dataclasses.replace(run, observations=seen)
    return runs


def raced(name, runs, *, budget=math.inf, most=HORIZON - 1, by="last-value", unit="seconds"):
    runner = Replay(runs, unit=unit)
    estimate = method(by).estimate
    before = {model: run.observed(0) for model, run in runs.items()}
    return race(strategy(name), runner, estimate, before, most=most, budget=budget), runner


def normal(**candidates):
    """Return an estimator that says mean and sd of each candidate, whatever was observed."""

    def estimate(records):
        models = [one.spec.model for one in records]
        each = tuple(Estimate(model, *candidates[model.replace(" ", "_")]) for model in models)
        means, sds = np.array([[one.mean, one.sd] for one in each]).T
        draws = np.random.default_rng(1).normal(means, sds, (20_000, len(each)))
        return Estimates("made", each, {}, draws=draws)

    return estimate


def priced(runs, **prices):
    """Return the runs with epochs of the given prices, 1 where none is given."""
    return {
        model: dataclasses.replace(
            run,
            observations=tuple(
                dataclasses.replace(one, seconds=prices.get(model.replace(" ", "_"), 1.0))
                for one in run.observations
            ),
        )
        for model, run in runs.items()
    }


def untold(runs):
    return {model: run.observed(0) for model, run in runs.items()}


class OneMore:
    """Everybody goes on by an epoch, nobody is dropped."""

    name = summary = "one-more"

    def step(self, standing):
        return Step(epochs=standing.epochs + 1)


class Breaking(Replay):
    """Some candidates fail before their first epoch is over."""

    def __init__(self, runs, broken):
        super().__init__(runs, unit="epochs")
        self.broken = broken

    def observe(self, models, epochs, budget):
        found = super().observe([one for one in models if one not in self.broken], epochs, budget)
        return found | {
            model: dataclasses.replace(
                self._runs[model], status="failed", error="no memory", observations=()
            )
            for model in models
            if model in self.broken
        }
