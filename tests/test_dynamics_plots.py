"""Figures of predictions from graphs: lines, bars and intervals are at their values."""

from __future__ import annotations

import pytest

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
from ncselect.plots.style import COLOURS, save

NAN = float("nan")


def accuracies(panels=2):
    series = (
        AccuracySeries("degree", (1, 2, 3), (0.5, 0.8, 0.9), (0.4, 0.7, 0.8), (0.6, 0.9, 1.0)),
        AccuracySeries("loss", (1, 2, 3), (0.6, 0.7, NAN), (NAN,) * 3, (NAN,) * 3, control=True),
    )
    return AccuracyFigure(tuple(AccuracyPanel(f"panel {one}", series) for one in range(panels)))


def class_curves(largest=2.0):
    high = ClassCurves((0, 1, 2), ((1.0, 1.2, largest), (1.0, 1.4, 2.0)), (1.0, 1.3, 1.9), True)
    low = ClassCurves((0, 1, 2), ((1.0, 1.0, 1.1),), (1.0, 1.0, 1.1), False)
    panels = tuple(ClassCurvesPanel(name, (high, low)) for name in ("median", "mean", "sd", "x"))
    return ClassCurvesFigure(panels, "weighted degree")


def bars(**options):
    made = (
        Bar("training", 300.0, 250.0, 350.0, "training", "300 s"),
        Bar("rolled graph", 0.5, group="rolled", text="0.5 s"),
        Bar("unrolled graph", NAN, group="unrolled", text="not measured"),
    )
    return BarFigure((BarPanel("LeNet", made),), ("seconds",), **options)


DRAWN = {
    "accuracies": lambda: draw_accuracies(accuracies()),
    "class curves": lambda: draw_class_curves(class_curves()),
    "bars": lambda: draw_bars(bars()),
}


@pytest.mark.parametrize("draw", DRAWN.values(), ids=list(DRAWN))
def test_the_same_values_give_the_same_file_and_all_axes_are_named(draw, tmp_path):
    for time in range(2):
        save(draw(), tmp_path / f"{time}.svg")
    assert (tmp_path / "0.svg").read_bytes() == (tmp_path / "1.svg").read_bytes()
    for axes in draw().axes:
        place = axes.get_subplotspec()
        if axes.axison:
            named = [text.get_text() for text in axes.get_yticklabels() if text.get_text()]
            words = any(any(map(str.isalpha, text)) for text in named)
            assert axes.get_xlabel()
            assert axes.get_ylabel() or words or not place.is_first_col()


def test_accuracies_are_at_their_values_controls_dashed_and_chance_is_marked():
    figure = draw_accuracies(accuracies())
    assert len(figure.axes) == 2
    for axes in figure.axes:
        degree, loss = (one for one in axes.lines if len(one.get_xdata()) == 3)
        assert list(degree.get_ydata()) == [0.5, 0.8, 0.9]
        assert list(loss.get_ydata()[:2]) == [0.6, 0.7]
        assert (degree.is_dashed(), loss.is_dashed()) == (False, True)
        spans = [one for one in axes.lines if one.get_color() == COLOURS[0]
                 and len(one.get_xdata()) == 2]  # fmt: skip
        assert [tuple(one.get_ydata()) for one in spans] == [(0.4, 0.6), (0.7, 0.9), (0.8, 1.0)]
        assert all(abs(one.get_xdata()[0] - epoch) < 0.1
                   for one, epoch in zip(spans, (1, 2, 3), strict=True))  # fmt: skip
        assert [0.5, 0.5] in [list(one.get_ydata()) for one in axes.lines]
        low, high = axes.get_ylim()
        assert low <= 0.4
        assert high > 1
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["degree", "loss"]


def test_the_legend_is_inside_the_figure_however_long_the_names():
    one = accuracies(1).panels[0].series[0]
    names = ("validation accuracy, last value", "rolled eigenvector, exponential 0.25", "loss", "x")
    series = tuple(AccuracySeries(name, one.epochs, one.accuracy, one.low, one.high)
                   for name in names)  # fmt: skip
    figure = draw_accuracies(AccuracyFigure((AccuracyPanel("SVM", series),)))
    figure.draw_without_rendering()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1


def test_every_network_has_a_line_and_every_class_a_mean():
    figure = draw_class_curves(class_curves())
    shown = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title(loc="left") for axes in shown] == ["median", "mean", "sd", "x"]
    for axes in shown:
        thin = [one for one in axes.lines if one.get_linewidth() < 1]
        thick = [one for one in axes.lines if one.get_linewidth() > 2]
        assert sorted(tuple(one.get_ydata()) for one in thin) == [
            (1.0, 1.0, 1.1), (1.0, 1.2, 2.0), (1.0, 1.4, 2.0),
        ]  # fmt: skip
        assert {one.get_color(): tuple(one.get_ydata()) for one in thick} == {
            COLOURS[0]: (1.0, 1.3, 1.9), COLOURS[1]: (1.0, 1.0, 1.1),
        }  # fmt: skip
        assert axes.get_yscale() == "linear"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "high accuracy (2)", "low accuracy (1)",
    ]  # fmt: skip
    assert draw_class_curves(class_curves(1e6)).axes[0].get_yscale() == "log"


def test_bars_are_as_long_as_their_values_and_what_is_missing_says_so():
    (axes,) = draw_bars(bars()).axes
    assert [patch.get_width() for patch in axes.patches] == [300.0, 0.5]
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "training", "rolled graph", "unrolled graph",
    ]  # fmt: skip
    assert [text.get_text() for text in axes.texts] == ["300 s", "0.5 s", "not measured"]
    assert [250.0, 350.0] in [list(one.get_xdata()) for one in axes.lines]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first on top
    (logarithmic,) = draw_bars(bars(logarithmic=True)).axes
    assert logarithmic.get_xscale() == "log"
