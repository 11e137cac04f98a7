"""ncselect models, datasets, methods, strategies, rankings: what there is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ncselect.cli.options import FormatOption, StoreOption, err
from ncselect.listing import Format, show
from zoo.errors import InputError


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


def methods(output: FormatOption = Format.table) -> None:
    """List the ways to predict a candidate's final accuracy."""
    from ncselect.methods import METHODS, method
    from ncselect.scores import SCORES

    rows = [
        {
            "method": name,
            "summary": one.summary,
            "epochs": one.least_epochs,
            "needs": ", ".join(sorted(one.signals | {SCORES[score].needs for score in one.scores})),
        }
        for name, one in ((name, method(name)) for name in METHODS)
    ]
    show(rows, output)


def strategies(output: FormatOption = Format.table) -> None:
    """List who is dropped when, where candidates are eliminated on the way."""
    from ncselect.elimination.strategies import STRATEGIES, options

    rows = [
        {"strategy": name, "summary": one.summary, "options": ", ".join(options(name))}
        for name, one in STRATEGIES.items()
    ]
    no_hyperband = (
        "No Hyperband: the candidates are given, so its brackets, which differ in how many are "
        "drawn, would each be successive halving with another eta."
    )
    show(rows, output, no_hyperband)


def rankings(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RANKING]...", help="Only those of these names, or beginnings of names."
        ),
    ] = None,
    store: StoreOption = Path("runs"),
    file: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Write them as a leaderboard to commit: a file .md, .csv or .json; one that "
            "'rankings' made is replaced.",
        ),
    ] = None,
    output: FormatOption = Format.table,
) -> None:
    """List the kept rankings, the newest first, or write them as a leaderboard."""
    from ncselect.kept_ranking import kept_names, kept_ranking
    from ncselect.store import RunStore

    if file is not None:
        from ncselect.rankings_file import check_rankings_file, write_rankings

        if output is not Format.table:
            raise InputError(
                f"format: --format {output} and --out '{file}' came; the end of the file's name "
                "says how it is written: leave --format out"
            )
        check_rankings_file(file)
    there = RunStore(store, create=False)
    found = [kept_ranking(there, name) for name in dict.fromkeys(names or kept_names(there))]
    if file is not None:
        write_rankings(file, found)
        err.print(f"Written: {file}", markup=False, highlight=False, soft_wrap=True)
        return
    rows = [
        {
            "ranking": one.name,
            "dataset": one.ranking.dataset,
            "method": one.ranking.method,
            "candidates": len(one.specs),
            "epochs": one.question["epochs"],
            "best": one.ranking.rows[0].model if one.ranking.rows else None,
            "made": one.made,
        }
        for one in found
    ]
    show(rows, output)
