"""ncselect report: a kept ranking as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ncselect.cli.options import StoreOption, err


def report(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="The ranking's name, or its beginning, as listed by 'rankings'; default: the "
            "newest.",
        ),
    ] = None,
    store: StoreOption = Path("runs"),
    page: Annotated[
        Path, typer.Option("--out", help="The HTML file; one that 'report' made is replaced.")
    ] = Path("report.html"),
) -> None:
    """Write a ranking as one HTML file: the answer, every figure, every setting."""
    from ncselect.kept_ranking import kept_ranking
    from ncselect.report.file import check_page, write_page
    from ncselect.report.page import report_page
    from ncselect.store import RunStore

    check_page(page)
    kept = kept_ranking(RunStore(store, create=False), name)
    with err.status("Drawing …"):
        text = report_page(kept, store=str(store))
    write_page(page, text)
    err.print(f"Written: {page}, {kept.name}", markup=False, highlight=False, soft_wrap=True)
