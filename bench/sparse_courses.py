"""How the structure of sparse and pruned networks goes with their accuracy, from stored runs.

A course per run: accuracy, density, mean |w|, heterogeneity, units on paths, at every epoch whose
connections were kept; and whether the degrees and strengths of the hidden units have heavy tails
there, by likelihood ratios. Of pruned runs, besides, in which round each of them changes.

    python -m bench.sparse_courses STORE … [--replicas 100] > FILE.json

reads runs of ``ncselect sparse train`` and ``prune``, trains nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bench.spread import rounded
from ncselect.measures.bipartite import BipartiteNetwork, bipartite_network
from ncselect.measures.degrees import Distribution, moments, network_distributions
from ncselect.measures.heavy_tail import COMPARED, heavy_tail, verdict
from ncselect.measures.pathways import unit_groups
from ncselect.measures.weights import weight_measures
from ncselect.run import Run
from ncselect.sparse.connections_file import read_connections
from ncselect.sparse_evaluation.stored import variant
from ncselect.store import RunStore
from ncselect.types import RunRecord

HURT, FALLEN = 0.99, 0.95
"""Shares of its best below which an accuracy is hurt, or has fallen."""
CUT_OFF = 0.05
"""Share of units without a path from input to output, from which on there are many."""
NEAR = 0.95
"""Share of its maximum from which on mean |w| is near it."""

EVIDENCE = {name: f"{name} evidence of a power law" for name in ("weak", "strong")}
"""What a verdict says where there is any; it needs replicas."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the courses of all runs that kept connections, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stores", nargs="+", metavar="STORE")
    parser.add_argument("--replicas", type=int, default=0)
    given = parser.parse_args(arguments)
    runs = [
        described(run, given.replicas)
        for store in given.stores
        for run in RunStore(store, create=False).runs()
        if run.connections
    ]
    told = heavy(runs, given.replicas)
    for run in runs:
        for tail in run["tails"]:
            del tail["verdict"]  # its figures say as much
    document = {
        "protocol": "round or epoch by epoch; heavy: a power law or log-normal is preferred over "
        "an exponential at p < .1, and the power law the likelier one; accuracy hurt, fallen: "
        f"below {HURT}, {FALLEN} of its best, to the end",
        "R and p of": [f"{first} against {second}" for first, second in COMPARED],
        "runs": runs,
        "heavy": told,
        "changes": changed(runs),
    }
    json.dump(document, sys.stdout, ensure_ascii=False, separators=(",", ":"))
    print()
    return 0


def described(run: Run, replicas: int) -> dict[str, Any]:
    """Return what a run is, its course and the tails of its hidden units."""
    record = run.record()
    courses: dict[str, list[Any]] = {}
    tails = []
    for epoch, file in run.connections.items():
        layers = read_connections(file)
        network = bipartite_network(layers)
        point = {"epoch": epoch, **accuracies(record, epoch), **weight_measures(layers)}
        point |= structure(network)
        for name, value in point.items():
            kept = value if isinstance(value, int) or value is None else rounded(value, 4)
            courses.setdefault(name, []).append(kept)
        tails += [
            {"epoch": epoch, **judged(one, replicas, record.spec.seed)}
            for one in network_distributions(network)
            if one.measure in ("degree", "strength")
        ]
    return {
        "run": record.spec.key,
        "network": record.spec.candidate["source"],
        "dataset": record.spec.dataset,
        "images": record.spec.data["counts"]["train"],
        "variant": variant(record.spec.settings),
        "seed": record.spec.seed,
        "course": courses,
        "tails": tails,
        "rounds": rounds(courses) if record.spec.settings.pruning else None,
    }


def accuracies(record: RunRecord, epoch: int) -> dict[str, float | None]:
    """Return validation and test accuracy after an epoch, None where it was not tested."""
    return {
        "validation_accuracy": record.observations[epoch].signals["validation-accuracy"],
        "test_accuracy": record.truth.get(epoch),
    }


def structure(network: BipartiteNetwork) -> dict[str, float | None]:
    """Return the shares of units on paths, and how unequal units are."""
    inputs, *hidden, _ = unit_groups(network)
    shares = {
        "inputs_on_paths": inputs.spanning.mean(),
        "hidden_on_paths": np.concatenate([group.spanning for group in hidden]).mean(),
    }
    unequal = {
        f"{one.layer}_{one.measure}_heterogeneity": moments(one.values)["relative_heterogeneity"]
        for one in network_distributions(network)
        if one.measure in ("degree", "strength")
    }
    return shares | unequal


def judged(one: Distribution, replicas: int, seed: int) -> dict[str, Any]:
    """Return what the tests say of a distribution's tail."""
    found = heavy_tail(
        one.values,
        discrete=one.discrete,
        replicas=replicas,
        generator=np.random.default_rng(seed) if replicas else None,
    )
    said = {"of": f"{one.layer} {one.measure}", "verdict": verdict(found).split(" (")[0]}
    if found.fit is None:
        return said | {"heavy": None}
    return said | {
        "heavy": found.heavy,
        "alpha": rounded(found.fit.alpha),
        "xmin": rounded(found.fit.xmin),
        "tail": found.fit.tail_size,
        "goodness": rounded(found.goodness),
        "R": [rounded(test.normalised) for test in found.comparisons],
        "p": [rounded(test.p) for test in found.comparisons],
    }


def heavy(runs: Sequence[Mapping[str, Any]], replicas: int) -> list[dict[str, Any]]:
    """Return, run by run, at which of the kept epochs a tail was heavy, and of what evidence.

    Without replicas there is no evidence of a power law to speak of.
    """
    made = []
    for run in runs:
        for of in dict.fromkeys(tail["of"] for tail in run["tails"]):
            own = [tail for tail in run["tails"] if tail["of"] == of]
            made.append(
                {name: run[name] for name in ("network", "dataset", "variant", "seed")}
                | {
                    "of": of,
                    "judged": [tail["epoch"] for tail in own if tail["heavy"] is not None],
                    "heavy": [tail["epoch"] for tail in own if tail["heavy"]],
                    "power_law": {
                        strength: [tail["epoch"] for tail in own if said in tail["verdict"]]
                        for strength, said in EVIDENCE.items()
                    }
                    if replicas
                    else None,
                }
            )
    return made


def rounds(course: Mapping[str, Sequence[float | None]]) -> dict[str, int | None]:
    """Return in which round of pruning each of a course's measures changes.

    Parameters
    ----------
    course
        Columns by name, a number per round; the first, before any training, has no accuracy.

    Returns
    -------
    dict
        Change → round, 0 for the unpruned network; None where it does not come. A change "for
        good" holds to the last round.
    """
    kept = course["epoch"]
    assert [*kept] == [kept[1] * place for place in range(len(kept))], "a file per round"
    columns = {name: numbers(values[1:]) for name, values in course.items()}
    accuracy, weight = columns["test_accuracy"], columns["mean_abs_weight"]
    return {
        "accuracy hurt": for_good(accuracy < HURT * np.nanmax(accuracy)),
        "accuracy fallen": for_good(accuracy < FALLEN * np.nanmax(accuracy)),
        "accuracy below a half": for_good(accuracy < 0.5),
        "mean |w| near its maximum": int(np.argmax(weight >= NEAR * weight.max())),
        "mean |w| at its maximum": int(np.argmax(weight)),
        "1 in 20 inputs cut off": for_good(columns["inputs_on_paths"] <= 1 - CUT_OFF),
        "1 in 20 hidden units cut off": for_good(columns["hidden_on_paths"] <= 1 - CUT_OFF),
    }


def numbers(values: Sequence[float | None]) -> np.ndarray:
    """Return them as an array, nan for None."""
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def for_good(holds: np.ndarray) -> int | None:
    """Return the first place from which on all hold, None if the last does not."""
    fails = np.flatnonzero(~holds)
    first = int(fails[-1]) + 1 if fails.size else 0
    return first if first < len(holds) else None


def changed(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row per dataset, variant and change: its round, seed by seed, and its lead.

    The leads are in rounds before the accuracy is hurt, and before it has fallen. What departs from
    pruning by lot is above (heterogeneity) all runs that were pruned by lot, in the same round and
    all later ones that these came to.
    """
    made = []
    for (network, dataset, name), own in grouped(runs).items():
        by_lot = [one["course"] for one in grouped(runs).get((network, dataset, "random"), [])]
        for change, at in changes(own, by_lot if name != "random" else []):
            made.append(
                {
                    "network": network,
                    "dataset": dataset,
                    "variant": name,
                    "change": change,
                    "rounds": at,
                    "before_hurt": leads(at, own, "accuracy hurt"),
                    "before_fallen": leads(at, own, "accuracy fallen"),
                }
            )
    return made


def leads(
    rounds: Sequence[int | None], runs: Sequence[Mapping[str, Any]], event: str
) -> list[int | None]:
    """Return how many rounds before an event of its run each change comes."""
    events = [one["rounds"][event] for one in runs]
    return [
        None if when is None or then is None else then - when
        for when, then in zip(rounds, events, strict=True)
    ]


def changes(
    runs: Sequence[Mapping[str, Any]], by_lot: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, list[int | None]]]:
    """Yield a change and its round in each run."""
    for change in runs[0]["rounds"]:
        yield change, [one["rounds"][change] for one in runs]
    if by_lot:
        for name in ("hidden_degree_heterogeneity", "hidden_strength_heterogeneity"):
            yield (
                f"{name.replace('_', ' ')} departs from pruning by lot",
                [departs(one["course"][name], [each[name] for each in by_lot]) for one in runs],
            )


def departs(course: Sequence[float | None], others: Sequence[Sequence[float | None]]) -> int | None:
    """Return the round from which on a course is above all others, as long as they last."""
    length = min(map(len, [course, *others]))
    own, *theirs = (numbers(values[1:length]) for values in (course, *others))
    return for_good(own > np.max(theirs, axis=0))


def grouped(runs: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str, str], list[Any]]:
    """Return network, dataset and variant → the pruned runs, in the order of their seeds."""
    found: dict[tuple[str, str, str], list[Any]] = {}
    for one in sorted(runs, key=lambda run: run["seed"]):
        if one["rounds"] is not None:
            found.setdefault((one["network"], one["dataset"], one["variant"]), []).append(one)
    return found


if __name__ == "__main__":
    raise SystemExit(main())
