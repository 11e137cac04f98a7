"""ncselect graph: trainings as graphs, from sweeps and checkpoints to predicted accuracies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ncselect.cli.graph_prediction import evaluate, learn, predict
from ncselect.cli.options import (
    FormatOption,
    GpusPerRunOption,
    RayOption,
    StoreOption,
    ThreadsOption,
    WorkersOption,
    err,
)
from ncselect.cli.training import agreed, printed, reading_images, resumable
from ncselect.listing import Format, show
from zoo.errors import InputError

app = typer.Typer(
    name="graph",
    help="Training dynamics as graphs: what the first checkpoints say of the final accuracy.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

GraphsOption = Annotated[str, typer.Option(help="rolled, or rolled+unrolled.")]


@app.command()
def sweep(
    models: Annotated[
        list[str],
        typer.Option(help="Networks that take a dropout rate, such as LeNet5, or 'scratch'."),
    ],
    dataset: Annotated[
        str, typer.Option(help="A name, tfds:NAME, or the path of a folder, tar, zip or npz.")
    ],
    learning_rates: Annotated[
        str, typer.Option(help="Numbers separated by commas, or 'paper' for its 48.")
    ] = "paper",
    dropouts: Annotated[
        str, typer.Option(help="Numbers separated by commas, or 'paper' for its 10.")
    ] = "paper",
    sample: Annotated[
        int | None, typer.Option(help="Points of the grid, drawn by the seed; default: all.")
    ] = None,
    width: Annotated[float, typer.Option(help="Multiplier of all channels and units.")] = 1.0,
    epochs: Annotated[int, typer.Option(help="The most each is trained for.")] = 50,
    patience: Annotated[
        int, typer.Option(help="Epochs without a better accuracy before one stops; 0: none stops.")
    ] = 10,
    batch_size: Annotated[int, typer.Option(help="Images per training step.")] = 128,
    momentum: Annotated[float, typer.Option(help="Of stochastic gradient descent.")] = 0.0,
    graphs: GraphsOption = "rolled",
    seed: Annotated[int, typer.Option(help="The same seed gives the same sweep.")] = 0,
    shared_start: Annotated[
        bool, typer.Option("--shared-start", help="Begin all with the same initial weights.")
    ] = False,
    image_size: Annotated[
        int | None, typer.Option(help="Side of the square images; default: the dataset's own.")
    ] = None,
    train_size: Annotated[int | None, typer.Option(help="Training images.")] = None,
    validation_size: Annotated[int | None, typer.Option(help="Validation images.")] = None,
    test_size: Annotated[int | None, typer.Option(help="Test images.")] = None,
    store: StoreOption = Path("runs"),
    workers: WorkersOption = None,
    threads: ThreadsOption = None,
    ray: RayOption = None,
    gpus_per_run: GpusPerRunOption = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep checkpoints, so that runs can be made longer.")
    ] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Print what it will cost and stop.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Start long plans unasked.")] = False,
    output: FormatOption = Format.table,
) -> None:
    """Train networks over learning rates and dropout rates, recording their graphs."""
    from ncselect.progress import Progress
    from ncselect.spec import Settings
    from ncselect.sweeping import DROPOUTS, LEARNING_RATES, prepared_sweep

    rates = (
        LEARNING_RATES if learning_rates == "paper" else numbers("--learning-rates", learning_rates)
    )
    drops = DROPOUTS if dropouts == "paper" else numbers("--dropouts", dropouts)
    with reading_images() as prepared:
        ready = prepared_sweep(
            models,
            dataset,
            learning_rates=rates,
            dropouts=drops,
            width=width,
            sample=sample,
            epochs=epochs,
            seed=seed,
            shared_start=shared_start,
            settings=Settings(
                unit="classifier",
                optimizer="sgd",
                momentum=momentum,
                batch_size=batch_size,
                patience=patience,
                graphs=graphs,
            ),
            image_size=image_size,
            train_size=train_size,
            validation_size=validation_size,
            test_size=test_size,
            store=store,
            workers=workers,
            threads=threads,
            ray=ray,
            gpus_per_run=gpus_per_run,
            keep=keep,
            prepared=prepared,
        )
    if plan:
        rows = ready.plan.to_dict()["runs"]
        printed(ready.plan, output, as_csv=lambda: show(rows, Format.csv))
        return
    agreed(ready.plan, is_long=ready.plan.is_long, yes=yes)
    names = [job.spec.model for job in ready.jobs]
    with resumable(), Progress(names, epochs, beta="", console=err) as watch:
        answer = ready.swept(watch=watch)
    rows = answer.to_dict()["runs"]
    printed(answer, output, as_csv=lambda: show(rows, Format.csv))
    if all(record.status == "failed" for record in answer.records):
        raise typer.Exit(1)


@app.command()
def signatures(
    checkpoints: Annotated[
        list[Path], typer.Argument(help=".keras files, or .weights.h5 files of --network.")
    ],
    network: Annotated[
        Path | None, typer.Option(help="The .keras file whose weights .weights.h5 files are.")
    ] = None,
    graphs: GraphsOption = "rolled",
    output: FormatOption = Format.table,
) -> None:
    """Print the graph signatures of saved networks, a row per checkpoint."""
    from ncselect.graphs.checkpoints import checkpoint_signatures
    from ncselect.sparse import layers  # noqa: F401  files may hold them; Keras has to know them

    found = checkpoint_signatures(checkpoints, network=network, graphs=graphs)
    rows = list(found.rows)
    if output is Format.table:  # a column per checkpoint: the numbers are many, the files few
        rows = [
            {"signal": name, **{row["checkpoint"]: row[name] for row in rows}}
            for name in rows[0]
            if name != "checkpoint"
        ]
    show(rows, output)
    for checkpoint, reasons in found.absent.items():
        for reason in dict.fromkeys(reasons.values()):
            kinds = " and ".join(kind for kind in reasons if reasons[kind] == reason)
            err.print(f"{checkpoint}, {kinds}: {reason}", markup=False, soft_wrap=True)


@app.command()
def export(
    model: Annotated[Path, typer.Argument(help="A .keras file.")],
    file: Annotated[Path, typer.Option("--out", help="A .graphml file, or .npz for SciPy.")],
    graph: Annotated[str, typer.Option(help="rolled or unrolled.")] = "rolled",
    mode: Annotated[
        str, typer.Option(help="Of the rolled graph where branches meet: junction, chain, union.")
    ] = "junction",
    counting: Annotated[
        str, typer.Option(help="Of the unrolled graph's edges: correct or published.")
    ] = "correct",
) -> None:
    """Write the graph of a saved network to a file."""
    from ncselect.graphs.export import export_graph
    from ncselect.sparse import layers  # noqa: F401  the file may hold them; Keras has to know them

    written = export_graph(model, file, graph=graph, mode=mode, counting=counting)
    typer.echo(f"{written.nodes} nodes, {written.edges} edges: {file}")


for command in (evaluate, learn, predict):
    app.command()(command)


def numbers(option: str, text: str) -> list[float]:
    """Return numbers separated by commas, or raise naming the option."""
    try:
        found = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        found = []
    if not found:
        raise InputError(f"{option}: '{text}' came; give numbers such as 0.1,0.01, or 'paper'")
    return found
