"""Figures show the values they are given, label them apart, and leave no trace."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest

from ncselect.plots import (
    Dot,
    DotFigure,
    DotPanel,
    Fit,
    FitFigure,
    IntervalFigure,
    IntervalPanel,
    IntervalRow,
    Line,
    LineFigure,
    LinePanel,
    Slope,
    drawn,
    save,
)

NAN = float("nan")


def lines(count=5, panels=1):
    x = tuple(float(epoch) for epoch in range(5, 16))
    made = tuple(
        Line(
            f"series {place}",
            x,
            tuple(0.9 + 0.001 * place for _ in x),
            tuple(0.6 for _ in x),
            tuple(1.0 for _ in x),
            ((5.0, 0.75),) if place == 0 else (),
        )
        for place in range(count)
    )
    return LineFigure(
        tuple(LinePanel(f"panel {place}", made) for place in range(panels)), "epochs", "ρ"
    )


def dots(models=17, panels=1):
    rng = np.random.default_rng(0)
    made = tuple(
        Dot(f"Network{place}", ("VGG", "ResNet")[place % 2], *rng.uniform(0.9, 0.96, 2), 0.9, 0.96)
        for place in range(models)
    )
    return DotFigure(
        tuple(DotPanel(f"panel {place}", made, "ρ = 0.93") for place in range(panels)),
        "predicted",
        "true",
        equal=True,
    )


def intervals():
    rows = (
        IntervalRow("capacitance", 0.7, -0.1, 1.0, 0.93),
        IntervalRow("cl", NAN, NAN, NAN, NAN, "refused"),
    )
    panel = IntervalPanel("CIFAR10, 5 epochs", rows)
    return IntervalFigure(((panel, panel), (panel, panel)), "Spearman's ρ")


def fits():
    fit = Fit(
        "VGG16", (0.5, 0.7, 0.8), (0.5, 0.6, 0.7), (-3.0, 2.0, 1.0), 1, 3, -20.0, 0.05, 0.72, 0.03,
        0.71,
    )  # fmt: skip
    return FitFigure((fit, fit))


FIGURES = {"lines": lines, "dots": dots, "intervals": intervals, "fits": fits}


@pytest.mark.parametrize("make", FIGURES.values(), ids=list(FIGURES))
def test_the_same_values_give_the_same_file(make, tmp_path):
    files = [tmp_path / f"{time}.svg" for time in range(2)]
    for file in files:
        save(drawn(make()), file)
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("make", FIGURES.values(), ids=list(FIGURES))
def test_every_axis_says_what_it_is(make):
    figure = drawn(make())
    for axes in figure.axes:
        place = axes.get_subplotspec()
        named = [text for text in axes.get_yticklabels() if any(map(str.isalpha, text.get_text()))]
        assert axes.get_xlabel() or not place.is_last_row()
        assert axes.get_ylabel() or named or not place.is_first_col()


def test_lines_are_at_their_values_and_their_labels_apart():
    figure = drawn(lines())
    (axes,) = figure.axes
    shown = [line.get_ydata() for line in axes.lines if len(line.get_xdata()) == 11]
    assert sorted(float(y[0]) for y in shown) == pytest.approx([0.9, 0.901, 0.902, 0.903, 0.904])
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == 5
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert all(box.y1 <= axes.get_window_extent().y1 + 2 for box in boxes)


def test_seventeen_labels_cover_no_dot_and_no_other_label():
    values = dots()
    figure = drawn(values)
    (axes,) = figure.axes
    names = {dot.label for dot in values.panels[0].dots}
    figure.draw_without_rendering()
    boxes = [text for text in axes.texts if text.get_text() in names]
    extents = [box.get_bbox_patch() or box.get_window_extent() for box in boxes]
    places = axes.transData.transform([(dot.x, dot.y) for dot in values.panels[0].dots])
    assert len(boxes) == 17
    covered = sum(extent.contains(*place) for extent in extents for place in places)
    overlapping = sum(one.overlaps(other) for one, other in itertools.combinations(extents, 2))
    assert covered == 0
    assert overlapping == 0


def test_of_many_dots_those_at_the_ends_are_labelled():
    made = tuple(Dot(f"N{place}", "digits", place + 1.0, 10.0 - place / 9) for place in range(30))
    (axes,) = drawn(DotFigure((DotPanel("", made),), "training", "measuring")).axes
    assert {text.get_text() for text in axes.texts} == {"N0", "N1", "N28", "N29"}


def test_bars_end_inside_equal_axes_and_what_is_aside_is_pointed_to():
    near = tuple(Dot(f"N{one}", "VGG", 0.93 + one / 99, 0.93, 0.90, 0.99, 0.91, 0.95)
                 for one in range(4))  # fmt: skip
    far = Dot("AlexNet", "AlexNet", 0.55, 0.62)
    panel = DotPanel("", (*near, far), aside=frozenset({"AlexNet"}))
    (axes,) = drawn(DotFigure((panel,), "predicted", "true", equal=True)).axes
    low, high = axes.get_xlim()
    assert 0.85 < low < 0.90
    assert high > 0.99
    assert axes.get_ylim() == (low, high)
    (pointed,) = [text for text in axes.texts if "AlexNet" in text.get_text()]
    assert "(0.55, 0.62)" in pointed.get_text()
    everything = DotPanel("", (*near, far))
    (wide,) = drawn(DotFigure((everything,), "predicted", "true", equal=True)).axes
    assert wide.get_xlim()[0] < 0.55


def test_the_papers_marks_do_not_hide_ours():
    (axes,) = drawn(lines()).axes
    (printed,) = [one for one in axes.lines if list(one.get_ydata()) == [0.75]]
    assert printed.get_markerfacecolor() == "none"


def test_intervals_and_printed_values_are_where_they_belong():
    axes = drawn(intervals()).axes[0]
    points = {
        line.get_marker(): float(line.get_xdata()[0])
        for line in axes.lines
        if len(line.get_xdata()) == 1
    }
    assert points == {"o": 0.7, "D": 0.93}
    spread = next(line for line in axes.lines if list(line.get_ydata()) == [0, 0])
    assert list(spread.get_xdata()) == [-0.1, 1.0]
    assert [text.get_text() for text in axes.texts] == ["refused"]


def test_the_fitted_line_meets_zero_at_the_prediction():
    bottom = drawn(fits()).axes[4]
    filled = {
        tuple(one.get_xdata()): one.get_markerfacecolor() != "white"
        for one in bottom.lines
        if one.get_marker() == "s"
    }
    assert filled == {(-3.0,): False, (2.0, 1.0): True}
    line = next(one for one in bottom.lines if one.get_marker() == "None" and
                len(one.get_xdata()) == 2 and list(one.get_xdata()) == [-3.0, 2.0])  # fmt: skip
    (x0, x1), (y0, y1) = line.get_xdata(), line.get_ydata()
    assert y0 - x0 * (y1 - y0) / (x1 - x0) == pytest.approx(0.72)


def test_costs_begin_at_zero_and_have_both_slopes():
    values = DotFigure(
        (
            DotPanel(
                "",
                (Dot("a", "digits", 2.0, 0.5), Dot("b", "digits", 4.0, 1.0)),
                slopes=(Slope("ours", 0.25), Slope("paper", 1.332, paper=True)),
            ),
        ),
        "training",
        "measuring",
    )
    (axes,) = drawn(values).axes
    assert axes.get_xlim()[0] == axes.get_ylim()[0] == 0
    slopes = [
        float(line.get_ydata()[1] / line.get_xdata()[1])
        for line in axes.lines
        if len(line.get_xdata()) == 2 and line.get_xdata()[0] == 0
    ]
    assert slopes == pytest.approx([0.25, 1.332])


def test_nothing_known_is_no_error():
    empty = IntervalFigure(
        ((IntervalPanel("none", (IntervalRow("cl", NAN, NAN, NAN, NAN, "refused"),)),),), "ρ"
    )
    assert len(drawn(empty).axes) == 1
    line = Line("none", (5.0, 10.0), (NAN, NAN), (NAN, NAN), (NAN, NAN))
    figure = drawn(LineFigure((LinePanel("none", (line,)),), "epochs", "ρ"))
    assert all(math.isfinite(end) for end in figure.axes[0].get_ylim())


def test_drawing_needs_no_display_and_leaves_the_settings_alone():
    program = (
        "import sys\nimport ncselect.plots as plots\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import matplotlib\nmatplotlib.rcParams['font.size'] = 3\n"
        "row = plots.IntervalRow('a', .5, .4, .6, .5)\n"
        "plots.drawn(plots.IntervalFigure(((plots.IntervalPanel('t', (row,)),),), 'x'))\n"
        "assert matplotlib.rcParams['font.size'] == 3\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
