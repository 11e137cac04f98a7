"""The figures of the page: each for a wide and for a narrow window, with words beside it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

from ncselect.capacitance_fits import asked_capacitance
from ncselect.kept_ranking import KeptRanking
from ncselect.plots import (
    AnyFigure,
    DotFigure,
    FitFigure,
    ForecastFigure,
    PredictionFigure,
    TradeoffFigure,
)
from ncselect.predicted_courses import Course
from ncselect.ranking_figures import ranking_figure
from ncselect.report.inline_svg import inline_svg
from zoo.errors import InputError

WIDE, NARROW = 7.2, 3.0
"""Inches of a figure in a wide and in a narrow window."""


@dataclass(frozen=True)
class View:
    """A figure as a window of some width shows it.

    Attributes
    ----------
    svg
        An ``svg`` element.
    caption
        How to read it.
    """

    svg: str
    caption: str


@dataclass(frozen=True)
class PageFigure:
    """A figure of the page, or why there is none.

    Attributes
    ----------
    kind
        A key of ``ncselect.ranking_figures.KINDS``.
    views
        ``wide`` and ``narrow`` → the figure; empty where there is none.
    missing
        Why there is none.
    """

    kind: str
    views: Mapping[str, View]
    missing: str = ""


def page_figure(
    kind: str, title: str, kept: KeptRanking, courses: Mapping[str, Course]
) -> PageFigure:
    """Return a figure of the page.

    Parameters
    ----------
    kind
        A key of ``ncselect.ranking_figures.KINDS``.
    title
        What it shows, in a few words.
    kept
        The ranking.
    courses
        What ``predicted_courses`` says of it.
    """
    read = asked_capacitance(kept.question.get("method"))
    views = {}
    for name, width in (("wide", WIDE), ("narrow", NARROW)):
        try:
            values = ranking_figure(
                kind, kept.ranking, width=width, capacitance=read, courses=courses
            )
        except InputError as nothing:
            _, _, reason = str(nothing).partition(": ")
            return PageFigure(kind, {}, missing=f"{reason[:1].upper()}{reason[1:]}.")
        svg = inline_svg(
            dataclasses.replace(values, caption=""),
            name=f"{kind}-{name}",
            title=title,
            description=description(values, kept),
        )
        views[name] = View(svg, values.caption)
    return PageFigure(kind, views)


def description(values: AnyFigure, kept: KeptRanking) -> str:
    """Return what a figure shows, in words with its numbers."""
    match values:
        case PredictionFigure():
            said = [
                f"{one.label}: {_spoken(one.value, one.outer)}"
                + (f", P(best) {one.text}" if one.text else "")
                + (f", came to {one.truth:.3f}" if math.isfinite(one.truth) else "")
                for one in values.predictions
            ]
        case ForecastFigure():
            said = [_course(one.label.replace("\N{NO-BREAK SPACE}", " "), one.seen, one.later)
                    for one in values.forecasts]  # fmt: skip
        case TradeoffFigure():
            names = _names(kept)
            said = [
                f"{names.get(dot.label, dot.label)}: {dot.cost:.3g} and {dot.value:.3f}"
                + (", on the Pareto front" if dot.on_front else "")
                for dot in values.dots
                if math.isfinite(dot.value)
            ]
        case FitFigure():
            said = [
                f"{fit.model}: {fit.predicted:.3f} at β 0, from epochs {fit.start} to "
                f"{fit.start + fit.length - 1}"
                for fit in values.fits
            ]
        case DotFigure():
            names = _names(kept)
            said = [
                f"{names.get(dot.label, dot.label)}: predicted {dot.x:.3f}, came to {dot.y:.3f}"
                for panel in values.panels
                for dot in panel.dots
            ]
        case _:
            said = []
    return "; ".join(said) + "."


def _names(kept: KeptRanking) -> dict[str, str]:
    """Return rank, as narrow figures have it, → candidate."""
    return {str(row.rank): row.model for row in kept.ranking}


def _spoken(value: float, ends: tuple[float, float]) -> str:
    if not math.isfinite(value):
        return "not known"
    if not all(map(math.isfinite, ends)):
        return f"{value:.3f}"
    return f"{value:.3f}, 80% interval {ends[0]:.3f} to {ends[1]:.3f}"


def _course(label: str, seen: tuple[float, ...], later: tuple[float, ...]) -> str:
    text = f"{label}: from {seen[0]:.3f} to {seen[-1]:.3f} in {len(seen)} epochs"
    return text + (f", later {later[-1]:.3f}" if later else "")
