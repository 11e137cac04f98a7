"""The command line: parse, call one function, print, exit."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ncselect.listing import Format, show
from zoo.errors import InputError

if TYPE_CHECKING:
    from ncselect.selection import Selection

app = typer.Typer(
    name="ncselect",
    help="Pick the pre-trained network to fine-tune, after a handful of epochs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
out = Console()
err = Console(stderr=True)


FormatOption = Annotated[Format, typer.Option("--format", help="How to print the answer.")]
StoreOption = Annotated[Path, typer.Option("--store", help="Folder of the runs.")]


@app.command()
def rank(
    models: Annotated[
        list[str],
        typer.Option(
            help="Candidates: names, groups, pool files (.toml), .keras files, hub:PRESET; "
            "separated by commas or given again."
        ),
    ],
    dataset: Annotated[
        str, typer.Option(help="A name, tfds:NAME, or the path of a folder, tar, zip or npz.")
    ],
    method: Annotated[
        str, typer.Option(help="How to predict: NAME or NAME:OPTION=VALUE,…; see 'methods'.")
    ] = "capacitance",
    epochs: Annotated[int, typer.Option(help="Epochs to observe each candidate for.")] = 5,
    horizon: Annotated[int, typer.Option(help="The epoch whose accuracy is predicted.")] = 50,
    seed: Annotated[int, typer.Option(help="The same seed gives the same run.")] = 0,
    weights: Annotated[
        str, typer.Option(help="'imagenet', 'random' (not pre-trained) or a path.")
    ] = "imagenet",
    image_size: Annotated[
        int | None, typer.Option(help="Side of the square images; default: the dataset's own.")
    ] = None,
    train_size: Annotated[int | None, typer.Option(help="Training images.")] = None,
    validation_size: Annotated[int | None, typer.Option(help="Validation images.")] = None,
    test_size: Annotated[int | None, typer.Option(help="Test images.")] = None,
    skip_corrupt: Annotated[
        bool, typer.Option("--skip-corrupt", help="Leave out images that cannot be read.")
    ] = False,
    batch_size: Annotated[int, typer.Option(help="Images per training step.")] = 64,
    learning_rate: Annotated[float, typer.Option(help="Learning rate.")] = 1e-3,
    optimizer: Annotated[str, typer.Option(help="adam, sgd or rmsprop.")] = "adam",
    augmentation: Annotated[str, typer.Option(help="none, flip or flip-crop.")] = "none",
    batch_norm_momentum: Annotated[
        str, typer.Option(help="steps (follows the steps per epoch) or keras.")
    ] = "steps",
    probe_order: Annotated[
        str, typer.Option(help="Probe unit: bn-dense or dense-bn.")
    ] = "bn-dense",
    probe_statistics: Annotated[
        str, typer.Option(help="Probe unit's batch norm: batch or inference.")
    ] = "batch",
    probe_head: Annotated[
        str, typer.Option(help="Probe unit's classifier: frozen or trained.")
    ] = "frozen",
    probe_units: Annotated[
        str, typer.Option(help="Probe unit: widths of its hidden layers.")
    ] = "256,128",
    probe_dropout: Annotated[float, typer.Option(help="Probe unit: dropout rate.")] = 0.4,
    probe_activation: Annotated[str, typer.Option(help="Probe unit: relu or linear.")] = "relu",
    probe_initializer: Annotated[
        str, typer.Option(help="Probe unit: he_normal (truncated) or he_normal_untruncated.")
    ] = "he_normal",
    probe_size: Annotated[
        int, typer.Option(help="Training images that signals are measured on.")
    ] = 512,
    store: StoreOption = Path("runs"),
    workers: Annotated[int, typer.Option(help="Runs at a time.")] = 1,
    threads: Annotated[
        int | None, typer.Option(help="Threads per run; default: cores / workers.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep checkpoints of runs that reach the horizon.")
    ] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Print what it will cost and stop.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Start long plans unasked.")] = False,
    output: FormatOption = Format.table,
) -> None:
    """Fine-tune each candidate for a few epochs and rank them by predicted final accuracy."""
    from ncselect.selection import selection
    from ncselect.types import Settings

    with err.status("Reading the images …") as status:
        question = selection(
            models,
            dataset,
            method_name=method,
            epochs=epochs,
            horizon=horizon,
            seed=seed,
            settings=Settings(
                batch_size=batch_size,
                learning_rate=learning_rate,
                optimizer=optimizer,
                augmentation=augmentation,
                batch_norm_momentum=batch_norm_momentum,
                probe_order=probe_order,
                probe_statistics=probe_statistics,
                probe_head=probe_head,
                probe_units=tuple(_integers("probe-units", probe_units)),
                probe_dropout=probe_dropout,
                probe_activation=probe_activation,
                probe_initializer=probe_initializer,
                probe_size=probe_size,
            ),
            weights=weights,
            image_size=image_size,
            train_size=train_size,
            validation_size=validation_size,
            test_size=test_size,
            skip_corrupt=skip_corrupt,
            store=store,
            workers=workers,
            threads=threads,
            keep=keep,
            prepared=lambda done, total: status.update(
                f"Reading the images … {done}" + (f" of {total}" if total else "")
            ),
        )
    if plan:
        match output:
            case Format.json:
                typer.echo(json.dumps(question.plan.to_dict(), indent=1))
            case Format.csv:
                show(question.plan.to_dict()["runs"], output)
            case Format.table:
                out.print(question.plan)
        return
    err.print(question.plan)
    if question.plan.is_long and not yes:
        if not sys.stdin.isatty():
            raise InputError("this is a long plan; start it with --yes, or look with --plan")
        typer.confirm("Start?", abort=True, err=True)
    _answer(question, output)


def _answer(question: Selection, output: Format) -> None:
    from ncselect.progress import Progress

    names = [job.spec.model for job in question.jobs]
    try:
        with Progress(names, question.epochs, beta=question.beta, console=err) as watch:
            ranking = question.ranking(watch=watch)
    except KeyboardInterrupt:
        program = Path(sys.argv[0]).name
        words = ["python", "-m", "ncselect"] if program == "__main__.py" else [program]
        command = shlex.join([*words, *sys.argv[1:]])
        err.print(
            f"Stopped. Every finished epoch is kept; go on with:\n{command}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(130) from None
    match output:
        case Format.json:
            typer.echo(ranking.to_json())
        case Format.csv:
            typer.echo(ranking.to_csv(), nl=False)
        case Format.table:
            out.print(ranking)
    if not ranking.rows:
        raise typer.Exit(1)


@app.command()
def models(
    group: Annotated[str, typer.Argument(help="A group, or one model's name.")] = "all",
    output: FormatOption = Format.table,
) -> None:
    """List what can be ranked, with what is known of each."""
    from zoo.models import GROUPS, candidates

    rows = [
        {
            "model": card.name,
            "parameters": card.parameters,
            "megabytes": round(card.megabytes, 1),
            "depth": card.depth,
            "top1": card.top1,
            "top5": card.top5,
            "input": card.default_size,
            "smallest": card.smallest_size,
            "preprocessing": card.preprocessing,
        }
        for card in (one.card for one in candidates(group))
        if card is not None
    ]
    show(rows, output, f"{len(rows)} models; groups: {', '.join(GROUPS)}")


@app.command()
def datasets(output: FormatOption = Format.table) -> None:
    """List the named datasets; any tfds:NAME, folder, tar, zip, npz or idx folder works too."""
    from zoo.datasets import DATASETS

    rows = [
        {
            "dataset": card.name,
            "source": f"tfds:{card.tfds}" if card.tfds else "bundled",
            "classes": card.classes,
            "image": "×".join(map(str, card.image_size)) if card.image_size else "various",
            "train": card.train,
            "test": card.test or None,
            "about": card.about,
        }
        for card in DATASETS.values()
    ]
    show(rows, output, "Also: tfds:NAME, or a path to a folder, tar, zip, .npz or idx folder.")


@app.command()
def methods(output: FormatOption = Format.table) -> None:
    """List the ways to predict a candidate's final accuracy."""
    from ncselect.methods import METHODS, method

    rows = [
        {"method": name, "summary": one.summary, "signals": ", ".join(sorted(one.signals))}
        for name, one in ((name, method(name)) for name in METHODS)
    ]
    show(rows, output)


@app.command()
def runs(
    store: StoreOption = Path("runs"),
    delete: Annotated[
        list[str] | None,
        typer.Option(help="Delete the run with this key (or its beginning); 'all' for all."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete unasked.")] = False,
    output: FormatOption = Format.table,
) -> None:
    """List the stored runs, or delete some to free their space."""
    from ncselect.store import RunStore

    kept = RunStore(store, create=False)
    for run in kept.unreadable():
        err.print(f"unreadable, can only be deleted: {run.folder.name}", style="red", markup=False)
    if delete:
        everything = [*kept.runs(), *kept.unreadable()]
        chosen = everything if delete == ["all"] else kept.select(delete)
        freed = sum(run.megabytes for run in chosen)
        if not yes:
            typer.confirm(f"Delete {len(chosen)} runs ({freed:.0f} MB)?", abort=True, err=True)
        for run in chosen:
            run.delete()
        err.print(f"Deleted {len(chosen)} runs, {freed:.0f} MB freed.")
        return
    rows = []
    for run in kept.runs():
        record = run.record()
        rows.append(
            {
                "key": record.spec.key,
                "model": record.spec.model,
                "dataset": record.spec.dataset,
                "seed": record.spec.seed,
                "epochs": record.epochs,
                "status": record.status,
                "last": (
                    record.observations[-1].signals["validation-accuracy"]
                    if record.observations
                    else None
                ),
                "truth": record.truth[max(record.truth)] if record.truth else None,
                "megabytes": round(run.megabytes, 1),
                "error": record.error,
            }
        )
    show(rows, output)


@app.command()
def compare(
    store: StoreOption = Path("runs"),
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
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples over models.")] = 2000,
    output: FormatOption = Format.table,
) -> None:
    """Score methods against the true final accuracies in a store."""
    from ncselect.comparable import comparable
    from ncselect.comparison import compare as compared
    from ncselect.leaderboard import flat_rows, leaderboard
    from ncselect.methods import METHODS, PLAIN, parsed_method
    from ncselect.store import RunStore

    lengths = None if epochs is None else _integers("epochs", epochs)
    references = reference or [PLAIN]
    chosen = dict(_pair(text) for text in where or [])
    chosen |= {} if dataset is None else {"dataset": dataset}
    chosen |= {} if seed is None else {"seed": str(seed)}
    records = comparable(RunStore(store, create=False).records(), chosen)
    last = horizon or max((epoch for record in records for epoch in record.truth), default=1)
    comparison = compared(
        records,
        methods={
            name: parsed_method(name) for name in dict.fromkeys([*(method or METHODS), *references])
        },
        epochs=lengths or [one for one in (5, 10) if one < last] or [last],
        horizon=horizon,
        references=references,
        resamples=resamples,
    )
    match output:
        case Format.json:
            typer.echo(json.dumps(comparison.to_json(), indent=1))
        case Format.csv:
            show(flat_rows(comparison), output)
        case Format.table:
            out.print(leaderboard(comparison))


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals or not value:
        raise InputError(f"where: '{text}' came; give NAME=VALUE")
    return name, value


def _integers(option: str, text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1:
        raise InputError(f"{option}: '{text}' came; give positive numbers, such as 5,10")
    return numbers


def main() -> None:
    """Run the command line; bad input ends with its message and exit code 2."""
    from ncselect.run import RunBusyError

    try:
        app()
    except (InputError, RunBusyError) as error:
        err.print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
