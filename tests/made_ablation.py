"""Pools whose best definition is known."""

from __future__ import annotations

import dataclasses

import numpy as np
from made_runs import made_run

from bench.ablation.intervals import Said
from bench.ablation.stored import DEFAULT, Pool
from ncselect.numerics.capacitance import DEFINITIONS
from ncselect.spec import Settings

HORIZON = 12
MODELS = [f"net-{letter}" for letter in "abcdefgh"]
GOOD, BAD = "norm/exact/signed", "base/held/signed"
KEPT = (GOOD, BAD, "base/exact/signed", "kernels/held/signed")
DROPPED = tuple(f"beta/{one}" for one in DEFINITIONS if str(one) not in KEPT)


def pool(target="digits", setting=DEFAULT, seed=0, models=MODELS, **signals):
    """Return a pool in which one definition tells how far each model still has to rise."""
    records = []
    for place, name in enumerate(models):
        rng = np.random.default_rng([place, seed, *target.encode(), *setting.encode()])
        final = 0.55 + 0.04 * ((5 * place + 3) % 8)
        left = (0.2 + 0.25 * rng.random()) / np.arange(1, HORIZON + 1) ** 0.5
        accuracy = final - left
        made = made_run(
            name,
            accuracy,
            truth={HORIZON: final},
            dataset=target,
            seed=seed,
            validation=5000,
            drop=DROPPED,
            **{f"beta/{GOOD}": left, f"beta/{BAD}": rng.random(HORIZON), **signals},
        )
        records.append(dataclasses.replace(made, facts={"steps_per_epoch": 20}))
    return Pool(target, setting, seed, HORIZON, tuple(records), {})


def with_truth(like, truth, **changes):
    records = tuple(
        dataclasses.replace(one, truth={HORIZON: value})
        for one, value in zip(like.records, truth, strict=True)
    )
    return dataclasses.replace(like, records=records, **changes)


def said_of(*rows):
    scores = np.array(rows, dtype=float)
    return Said(scores, np.clip(scores, 0, 1))


def changed(records, **settings):
    return [
        dataclasses.replace(one, spec=dataclasses.replace(one.spec, settings=Settings(**settings)))
        for one in records
    ]
