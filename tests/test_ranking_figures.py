"""Figures of a ranking hold its numbers, at every width."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from made_kept import HORIZON, NAMES, made_kept, runs
from matplotlib.figure import Figure

from ncselect.capacitance_fits import capacitance_fits
from ncselect.methods import parsed_method
from ncselect.methods.capacitance import Capacitance
from ncselect.methods.combined import Combined
from ncselect.plots import drawn, save
from ncselect.predicted_courses import predicted_courses
from ncselect.ranking import Ranking
from ncselect.ranking_figures import INNER, KINDS, OUTER, ranking_figure
from ncselect.types import Estimate, Estimates
from zoo.errors import InputError, UnknownNameError

RANKING = made_kept().ranking
SMALL = made_kept(runs(NAMES[:2])).ranking
WIDTHS = (7.2, 3.0)


def values(kind, ranking=RANKING, width=7.2, **options):
    return ranking_figure(kind, ranking, width=width, **options)


def test_intervals_are_the_normal_ones():
    from scipy.stats import norm

    assert pytest.approx(norm.ppf(0.75), abs=1e-4) == INNER
    assert pytest.approx(norm.ppf(0.9), abs=1e-4) == OUTER
    for row, one in zip(RANKING, values("predictions").predictions, strict=True):
        assert (one.label, one.value, one.seen) == (row.model, row.accuracy, row.last)
        assert one.truth == RANKING.records[row.model].truth[HORIZON]
        low, high = one.outer
        assert 0 <= low < one.inner[0] < row.accuracy < one.inner[1] < high <= 1
        assert low == pytest.approx(max(0, row.accuracy - 1.2816 * row.sd))
        assert one.text == f"{row.p_best:.2f}"


def test_curves_are_parted_where_the_ranking_was_made():
    figure = values("curves")
    for row, one in zip(RANKING, figure.forecasts, strict=True):
        curve = RANKING.records[row.model].curve("validation-accuracy")
        assert one.seen == tuple(curve[:5])
        assert one.later == tuple(curve[5:])
        assert one.band.epochs[0] == 5
        assert one.band.epochs[-1] == HORIZON
        assert one.band.middle[0] == curve[4]
        assert one.band.middle[-1] == row.accuracy
        assert one.band.outer[-1][1] == pytest.approx(min(1, row.accuracy + OUTER * row.sd))
    assert len(figure.background) == len(NAMES)


def test_bands_are_what_the_method_says_of_each_epoch():
    courses = predicted_courses(RANKING)
    assert set(courses) == set(NAMES)
    seen = [record.observed(5) for record in RANKING.records.values()]
    for place, epoch in enumerate(courses[NAMES[0]].epochs):
        for one in Combined(horizon=epoch).estimate(seen).estimates:
            assert courses[one.model].mean[place] == pytest.approx(one.mean)
            assert courses[one.model].sd[place] == pytest.approx(one.sd)


def test_where_the_method_would_not_say_the_same_again_bands_are_straight():
    rows = tuple(dataclasses.replace(row, accuracy=row.accuracy - 0.01) for row in RANKING)
    for other in (
        dataclasses.replace(RANKING, rows=rows),  # as of a history that is not known here
        made_kept(methods=("capacitance",)).ranking,
    ):
        assert predicted_courses(other) == {}
        figure = values("curves", other)
        assert all(one.band.epochs == (5, HORIZON) for one in figure.forecasts)
        assert "say nothing of the epochs between" in figure.caption


@pytest.mark.parametrize("kind", ["size", "latency"])
def test_the_front_is_that_of_all_pairs(kind):
    rng = np.random.default_rng(3)
    rows = tuple(
        dataclasses.replace(
            RANKING[place % len(RANKING)], model=str(place),
            accuracy=round(rng.uniform(0.5, 0.9), 2), parameters=int(rng.integers(1, 9)) * 10**6,
            latency_ms=float(rng.integers(1, 9)),
        )
        for place in range(40)
    )  # fmt: skip
    figure = values(kind, dataclasses.replace(RANKING, rows=rows))
    for one in figure.dots:
        beaten = any(
            other.cost <= one.cost
            and other.value >= one.value
            and (other.cost, other.value) != (one.cost, one.value)
            for other in figure.dots
        )
        assert one.on_front == (not beaten)


def test_lines_are_fitted_in_what_had_been_seen():
    fits = capacitance_fits(RANKING, Capacitance(window=4))
    assert [fit.model for fit in fits] == [row.model for row in RANKING]
    for fit in fits:
        record = RANKING.records[fit.model]
        window, line = Capacitance(window=4).fitted(record.observed(5))
        assert (fit.start, fit.length) == (window.start + 1, 4)
        assert (fit.slope, fit.predicted, fit.sd) == (line.slope, line.mean, line.sd)
        assert len(fit.beta) == len(fit.validation) == HORIZON
        assert fit.test == record.truth[HORIZON]


def test_trajectories_end_at_the_horizon_however_far_runs_have_come():
    longer = made_kept(runs(epochs=HORIZON + 15)).ranking
    for fit in values("capacitance", longer).fits:
        record = longer.records[fit.model]
        assert len(fit.validation) == len(fit.beta) == len(fit.train) == HORIZON
        assert fit.validation == tuple(record.curve("validation-accuracy")[:HORIZON])
        assert fit.test == record.truth[HORIZON]


def test_lines_are_fitted_as_the_ranking_was_asked():
    text = "capacitance:window=3,definition=norm/exact/signed"
    ranking = made_kept(methods=("combined", text)).ranking
    figure = values("capacitance", ranking)
    assert figure == values("capacitance", ranking, capacitance=parsed_method(text))
    assert {fit.length for fit in figure.fits} == {3}
    assert "norm/exact/signed" in figure.caption
    read = Ranking.from_dict(ranking.to_dict(), records=ranking.records)
    assert values("capacitance", read) == figure
    assert {fit.length for fit in values("capacitance").fits} == {5}


@pytest.mark.parametrize("kind", ["size", "latency"])
def test_of_many_only_the_front_and_the_tied_are_labelled(kind):
    rows = tuple(
        dataclasses.replace(
            RANKING[place % len(RANKING)], model=str(place), tie=1 + place // 3,
            parameters=10**6 * (place + 1), latency_ms=1.0 + place,
        )
        for place in range(21)
    )  # fmt: skip
    figure = values(kind, dataclasses.replace(RANKING, rows=rows))
    assert "Labelled: the front, and who is tied with the best." in figure.caption
    for one in figure.dots:
        assert one.labelled == (one.on_front or one.group == 1)
    assert not all(one.labelled for one in figure.dots)
    written = {text.get_text() for text in drawn(figure).axes[0].texts}
    assert written == {one.label for one in figure.dots if one.labelled}
    few = values(kind, dataclasses.replace(RANKING, rows=rows[:20]))
    assert all(one.labelled for one in few.dots)
    assert "Labelled" not in few.caption


def test_agreement_has_those_whose_end_is_known():
    unfinished = runs()
    unfinished[1] = dataclasses.replace(unfinished[1], truth={})
    figure = values("agreement", made_kept(unfinished).ranking)
    (panel,) = figure.panels
    assert {dot.label for dot in panel.dots} == set(NAMES) - {NAMES[1]}
    for dot in panel.dots:
        assert dot.y == RANKING.records[dot.label].truth[HORIZON]


def test_dots_of_narrow_figures_have_ranks_and_the_caption_says_so():
    narrow = values("size", width=3.0)
    assert [dot.label for dot in narrow.dots] == [str(row.rank) for row in RANKING]
    assert "Numbers are ranks." in narrow.caption
    assert "Numbers" not in values("size").caption


NOTHING = {
    "latency": (made_kept(latency=False), "--latency"),
    "curves": (made_kept(runs(epochs=0), epochs=0, methods=("imagenet-top1",)), "--epochs 1"),
    "capacitance": (made_kept(epochs=1, methods=("best-value",)), "--epochs 2"),
    "agreement": (made_kept(runs(truth=False)), "--epochs"),
    "size": (
        made_kept([dataclasses.replace(run, facts={}, scores={}) for run in runs()]),
        "not known of any",
    ),
}


@pytest.mark.parametrize("kind", NOTHING)
def test_where_there_is_nothing_to_show_it_says_what_is_missing(kind):
    kept, remedy = NOTHING[kind]
    with pytest.raises(InputError, match=f"^{kind}: .*{remedy}"):
        kept.ranking.plot(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_ranking_has_no_figure(kind):
    empty = dataclasses.replace(RANKING, rows=())
    with pytest.raises(InputError, match="no candidate could be ranked"):
        empty.plot(kind)


def test_an_unknown_kind_names_the_known_ones():
    with pytest.raises(UnknownNameError, match="curves"):
        RANKING.plot("curve")


def test_scores_without_accuracies_are_drawn_as_such():
    scores = Estimates(
        "logme", tuple(Estimate(name, math.nan, score=-float(k)) for k, name in enumerate(NAMES))
    )
    rows = tuple(
        dataclasses.replace(row, accuracy=math.nan, sd=math.nan, score=one.score, p_best=math.nan)
        for row, one in zip(RANKING, scores.estimates, strict=True)
    )
    ranking = dataclasses.replace(RANKING, rows=rows, method="logme")
    figure = values("predictions", ranking)
    assert [one.value for one in figure.predictions] == [0.0, -1.0, -2.0, -3.0]
    assert figure.x_label == "score by logme"
    assert all(math.isnan(one.truth) for one in figure.predictions)
    assert drawn(figure).axes


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_word_is_inside_the_figure(kind, width):
    figure = RANKING.plot(kind, width=width)
    assert isinstance(figure, Figure)
    assert figure.get_figwidth() == pytest.approx(min(width, 5.3) if kind == "agreement" else width)
    figure.draw_without_rendering()
    whole = figure.bbox
    for axes in figure.axes:
        for text in [axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label, *axes.texts]:
            if text.get_text() and text.get_visible():
                box = text.get_window_extent()
                assert box.x0 >= whole.x0 - 4, text
                assert box.x1 <= whole.x1 + 4, text
    for legend in figure.legends:
        assert legend.get_window_extent().x1 <= whole.x1 + 4


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_ranking_gives_the_same_file(kind, tmp_path):
    for name in ("first.svg", "second.svg"):
        save(SMALL.plot(kind, width=3.0), tmp_path / name)
    assert (tmp_path / "first.svg").read_bytes() == (tmp_path / "second.svg").read_bytes()


def test_a_figure_is_saved_as_pixels_too(tmp_path):
    save(SMALL.plot(), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_a_notebook_shows_a_figure_without_being_told():
    assert "<svg" in RANKING.plot()._repr_svg_()


def test_names_that_look_like_formulas_are_written_as_they_are():
    names = ("$x_{$", "a$b$c", "ctrl\x00\x1b", "two\nlines", "100% \\frac")
    ranking = made_kept(runs(names)).ranking
    shown = {
        text.get_text().replace("\\$", "$")
        for kind in KINDS
        for axes in ranking.plot(kind).axes
        for text in (*axes.texts, axes._left_title, *axes.get_yticklabels())
    }
    assert {"$x_{$", "a$b$c", "ctrl��", "two�lines"} <= shown
