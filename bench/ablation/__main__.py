"""Read stored runs again under every choice of neural capacitance, and print what each is worth.

``python -m bench.ablation STORE … > FILE.json`` takes stores of finished runs: any number of
targets, seeds and training protocols. ``--tune A,B --report C`` chooses on A and B and reports C;
without them every target is left out in turn. Intervals are lists: the value, low and high of the
95% interval over models and seeds with the targets as they are, and low and high of the one that
draws the targets, too.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.ablation.choices import DEFAULT_READING, INVERSE_EPOCH, NO_INPUT, definitions
from bench.ablation.intervals import LEVEL, Document, Figures, Plan, number
from bench.ablation.report import (
    AS_USUAL,
    DRAWN,
    RANDOM,
    SHUFFLES,
    Question,
    beta,
    filled,
    of_epochs,
)
from bench.ablation.rivals import QUICK, SLOW, Asked
from bench.ablation.stored import DEFAULT, Pool, read_pools
from bench.ablation.training import between, pairs, protocols, repeats, seen, truths
from ncselect.methods import METHODS
from ncselect.methods.extrapolation import DEFAULT_DEFINITION
from zoo.errors import InputError, UnknownNameError

WATCHED = (
    "last-value", "best-value", NO_INPUT, INVERSE_EPOCH, "training-loss", RANDOM,
    "parameters", "imagenet-top1", "linear-head", "combined",
)  # fmt: skip
"""Rivals that are followed across protocols, seeds and budgets."""

Watched = Mapping[str, Mapping[Pool, NDArray[np.float64]]]
"""Label → pool → ρ in every resample."""

PLAIN_DEPTH = 4
"""Levels of the printed document that are indented; what is deeper stands in one line."""


def main() -> int:
    """Print the report as JSON."""
    asked = arguments()
    try:
        document = ablation(
            asked.stores,
            epochs=asked.epochs,
            horizon=asked.horizon,
            tune=asked.tune.split(",") if asked.tune else None,
            report=asked.report,
            rivals=Asked(
                files(asked.hyperparameters),
                frozenset(asked.without.split(",")) if asked.without else frozenset(),
            ),
            resamples=asked.resamples,
            draws=asked.draws,
            seed=asked.seed,
        )
    except InputError as unusable:
        print(unusable, file=sys.stderr)
        return 2
    print(printed(document))
    return 0


def arguments() -> argparse.Namespace:
    """Return what was asked on the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.ablation", description=__doc__)
    parser.add_argument("stores", nargs="+", type=Path, metavar="STORE")
    parser.add_argument("--horizon", type=int, help="epoch of the truth; default: each run's last")
    parser.add_argument(
        "--epochs",
        type=lambda text: [int(one) for one in text.split(",")],
        default="5,8,10",
        help="observation lengths",
    )
    parser.add_argument("--tune", help="targets to choose on, separated by commas")
    parser.add_argument("--report", help="the target to report what was chosen")
    parser.add_argument(
        "--hyperparameters",
        action="append",
        default=[],
        metavar="TARGET=FILE",
        help="combined's, learned without that target (python -m bench.learn_curve_prior)",
    )
    parser.add_argument("--without", default="", help="methods not to ask, such as lc,bgrn")
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--draws", type=int, default=300, help="replicates of chance")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def ablation(
    stores: Sequence[Path],
    *,
    epochs: Sequence[int],
    horizon: int | None = None,
    tune: Sequence[str] | None = None,
    report: str | None = None,
    rivals: Asked = AS_USUAL,
    resamples: int = 2000,
    draws: int = 300,
    seed: int = 0,
) -> Document:
    """Return the whole report.

    Parameters
    ----------
    stores
        Folders of runs.
    epochs
        Observation lengths.
    horizon
        Epoch of the truth; each pool's last if None.
    tune, report
        Targets to choose on, and the one to report; every one in turn if None.
    rivals
        How the other methods are asked.
    resamples, draws, seed
        Of the bootstrap; replicates of chance; of both.

    Raises
    ------
    InputError
        If the stores hold no pool, or not the targets that were named; if a method is not known,
        or what is reported would be chosen on, or is chosen on nothing.
    """
    pools, left_out = read_pools(stores, epochs=max(epochs), horizon=horizon)
    by_protocol = protocols(pools)
    main_one = (
        DEFAULT
        if DEFAULT in by_protocol
        else max(by_protocol, key=lambda one: len(by_protocol[one]))
    )
    check_targets(by_protocol[main_one], tune, report)
    check_rivals(rivals, pools)
    paired, unpaired = pairs(pools)
    plan = Plan(pools, resamples=resamples, seed=seed)
    names = definitions(pools)
    default = beta(DEFAULT_DEFINITION)
    document: Document = {
        "protocol": protocol(resamples, draws, seed)
        | {
            "choices_of": main_one,
            "combined_learned_without": sorted(rivals.hyperparameters),
            "not_asked": sorted(rivals.without),
        },
        "pools": [described(pool) for pool in pools],
        "left_out": left_out | unpaired,
    }
    choices: Document = {}
    across: dict[str, Document] = {"protocols": {}, "training": {}, "repeats": {}}
    remarks: dict[str, dict[str, list[str]]] = {}
    kept: dict[int, Watched] = {}
    for length in epochs:
        question = Question(length, tune, report, rivals, draws, seed)
        figures = Figures(pools, plan)
        for setting, here in by_protocol.items():
            reads, told = filled(figures, here, question, slow=setting == main_one, watch=to_stderr)
            for method, text, where in told:
                remarks.setdefault(method, {}).setdefault(text, []).append(where)
            if setting == main_one and reads:
                choices[str(length)] = of_epochs(figures, reads, question, (*QUICK, *SLOW))
        headline = [default, *(label for label in WATCHED if label in figures.labels())]
        kept[length] = {
            label: {
                pool: figures.values(pool, label, "rho")
                for pool in by_protocol[main_one]
                if figures.said(pool, label)
            }
            for label in headline
        }
        every = [*(beta(name) for name in names), *headline[1:]]
        across["protocols"][str(length)] = {
            setting: {
                label: {
                    measure: figures.of(label, measure, here)
                    for measure in ("rho", "regret_points")
                }
                for label in every
                if any(figures.said(pool, label) for pool in here)
            }
            for setting, here in by_protocol.items()
        }
        across["training"][str(length)] = {
            between(*both): seen(figures, found, headline) for both, found in paired.items()
        }
        across["repeats"][str(length)] = {
            setting: found
            for setting, here in by_protocol.items()
            if (found := repeats(figures, here, headline))
        }
    document |= {
        "choices": choices,
        "budget": budget(kept, plan),
        "truths": {between(*both): truths(plan, found) for both, found in paired.items()},
        **across,
        "remarks": remarks,
    }
    return document


def budget(kept: Mapping[int, Watched], plan: Plan) -> dict[str, Document]:
    """Return what more epochs gain in ρ over the fewest, paired, for each label."""
    fewest = min(kept)
    found: dict[str, Document] = {}
    for length in sorted(set(kept) - {fewest}):
        for label, values in kept[length].items():
            before = kept[fewest].get(label, {})
            gains = {pool: one - before[pool] for pool, one in values.items() if pool in before}
            if gains:
                found.setdefault(label, {})[f"{length} less {fewest}"] = plan.interval(gains)
    return found


def files(given: Sequence[str]) -> dict[str, str]:
    """Return target → file of TARGET=FILE each.

    Raises
    ------
    InputError
        If one has no target or no file, or a target has two.
    """
    found: dict[str, str] = {}
    for one in given:
        target, _, file = one.partition("=")
        if not target or not file or target in found:
            raise InputError(
                f"hyperparameters: '{one}' is no TARGET=FILE of a target of its own; give each "
                "target one file, such as --hyperparameters digits=without-digits.json"
            )
        found[target] = file
    return found


def check_rivals(asked: Asked, pools: Sequence[Pool]) -> None:
    """Raise an InputError unless every method and target named in what is asked is known."""
    for name in sorted(asked.without - set(METHODS)):
        raise UnknownNameError("method", name, METHODS, "It was named with --without.")
    _check_known("hyperparameters", asked.hyperparameters, pools)


def check_targets(pools: Sequence[Pool], tune: Sequence[str] | None, report: str | None) -> None:
    """Raise an InputError unless what is named can be chosen on and reported."""
    _check_known("tune", tune or [], pools)
    _check_known("report", [] if report is None else [report], pools)
    if report is None:
        if tune:
            raise InputError(
                "tune: nothing is reported of what is chosen on "
                f"{', '.join(tune)}; name the target to report with --report"
            )
        return
    datasets = {pool.target: pool.dataset for pool in pools}
    shared = [one for one in tune or [] if datasets[one] == datasets[report]]
    if shared:
        raise InputError(
            f"report: '{report}' is chosen on, too, as {', '.join(shared)}; name targets of other "
            "datasets with --tune"
        )
    if set(datasets.values()) == {datasets[report]}:
        raise InputError(
            f"report: there is no other dataset than that of '{report}' to choose on; add a store "
            "with another"
        )


def _check_known(argument: str, named: Iterable[str], pools: Sequence[Pool]) -> None:
    known = list(dict.fromkeys(pool.target for pool in pools))
    for name in named:
        if name not in known:
            raise InputError(
                f"{argument}: target '{name}' is not among {', '.join(known)}; name one of them"
            )


def protocol(resamples: int, draws: int, seed: int) -> Document:
    """Return how the figures were made."""
    return {
        "interval": "value; low, high over models and seeds; low, high over targets, too",
        "level": LEVEL,
        "resamples": resamples,
        "chance_draws": draws,
        "seed": seed,
        "averages": "seeds of a target first, then targets",
        "default": f"{DEFAULT_DEFINITION}; {DEFAULT_READING}",
        "random_inputs_averaged": DRAWN,
        "permutations_averaged": SHUFFLES,
        "points": "of accuracy, 1 of 100; bias is predicted less true",
    }


def described(pool: Pool) -> Document:
    """Return a pool as JSON values."""
    return {
        "target": pool.target,
        "setting": pool.setting,
        "seed": pool.seed,
        "horizon": pool.horizon,
        "truth": {
            name: number(value, 4) for name, value in zip(pool.models, pool.truth, strict=True)
        },
        "excluded": dict(pool.excluded),
    }


def printed(value: object, depth: int = PLAIN_DEPTH) -> str:
    """Return JSON text, indented as far as it helps a reader."""
    if depth == 0 or not isinstance(value, dict | list) or not value or isinstance(value, list):
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    pad = " " * (PLAIN_DEPTH - depth + 1)
    parts = [
        f"{pad}{json.dumps(name, ensure_ascii=False)}: {printed(one, depth - 1)}"
        for name, one in value.items()
    ]
    return "{\n" + ",\n".join(parts) + "\n" + pad[1:] + "}"


def to_stderr(line: str) -> None:
    """Say on stderr how far it has come."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
