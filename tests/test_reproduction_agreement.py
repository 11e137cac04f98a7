"""ρ over several repeats, with its intervals."""

from __future__ import annotations

import numpy as np
import pytest
from made_pools import made_pool
from scipy.stats import spearmanr

from ncselect.numerics.agreement import Interval, bootstrap_counts, compare
from ncselect.numerics.predicted import Predicted
from ncselect.reproduction.agreement import (
    Resamples,
    counted,
    gain,
    improvement,
    interval,
    mean_rhos,
    rho,
)
from ncselect.reproduction.cells import said
from ncselect.reproduction.wording import interval_note


def made_scores(repeats=3, models=7):
    rng = np.random.default_rng(4)
    truth = rng.random((repeats, models))
    return truth, truth + 0.3 * rng.random((repeats, models))


def test_rho_is_the_mean_of_the_repeats_own():
    truth, score = made_scores()
    expected = np.mean([spearmanr(*each).statistic for each in zip(truth, score, strict=True)])
    assert rho(truth, score).value == pytest.approx(expected)


def test_every_resample_is_that_of_repeated_models_and_repeats():
    truth, score = made_scores()
    truth[1, 2] = np.nan  # a run without truth: its repeat is scored on the other six
    drawn = Resamples.drawn(7, 3)
    values = mean_rhos(truth, score, drawn)
    for row in (0, 1, 7, 400):
        rhos = []
        for repeat, times in enumerate(drawn.repeats[row]):
            models = np.repeat(np.arange(7), drawn.models[row])
            models = models[np.isfinite(truth[repeat, models])]
            one = spearmanr(truth[repeat, models], score[repeat, models]).statistic
            rhos += [one] * int(times)
        assert values[row] == pytest.approx(np.mean(rhos))


def test_one_repeat_agrees_with_the_comparison_of_methods():
    truth, score = made_scores(repeats=1, models=9)
    said = {"it": Predicted.ordering(score[0])}
    other = compare(truth[0], said, rng=np.random.default_rng(0)).of["it"].rho
    counts = bootstrap_counts(9, 2000, np.random.default_rng(0))
    same = Resamples(np.vstack([np.ones_like(counts[:1]), counts]), np.ones((2001, 1), dtype=int))
    assert interval(mean_rhos(truth, score, same)) == other


def test_a_gain_is_over_the_models_that_both_answered():
    truth, score = made_scores(repeats=1)
    other = score[:, ::-1].copy()
    other[0, 3] = np.nan
    left = [0, 1, 2, 4, 5, 6]
    expected = [spearmanr(truth[0, left], said[0, left]).statistic for said in (score, other)]
    assert gain(truth, score, other).value == pytest.approx(expected[0] - expected[1])
    assert gain(truth, score, score).value == 0


def test_what_orders_nothing_has_no_rho():
    truth, score = made_scores()
    assert np.isnan(rho(truth, np.full_like(score, 0.5)).value)
    assert np.isnan(rho(truth, np.full_like(score, np.nan)).value)


def test_improvement_is_over_the_best_baseline_on_the_models_that_all_order():
    truth, score = made_scores(repeats=1, models=8)
    good = truth + 0.1 * np.random.default_rng(1).random(truth.shape)
    good[0, 5] = np.nan
    left = [0, 1, 2, 3, 4, 6, 7]
    of = {"good": good, "poor": -score, "silent": np.full_like(score, np.nan)}
    found, best = improvement(truth, score, of)
    ours, theirs = (spearmanr(truth[0, left], one[0, left]).statistic for one in (score, good))
    assert best == "good"
    assert found.value == pytest.approx(100 * (ours / theirs - 1))
    assert found.low <= found.value <= found.high
    assert np.isnan(improvement(truth, score, {"poor": -truth})[0].value)
    assert improvement(truth, score, {"silent": of["silent"]})[1] == ""


def test_models_and_repeats_without_a_truth_are_not_among_those_resampled():
    truth, score = made_scores(repeats=2, models=7)
    more = np.full((3, 9), np.nan)
    more[:2, :7] = truth
    scored = np.full((3, 9), 0.5)
    scored[:2, :7] = score
    assert rho(more, scored) == rho(truth, score)
    assert counted(more, scored) == (7, 2)


# No interval where resampling has nothing to vary


NO_WIDTH = {
    "a constant": np.full(2001, 0.8),
    "a constant with gaps": np.where(np.arange(2001) % 3, 0.8, np.nan)[::-1],
    "rounding": 0.8 + 1e-15 * np.arange(2001) / 2001,
    "nothing": np.full(2001, np.nan),
}


@pytest.mark.parametrize("values", NO_WIDTH.values(), ids=list(NO_WIDTH))
def test_resamples_that_do_not_differ_are_no_interval(values):
    found = interval(values)
    assert np.isnan([found.low, found.high]).all()
    assert said(found) in ("0.80 [–]", "–")


def test_an_order_that_no_resample_breaks_has_no_interval():
    truth, _ = made_scores(repeats=1)
    found = rho(truth, truth)
    assert found.value == 1
    assert said(found) == "1.00 [–]"
    assert said(gain(truth, truth, truth)) == "0.00 [–]"


def test_two_models_have_no_interval_but_one_repeat_of_seven_has_that_of_the_models():
    truth, score = made_scores(repeats=1)
    assert said(rho(truth[:, :2], score[:, :2])).endswith("[–]")
    found = rho(truth, score)
    assert found.low < found.value < found.high


def test_an_interval_narrower_than_what_a_cell_shows_is_not_shown_as_certainty():
    narrow = Interval(0.998, 0.9971, 0.9989, 0)
    assert said(narrow) == "1.00 [–]"
    assert said(narrow, 3) == "0.998 [0.997, 0.999]"


@pytest.mark.parametrize(("repeats", "words"), [(1, "models alone"), (2, "models and repeats")])
def test_the_note_says_what_was_resampled(repeats, words):
    note = interval_note([made_pool(repeats=repeats)])
    assert words in note
    assert ("what another seed changes is not in them" in note) == (repeats == 1)
    mixed = interval_note([made_pool(repeats=repeats), made_pool("svhn", repeats=1)])
    assert "what another seed changes is not in them" in mixed
