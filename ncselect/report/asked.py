"""Everything that a ranking was asked with, and how to ask it again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ncselect.kept_ranking import KeptRanking
from ncselect.report.tables import Column, Table, number, pairs, without_empty, words
from ncselect.spec import RunSpec, Settings

_NOT_SHOWN = ("command",)


def question_table(kept: KeptRanking) -> Table:
    """Return the arguments."""
    asked = {name: _text(value) for name, value in kept.question.items() if name not in _NOT_SHOWN}
    return pairs("question", "What was asked", asked)


def protocol_tables(specs: Mapping[str, RunSpec]) -> tuple[Table, ...]:
    """Return settings, data and environment: what all runs have in common, in tables.

    What candidates differ in is in :func:`candidates_table`, or marked as various.
    """
    flat = [spec.flat() for spec in specs.values()]
    common = {
        name: _common([one.get(name) for one in flat])
        for name in dict.fromkeys(name for one in flat for name in one)
    }
    parts = (
        ("protocol", "settings.", "The training protocol"),
        ("data", "data.", "The images"),
        ("environment", "environment.", "What the runs were computed with"),
    )
    return tuple(
        pairs(
            name,
            caption,
            {
                key.removeprefix(prefix): value
                for key, value in common.items()
                if key.startswith(prefix)
            },
        )
        for name, prefix, caption in parts
    )


def candidates_table(kept: KeptRanking) -> Table:
    """Return what each candidate really is, and how far its run has come."""
    rows = []
    for model, spec in kept.specs.items():
        record = kept.ranking.records.get(model)
        candidate = spec.candidate
        rows.append(
            (
                words(model),
                words(candidate.get("source")),
                words(_text(candidate.get("arguments") or None)),
                words(candidate.get("preprocessing")),
                words(str(candidate.get("weights", ""))[:19]),
                words(_size(record.facts.get("input_size")) if record else ""),
                number(record.epochs if record else 0, ".0f"),
                words(record.status if record else ""),
                words(spec.key),
            )
        )
    headings = ("source", "arguments", "preprocessing", "weights")
    table = Table(
        "candidates",
        "What each candidate is, and how far its run has come",
        (
            Column("model", numeric=False, names=True),
            *(Column(name, numeric=False) for name in headings),
            Column("input", numeric=False),
            Column("epochs"),
            Column("run", numeric=False),
            Column("key", numeric=False),
        ),
        tuple(rows),
    )
    return without_empty(table)


def threads(kept: KeptRanking) -> str:
    """Return the numbers of threads that the runs had, as text; empty where none is recorded."""
    had = {spec.environment.get("threads") for spec in kept.specs.values()} - {None}
    return ", ".join(sorted(map(str, had)))


def seeds(kept: KeptRanking) -> str:
    """Return the seeds of the runs, as text."""
    return ", ".join(str(seed) for seed in sorted({spec.seed for spec in kept.specs.values()}))


def python_call(kept: KeptRanking) -> str:
    """Return the call of ``ncselect.select`` that asks the same."""
    default = Settings()
    settings = next(iter(kept.specs.values())).settings
    changed = {
        name: value for name, value in vars(settings).items() if value != getattr(default, name)
    }
    given = {
        name: value
        for name, value in kept.question.items()
        if name not in ("command", "models", "dataset")
        if value is not None and value is not False and value != []
    }
    lines = [f"    {kept.question[name]!r}," for name in ("models", "dataset")]
    lines += [f"    {name}={value!r}," for name, value in given.items()]
    if changed:
        options = ", ".join(f"{name}={value!r}" for name, value in changed.items())
        lines.append(f"    settings=ncselect.Settings({options}),")
    return "\n".join(["import ncselect", "", "ncselect.select(", *lines, ")"])


def _common(values: Sequence[Any]) -> str:
    """Return the value that all have; what differs is said to."""
    texts = list(dict.fromkeys(_text(value) for value in values))
    return texts[0] if len(texts) == 1 else f"various: {', '.join(texts)}"


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(map(_text, value))
        case Mapping():
            return ", ".join(f"{name} = {_text(one)}" for name, one in value.items())
        case _:
            return json.dumps(value)


def _size(sides: Sequence[int] | None) -> str:
    return "×".join(map(str, sides)) if sides else ""
