"""From a kept ranking to one HTML page that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import math
import shlex
from importlib import metadata, resources
from typing import Any
from urllib.parse import quote

from ncselect import __version__
from ncselect.kept_ranking import KeptRanking
from ncselect.ranking import Ranking
from ncselect.ranking_figures import OUTER, OUTER_LABEL, capacitance_fits
from ncselect.ranking_rows import row_notes
from ncselect.report.agreement import Verdict, verdict
from ncselect.report.asked import (
    candidates_table,
    protocol_tables,
    python_call,
    question_table,
    seeds,
)
from ncselect.report.figures import capacitance_asked, page_figure
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
    return template.render(
        css=_file("page.css"),
        js=script,
        script_digest=_digest(script),
        generator=f"ncselect {__version__}",
        **_content(kept, store),
    )


def _content(kept: KeptRanking, store: str) -> dict[str, Any]:
    ranking = kept.ranking
    figures = {kind: page_figure(kind, title, kept) for kind, title in _TITLES.items()}
    fits = capacitance_fits(ranking, capacitance_asked(kept))
    judged = verdict(kept, OUTER)
    timed = any(math.isfinite(row.latency_ms) for row in ranking)
    parts = {
        "outlook": outlook_table(ranking),
        "fits": fits_table(fits),
        "decisions": decisions_table(ranking),
        "failed": failed_table(ranking),
    }
    warnings = [*row_notes(ranking.rows), *ranking.notes]
    command = kept.question.get("command") or ""
    return {
        "name": kept.name,
        "title": f"Which network to fine-tune on {ranking.dataset}",
        "made": kept.made.replace("T", " ").replace("+00:00", " UTC"),
        "answer": ranking.advice,
        "facts": _facts(kept),
        "contents": _contents(bool(warnings), timed, parts),
        "warnings": warnings,
        "ranked": ranked_table(kept),
        "csv": f"data:text/csv;charset=utf-8,{quote(ranking.to_csv())}",
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


def _contents(warned: bool, timed: bool, parts: dict[str, Any]) -> list[tuple[str, str]]:
    sections = [
        ("warnings", "Keep in mind", warned),
        ("ranking", "Ranking", True),
        ("predictions", "How sure it is", True),
        ("curves", "Learning curves", True),
        ("size", "Accuracy against size", True),
        ("latency", "Accuracy against latency", timed),
        ("capacitance", "Neural capacitance", True),
        ("agreement", "Agreement with the truth", True),
        ("decisions", "Who was dropped", parts["decisions"]),
        ("failed", "Failed candidates", parts["failed"]),
        ("reproduce", "How to reproduce", True),
        ("settings", "Every setting", True),
    ]
    return [(name, heading) for name, heading, there in sections if there]


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
    inside, of = judged.inside
    if of:
        said.append(
            f"Of {of} predicted accuracies {inside} are within their {OUTER_LABEL}, where "
            f"{0.8 * of:.1f} were to be expected."
        )
    return said


def _reproduced(kept: KeptRanking, *, typed: bool) -> str:
    how = "command" if typed else "call, with the objects that it was given,"
    return (
        f"The {how} below asks the same again; what the store holds is not trained again. Seed "
        f"{seeds(kept)}; the same seed, versions, backend and number of threads give the same "
        "numbers."
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


def _digest(script: str) -> str:
    """Return a script's digest as the content security policy takes it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
