"""ncselect runs: where every stored run stands; watches, exports and deletes."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ncselect.cli.options import FormatOption, StoreOption, TensorBoardOption, err, out
from ncselect.listing import Format, listed, show
from zoo.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from ncselect.store import RunStore


def runs(
    store: StoreOption = Path("runs"),
    watch: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=0.1, help="Show them anew every so many seconds, until Ctrl-C."
        ),
    ] = None,
    tensorboard: TensorBoardOption = None,
    delete: Annotated[
        list[str] | None,
        typer.Option(help="Delete the run with this key (or its beginning); 'all' for all."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete unasked.")] = False,
    output: FormatOption = Format.table,
) -> None:
    """List the runs, live and stored, and the features; or delete some to free their space."""
    from ncselect.run_rows import run_rows
    from ncselect.store import RunStore

    if delete and (watch is not None or tensorboard is not None):
        raise InputError("delete: --watch or --tensorboard came, too; give --delete alone")
    if watch is not None and (output is not Format.table or not out.is_terminal):
        raise InputError(
            "watch: it shows a table on a terminal; leave --watch out to print once, and --format "
            "out to watch"
        )
    kept = RunStore(store, create=False)
    for one in kept.unreadable():
        err.print(f"unreadable, can only be deleted: {one.folder.name}", style="red", markup=False)
    if delete:
        _delete(kept, delete, yes=yes)
        return
    export = _exporter(kept, tensorboard)
    if watch is not None:
        _watch(kept, watch, export)
    export()
    rows = run_rows(kept)
    if output is Format.table:
        out.print(_table(rows))
    else:
        show(rows, output)


def _delete(store: RunStore, names: list[str], *, yes: bool) -> None:
    chosen = store.folders() if set(names) == {"all"} else store.select(names)
    freed = sum(one.megabytes for one in chosen)
    what = f"{len(chosen)} {'folder' if len(chosen) == 1 else 'folders'}"
    if not yes:
        typer.confirm(f"Delete {what} ({freed:.0f} MB)?", abort=True, err=True)
    for one in chosen:
        with suppress(FileNotFoundError):  # another process has deleted it
            one.delete()
    err.print(f"Deleted {what}, {freed:.0f} MB freed.")


def _watch(store: RunStore, seconds: float, export: Callable[[], None]) -> NoReturn:
    """Export and show the runs again and again until Ctrl-C."""
    from rich.live import Live

    from ncselect.run_rows import run_rows

    try:
        with Live(console=out, auto_refresh=False) as shown:
            while True:
                export()
                shown.update(_table(run_rows(store)), refresh=True)
                time.sleep(seconds)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _exporter(store: RunStore, folder: Path | None) -> Callable[[], None]:
    """Return what brings the event files of all runs up to date; nothing is, without a folder."""
    if folder is None:
        return lambda: None
    from ncselect.tensorboard import EventFiles, event_folder

    files = EventFiles(event_folder(folder, store))

    def export() -> None:
        runs = store.runs()
        try:
            for run in runs:
                files.export(run)
        except OSError as error:
            raise InputError(
                f"tensorboard: cannot write in '{folder}' ({error}); name a folder that can be "
                "written"
            ) from error

    return export


def _table(rows: list[dict[str, Any]]) -> Table:
    """Return the rows as a person reads them."""
    return listed([_readable(row) for row in rows])


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    from ncselect.progress import duration

    process = None if row["pid"] is None else f"{row['pid']} on {row['node']}"
    times = {
        name: None if row[f"seconds_{name}"] is None else duration(row[f"seconds_{name}"])
        for name in ("since", "left")
    }
    epochs = row["epochs"] if row["until"] is None else f"{row['epochs']} of {row['until']}"
    return {
        **{name: row[name] for name in ("key", "model", "dataset", "seed", "status")},
        "epochs": epochs,
        **{name: row[name] for name in ("last", "truth")},
        **times,
        "process": process,
        **{name: row[name] for name in ("megabytes", "error")},
    }
