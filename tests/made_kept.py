"""Kept rankings of made runs, for the tests of reports and figures."""

from __future__ import annotations

import dataclasses

import numpy as np
from made_runs import made_run, rising_curve

from ncselect.execute import Job
from ncselect.kept_ranking import KeptRanking, kept
from ncselect.methods import parsed_method
from ncselect.ordering import ranked
from ncselect.spec import Settings
from ncselect.types import Background

HORIZON = 20
NAMES = ("MobileNet", "ResNet50", "VGG16", "Xception")


def runs(names=NAMES, *, epochs=HORIZON, truth=True, settings=None):
    """Return a run per name, up to an epoch, the later names the better."""
    rng = np.random.default_rng(0)
    found = []
    for place, name in enumerate(names):
        final = 0.6 + 0.3 * place / len(names)
        curve = rising_curve(final, 0.8, epochs, rng, noise=0.004)
        record = made_run(
            name,
            curve,
            truth={HORIZON: final - 0.01} if truth else {},
            beta=1.5 / np.arange(1, epochs + 1),
        )
        spec = dataclasses.replace(
            record.spec,
            settings=settings or Settings(),
            candidate={"source": name, "weights": "sha256:" + "ab" * 32, "arguments": {}},
            environment={"backend": "tensorflow", "keras": "3.15.1", "threads": "1"},
        )
        facts = {"parameters": 1_000_000 * (place + 1), "weights": "imagenet"}
        found.append(dataclasses.replace(record, spec=spec, facts=facts))
    return found


def made_kept(
    records=None, *, epochs=5, methods=("combined", "capacitance", "best-value"), command="",
    latency=True, **changes,
):  # fmt: skip
    """Return the kept ranking of runs, as if it had been made after some of their epochs."""
    records = runs() if records is None else records
    seen = [record.observed(epochs) for record in records]
    known = Background(horizon=HORIZON)
    first, *others = (parsed_method(name, known).estimate(seen) for name in methods)
    ranking = ranked(
        first, seen, dataset="digits", beta="beta/base/held/signed", beside=others,
        failed=changes.pop("failed", {}),
    )  # fmt: skip
    if latency:
        rows = [
            dataclasses.replace(
                row, megabytes=row.parameters / 2**18, latency_ms=2.5 * row.rank,
                latency_64_ms=70.0 * row.rank,
            )
            for row in ranking
        ]  # fmt: skip
        ranking = dataclasses.replace(ranking, rows=tuple(rows))
    ranking = dataclasses.replace(
        ranking, records={record.spec.model: record for record in records}, horizon=HORIZON,
        name="digits-0123abcd", asked=tuple(methods), **changes,
    )  # fmt: skip
    return KeptRanking(
        name=ranking.name,
        ranking=ranking,
        question=question(records, methods, epochs, command),
        specs={record.spec.model: record.spec for record in records},
        candidates={record.spec.model: {"name": record.spec.model} for record in records},
        dataset={"name": "digits"},
        horizon=HORIZON,
        made="2026-01-02T03:04:05+00:00",
    )


def question(records, methods, epochs, command=""):
    """Return what was asked, as a selection keeps it."""
    return {
        "models": [record.spec.model for record in records], "dataset": "digits",
        "method": list(methods), "history": [], "experience": [], "epochs": epochs,
        "horizon": HORIZON, "seed": 0, "weights": "imagenet", "image_size": None,
        "budget": None, "eliminate": False, "command": command,
    }  # fmt: skip


def stored(store, *, epochs=5):
    """Write two runs and their ranking into a store, as ``rank`` does; return the ranking."""
    made = made_kept(
        runs(NAMES[:2]), epochs=epochs, command="ncselect rank --models small --dataset digits"
    )
    for record in made.ranking.records.values():
        with store.run(record.spec).writer() as writer:
            for observation in record.observations:
                writer.append(observation, [np.zeros(1)])
            writer.add_facts(record.facts)
            writer.keep_truth(HORIZON, record.truth[HORIZON])
            writer.complete(keep_checkpoint=False)
    jobs = [
        Job(spec, {"name": model}, {"name": "digits"}, epochs=epochs, horizon=HORIZON)
        for model, spec in made.specs.items()
    ]
    return kept(made.ranking, jobs, store, made.question)
