"""From a kept ranking to one HTML page that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import math
import re
import shlex
from importlib import metadata, resources
from typing import Any
from urllib.parse import quote

from ncselect import __version__
from ncselect.capacitance_fits import asked_capacitance, capacitance_fits
from ncselect.kept_ranking import KeptRanking
from ncselect.lost_runs import lost_runs
from ncselect.predicted_courses import predicted_courses
from ncselect.ranking import Ranking
from ncselect.ranking_figures import OUTER, OUTER_LABEL
from ncselect.ranking_rows import row_notes
from ncselect.report.agreement import SHARE, Verdict, verdict
from ncselect.report.asked import (
    candidates_table,
    protocol_tables,
    python_call,
    question_table,
    seeds,
    threads,
)
from ncselect.report.figures import page_figure
from ncselect.report.ranked_table import (
    decisions_table,
    failed_table,
    fits_table,
    outlook_table,
    ranked_table,
)
from ncselect.report.tables import pairs

_LIBRARIES = ("keras", "tensorflow", "jax", "numpy", "scipy", "scikit-learn")


def report_page(kept: KeptRanking, *, store: str) -> str:
    """Return a ranking as an HTML page.

    Parameters
    ----------
    kept
        The ranking, with its runs as far as they have come.
    store
        Folder of the runs, as a reader would name it.

    Returns
    -------
    str
        A whole document: style, script and figures are in it, and it asks for nothing outside.
        Names and reasons stand in it as text, whatever they hold.
    """
    from jinja2 import Environment, StrictUndefined

    script = _file("page.js")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string(_file("page.html.jinja"))
    page = template.render(
        css=_file("page.css"),
        js=script,
        script_digest=_digest(script),
        generator=f"ncselect {__version__}",
        **_content(kept, store),
    )
    return _encodable(page)


def _content(kept: KeptRanking, store: str) -> dict[str, Any]:
    ranking = kept.ranking
    courses = predicted_courses(ranking)
    figures = {kind: page_figure(kind, title, kept, courses) for kind, title in _TITLES.items()}
    fits = capacitance_fits(ranking, asked_capacitance(kept.question.get("method")))
    judged = verdict(kept, OUTER)
    timed = any(math.isfinite(row.latency_ms) for row in ranking)
    parts = {
        "outlook": outlook_table(ranking),
        "fits": fits_table(fits),
        "decisions": decisions_table(ranking),
        "failed": failed_table(ranking),
    }
    warnings = [*_doubts(judged, kept), *row_notes(ranking.rows), *ranking.notes]
    command = kept.question.get("command") or ""
    return {
        "name": kept.name,
        "title": f"Which network to fine-tune on {ranking.dataset}",
        "made": kept.made.replace("T", " ").replace("+00:00", " UTC"),
        "answer": ranking.advice,
        "facts": _facts(kept),
        "headings": _headings(bool(warnings), timed, parts),
        "warnings": warnings,
        "ranked": ranked_table(kept),
        "csv": f"data:text/csv;charset=utf-8,{quote(_encodable(ranking.to_csv()))}",
        "json": f"data:application/json,{quote(ranking.to_json())}",
        "reading": _reading(ranking),
        "figures": figures,
        "timed": timed,
        **parts,
        "verdict": judged,
        "truth": _truth(judged, kept),
        "reproduce": _reproduced(kept, typed=bool(command)),
        "command": command or python_call(kept),
        "report_command": shlex.join(
            ["ncselect", "report", kept.name, "--store", store, "--out", "report.html"]
        ),
        "versions": pairs("versions", "Installed where this page was made", _versions()),
        "settings": (question_table(kept), *protocol_tables(kept.specs)),
        "candidates": candidates_table(kept),
    }


_TITLES = {
    "predictions": "Predicted accuracies with their intervals",
    "curves": "Learning curves and what is predicted of them",
    "size": "Predicted accuracy against the number of parameters",
    "latency": "Predicted accuracy against milliseconds for an image",
    "capacitance": "Accuracy and β_eff by epoch, and the ridge line",
    "agreement": "Predicted against true accuracy",
}
"""Kind of figure → what it shows."""


def _facts(kept: KeptRanking) -> list[tuple[str, str]]:
    ranking = kept.ranking
    facts = []
    if ranking.rows:
        first = ranking.rows[0]
        if math.isfinite(first.p_best):
            facts.append(("P(best)", f"{first.p_best:.2f}"))
        if math.isfinite(first.accuracy):
            facts.append(("predicted accuracy", f"{first.accuracy:.3f}"))
        record = ranking.records.get(first.model)
        if record is not None and kept.horizon in record.truth:
            facts.append(("came to", f"{record.truth[kept.horizon]:.3f}"))
        tied = sum(row.tie == first.tie for row in ranking.rows[1:]) if first.tie else 0
        if first.tie:
            facts.append(("tied with it", str(tied)))
    failed = f", {len(ranking.failed)} failed" if ranking.failed else ""
    facts.append(("candidates", f"{len(ranking)} ranked{failed}"))
    epochs = max((row.epochs for row in ranking), default=0)
    facts.append(("epochs seen", f"{epochs} of {kept.horizon}"))
    spent = sum(row.seconds for row in ranking)
    if spent:
        facts.append(("training", _duration(spent)))
    facts.append(("method", ranking.method))
    return facts


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _headings(warned: bool, timed: bool, parts: dict[str, Any]) -> dict[str, str]:
    """Return a section's id → its heading, in order, of those that the page has."""
    sections = [
        ("warnings", "Keep in mind", warned),
        ("ranking", "Ranking", True),
        ("predictions", "How sure it is", True),
        ("curves", "Learning curves", True),
        ("size", "Accuracy against size", True),
        ("latency", "Accuracy against latency", timed),
        ("capacitance", "Neural capacitance", True),
        ("agreement", "Agreement with the truth", True),
        ("decisions", "Who was dropped, and when", parts["decisions"]),
        ("failed", "Failed candidates", parts["failed"]),
        ("reproduce", "How to reproduce", True),
        ("settings", "Every setting", True),
    ]
    return {name: heading for name, heading, there in sections if there}


def _doubts(judged: Verdict, kept: KeptRanking) -> list[str]:
    """Return why the page, or what was predicted, is to be read with care."""
    said = []
    lost = lost_runs(kept.ranking)
    if lost:
        said.append(
            f"The store no longer holds the runs of {', '.join(lost)}; their curves and truth are "
            "missing. The command below trains them again."
        )
    if judged.implausible:
        said.append(f"{_coverage(judged)} The intervals are too narrow here.")
    return said


def _coverage(judged: Verdict) -> str:
    inside, of = judged.inside
    return (
        f"Of {of} predicted accuracies {inside} {'is' if inside == 1 else 'are'} within their "
        f"{OUTER_LABEL}, where {SHARE * of:.1f} were to be expected."
    )


def _reading(ranking: Ranking) -> list[tuple[str, str]]:
    rows = ranking.rows
    found = []
    if any(math.isfinite(row.accuracy) for row in rows):
        found.append(("predicted accuracy", "with its standard deviation, at the horizon"))
    if any(math.isfinite(row.p_best) for row in rows):
        found += [
            ("P(best)", "probability that the candidate ends highest of all"),
            ("expected loss", "points of accuracy that taking it is expected to lose"),
            (
                "tie",
                "candidates of a group cannot be told apart: neither beats the other in 80% of the "
                "draws; the best's group is shaded",
            ),
        ]
    if any(row.epochs for row in rows):
        found.append(("last seen", "validation accuracy after the last observed epoch"))
    return found


def _truth(judged: Verdict, kept: KeptRanking) -> list[str]:
    if not judged.known and lost_runs(kept.ranking):
        return [
            "The store no longer holds all of these runs, and none that it holds has reached epoch "
            f"{kept.horizon}."
        ]
    if not judged.known:
        return [
            f"No run has reached epoch {kept.horizon} yet, so that nobody knows how good this "
            f"ranking is. Runs go on with --epochs {kept.horizon}; made again then, this page "
            "says how they came out."
        ]
    said = [
        f"{judged.known} of {judged.candidates} ranked candidates have been trained to epoch "
        f"{kept.horizon}, and their test accuracy was measured. The most accurate of them is "
        f"{judged.best}."
    ]
    if judged.inside[1]:
        said.append(_coverage(judged))
    return said


def _reproduced(kept: KeptRanking, *, typed: bool) -> str:
    how = "command" if typed else "call, with the objects that it was given,"
    had = threads(kept)
    number = f" ({had})" if had else ""
    return (
        f"The {how} below asks the same again; what the store holds is not trained again. Seed "
        f"{seeds(kept)}; the same seed, versions, backend and number of threads{number} give the "
        "same numbers."
    )


def _versions() -> dict[str, str]:
    found = {"ncselect": __version__}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _file(name: str) -> str:
    return resources.files("ncselect.report").joinpath(name).read_text(encoding="utf-8")


def _encodable(text: str) -> str:
    """Return a text with a mark in place of what UTF-8 does not have, as odd file names hold."""
    return re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", text)


def _digest(script: str) -> str:
    """Return a script's digest as the content security policy takes it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
