"""ncselect compare: methods against the known outcome of finished runs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ncselect.cli.options import (
    ExperienceOption,
    FormatOption,
    HistoryOption,
    err,
    integers,
    out,
    pair,
)
from ncselect.listing import Format, show
from zoo.errors import InputError

if TYPE_CHECKING:
    from ncselect.comparison import Comparison
    from ncselect.scoreboard import PoolsComparison
    from ncselect.types import RunRecord


def compare(
    store: Annotated[
        Path | None, typer.Option(help="Folder of the runs; default: runs, unless --curves.")
    ] = None,
    curves: Annotated[
        Path | None,
        typer.Option(
            help="A file of plain curves instead of a store: .jsonl or .jsonl.gz, a line of "
            "dataset, model, hparams, acc each."
        ),
    ] = None,
    epochs: Annotated[
        str | None,
        typer.Option(
            help="Observation lengths, separated by commas. Default: 5 and 10, or the horizon."
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(help="NAME or NAME:OPTION=VALUE,…; may be given again. Default: all."),
    ] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(
            help="A method that the others' differences are taken from; may be given again. "
            "Default: best-value."
        ),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Only runs on this dataset.")] = None,
    seed: Annotated[int | None, typer.Option(help="Only runs with this seed.")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(help="Only runs with NAME=VALUE, such as settings.learning_rate=0.001."),
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(help="The epoch whose test accuracy is the truth; default: last.")
    ] = None,
    history: HistoryOption = None,
    experience: ExperienceOption = None,
    history_from: Annotated[
        str | None,
        typer.Option(
            help="What to take of the --history: anywhere (default), other-datasets, same-dataset."
        ),
    ] = None,
    leave_one_out: Annotated[
        bool,
        typer.Option(
            "--leave-one-out",
            help="Let methods learn, for each candidate, from the other candidates' whole curves.",
        ),
    ] = False,
    pools: Annotated[
        int | None,
        typer.Option(help="Score in so many random pools of the runs, and average over them."),
    ] = None,
    pool_size: Annotated[int, typer.Option(help="Runs in each of the --pools.")] = 17,
    workers: Annotated[int, typer.Option(help="Processes that the --pools are spread over.")] = 1,
    resamples: Annotated[
        int, typer.Option(help="Bootstrap resamples over models, or over pools.")
    ] = 2000,
    draw_seed: Annotated[int, typer.Option(help="Seeds the pools and the resamples.")] = 0,
    output: FormatOption = Format.table,
) -> None:
    """Score methods against the true final accuracies in a store or a file of curves."""
    from ncselect.arguments import check_whole
    from ncselect.background import background
    from ncselect.comparable import comparable
    from ncselect.comparison import compare as compared
    from ncselect.curves import read_curves
    from ncselect.history import Origin, model_of, nothing_left
    from ncselect.leaderboard import flat_rows, leaderboard
    from ncselect.methods import METHODS, PLAIN, parsed_method
    from ncselect.pools import compare_pools
    from ncselect.progress_bar import ProgressBar
    from ncselect.store import RunStore

    if store is not None and curves is not None:
        raise InputError("curves: --store came, too; give one of them")
    check_whole(workers=workers)
    if horizon is not None:
        check_whole(horizon=horizon)
    origin = Origin.named(history_from or "anywhere")
    if history_from is not None and not history:
        raise InputError(
            f"history-from: '{history_from}' came, and no history to take it from; name one with "
            "--history, or leave --history-from out"
        )
    lengths = None if epochs is None else integers("epochs", epochs, least=0)
    references = reference or [PLAIN]
    chosen = dict(pair("where", text) for text in where or [])
    chosen |= {} if dataset is None else {"dataset": dataset}
    chosen |= {} if seed is None else {"seed": str(seed)}
    every = read_curves(curves) if curves else RunStore(store or "runs", create=False).records()
    records = comparable(every, chosen)
    last = horizon or max((epoch for record in records for epoch in record.truth), default=1)
    told = background(history=history or (), experience=experience or (), horizon=last)
    known = dataclasses.replace(told, history=origin.of(told.history, records[0].spec.dataset))
    by_model: dict[str, list[RunRecord]] = {}
    for record in records:
        by_model.setdefault(model_of(record), []).append(record)
    judged = [records] if pools is None else list(by_model.values())
    if said := nothing_left(told.history, origin, judged):
        err.print(said, soft_wrap=True, markup=False, highlight=False)
    asked: dict[str, Any] = {
        "methods": {
            name: parsed_method(name, known)
            for name in dict.fromkeys([*(method or METHODS), *references])
        },
        "epochs": lengths or [one for one in (5, 10) if one < last] or [last],
        "horizon": horizon,
        "references": references,
        "leave_one_out": leave_one_out,
        "resamples": resamples,
        "seed": draw_seed,
    }
    comparison: Comparison | PoolsComparison
    if pools is None:
        comparison = compared(records, **asked)
    else:
        with ProgressBar(err) as watch:
            comparison = compare_pools(
                records, pools=pools, size=pool_size, workers=workers, watch=watch, **asked
            )
    match output:
        case Format.json:
            typer.echo(json.dumps(comparison.to_json(), indent=1))
        case Format.csv:
            show(flat_rows(comparison), output)
        case Format.table:
            out.print(leaderboard(comparison))
