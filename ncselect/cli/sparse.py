"""ncselect sparse: train sparse networks, prune dense ones, measure the connections of either."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ncselect.cli.options import (
    FormatOption,
    GpusPerRunOption,
    RayOption,
    StoreOption,
    ThreadsOption,
    WorkersOption,
    err,
)
from ncselect.cli.training import agreed, printed, reading_images, resumable, typed_command
from ncselect.listing import Format, show
from ncselect.spec import Settings
from ncselect.structure import RULES, Pruning, SparseTraining
from zoo.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    from ncselect.sparse_evaluation import SparseComparison

app = typer.Typer(
    name="sparse",
    help="Sparse evolutionary training, lottery tickets, and the structure of what comes of them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

ModelsOption = Annotated[
    list[str], typer.Option(help="Networks, such as MLP300 or ConvNet; see 'ncselect models'.")
]
DatasetOption = Annotated[
    str, typer.Option(help="A name, tfds:NAME, or the path of a folder, tar, zip or npz.")
]
RepeatsOption = Annotated[int, typer.Option(help="Runs of each, from seeds SEED, SEED + 1, ….")]
SeedOption = Annotated[int, typer.Option(help="The same seed gives the same runs.")]
OptimizerOption = Annotated[str, typer.Option(help="adam, sgd or rmsprop.")]
RateOption = Annotated[float, typer.Option(help="Of the optimiser.")]
MomentumOption = Annotated[float, typer.Option(help="Of sgd.")]
BatchOption = Annotated[int, typer.Option(help="Images per training step.")]
AugmentationOption = Annotated[str, typer.Option(help="none, flip or flip-crop.")]
DropoutOption = Annotated[
    float | None, typer.Option(help="Rate of the networks' dropout; default: their own.")
]
WidthOption = Annotated[
    float | None, typer.Option(help="Multiplier of all channels and units; default: 1.")
]
ImageSizeOption = Annotated[
    int | None, typer.Option(help="Side of the square images; default: the dataset's own.")
]
TrainSizeOption = Annotated[int | None, typer.Option(help="Training images.")]
ValidationSizeOption = Annotated[int | None, typer.Option(help="Validation images.")]
TestSizeOption = Annotated[int | None, typer.Option(help="Test images.")]
KeepOption = Annotated[
    bool, typer.Option("--keep", help="Keep checkpoints, so that runs can be made longer.")
]
PlanOption = Annotated[bool, typer.Option("--plan", help="Print what it will cost and stop.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Start long plans unasked.")]
FolderOption = Annotated[
    Path | None, typer.Option("--out", help="Folder for trained.json and figures, SVG and PNG.")
]


@app.command()
def train(
    models: ModelsOption,
    dataset: DatasetOption,
    rules: Annotated[
        str,
        typer.Option(
            "--rule",
            help="dense, fixed, set or rigl, separated by commas; the others are compared with "
            "the first.",
        ),
    ] = "dense,fixed,set",
    epsilon: Annotated[
        float, typer.Option(help="ε(inputs + outputs) connections a layer at the start.")
    ] = 20.0,
    zeta: Annotated[
        float, typer.Option(help="Share of a layer's connections dropped after an epoch.")
    ] = 0.3,
    growth: Annotated[
        str, typer.Option(help="Weights of new connections: zero or initializer.")
    ] = "zero",
    epochs: Annotated[int, typer.Option(help="Of each run.")] = 50,
    repeats: RepeatsOption = 1,
    seed: SeedOption = 0,
    optimizer: OptimizerOption = "sgd",
    learning_rate: RateOption = 0.01,
    momentum: MomentumOption = 0.9,
    batch_size: BatchOption = 100,
    augmentation: AugmentationOption = "none",
    dropout: DropoutOption = None,
    width: WidthOption = None,
    image_size: ImageSizeOption = None,
    train_size: TrainSizeOption = None,
    validation_size: ValidationSizeOption = None,
    test_size: TestSizeOption = None,
    store: StoreOption = Path("runs"),
    workers: WorkersOption = None,
    threads: ThreadsOption = None,
    ray: RayOption = None,
    gpus_per_run: GpusPerRunOption = None,
    keep: KeepOption = False,
    plan: PlanOption = False,
    yes: YesOption = False,
    folder: FolderOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Train networks dense, fixed sparse, by SET or by RigL, from the same seeds."""
    from ncselect.sparse_evaluation import prepared_comparison

    plain = Settings(
        unit="classifier",
        optimizer=optimizer,
        learning_rate=learning_rate,
        momentum=momentum,
        batch_size=batch_size,
        augmentation=augmentation,
        graphs="none",
    )
    variants = {}
    for rule in names("--rule", rules):
        if rule not in ("dense", *RULES):
            raise UnknownNameError("rule", rule, ("dense", *RULES))
        sparse = SparseTraining(
            rule=rule,
            epsilon=epsilon,
            zeta=zeta,
            growth=growth,
            end=max(1, 3 * epochs // 4) if rule == "rigl" else 0,
        )
        variants[rule] = dataclasses.replace(plain, sparse=None if rule == "dense" else sparse)
    with reading_images() as prepared:
        ready = prepared_comparison(
            models,
            dataset,
            variants,
            epochs=epochs,
            repeats=repeats,
            seed=seed,
            arguments=arguments(dropout=dropout, width=width),
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
    answered(ready, epochs, plan=plan, yes=yes, folder=folder, output=output)


@app.command()
def prune(
    models: ModelsOption,
    dataset: DatasetOption,
    rounds: Annotated[int, typer.Option(help="How often to prune at most.")] = 30,
    round_epochs: Annotated[int, typer.Option(help="Epochs of training a round.")] = 10,
    rate: Annotated[
        float, typer.Option(help="Share of the remaining connections cut after a round.")
    ] = 0.2,
    scope: Annotated[
        str, typer.Option(help="Cut the weakest of the whole network (global) or of each layer.")
    ] = "global",
    rewind_epoch: Annotated[
        int, typer.Option(help="Epoch of the first round whose weights are returned to.")
    ] = 0,
    criteria: Annotated[
        str,
        typer.Option(
            "--criterion",
            help="What is cut: the smallest (magnitude), or any by lot (random), a control; "
            "separated by commas.",
        ),
    ] = "magnitude",
    floor: Annotated[
        float, typer.Option(help="End with the round whose validation accuracy is below.")
    ] = 0.0,
    repeats: RepeatsOption = 1,
    seed: SeedOption = 0,
    optimizer: OptimizerOption = "adam",
    learning_rate: RateOption = 0.0012,
    momentum: MomentumOption = 0.9,
    batch_size: BatchOption = 60,
    augmentation: AugmentationOption = "none",
    dropout: DropoutOption = None,
    width: WidthOption = None,
    image_size: ImageSizeOption = None,
    train_size: TrainSizeOption = None,
    validation_size: ValidationSizeOption = None,
    test_size: TestSizeOption = None,
    store: StoreOption = Path("runs"),
    workers: WorkersOption = None,
    threads: ThreadsOption = None,
    ray: RayOption = None,
    gpus_per_run: GpusPerRunOption = None,
    keep: KeepOption = False,
    plan: PlanOption = False,
    yes: YesOption = False,
    folder: FolderOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Prune networks round by round and train what is left again: lottery tickets."""
    from ncselect.sparse_evaluation import prepared_comparison

    variants = {}
    for name in names("--criterion", criteria):
        variants[name] = Settings(
            unit="classifier",
            optimizer=optimizer,
            learning_rate=learning_rate,
            momentum=momentum,
            batch_size=batch_size,
            augmentation=augmentation,
            graphs="none",
            pruning=Pruning(
                epochs=round_epochs,
                rate=rate,
                scope=scope,
                criterion=name,
                rewind_epoch=rewind_epoch,
                floor=floor,
            ),
        )
    if rounds < 0:
        raise InputError(f"--rounds: {rounds} came; give how often to prune, 0 or more")
    epochs = (rounds + 1) * round_epochs
    with reading_images() as prepared:
        ready = prepared_comparison(
            models,
            dataset,
            variants,
            epochs=epochs,
            repeats=repeats,
            seed=seed,
            arguments=arguments(dropout=dropout, width=width),
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
    answered(ready, epochs, plan=plan, yes=yes, folder=folder, output=output)


@app.command()
def measure(
    networks: Annotated[
        list[str],
        typer.Argument(
            help=".keras files, .npz files of connections, or runs: keys or folders' names of "
            "--store, or paths of folders."
        ),
    ],
    store: StoreOption = Path("runs"),
    tails: Annotated[
        bool, typer.Option("--tails", help="Judge whether degrees and strengths have heavy tails.")
    ] = False,
    replicas: Annotated[
        int, typer.Option(help="Of the bootstrap of each power law's goodness of fit.")
    ] = 0,
    clustering: Annotated[
        bool, typer.Option(help="Measure clustering, slow for dense networks.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder for figures, SVG and PNG: degrees and strengths, and a run's measures by "
            "epoch.",
        ),
    ] = None,
    output: FormatOption = Format.table,
) -> None:
    """Measure the structure of networks: density, degrees, paths, clustering, heavy tails."""
    from rich.markup import escape

    from ncselect.answer_files import check_folder
    from ncselect.sparse_evaluation import measured, save_figures, table_rows

    if folder is not None:
        check_folder(folder)
    found = measured(
        networks, store, tails=tails, replicas=replicas, clustering=clustering, seed=seed
    )
    if output is Format.table:
        for network, rows in table_rows(found).items():
            show(rows, output, escape(network))
    else:
        show([row for one in found for row in one.rows()], output)
    if folder is not None:
        written = save_figures(found, folder)
        for one in found:
            if one.no_degrees:
                at = "" if one.epoch is None else f" at epoch {one.epoch}"
                said = f"{one.network}: no degrees to draw{at}: {one.no_degrees}"
                err.print(said, soft_wrap=True, markup=False)
        if written:
            err.print(f"Written: {', '.join(map(str, written))}", soft_wrap=True, markup=False)


def names(option: str, text: str) -> list[str]:
    """Return names separated by commas, each once, or raise naming the option."""
    found = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not found:
        raise InputError(f"{option}: '{text}' came; give names separated by commas")
    return found


def arguments(**values: float | None) -> dict[str, float]:
    """Return the arguments of the networks that were given."""
    return {name: value for name, value in values.items() if value is not None}


def answered(
    ready: SparseComparison,
    epochs: int,
    *,
    plan: bool,
    yes: bool,
    folder: Path | None,
    output: Format,
) -> None:
    """Print the plan, or agree to it, train and print the answer."""
    from ncselect.answer_files import check_folder
    from ncselect.progress import Progress

    if plan:
        rows = ready.plan.to_dict()["runs"]
        printed(ready.plan, output, as_csv=lambda: show(rows, Format.csv))
        return
    if folder is not None:
        check_folder(folder)
    agreed(ready.plan, is_long=ready.plan.is_long, yes=yes)
    runs = [job.spec.model for job in ready.jobs]
    with resumable(), Progress(runs, epochs, beta="", console=err) as watch:
        found = ready.trained(watch=watch)
    printed(found, output, as_csv=lambda: show(found.rounds() or found.rows(), Format.csv))
    if folder is not None:
        written = found.save(folder, command=typed_command())
        err.print(f"Written: {', '.join(map(str, written))}", soft_wrap=True, markup=False)
    if all(record.status == "failed" for record in found.records):
        raise typer.Exit(1)
