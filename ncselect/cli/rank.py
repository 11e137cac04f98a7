"""ncselect rank: candidates and a dataset in, a ranking out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ncselect.cli.options import (
    ExperienceOption,
    FormatOption,
    GpusPerRunOption,
    HistoryOption,
    RayOption,
    StoreOption,
    TensorBoardOption,
    ThreadsOption,
    WorkersOption,
    err,
    integers,
    seconds,
)
from ncselect.cli.training import agreed, printed, reading_images, resumable, typed_command
from ncselect.listing import Format, show


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
        list[str] | None,
        typer.Option(
            help="How to predict: NAME or NAME:OPTION=VALUE,…; see 'methods'. Given again, the "
            "first ranks and the others are shown beside it."
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Epochs to observe each candidate for; default: 5, or 0 if no method needs any."
        ),
    ] = None,
    history: HistoryOption = None,
    experience: ExperienceOption = None,
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
    unit: Annotated[
        str,
        typer.Option(help="On the base: probe, or classifier (a trained dense layer, no β)."),
    ] = "probe",
    observation_steps: Annotated[
        int,
        typer.Option(
            help="Training steps between observations, in place of epochs; 0: an epoch's."
        ),
    ] = 0,
    graphs: Annotated[
        str, typer.Option(help="Graph signatures to record: rolled, rolled+unrolled or none.")
    ] = "rolled",
    measure_whole: Annotated[
        bool,
        typer.Option("--measure-whole", help="Measure signals on all training images, too."),
    ] = False,
    store: StoreOption = Path("runs"),
    workers: WorkersOption = None,
    threads: ThreadsOption = None,
    ray: RayOption = None,
    gpus_per_run: GpusPerRunOption = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep checkpoints of runs that reach the horizon.")
    ] = False,
    budget: Annotated[
        str | None,
        typer.Option(
            help="Time that may be spent, such as 20m or 1h30m; candidates are dropped on the way, "
            "and observed for up to the horizon if --epochs is not given."
        ),
    ] = None,
    eliminate: Annotated[
        bool, typer.Option("--eliminate", help="Drop improbable candidates on the way.")
    ] = False,
    strategy: Annotated[
        str | None,
        typer.Option(help="Who is dropped when: NAME or NAME:OPTION=NUMBER,…; see 'strategies'."),
    ] = None,
    latency: Annotated[
        bool,
        typer.Option(
            "--latency",
            help="Measure how long each takes for an image, and mark the accuracy-latency front.",
        ),
    ] = False,
    max_latency: Annotated[
        float | None,
        typer.Option(help="Leave out who takes more milliseconds for an image; measured."),
    ] = None,
    max_parameters: Annotated[
        float | None, typer.Option(help="Leave out who has more weights, such as 5e6.")
    ] = None,
    max_megabytes: Annotated[
        float | None, typer.Option(help="Leave out who is larger, as float32.")
    ] = None,
    tensorboard: TensorBoardOption = None,
    plan: Annotated[bool, typer.Option("--plan", help="Print what it will cost and stop.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Start long plans unasked.")] = False,
    output: FormatOption = Format.table,
) -> None:
    """Rank candidates by predicted final accuracy, after a few epochs of fine-tuning or none."""
    from ncselect.methods import DEFAULT
    from ncselect.progress import Progress
    from ncselect.selection import selection
    from ncselect.spec import Settings

    with reading_images() as prepared:
        question = selection(
            models,
            dataset,
            method_name=method or DEFAULT,
            history=history or (),
            experience=experience or (),
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
                probe_units=tuple(integers("probe-units", probe_units)),
                probe_dropout=probe_dropout,
                probe_activation=probe_activation,
                probe_initializer=probe_initializer,
                probe_size=probe_size,
                unit=unit,
                observation_steps=observation_steps,
                measure_whole=measure_whole,
                graphs=graphs,
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
            ray=ray,
            gpus_per_run=gpus_per_run,
            keep=keep,
            budget=None if budget is None else seconds("budget", budget),
            eliminate=eliminate if strategy is None else strategy,
            latency=latency,
            max_latency=max_latency,
            max_parameters=max_parameters,
            max_megabytes=max_megabytes,
            tensorboard=tensorboard,
            prepared=prepared,
            measuring=lambda model: err.print(
                f"Measuring {model} …", markup=False, highlight=False
            ),
        )
    if plan:
        rows = question.plan.to_dict()["runs"]
        printed(question.plan, output, as_csv=lambda: show(rows, Format.csv))
        return
    agreed(question.plan, is_long=question.plan.is_long, yes=yes)
    names = [job.spec.model for job in question.jobs]
    with (
        resumable(),
        Progress(names, question.epochs, beta=question.beta, console=err) as watch,
    ):
        ranking = question.ranking(watch=watch, decided=watch.decided, command=typed_command())
    printed(ranking, output, as_csv=lambda: typer.echo(ranking.to_csv(), nl=False))
    if ranking.name:
        err.print(f"Kept as {ranking.name}.", markup=False, highlight=False, soft_wrap=True)
    if not ranking.rows:
        raise typer.Exit(1)
