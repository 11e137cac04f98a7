"""Both readings of a learning curve's length, against windows fitted by hand."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from made_pools import SMALL, made_pool
from scipy.stats import spearmanr

from ncselect.methods.capacitance import Capacitance
from ncselect.numerics.ridge import ridge_line
from ncselect.reproduction import SCALES, reproduced
from ncselect.reproduction.readings import AS_FAR, FROM_T0, latest_start, questions, readings_note

TWO = ["capacitance", FROM_T0]


def noisy_pool():
    """Return runs whose β_eff tells something else in every window."""
    made = made_pool()
    rng = np.random.default_rng(5)
    name = f"beta/{Capacitance().definition}"

    def noisy(run):
        return dataclasses.replace(
            run,
            observations=tuple(
                dataclasses.replace(
                    one, signals={**one.signals, name: 1 / (1 + one.epoch) + 0.1 * rng.random()}
                )
                for one in run.observations
            ),
        )

    return dataclasses.replace(
        made,
        repeats=tuple(
            dataclasses.replace(one, runs=tuple(map(noisy, one.runs))) for one in made.repeats
        ),
    )


def from_t0(run, length, latest):
    """Return h(0) of the window [t0, t0 + length) with the least BIC, fitted one by one."""
    beta, accuracy = Capacitance().inputs(run), run.curve("validation-accuracy")
    seen = accuracy[: latest + length - 1]
    floor = seen.mean() * (1 - seen.mean()) / run.spec.data["counts"]["validation"]
    best = (math.inf, None)
    for t0 in range(1, latest + 1):
        window = slice(t0 - 1, t0 - 1 + length)
        line = ridge_line(beta[window], accuracy[window])
        bic = length * math.log(max(line.residual_variance, floor)) + 3 * math.log(length)
        if bic <= best[0]:
            best = (bic, line.mean)
    return best[1]


@pytest.mark.parametrize("length", [5, 8])
def test_from_t0_is_so_many_epochs_from_the_t0_with_the_least_bic(length):
    made = noisy_pool()
    scale = dataclasses.replace(SMALL, lengths=(length,), starts=(1, 3, 6))
    rhos = [
        spearmanr(
            [run.truth[16] for run in one.runs], [from_t0(run, length, 6) for run in one.runs]
        ).statistic
        for one in made.repeats
    ]
    found = reproduced("figure-f4", [made], scale).figures["cifar10"]
    assert found[FROM_T0]["rho"]["value"] == pytest.approx(np.mean(rhos))
    plain = np.mean([one["predicted"] for one in found["models"].values()])
    other = np.mean([one["predicted"] for one in found[FROM_T0]["models"].values()])
    assert plain != pytest.approx(other)


def test_figure_3b_has_the_windows_of_both_readings():
    made = noisy_pool()
    found = reproduced("figure3b", [made], SMALL).figures["cifar10"]
    assert sorted(found) == TWO
    for reading, window in {FROM_T0: slice(1, 9), "capacitance": slice(1, 8)}.items():
        rhos = []
        for one in made.repeats:
            lines = [
                ridge_line(
                    Capacitance().inputs(run)[window], run.curve("validation-accuracy")[window]
                )
                for run in one.runs
            ]
            truths = [run.truth[16] for run in one.runs]
            rhos.append(spearmanr(truths, [line.mean for line in lines]).statistic)
        assert found[reading]["t0=2"]["8"]["value"] == pytest.approx(np.mean(rhos)), reading
    late = dataclasses.replace(SMALL, starts=(1, 5))
    found = reproduced("figure3b", [made], late).figures["cifar10"]
    assert list(found["capacitance"]["t0=5"]) == ["8"]  # [5, 5] is no line
    assert list(found[FROM_T0]["t0=5"]) == ["5", "8"]


def test_the_second_reading_is_held_against_the_last_value_of_as_many_epochs():
    made = noisy_pool()
    cell = reproduced("figure-f5", [made], SMALL).figures["cifar10"]["5"]
    rhos = [
        spearmanr(
            [run.truth[16] for run in one.runs],
            [run.curve("validation-accuracy")[5] for run in one.runs],  # 5 epochs from t0 = 2
        ).statistic
        for one in made.repeats
    ]
    assert cell[AS_FAR]["value"] == pytest.approx(np.mean(rhos))
    less = cell[FROM_T0]["value"] - cell[AS_FAR]["value"]
    assert cell[AS_FAR]["capacitance_from_t0_minus_it"]["value"] == pytest.approx(less)
    assert cell[AS_FAR]["paper"] is None


def test_the_latest_start_is_figure_3bs_or_the_last_that_fits():
    scale = SCALES["paper"]
    assert [latest_start(scale, length, 15) for length in (5, 7, 10, 15)] == [9, 9, 6, 1]
    asked = questions(scale, TWO, [5], end=50)
    assert [(one.method, one.epochs) for one in asked] == [
        ("capacitance:subset=all", 5),
        ("capacitance:subset=all,window=5", 13),
    ]
    note = readings_note(scale, [5, 15], end=15)
    assert "t0 of 1 to 9 (to 1 at L = 15, where the runs end)" in note
    assert "up to 8 epochs of training more" in note
