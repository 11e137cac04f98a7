"""The report as Markdown tables: ``python -m bench.ablation.tables FILE.json > FILE.md``.

Intervals are those over models, seeds and targets; where there is one target, over models and
seeds.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Document = Mapping[str, Any]

AGAINST = ("last-value", "window-mean", "training-loss", "random-input", "permuted", "parameters",
           "combined")  # fmt: skip
CHOSEN = {
    "highest": "highest of all: chosen on what it is judged on",
    "default": "nothing chosen: the default",
    "picked": "picked on other targets",
}
BOUNDS = (
    "An interval that ends at a bound of its measure, as those of a regret of 0 often do, says "
    "little there: no resample can go beyond the models that were run."
)
FAILURES = {
    "sign_changes": "sign changes in the window",
    "denominator_near_zero": "denominator near 0",
    "denominator_crossings": "denominator crosses 0",
    "zero_distance": "0 outside, in ranges",
    "zero_far": "0 beyond a range",
    "mean_alone": "the window's mean alone",
    "outside": "outside [0, 1]",
    "refused": "refused",
}


def main() -> int:
    """Print every table of a report."""
    document = json.loads(Path(sys.argv[1]).read_text())
    print("\n\n".join(part for part in sections(document) if part))
    return 0


def sections(document: Document) -> Iterable[str]:
    """Return the tables with their headings, in the order of the report."""
    yield from runs(document)
    for epochs, found in document["choices"].items():
        rows = found["rows"]
        yield f"## After {epochs} epochs"
        yield from of_rows(rows)
        yield from picking(found["picking"])
        yield from added(found["added"])
    yield from training(document)
    yield from repeats(document["repeats"])
    if document["remarks"]:
        yield "## Remarks of the methods\n\n" + table(
            ("method", "remark", "where"),
            [
                (method, text, "; ".join(where))
                for method, told in document["remarks"].items()
                for text, where in told.items()
            ],
        )


def runs(document: Document) -> Iterable[str]:
    """Return what was read and what was not, and how to read the intervals."""
    yield f"## Runs\n\n{BOUNDS}\n\n" + table(
        ("target", "protocol", "seed", "epoch of the truth", "models"),
        [
            (one["target"], one["setting"], str(one["seed"]), str(one["horizon"]),
             str(len(one["truth"])))
            for one in document["pools"]
        ],
    )  # fmt: skip
    not_read = [
        (f"{one['target']}, {one['setting']}, seed {one['seed']}: {model}", reason)
        for one in document["pools"]
        for model, reason in one["excluded"].items()
    ] + list(document["left_out"].items())
    if not_read:
        yield "### Left out\n\n" + table(("what", "why"), not_read)


def of_rows(rows: Document) -> Iterable[str]:
    """Return definitions, readings, rivals, and failures."""
    definitions = {
        label: row for label, row in rows.items() if label.startswith("β") and ";" not in label
    }
    default = next(iter(definitions), "")
    yield "### Definitions\n\n" + table(
        ("definition", "pools", "ρ", "regret", "error", *(f"ρ less {one}" for one in AGAINST)),
        [
            (
                named(label, row),
                str(row["pools"]),
                *measures(row),
                *(less(row, one) for one in AGAINST),
            )
            for label, row in definitions.items()
        ],
    )
    yield "### Readings of the default definition\n\n" + table(
        ("reading", "ρ", "regret", "error", "ρ less the default reading", "less training loss",
         "less random numbers"),
        [
            (label.partition("; ")[2], *measures(row),
             *(less(row, one) for one in (default, "training-loss", "random-input")))
            for label, row in rows.items()
            if label.startswith("β") and ";" in label
        ],
    )  # fmt: skip
    yield "### Without β\n\n" + table(
        ("ranking", "ρ", "regret", "error", "pools"),
        [
            (label, *measures(row), str(row["pools"]))
            for label, row in rows.items()
            if not label.startswith("β")
        ],
    )
    yield "### Failures\n\n" + table(
        ("definition", *FAILURES.values(), "ρ with the window's mean"),
        [
            (named(label, row), *(plain(row["failures"].get(one)) for one in FAILURES),
             plain(row["failures"].get("rho_to_window_mean")))
            for label, row in definitions.items()
        ],
    )  # fmt: skip


def picking(found: Document) -> Iterable[str]:
    """Return what was picked on some targets and paid on others, and chance."""
    if found["left_out"]:
        yield "No choice, for they refuse a model: " + ", ".join(found["left_out"]) + "."
    for family in ("definition", "reading", "both"):
        if family not in found:
            continue
        of = found[family]
        label = f"picked {family}"
        what = "definition and reading" if family == "both" else family
        yield f"### Choosing the {what}, of {of['choices']}\n\n" + table(
            ("reported on", "picked on the others", "ρ", "regret", "ρ less the default",
             "less last-value", "less the pick without β"),
            [
                (one["reported_on"], one["picked"][label], interval(one["figures"][label]["rho"]),
                 interval(one["figures"][label]["regret_points"]),
                 *(interval(one["less"].get(other, {}).get("rho"))
                   for other in (*(o for o in one["less"] if o.startswith("β")), "last-value",
                                 f"{family} without β")))
                for one in of["rotations"]
            ],
        )  # fmt: skip
        yield table(
            ("mean ρ", "real", "random inputs: median, 95%, p", "β exchanged: median, 95%, p"),
            [
                (CHOSEN[name], plain(one["rho"]), chance(one["random"]), chance(one["exchanged"]))
                for name, one in of["chance"].items()
            ],
        )


def added(found: Document) -> Iterable[str]:
    """Return what is gained by adding rankings to others."""
    yield "### Added\n\n" + table(
        ("ranking + added", "pools", "partial ρ", "of random numbers", "ρ gained, ranks of both",
         "ρ gained, weight learned", "regret gained, weight learned"),
        [
            (label, str(one["pools"]), interval(one["partial_rho"]),
             interval(found.get(f"{label.partition(' + ')[0]} + random-input",
                                {}).get("partial_rho")),
             interval(one["half"]["rho"]),
             *(interval(one.get("learned", {}).get(of)) for of in ("rho", "regret_points")))
            for label, one in found.items()
        ],
    )  # fmt: skip


def training(document: Document) -> Iterable[str]:
    """Return what protocols of training change."""
    if document["truths"]:
        yield "## Protocols of training: final accuracies\n\n" + table(
            ("from → to", "pools", "points gained", "ρ of the orders",
             "regret, picked by the first", "by the second"),
            [
                (label, str(one["pools"]), interval(one["gain_points"]), interval(one["rho"]),
                 interval(one["regret_points"]), interval(one["reverse_regret_points"]))
                for label, one in document["truths"].items()
            ],
        )  # fmt: skip
    for epochs, found in document["training"].items():
        for pair, labels in found.items():
            yield f"### After {epochs} epochs, {pair}\n\n" + table(
                ("ranking", "ρ under the first", "the second", "second less first",
                 "said under the first, true under the second"),
                [
                    (label, *(interval(one["rho"].get(of))
                              for of in ("first", "second", "difference", "across")))
                    for label, one in labels.items()
                ],
            )  # fmt: skip


def repeats(found: Document) -> Iterable[str]:
    """Return what the seed alone moves."""
    rows = []
    for epochs, settings in found.items():
        for setting, targets in settings.items():
            for target, one in targets.items():
                rows += [
                    (epochs, setting, target, plain(one["truth_rho"]), label,
                     ", ".join(plain(value) for value in values),
                     plain(one["averaged"].get(label)))
                    for label, values in one["rho"].items()
                ]  # fmt: skip
    if rows:
        yield "## Seeds\n\n" + table(
            ("epochs", "protocol", "target", "ρ of two seeds' truths", "ranking", "ρ of each seed",
             "ρ of mean ranks"), rows,
        )  # fmt: skip


def named(label: str, row: Document) -> str:
    """Return a definition's label, marked where it is 0 whatever the network."""
    return f"{label} (≡ 0)" if row["always_zero"] else label


def measures(row: Document) -> tuple[str, str, str]:
    """Return ρ, regret and mean absolute error of a row."""
    return (
        interval(row.get("rho")),
        interval(row.get("regret_points")),
        plain(row.get("mae_points", [None])[0]),
    )


def less(row: Document, other: str) -> str:
    """Return a row's ρ less that of the first label that begins so, if there is one."""
    for label, one in row.get("less", {}).items():
        if label == other or label.startswith((f"{other} ", f"{other};")):
            return interval(one["rho"])
    return "–"


def interval(values: Sequence[float | None] | None) -> str:
    """Return a value and its widest interval."""
    if not values or values[0] is None:
        return "–"
    return f"{plain(values[0])} [{plain(values[-2])}, {plain(values[-1])}]"


def chance(one: Document) -> str:
    """Return median, 95% quantile and p of a kind of chance."""
    return f"{plain(one['median'])}, {plain(one['q95'])}, {plain(one['p'], 3)}"


def plain(value: float | None, digits: int = 2) -> str:
    """Return a number as a table has it: rounded, no 0 before the point, a real minus."""
    if value is None:
        return "–"
    text = f"{abs(value):.{digits}f}"
    text = text.removeprefix("0") if abs(value) < 1 else text
    return f"−{text}" if round(value, digits) < 0 else text


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; nothing without rows."""
    lines = [headings, ["---"] * len(headings), *rows] if rows else []
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
