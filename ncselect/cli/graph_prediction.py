"""ncselect graph evaluate, learn, predict: final accuracies from the graphs of stored runs."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ncselect.cli.options import FormatOption, err, integers, pair
from ncselect.cli.training import printed, resumable, typed_command
from ncselect.listing import Format, show
from zoo.errors import InputError

if TYPE_CHECKING:
    from ncselect.graphs.prediction.inputs import Window

StoresArgument = Annotated[
    list[Path], typer.Argument(help="Folders of stored runs that recorded their graphs.")
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Only runs with NAME=VALUE, such as candidate.source=LeNet5; may be given again."
    ),
]
ThresholdOption = Annotated[
    str,
    typer.Option(
        help="Final accuracy above which a network is high: a number such as 0.4; median, of these "
        "networks; or paper, of its Table 2."
    ),
]
DivergedOption = Annotated[
    str,
    typer.Option(
        help="Runs that diverged: left-out; or low, with the signature of their last epoch."
    ),
]
SinceStartOption = Annotated[
    bool,
    typer.Option("--since-start", help="Tell signatures as their change since epoch 0."),
]
SeedOption = Annotated[int, typer.Option(help="The same seed gives the same answer.")]


def evaluate(
    stores: StoresArgument,
    feature: Annotated[
        str, typer.Option(help="degree, eigenvector; separated by commas.")
    ] = "degree,eigenvector",
    kind: Annotated[
        str,
        typer.Option(
            help="Of graph: rolled, unrolled-positive, unrolled-negative, unrolled (both signs); "
            "separated by commas."
        ),
    ] = "rolled",
    form: Annotated[
        str,
        typer.Option(
            help="How epochs are put together: concatenated, linear, exponential; separated by "
            "commas."
        ),
    ] = "concatenated",
    classifier: Annotated[
        str, typer.Option(help="svm, mlp, linear-svm, svm-log, mlp-log; separated by commas.")
    ] = "svm,mlp",
    threshold: ThresholdOption = "median",
    epochs: Annotated[
        str | None,
        typer.Option(
            help="Classify by epochs 0 to each of these, separated by commas. Default: 1 to 10, as "
            "far as the runs go."
        ),
    ] = None,
    windows: Annotated[
        str | None,
        typer.Option(
            help="Epochs of the regressions, separated by commas. Default: 0-2,1-3,3-5,5-7, as far "
            "as the runs go."
        ),
    ] = None,
    judge_on: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder of runs, of another architecture or size, that are judged by what the "
            "others teach; may be given again, and may be the same folder."
        ),
    ] = None,
    where: WhereOption = None,
    diverged: DivergedOption = "left-out",
    since_start: SinceStartOption = False,
    seed: SeedOption = 0,
    folder: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for evaluation.json and the figures, SVG and PNG."),
    ] = None,
    output: FormatOption = Format.table,
) -> None:
    """Score how early graphs tell the final accuracy of stored runs, beside plain signals."""
    from ncselect.answer_files import check_folder
    from ncselect.graph_evaluation import Question, evaluated
    from ncselect.progress_bar import ProgressBar

    question = Question(
        features=words("--feature", feature),
        kinds=words("--kind", kind),
        forms=words("--form", form),
        since_start=since_start,
        classifiers=words("--classifier", classifier),
        threshold=level(threshold),
        last_epochs=None if epochs is None else tuple(integers("--epochs", epochs)),
        windows=None if windows is None else tuple(map(window_of, words("--windows", windows))),
        diverged=diverged,
        seed=seed,
    )
    if folder is not None:
        check_folder(folder)
    with resumable(), ProgressBar(err) as bar:
        found = evaluated(stores, question, judge_on=judge_on or (), where=chosen(where), watch=bar)
    printed(found, output, as_csv=lambda: show(found.rows(), Format.csv))
    if folder is not None:
        written = found.save(folder, command=typed_command())
        said(f"Written: {', '.join(map(str, written))}")


def learn(
    stores: StoresArgument,
    file: Annotated[
        Path, typer.Option("--out", help="File of the predictor, such as lenet.skops.")
    ],
    learner: Annotated[
        str, typer.Option(help="linear-regression, or svm, linear-svm or mlp for high and low.")
    ] = "linear-regression",
    feature: Annotated[str, typer.Option(help="degree or eigenvector.")] = "degree",
    kind: Annotated[
        str, typer.Option(help="rolled, unrolled-positive, unrolled-negative or unrolled.")
    ] = "rolled",
    form: Annotated[
        str, typer.Option(help="concatenated, linear or exponential.")
    ] = "concatenated",
    window: Annotated[str, typer.Option(help="Epochs that are told, both ends included.")] = "0-5",
    threshold: ThresholdOption = "median",
    where: WhereOption = None,
    diverged: DivergedOption = "left-out",
    since_start: SinceStartOption = False,
    seed: SeedOption = 0,
    output: FormatOption = Format.table,
) -> None:
    """Fit a predictor of final accuracies to stored runs, and write it to a file."""
    from ncselect.graph_evaluation import Question, learnt
    from ncselect.graphs.prediction.predictor_file import save_predictor

    question = Question(
        features=(feature,),
        kinds=(kind,),
        forms=(form,),  # type: ignore[arg-type]
        since_start=since_start,
        threshold=level(threshold),
        diverged=diverged,
        seed=seed,
    )
    predictor = learnt(
        stores, question, window=window_of(window), learner=learner, where=chosen(where)
    )
    save_predictor(file, predictor)
    lesson = predictor.lesson
    row = {
        "file": str(file),
        "learner": lesson.learner,
        "inputs": lesson.inputs.name,
        "epochs": str(lesson.window),
        "networks": len(lesson.runs),
        "high": lesson.high,
        "threshold": lesson.threshold,
        "architectures": ", ".join(lesson.architectures),
        "datasets": ", ".join(lesson.datasets),
        "seeds": len(lesson.seeds),
    }
    if output is Format.table:
        show([{"predictor": name, "": str(value)} for name, value in row.items()], output)
    else:
        show([row], output)


def predict(
    stores: StoresArgument,
    predictor: Annotated[Path, typer.Option(help="A file that 'ncselect graph learn' wrote.")],
    where: WhereOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Predict the final accuracy of stored runs, finished or not, a row per run."""
    from ncselect.graph_evaluation import prediction_rows
    from ncselect.graphs.prediction.predictor_file import read_predictor

    rows, predictions = prediction_rows(stores, read_predictor(predictor), where=chosen(where))
    if output is Format.json:
        document = {
            "predictions": rows,
            "refused": dict(predictions.refused),
            "notes": list(predictions.notes),
        }
        typer.echo(json.dumps(document, indent=1))
    else:
        show(rows, output)
        alike = Counter(predictions.refused.values())
        for run, reason in predictions.refused.items():
            if alike[reason] == 1:
                said(f"{run}: {reason}")
        for reason, count in alike.items():
            if count > 1:
                said(f"{count} runs: {reason}")
        for note in predictions.notes:
            said(note)
    if not rows:
        raise typer.Exit(1)


def words(option: str, text: str) -> tuple[Any, ...]:
    """Return names separated by commas, each once, or raise naming the option."""
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not found:
        raise InputError(f"{option}: '{text}' came; give names separated by commas")
    return found


def window_of(text: str) -> Window:
    """Return the window written as FIRST-LAST."""
    from ncselect.graphs.prediction.inputs import Window

    first, dash, last = text.partition("-")
    if not dash or not first.strip().isdecimal() or not last.strip().isdecimal():
        raise InputError(f"window: '{text}' came; give FIRST-LAST, such as 0-2")
    return Window(int(first), int(last))


def level(text: str) -> Any:
    """Return a threshold: a number, 'median' or 'paper'."""
    if text in ("median", "paper"):
        return text
    try:
        return float(text)
    except ValueError:
        raise InputError(
            f"threshold: '{text}' came; give an accuracy such as 0.4, 'median' or 'paper'"
        ) from None


def chosen(where: list[str] | None) -> dict[str, str]:
    """Return the values that the runs are to have."""
    return dict(pair("where", text) for text in where or [])


def said(line: str) -> None:
    """Tell a person something beside the answer."""
    err.print(line, soft_wrap=True, markup=False, highlight=False)
