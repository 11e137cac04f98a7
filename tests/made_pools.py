"""Pools of made runs, for the tests of the reproduction."""

from __future__ import annotations

import dataclasses

import numpy as np
from made_runs import made_run, rising_curve

from ncselect.reproduction import SCALES, Pool, Repeat

SMALL = dataclasses.replace(
    SCALES["small"],
    starts=(1, 2),
    curve=(5, 8),
    sizes=(200, 400),
    lc_steps=40,
)
QUICK = dataclasses.replace(SMALL, lengths=(5,))


def made_pool(dataset="cifar10", models=6, repeats=2, epochs=16, reduced=(), horizon=16, **more):
    """Return made runs: the better the model, the faster it rises."""

    def runs(seed, length, counts):
        rng = np.random.default_rng([seed, counts])
        return tuple(
            dataclasses.replace(
                run,
                spec=dataclasses.replace(
                    run.spec,
                    data={
                        "counts": {"train": counts, "validation": 500, "test": 500},
                        **({} if length == horizon else {"in_order": True}),
                    },
                ),
            )
            for run in (
                made_run(
                    f"Net{place}",
                    rising_curve(0.6 + 0.05 * place, 0.4 + 0.1 * place, length, rng, 0.01),
                    dataset=dataset,
                    seed=seed,
                    truth={horizon: 0.6 + 0.05 * place + 0.01 * rng.random()}
                    if length == horizon
                    else {},
                    **more,
                )
                for place in range(models)
            )
        )

    return Pool(
        dataset,
        horizon,
        tuple(Repeat(seed, runs(seed, epochs, 1000)) for seed in range(repeats)),
        {
            size: tuple(Repeat(seed, runs(seed, 15, size)) for seed in range(repeats))
            for size in reduced
        },
    )


def all_runs(made):
    reduced = [repeat for repeats in made.reduced.values() for repeat in repeats]
    return [run for repeat in (*made.repeats, *reduced) for run in repeat.runs]


def with_data(runs, **data):
    return [
        dataclasses.replace(run, spec=dataclasses.replace(run.spec, data={**run.spec.data, **data}))
        for run in runs
    ]


def with_spec(runs, **changed):
    return [dataclasses.replace(run, spec=dataclasses.replace(run.spec, **changed)) for run in runs]
