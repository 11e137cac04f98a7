"""What single figures show, from made runs."""

from __future__ import annotations

import dataclasses

import pytest
from made_pools import SMALL, made_pool, with_spec

from ncselect.numerics.ridge import ridge_line
from ncselect.reproduction import SCALES, Pool, Repeat, reproduced
from ncselect.types import Observation
from zoo.errors import InputError


def test_figure_3a_counts_alexnet_and_does_not_draw_it():
    made = made_pool()
    renamed = tuple(
        Repeat(
            one.seed,
            tuple(
                dataclasses.replace(
                    run, spec=dataclasses.replace(run.spec, model="AlexNet")
                )
                if run.spec.model == "Net0"
                else run
                for run in one.runs
            ),
        )
        for one in made.repeats
    )  # fmt: skip
    result = reproduced("figure3a", [Pool("cifar10", 16, renamed)], SMALL)
    values = result.figures["cifar10"]
    assert "AlexNet" in values["models"]
    assert "AlexNet" not in {dot.label for dot in result.drawing.panels[0].dots}
    assert values["rho"]["value"] != values["rho_without_alexnet"]["value"] or (
        values["rho"]["value"] == 1.0
    )
    assert any("is not drawn" in note for note in result.notes)


def test_figure_3a_is_made_where_alexnet_failed():
    made = made_pool()
    runs = [
        tuple(
            dataclasses.replace(
                run,
                spec=dataclasses.replace(run.spec, model="AlexNet"),
                status="failed",
                error="no weights",
                truth={},
            )
            if run.spec.model == "Net0"
            else run
            for run in one.runs
        )
        for one in made.repeats
    ]
    failed = Pool("cifar10", 16, tuple(Repeat(seed, one) for seed, one in enumerate(runs)))
    result = reproduced("figure3a", [failed], SMALL)
    values = result.figures["cifar10"]
    assert "AlexNet" not in values["models"]
    assert (values["rho"]["n"], values["rho"]["repeats"]) == (5, 2)
    assert any("n = 5 of 6 models, 2 repeats" in note for note in result.notes)
    assert not any("is not drawn" in note for note in result.notes)


def test_the_papers_alexnet_is_named_on_its_own_dataset_alone():
    def note(dataset):
        renamed = [
            Repeat(one.seed, (*with_spec(one.runs[:1], model="AlexNet"), *one.runs[1:]))
            for one in made_pool(dataset).repeats
        ]
        result = reproduced("figure3a", [Pool(dataset, 16, tuple(renamed))], SMALL)
        found = {line.split(":")[0]: line for line in result.notes if "is not drawn" in line}
        assert list(found) == ["capacitance", "capacitance-from-t0"]
        return found["capacitance"]

    assert "paper: 0.871 and 0.868" in note("cifar10")
    assert "(paper: 0.92)" in note("cifar10")
    assert "paper" not in note("svhn")


def test_figure_3b_fits_all_epochs_from_t0():
    from ncselect.methods.capacitance import Capacitance
    from ncselect.reproduction.starts import window_scores

    made, method = made_pool(models=2, repeats=1), Capacitance()
    run = made.runs[1]
    line = ridge_line(method.inputs(run)[2:8], run.curve("validation-accuracy")[2:8])
    assert window_scores(made, method, 3, 6)[0, 1] == line.mean
    # From the first epoch on, with as many epochs as the window, it is the method itself.
    own = method.estimate([run.observed(5)]).estimates[0].score
    assert window_scores(made, method, 1, 5)[0, 1] == own


def test_figure_3b_needs_runs_as_long_as_its_last_window():
    with pytest.raises(InputError, match="end at epoch 16; figure 3b reads up to epoch 23"):
        reproduced("figure3b", [made_pool()], SCALES["small"])


def test_figure_3c_holds_fewer_images_against_the_truth_of_all():
    made = made_pool(reduced=(200, 400))
    lines = reproduced("figure3c", [made], SMALL).figures["cifar10"]["capacitance"]
    assert list(lines) == ["200", "400", "1000"]
    all_images = reproduced("figure-f4", [made], SMALL).figures["cifar10"]
    assert lines["1000"]["5"]["value"] == all_images["rho"]["value"]
    other = reproduced("figure3c", [made], SMALL).figures["cifar10"]["capacitance-from-t0"]
    assert other["1000"]["5"]["value"] == all_images["capacitance-from-t0"]["rho"]["value"]
    assert "full_minus_it" in lines["200"]["5"]
    assert "full_minus_it" not in lines["1000"]["5"]
    assert (lines["200"]["5"]["n"], lines["200"]["5"]["repeats"]) == (6, 2)
    said = reproduced("figure3c", [made], SMALL).deviations
    assert any("end after 15 epochs (paper: 50)" in line for line in said)
    larger = Pool(made.dataset, 16, made.repeats, {1000: made.reduced[200]})
    with pytest.raises(InputError, match="not on fewer than those on all 1,000"):
        reproduced("figure3c", [larger], SMALL)
    with pytest.raises(InputError, match="ncselect reproduce figure3c --scale small"):
        reproduced("figure3c", [made_pool()], SMALL)


def test_figure_g6_is_the_slope_through_zero():
    def timed(run, seconds, share):
        return dataclasses.replace(
            run,
            observations=tuple(
                Observation(one.epoch, one.signals, seconds, 0.25 * share * seconds)
                for one in run.observations
            ),
        )

    made = made_pool(models=3, repeats=1)
    x, shares = [2.0, 3.0, 4.0], [1.0, 1.2, 0.9]
    y = [one * share for one, share in zip(x, shares, strict=True)]
    runs = tuple(timed(*each) for each in zip(made.runs, x, shares, strict=True))
    result = reproduced("figure-g6", [Pool("cifar10", 16, (Repeat(0, runs),))], SMALL)
    slope = result.figures["slope"]
    expected = [0.25 * sum(map(float.__mul__, x, y)) / sum(map(float.__mul__, x, x))]
    assert [slope["value"]] == pytest.approx(expected)
    assert slope["low"] < slope["value"] < slope["high"]
    assert slope["paper"] == 1.332
