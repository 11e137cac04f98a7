"""ncselect finetune: a ranking in, its best network out, ready for use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ncselect.cli.options import FormatOption, StoreOption, TensorBoardOption, err
from ncselect.cli.training import agreed, printed, resumable
from ncselect.listing import Format, show

if TYPE_CHECKING:
    from ncselect.fine_tuned import FineTuned


def finetune(
    file: Annotated[
        Path, typer.Option("--out", help="The .keras file to write; its model card goes beside it.")
    ],
    ranking: Annotated[
        str | None,
        typer.Argument(
            help="A kept ranking, see 'rankings', or the beginning of its name; default: the "
            "newest.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Which of the candidates; default: the best.")
    ] = None,
    head: Annotated[
        str,
        typer.Option(
            help="fresh (a trained dense layer on the network's own weights, early stopping) or "
            "ncp (its run goes on below the frozen probe unit)."
        ),
    ] = "fresh",
    epochs: Annotated[
        int | None, typer.Option(help="For at most how long; default: the ranking's horizon.")
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            help="Of fresh: epochs without a new best validation accuracy before it stops; 0: to "
            "the end; default: 5."
        ),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Of fresh; default: the ranking's.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of fresh; default: the ranking's.")] = None,
    store: StoreOption = Path("runs"),
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the run's checkpoint when the network is saved.")
    ] = False,
    export: Annotated[
        tuple[str, Path] | None,
        typer.Option(
            metavar="FORMAT FOLDER",
            help="Export it, too: saved-model or onnx, and the folder to write.",
        ),
    ] = None,
    tensorboard: TensorBoardOption = None,
    plan: Annotated[bool, typer.Option("--plan", help="Print what it will cost and stop.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Start long plans unasked.")] = False,
    output: FormatOption = Format.table,
) -> None:
    """Train a ranking's best network to the end and save it with a model card."""
    from ncselect.exporting import ExportError, asked_export
    from ncselect.finetuning import FineTuningError, fine_tuning
    from ncselect.progress import Progress

    stage = fine_tuning(
        ranking,
        out=file,
        model=model,
        head=head,
        epochs=epochs,
        patience=patience,
        learning_rate=learning_rate,
        seed=seed,
        store=store,
        keep=keep,
        tensorboard=tensorboard,
    )
    exported = None if export is None else asked_export(*export, stage.file)
    if plan:
        rows = stage.plan.to_dict()["runs"]
        printed(stage.plan, output, as_csv=lambda: show(rows, Format.csv))
        return
    agreed(stage.plan, is_long=stage.plan.is_long, yes=yes)
    name = stage.job.spec.model
    try:
        with resumable():
            with Progress([name], stage.job.horizon, beta="", console=err) as watch:
                answer = stage.finetuned(watch=watch)
            printed(answer, output, as_csv=lambda: show([_row(answer)], Format.csv))
            if exported is not None:
                exported.write(answer.network)
                err.print(f"Exported to {exported.folder}.", markup=False, highlight=False)
    except (FineTuningError, ExportError) as error:
        err.print(f"failed: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


def _row(answer: FineTuned) -> dict[str, object]:
    """Return an answer as one line of a table."""
    told = answer.to_dict()
    low, high = answer.test_interval
    plain = {name: value for name, value in told.items() if not isinstance(value, list | dict)}
    return {**plain, "test_low": low, "test_high": high}
