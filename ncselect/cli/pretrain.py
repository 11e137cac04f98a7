"""ncselect pretrain: candidates and a source dataset in, a pool of trained networks out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ncselect.cli.options import (
    FormatOption,
    GpusPerRunOption,
    RayOption,
    StoreOption,
    TensorBoardOption,
    ThreadsOption,
    WorkersOption,
    err,
)
from ncselect.cli.training import agreed, printed, reading_images, resumable
from ncselect.listing import Format, show


def pretrain(
    models: Annotated[
        list[str],
        typer.Option(
            help="Networks: names, groups, pool files (.toml), .keras files, hub:PRESET; "
            "separated by commas or given again."
        ),
    ],
    dataset: Annotated[
        str,
        typer.Option(
            help="The source: a name, tfds:NAME, or the path of a folder, tar, zip or npz."
        ),
    ],
    folder: Annotated[
        Path, typer.Option("--out", help="Folder of the trained networks and their pool.toml.")
    ],
    epochs: Annotated[int, typer.Option(help="Epochs each network is trained for.")] = 30,
    weights: Annotated[
        str,
        typer.Option(
            help="What networks given by name begin with: 'random' (from scratch), 'imagenet' or "
            "a path."
        ),
    ] = "random",
    seed: Annotated[int, typer.Option(help="The same seed gives the same run.")] = 0,
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
    augmentation: Annotated[str, typer.Option(help="none, flip or flip-crop.")] = "flip-crop",
    batch_norm_momentum: Annotated[
        str, typer.Option(help="While training: steps (follows the steps per epoch) or keras.")
    ] = "steps",
    store: StoreOption = Path("runs"),
    workers: WorkersOption = None,
    threads: ThreadsOption = None,
    ray: RayOption = None,
    gpus_per_run: GpusPerRunOption = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep checkpoints of runs whose network is saved.")
    ] = False,
    tensorboard: TensorBoardOption = None,
    plan: Annotated[bool, typer.Option("--plan", help="Print what it will cost and stop.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Start long plans unasked.")] = False,
    output: FormatOption = Format.table,
) -> None:
    """Train networks on a source dataset and make a pool of them for 'rank'."""
    from ncselect.pretraining import source_stage
    from ncselect.progress import Progress
    from ncselect.spec import Settings

    with reading_images() as prepared:
        stage = source_stage(
            models,
            dataset,
            out=folder,
            epochs=epochs,
            weights=weights,
            seed=seed,
            settings=Settings(
                unit="classifier",
                batch_size=batch_size,
                learning_rate=learning_rate,
                optimizer=optimizer,
                augmentation=augmentation,
                batch_norm_momentum=batch_norm_momentum,
            ),
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
            tensorboard=tensorboard,
            prepared=prepared,
        )
    if plan:
        rows = stage.plan.to_dict()["runs"]
        printed(stage.plan, output, as_csv=lambda: show(rows, Format.csv))
        return
    agreed(stage.plan, is_long=stage.plan.is_long, yes=yes)
    names = [job.spec.model for job in stage.jobs]
    with resumable(), Progress(names, stage.epochs, beta="", console=err) as watch:
        answer = stage.pretrained(watch=watch)
    networks = answer.to_dict()["networks"]
    printed(answer, output, as_csv=lambda: show(networks, Format.csv))
    if not answer.networks:
        raise typer.Exit(1)
