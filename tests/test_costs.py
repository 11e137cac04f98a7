"""Figure G.6 from made runs: which seconds count as T_β, and that it says which."""

from __future__ import annotations

import dataclasses
import math

import pytest
from made_runs import made_run

from ncselect.reproduction.costs import figure_g6
from ncselect.reproduction.material import Material
from ncselect.reproduction.pools import Pool, Repeat
from ncselect.reproduction.scales import SCALES
from ncselect.spec import Settings
from ncselect.types import Observation
from zoo.errors import InputError


def timed_pool(dataset, beta, *, whole=False, epochs=5):
    """Return runs of three models whose epochs take 1, 2 and 3 s, the first of them a minute.

    Half of that again is measuring, and the share ``beta`` of it is on the training images.
    """

    def run(place):
        made = made_run(f"Net{place}", [0.5 + 0.01 * epoch for epoch in range(epochs)],
                        dataset=dataset, truth={epochs: 0.6})  # fmt: skip
        seconds = [0.0, 60.0, *[float(place)] * (epochs - 1)]
        return dataclasses.replace(
            made,
            spec=dataclasses.replace(made.spec, settings=Settings(measure_whole=whole)),
            observations=tuple(
                Observation(
                    one.epoch, one.signals, spent, 0.5 * spent,
                    None if beta is None else beta * spent,
                )
                for one, spent in zip(made.observations, seconds, strict=True)
            ),
        )  # fmt: skip

    return Pool(dataset, epochs, (Repeat(0, tuple(run(place) for place in (1, 2, 3))),))


def figure(*pools):
    return figure_g6(Material(pools=tuple(pools), scale=SCALES["tiny"]))


def test_seconds_on_training_images_are_t_beta_where_every_observation_has_them():
    found = figure(timed_pool("cifar10", 0.25), timed_pool("svhn", 0.25))
    assert found.figures["t_beta"] == "beta_seconds"
    slope = found.figures["slope"]
    assert slope["value"] == pytest.approx(0.25)
    assert math.isnan(slope["low"])  # all points on one line: no resample differs
    assert found.figures["datasets"]["svhn"]["Net2"] == {
        "training_seconds": 2.0, "beta_seconds": 0.5, "ratio": 0.25,
    }  # fmt: skip
    assert "on training images" in found.drawing.y_label
    (note,) = [note for note in found.notes if "validation is not in it" in note]
    assert "at most 512 training images" in note


def test_runs_measured_on_the_whole_training_set_are_told():
    note = " ".join(figure(timed_pool("cifar10", 0.25, whole=True)).notes)
    assert "Measured on 512 training images and again on all of them" in note
    mixed = figure(timed_pool("cifar10", 0.25, whole=True), timed_pool("svhn", 0.25))
    assert "in some runs, again on all" in " ".join(mixed.notes)


def test_one_observation_without_them_makes_t_beta_all_that_is_measured():
    found = figure(timed_pool("cifar10", 0.25), timed_pool("svhn", None))
    assert found.figures["t_beta"] == "measuring_seconds"
    assert found.figures["slope"]["value"] == pytest.approx(0.5)
    assert found.figures["datasets"]["cifar10"]["Net3"]["measuring_seconds"] == 1.5
    assert "not the same quantity" in " ".join(found.notes)
    assert "validation is not in it" not in " ".join(found.notes)


def test_what_the_skipped_epochs_lack_does_not_matter():
    pool = timed_pool("cifar10", 0.25)
    (repeat,) = pool.repeats
    runs = tuple(
        dataclasses.replace(
            run,
            observations=tuple(
                dataclasses.replace(one, beta_seconds=None) if one.epoch < 2 else one
                for one in run.observations
            ),
        )
        for run in repeat.runs
    )
    found = figure(Pool("cifar10", 5, (Repeat(0, runs),)))
    assert found.figures["t_beta"] == "beta_seconds"


def test_runs_of_one_epoch_are_refused():
    with pytest.raises(InputError, match="no run has two epochs"):
        figure(timed_pool("cifar10", 0.25, epochs=1))
