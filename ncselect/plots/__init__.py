"""Figures from values; nothing here trains or reads a file.

Each kind of figure is a frozen dataclass of plain numbers; :func:`drawn` draws any of them.
Matplotlib is imported when the first figure is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ncselect.plots.accuracies import (
    AccuracyFigure,
    AccuracyPanel,
    AccuracySeries,
    draw_accuracies,
)
from ncselect.plots.bars import Bar, BarFigure, BarPanel, draw_bars
from ncselect.plots.class_curves import (
    ClassCurves,
    ClassCurvesFigure,
    ClassCurvesPanel,
    draw_class_curves,
)
from ncselect.plots.courses import CourseFigure, CoursePanel, CourseSeries, draw_courses
from ncselect.plots.dots import Dot, DotFigure, DotPanel, Slope, draw_dots
from ncselect.plots.fits import Fit, FitFigure, draw_fits
from ncselect.plots.forecasts import Band, Forecast, ForecastFigure, draw_forecasts
from ncselect.plots.intervals import IntervalFigure, IntervalPanel, IntervalRow, draw_intervals
from ncselect.plots.lines import Line, LineFigure, LinePanel, draw_lines
from ncselect.plots.predictions import Prediction, PredictionFigure, draw_predictions
from ncselect.plots.style import save
from ncselect.plots.tradeoff import TradeoffDot, TradeoffFigure, draw_tradeoff

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "AccuracyFigure",
    "AccuracyPanel",
    "AccuracySeries",
    "AnyFigure",
    "Band",
    "Bar",
    "BarFigure",
    "BarPanel",
    "ClassCurves",
    "ClassCurvesFigure",
    "ClassCurvesPanel",
    "CourseFigure",
    "CoursePanel",
    "CourseSeries",
    "Dot",
    "DotFigure",
    "DotPanel",
    "Fit",
    "FitFigure",
    "Forecast",
    "ForecastFigure",
    "IntervalFigure",
    "IntervalPanel",
    "IntervalRow",
    "Line",
    "LineFigure",
    "LinePanel",
    "Prediction",
    "PredictionFigure",
    "Slope",
    "TradeoffDot",
    "TradeoffFigure",
    "drawn",
    "save",
]

AnyFigure = (
    AccuracyFigure
    | BarFigure
    | ClassCurvesFigure
    | CourseFigure
    | DotFigure
    | FitFigure
    | ForecastFigure
    | IntervalFigure
    | LineFigure
    | PredictionFigure
    | TradeoffFigure
)


def drawn(values: AnyFigure) -> Figure:
    """Draw a figure.

    Parameters
    ----------
    values
        What to show.

    Returns
    -------
    matplotlib.figure.Figure
        Made without ``pyplot``: nothing is kept open, no display is needed.
    """
    match values:
        case LineFigure():
            return draw_lines(values)
        case DotFigure():
            return draw_dots(values)
        case IntervalFigure():
            return draw_intervals(values)
        case FitFigure():
            return draw_fits(values)
        case AccuracyFigure():
            return draw_accuracies(values)
        case BarFigure():
            return draw_bars(values)
        case ClassCurvesFigure():
            return draw_class_curves(values)
        case CourseFigure():
            return draw_courses(values)
        case ForecastFigure():
            return draw_forecasts(values)
        case PredictionFigure():
            return draw_predictions(values)
        case TradeoffFigure():
            return draw_tradeoff(values)
