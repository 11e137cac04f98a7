"""ncselect reproduce: the paper's tables and figures, at any scale."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ncselect.cli.options import (
    GpusPerRunOption,
    RayOption,
    StoreOption,
    ThreadsOption,
    WorkersOption,
    err,
    out,
    pair,
)
from ncselect.cli.training import agreed, reading_images, resumable, typed_command
from zoo.errors import InputError

if TYPE_CHECKING:
    from ncselect.reproduction import Pool, Reproduction


def reproduce(
    target: Annotated[
        str,
        typer.Argument(
            help="table1, table-g2, figure2, figure3a, figure3b, figure3c, figure-f4, figure-f5 "
            "or figure-g6."
        ),
    ],
    scale: Annotated[
        str,
        typer.Option(
            help="paper (the published protocol), small (a night on two cores) or tiny (minutes)."
        ),
    ] = "small",
    pool: Annotated[
        list[str] | None,
        typer.Option(
            help="Candidates instead of the scale's, as rank --models takes them; separated by "
            "commas or given again."
        ),
    ] = None,
    datasets: Annotated[
        list[str] | None,
        typer.Option(
            help="Datasets instead of the scale's, separated by commas or given again; NAME=PATH "
            "calls what lies there by the paper's NAME, such as birds=FOLDER."
        ),
    ] = None,
    repeats: Annotated[
        int | None,
        typer.Option(help="Runs per candidate, with seeds 0, 1, …; default: the scale's."),
    ] = None,
    store: StoreOption = Path("runs"),
    output: Annotated[
        Path,
        typer.Option(
            help="Folder for TARGET.json, TARGET.svg, TARGET.png, and the answers of lc, which a "
            "second call reads."
        ),
    ] = Path("reproduced"),
    stored: Annotated[
        bool,
        typer.Option(
            "--stored", help="Train nothing: read the runs that the store has, of any protocol."
        ),
    ] = False,
    where: Annotated[
        list[str] | None,
        typer.Option(help="With --stored: only runs with NAME=VALUE, such as seed=0."),
    ] = None,
    workers: WorkersOption = None,
    threads: ThreadsOption = None,
    ray: RayOption = None,
    gpus_per_run: GpusPerRunOption = None,
    plan: Annotated[bool, typer.Option("--plan", help="Print what it will cost and stop.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Start long plans unasked.")] = False,
) -> None:
    """Make a table or figure of the neural capacitance paper, beside the paper's own numbers."""
    from ncselect.answer_files import check_folder
    from ncselect.arguments import check_whole
    from ncselect.progress_bar import ProgressBar
    from ncselect.reproduction import reproduced
    from ncselect.reproduction.scales import scale_named

    chosen = None if datasets is None else [part for text in datasets for part in _parts(text)]
    if where and not stored:
        raise InputError("where: it chooses among stored runs; give --stored with it")
    asked = None
    if stored:
        refused = {
            "--pool": pool,
            "--repeats": repeats,
            "--plan": plan,
            "--threads": threads,
            "--ray": ray,
            "--gpus-per-run": gpus_per_run,
            "--yes": yes,
        }
        for option, came in refused.items():
            if came is not None and came is not False:
                raise InputError(f"stored: {option} came, too; it is for runs that are trained")
        if workers is not None:
            check_whole(workers=workers)
        check_folder(output, argument="output")
        pools, size = _stored(target, scale, store, chosen, where or []), scale_named(scale)
    else:
        from ncselect.reproduction import reproduction

        with reading_images() as prepared:
            asked = reproduction(
                target,
                scale=scale,
                pool=pool,
                datasets=chosen,
                repeats=repeats,
                store=store,
                workers=workers,
                threads=threads,
                ray=ray,
                gpus_per_run=gpus_per_run,
                prepared=lambda name, done, total: prepared(done, total, of=name),
            )
        if plan:
            out.print(asked.summary())
            return
        check_folder(output, argument="output")
        agreed(asked.summary(), is_long=asked.is_long, yes=yes)
        pools, size = _completed(asked), asked.scale
    with resumable(), ProgressBar(err) as bar:
        result = reproduced(
            target,
            pools,
            size,
            workers=(workers or 1) if asked is None else asked.local_workers,
            answers=output / "answers",
            watch=bar,
        )
    if asked is not None:
        result = asked.told(result)
    written = result.save(output, command=typed_command())
    out.print(result)
    out.print(f"Written: {', '.join(map(str, written))}", soft_wrap=True, highlight=False)


def _stored(
    target: str, scale: str, store: Path, datasets: list[str] | None, where: list[str]
) -> tuple[Pool, ...]:
    from ncselect.reproduction.stored import stored_pools

    names = None
    if datasets is not None:
        pairs = [text.partition("=") for text in datasets]
        names = {stored or called: called for called, _, stored in pairs}
    chosen = dict(pair("where", text) for text in where)
    return stored_pools(target, store, scale=scale, datasets=names, where=chosen)


def _completed(asked: Reproduction) -> tuple[Pool, ...]:
    from ncselect.progress_bar import ProgressBar

    total, done = asked.epochs, 0
    with resumable(), ProgressBar(err) as bar:

        def watch(model: str, event: Mapping[str, Any]) -> None:
            nonlocal done
            match event["event"]:
                case "observation" if event["epoch"] > 0:
                    done += 1
                    bar("epochs", done, max(total, done))
                case "finished" if not err.is_terminal:
                    err.print(f"{model}: done, {done}/{total} epochs of all", highlight=False)
                case "failed":
                    err.print(f"{model}: failed: {event['error']}", style="red", markup=False)

        return asked.complete(watch=watch)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
