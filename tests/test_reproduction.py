"""The paper's tables and figures from made and from real runs."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import subprocess
import sys
import typing
from pathlib import Path

import numpy as np
import pytest
from made_runs import made_run, rising_curve
from scipy.stats import spearmanr

from ncselect.methods import parsed_method
from ncselect.numerics.agreement import bootstrap_counts, compare
from ncselect.numerics.predicted import Predicted
from ncselect.numerics.ridge import ridge_line
from ncselect.reproduction import SCALES, TARGETS, Pool, Repeat, paper, read, reproduced
from ncselect.reproduction.agreement import (
    Resamples,
    counted,
    gain,
    improvement,
    interval,
    mean_rhos,
    rho,
)
from ncselect.reproduction.pools import sorted_out
from ncselect.reproduction.protocol import deviations, open_choices
from ncselect.reproduction.request import reproduction
from ncselect.reproduction.result import check_output
from ncselect.types import Observation, Settings
from zoo.errors import InputError, UnknownNameError

REFERENCE = Path(__file__).parent / "reference" / "neural_capacitance_tables.txt"
IN_PAPER = {"Ours": "capacitance", **{v: k for k, v in paper.NAMES.items() if v != "Ours"}}


def printed_rows():
    rows = {}
    for line in REFERENCE.read_text().splitlines():
        if not line.startswith("#"):
            table, name, *cells = line.split()
            rows[table, name] = [None if cell == "–" else float(cell) for cell in cells]
    return rows


def pool(dataset="cifar10", models=6, repeats=2, epochs=16, reduced=(), horizon=16, **more):
    """Return made runs: the better the model, the faster it rises."""

    def runs(seed, length, counts):
        rng = np.random.default_rng([seed, counts])
        return tuple(
            dataclasses.replace(
                run,
                spec=dataclasses.replace(
                    run.spec,
                    data={
                        "counts": {"train": counts, "validation": 500, "test": 500},
                        **({} if length == horizon else {"in_order": True}),
                    },
                ),
            )
            for run in (
                made_run(
                    f"Net{place}",
                    rising_curve(0.6 + 0.05 * place, 0.4 + 0.1 * place, length, rng, 0.01),
                    dataset=dataset,
                    seed=seed,
                    truth={horizon: 0.6 + 0.05 * place + 0.01 * rng.random()}
                    if length == horizon
                    else {},
                    **more,
                )
                for place in range(models)
            )
        )

    return Pool(
        dataset,
        horizon,
        tuple(Repeat(seed, runs(seed, epochs, 1000)) for seed in range(repeats)),
        {
            size: tuple(Repeat(seed, runs(seed, 15, size)) for seed in range(repeats))
            for size in reduced
        },
    )


SMALL = dataclasses.replace(
    SCALES["small"],
    starts=(1, 2),
    curve=(5, 8),
    sizes=(200, 400),
    lc_steps=40,
)
QUICK = dataclasses.replace(SMALL, lengths=(5,))


# The paper's numbers


def test_the_printed_numbers_are_the_papers():
    for (table, name), values in printed_rows().items():
        if table == "table-1" and name == "Imprv":
            held = [value for dataset in paper.DATASETS for value in paper.IMPROVEMENT[dataset]]
        elif table == "table-1":
            of = paper.TABLE_1[IN_PAPER[name]]
            held = [value for dataset in paper.DATASETS for value in of[dataset]]
        elif table == "table-G.2":
            held = [paper.TABLE_G2[IN_PAPER[name]][dataset][0] for dataset in paper.DATASETS]
        elif table == "figure-F.4":
            held = [paper.RHO_F4[dataset] for dataset in paper.DATASETS]
        else:
            held = [paper.COST_G6]
        assert held == values, (table, name)


def test_the_printed_improvements_follow_from_the_printed_correlations_but_one():
    # Rounding to two digits leaves each ρ ± .005. One cell cannot come from its column: on Fashion
    # MNIST at 10 epochs LC (.61) is the best baseline, and .895/.605 − 1 is less than 49.2%.
    for dataset, place in itertools.product(paper.DATASETS, range(2)):
        column = [of[dataset][place] for of in paper.TABLE_1.values()]
        ours, *others = [value for value in column if value is not None]
        low, high = (
            100 * ((ours + sign * 0.005) / (max(others) - sign * 0.005) - 1) for sign in (-1, 1)
        )
        fits = low - 0.05 <= paper.IMPROVEMENT[dataset][place] <= high + 0.05
        assert fits == ((dataset, place) != ("fashion_mnist", 1))


def test_the_papers_pool_is_the_group_paper():
    from zoo.models import GROUPS

    assert sorted(paper.MODELS) == sorted(GROUPS["paper"])
    assert len(paper.MODELS) == 17


def test_the_scale_paper_is_the_published_protocol():
    scale, settings = SCALES["paper"], Settings()
    assert (scale.horizon, scale.repeats, scale.lengths) == (50, 20, (5, 10))
    assert scale.datasets == tuple(paper.DATASETS)
    assert scale.sizes == (10_000, 15_000, 20_000, 25_000, 30_000)
    assert scale.sizes_validation == 10_000
    assert (settings.batch_size, settings.learning_rate) == (64, 0.001)


@pytest.mark.parametrize("scale", SCALES.values(), ids=list(SCALES))
def test_every_scale_trains_as_far_as_it_reads(scale):
    assert max(scale.lengths) <= scale.horizon
    assert max(scale.curve) + max(scale.starts) - 1 <= scale.horizon
    assert min(scale.curve) >= 2


# ρ over repeats


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
    assert gain(truth, score, score).high == 0


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


# Sorting stored runs


def all_runs(made):
    reduced = [repeat for repeats in made.reduced.values() for repeat in repeats]
    return [run for repeat in (*made.repeats, *reduced) for run in repeat.runs]


def test_stored_runs_are_sorted_into_datasets_repeats_and_sizes():
    first, second = pool(reduced=(200, 400)), pool("svhn", repeats=1)
    found = sorted_out([*all_runs(first), *all_runs(second)][::-1], sizes=(200, 400))
    one, other = sorted(found, key=lambda each: each.dataset)
    assert (one.dataset, other.dataset) == ("cifar10", "svhn")
    assert [repeat.seed for repeat in one.repeats] == [0, 1]
    assert set(one.models) == set(first.models)
    assert list(one.reduced) == [200, 400]
    assert one.horizon == 16


def with_data(runs, **data):
    return [
        dataclasses.replace(run, spec=dataclasses.replace(run.spec, data={**run.spec.data, **data}))
        for run in runs
    ]


def test_runs_on_fewer_images_are_of_the_same_images_in_their_order():
    made = pool(reduced=(200, 400))
    full = with_data(made.runs, fingerprint="a", image_shape=[32, 32, 3])
    parts = {
        size: [run for repeat in repeats for run in repeat.runs]
        for size, repeats in made.reduced.items()
    }
    good = with_data(parts[200], fingerprint="a", image_shape=[32, 32, 3])
    for wrong in (
        with_data(parts[400], fingerprint="b", image_shape=[64, 64, 3]),
        with_data(parts[400], fingerprint="a", image_shape=[32, 32, 3], in_order=False),
    ):
        (found,) = sorted_out([*full, *good, *wrong], sizes=(200, 400))
        assert list(found.reduced) == [200]


def with_spec(runs, **changed):
    return [dataclasses.replace(run, spec=dataclasses.replace(run.spec, **changed)) for run in runs]


def test_of_runs_that_differ_in_threads_alone_the_first_is_taken():
    runs = all_runs(pool(repeats=1, models=3))
    one, two = (with_spec(runs, environment={"threads": text}) for text in "12")
    (found,) = sorted_out([*one, *two])
    assert [run.spec.environment["threads"] for run in found.runs] == ["1"] * 3


def test_two_runs_of_one_candidate_are_refused_by_what_differs():
    runs = all_runs(pool(repeats=1, models=3))
    other = with_spec(runs[:1], candidate={**runs[0].spec.candidate, "weights": "sha256:b"})
    with pytest.raises(InputError, match=r"differ in candidate.weights: None, sha256:b"):
        sorted_out([*runs, *other])


def test_datasets_that_end_at_different_epochs_are_refused_by_their_ends():
    longer = all_runs(pool("svhn", repeats=1, horizon=20, epochs=20))
    with pytest.raises(InputError, match=r"cifar10 at 16, svhn at 20; choose with --datasets"):
        sorted_out([*all_runs(pool(repeats=1)), *longer])


def test_a_dataset_can_be_called_by_the_papers_name():
    (found,) = sorted_out(all_runs(pool("cifar10_12k")), names={"cifar10_12k": "cifar10"})
    assert found.dataset == "cifar10"


def other_settings(runs):
    return [
        dataclasses.replace(
            run, spec=dataclasses.replace(run.spec, settings=Settings(batch_size=32))
        )
        for run in runs
    ]


def test_runs_of_two_protocols_are_told_apart_or_refused():
    runs = all_runs(pool(repeats=1))
    both = [*runs, *other_settings(runs)]
    with pytest.raises(InputError, match=r"differ in settings.batch_size: 32, 64; .*--where"):
        sorted_out(both)
    (found,) = sorted_out(both, where={"settings.batch_size": "32"})
    assert found.runs[0].spec.settings.batch_size == 32


BAD = {
    "nothing": ([], {}, "it holds no runs"),
    "value": (None, {"where": {"seed": "7"}}, r"no run has '7'; there are 0"),
    "name": (None, {"where": {"sead": "0"}}, "seed"),
    "dataset": (None, {"names": {"cifar11": "cifar10"}}, "cifar10"),
    "horizon": (None, {"horizon": 99}, "none of its 6 runs has a test accuracy at epoch 99"),
}


@pytest.mark.parametrize(("runs", "asked", "remedy"), BAD.values(), ids=list(BAD))
def test_runs_that_cannot_be_sorted_are_refused(runs, asked, remedy):
    with pytest.raises(InputError, match=remedy):
        sorted_out(all_runs(pool(repeats=1)) if runs is None else runs, **asked)


# The targets


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_is_made_with_figures_tables_and_words(target, tmp_path):
    made = [pool(models=3, reduced=(200, 400)), pool("digits", models=3, repeats=1)]
    result = reproduced(target, made, QUICK)
    assert result.target == target
    assert result.tables
    assert all(len(row) == len(table.headings) for table in result.tables for row in table.rows)
    document = json.loads((result.save(tmp_path, command="x")[0]).read_text())
    assert document["command"] == "x"
    assert document["figures"]
    assert document["protocol"]["datasets"]["cifar10"]["seeds"] == [0, 1]
    assert document["protocol"]["scale"]["name"] == "small"
    assert any("T = 16 epochs (paper: 50)" in line for line in document["deviations"])
    assert any("2 repeats (paper: 20)" in line for line in document["deviations"])
    assert any("Too few models" in note for note in document["notes"])
    assert (tmp_path / f"{target}.png").stat().st_size > 10_000
    assert (tmp_path / f"{target}.svg").read_text().startswith("<?xml")
    assert "differs from the paper" in result._repr_html_()


def test_table_1_is_rho_against_the_truth_beside_the_papers():
    made = pool()
    cells = reproduced("table1", [made], QUICK).figures["cifar10"]["5"]
    truth = [[run.truth[16] for run in repeat.runs] for repeat in made.repeats]
    last = [[run.curve("validation-accuracy")[4] for run in one.runs] for one in made.repeats]
    expected = np.mean([spearmanr(*each).statistic for each in zip(truth, last, strict=True)])
    assert cells["last-value"]["value"] == pytest.approx(expected)
    assert cells["last-value"]["paper"] == 0.85
    assert cells["capacitance"]["paper"] == 0.93
    assert cells["bgrn"]["reason"].startswith("it learns from 6 finished curves or more and 5 of 5")
    assert cells["bgrn"]["n"] == 0
    assert cells["improvement_percent"]["paper"] == 9.1


def test_methods_may_be_asked_in_several_processes():
    alone, spread = (
        reproduced("figure-f4", [pool(models=3)], SMALL).figures,
        reproduced("figure-f4", [pool(models=3)], SMALL, workers=2).figures,
    )
    assert json.dumps(alone) == json.dumps(spread)


def test_figure_3a_counts_alexnet_and_does_not_draw_it():
    made = pool()
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
    made = pool()
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
            for one in pool(dataset).repeats
        ]
        result = reproduced("figure3a", [Pool(dataset, 16, tuple(renamed))], SMALL)
        (found,) = [line for line in result.notes if "is not drawn" in line]
        return found

    assert "paper: 0.871 and 0.868" in note("cifar10")
    assert "(paper: 0.92)" in note("cifar10")
    assert "paper" not in note("svhn")


@pytest.mark.parametrize("target", ["table1", "figure3a", "figure-f5", "table-g2"])
def test_a_repeat_that_has_just_begun_is_left_out_and_said(target):
    made = pool(repeats=2)
    begun = tuple(
        dataclasses.replace(run, observations=run.observations[:3], status="running", truth={})
        for run in made.repeats[0].runs
    )
    with_it = Pool("cifar10", 16, (Repeat(0, begun), made.repeats[1]))
    alone = Pool("cifar10", 16, made.repeats[1:])
    found, expected = (reproduced(target, [one], QUICK) for one in (with_it, alone))
    if target != "table-g2":
        assert found.tables == expected.tables
        said = "left out: all of seed 0"
        assert any(said in note and "epochs yet" in note for note in found.notes)
    assert any("1 repeat," in note for note in found.notes)
    with pytest.raises(InputError, match="came to its end"):
        reproduced(target, [Pool("cifar10", 16, (Repeat(0, begun),))], QUICK)


def test_every_setting_that_the_paper_states_is_compared():
    settings = Settings(
        probe_units=(64, 32), probe_dropout=0.1, observation_steps=20, measure_whole=True
    )
    runs = [Repeat(one.seed, tuple(with_spec(one.runs, settings=settings)))
            for one in pool().repeats]  # fmt: skip
    lines = deviations([Pool("cifar10", 16, tuple(runs))], all_datasets=False)
    for said in ("64 and 32 (paper: 256 and 128)", "Dropout 0.1 (paper: 0.4)",
                 "every 20 training steps"):  # fmt: skip
        assert any(said in line for line in lines), said
    assert not any("β_eff is measured" in line for line in lines)
    plain = deviations([pool()], all_datasets=False)
    assert any("β_eff is measured on 512 of 1,000 training images" in line for line in plain)
    assert not any("Dropout" in line or "Probe unit" in line for line in plain)
    assert "probe_size" not in open_choices(settings)


def test_networks_that_see_larger_images_are_named():
    made = pool(models=3, repeats=1)
    runs = (dataclasses.replace(made.runs[0], facts={"resized_to": [75, 75]}), *made.runs[1:])
    lines = deviations([Pool("cifar10", 16, (Repeat(0, runs),))], all_datasets=False)
    assert any("take no others: Net0 75 px" in line for line in lines)


@pytest.mark.parametrize(("classes", "caltech"), [(200, True), (400, False)])
def test_caltechs_birds_are_told_by_their_number_of_classes(classes, caltech):
    made = pool("birds")
    runs = [Repeat(one.seed, tuple(with_data(one.runs, classes=classes))) for one in made.repeats]
    lines = deviations([Pool("birds", 16, tuple(runs))], all_datasets=True)
    assert any("Caltech" in line for line in lines) == caltech


def test_capacitance_reads_the_whole_training_set_where_runs_measured_it():
    whole = pool()
    rng = np.random.default_rng(3)
    runs = []
    for one in whole.repeats:
        changed = with_spec(one.runs, settings=Settings(measure_whole=True))
        runs.append(Repeat(one.seed, tuple(
            dataclasses.replace(run, observations=tuple(
                dataclasses.replace(seen, signals={
                    **seen.signals, "beta/base/held/signed@all": float(rng.random())
                }) for seen in run.observations
            )) for run in changed
        )))  # fmt: skip
    made = Pool("cifar10", 16, tuple(runs))
    found = reproduced("figure-f4", [made], SMALL)
    asked = parsed_method("capacitance:subset=all")
    first = asked.estimate([run.observed(5) for run in made.repeats[0].runs]).estimates
    second = asked.estimate([run.observed(5) for run in made.repeats[1].runs]).estimates
    for one, other in zip(first, second, strict=True):
        mean = found.figures["cifar10"]["models"][one.model]["predicted"]
        assert mean == pytest.approx((one.mean + other.mean) / 2)


def test_figure_3b_fits_all_epochs_from_t0():
    from ncselect.methods.capacitance import Capacitance
    from ncselect.reproduction.starts import window_scores

    made, method = pool(models=2, repeats=1), Capacitance()
    run = made.runs[1]
    line = ridge_line(method.inputs(run)[2:8], run.curve("validation-accuracy")[2:8])
    assert window_scores(made, method, 3, 6)[0, 1] == line.mean
    # From the first epoch on, with as many epochs as the window, it is the method itself.
    own = method.estimate([run.observed(5)]).estimates[0].score
    assert window_scores(made, method, 1, 5)[0, 1] == own


def test_figure_3b_needs_runs_as_long_as_its_last_window():
    with pytest.raises(InputError, match="end at epoch 16; figure 3b reads up to epoch 23"):
        reproduced("figure3b", [pool()], SCALES["small"])


def test_figure_3c_holds_fewer_images_against_the_truth_of_all():
    made = pool(reduced=(200, 400))
    lines = reproduced("figure3c", [made], SMALL).figures["cifar10"]
    assert list(lines) == ["200", "400", "1000"]
    all_images = reproduced("figure-f4", [made], SMALL).figures["cifar10"]
    assert lines["1000"]["5"]["value"] == all_images["rho"]["value"]
    assert "full_minus_it" in lines["200"]["5"]
    assert "full_minus_it" not in lines["1000"]["5"]
    assert (lines["200"]["5"]["n"], lines["200"]["5"]["repeats"]) == (6, 2)
    said = reproduced("figure3c", [made], SMALL).deviations
    assert any("end after 15 epochs (paper: 50)" in line for line in said)
    larger = Pool(made.dataset, 16, made.repeats, {1000: made.reduced[200]})
    with pytest.raises(InputError, match="not on fewer than those on all 1,000"):
        reproduced("figure3c", [larger], SMALL)
    with pytest.raises(InputError, match="ncselect reproduce figure3c --scale small"):
        reproduced("figure3c", [pool()], SMALL)


def test_figure_g6_is_the_slope_through_zero():
    def timed(run, seconds):
        return dataclasses.replace(
            run,
            observations=tuple(
                Observation(one.epoch, one.signals, seconds, 0.25 * seconds)
                for one in run.observations
            ),
        )

    made = pool(models=3, repeats=1)
    runs = tuple(timed(run, 2.0 + place) for place, run in enumerate(made.runs))
    result = reproduced("figure-g6", [Pool("cifar10", 16, (Repeat(0, runs),))], SMALL)
    slope = result.figures["slope"]
    assert (slope["value"], slope["low"], slope["high"]) == pytest.approx((0.25, 0.25, 0.25))
    assert slope["paper"] == 1.332


def test_a_dataset_whose_runs_all_failed_is_left_out_and_said():
    lost = pool("svhn", repeats=1, status="failed", error="killed: out of memory")
    result = reproduced("figure-f4", [pool(), lost], SMALL)
    assert list(result.figures) == ["cifar10"]
    assert any("no run on svhn came to its end" in note for note in result.notes)
    with pytest.raises(InputError, match="killed: out of memory"):
        reproduced("figure-f4", [lost], SMALL)


def test_a_failed_run_is_left_out_and_said():
    made = pool(repeats=1)
    runs = (dataclasses.replace(made.runs[0], status="failed", error="diverged"), *made.runs[1:])
    result = reproduced("figure-f5", [Pool("cifar10", 16, (Repeat(0, runs),))], SMALL)
    assert result.figures["cifar10"]["5"]["best-value"]["n"] == 5
    assert any("left out: Net0, seed 0 on cifar10: the run failed: diverged" in note
               for note in result.notes)  # fmt: skip


# Reading and the command line


def test_a_store_that_is_not_there_is_made_by_the_command_that_is_named(tmp_path):
    with pytest.raises(InputError, match="ncselect reproduce table1 --scale tiny --store"):
        read("table1", tmp_path / "gone", scale="tiny")
    with pytest.raises(UnknownNameError, match="table1"):
        read("table3", tmp_path)


def ncselect(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "ncselect", *map(str, arguments)],
        env={**os.environ, "NCSELECT_CACHE": str(cwd / "cache")}, cwd=cwd, capture_output=True,
        text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


WRONG = {
    "target": ("table3", "table1"),
    "scale": ("table1 --scale tinny", "tiny"),
    "dataset": ("table1 --scale tiny --datasets digitz", "digits"),
    "twice": ("table1 --scale tiny --datasets digits,digits=digits", "name each once"),
    "repeats": ("table1 --scale tiny --repeats 0", "at least 1"),
    "model": ("table1 --scale tiny --pool MobilNet", "MobileNet"),
    "where": ("table1 --scale tiny --where seed=0", "--stored"),
    "stored": ("table1 --stored --store gone", "ncselect reproduce table1"),
    "output": ("table1 --scale tiny --output taken", "output: nothing can be written to 'taken'"),
    "none": ("table1 --stored --repeats 0", "for runs that are trained"),
    "both": ("table1 --stored --repeats 2", "for runs that are trained"),
}


@pytest.mark.parametrize(("command", "remedy"), WRONG.values(), ids=list(WRONG))
def test_bad_input_says_the_remedy_and_exits_with_2(tmp_path, command, remedy):
    (tmp_path / "taken").write_text("")
    done = ncselect("reproduce", *command.split(), cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert remedy in done.stderr
    assert "Traceback" not in done.stderr


def test_help_loads_nothing_heavy():
    program = (
        "import sys\nfrom ncselect.cli import main\n"
        "sys.argv = ['ncselect', 'reproduce', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'keras', 'tensorflow', 'jax', 'sklearn', 'pandas', 'scipy', 'matplotlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_reproduce_from_end_to_end(tmp_path, small_network):
    pool_option = ",".join(str(small_network(width)) for width in (4, 8))
    asked = ("reproduce", "figure3a", "--scale", "tiny", "--pool", pool_option, "--repeats", 1)
    plan = ncselect(*asked, "--plan", cwd=tmp_path)
    assert plan.returncode == 0, plan.stderr
    assert "digits" in plan.stdout
    assert not list((tmp_path / "runs").glob("*/observations.jsonl"))

    done = ncselect(*asked, "--workers", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "reproduced" / "figure3a.json").read_text())
    assert set(document["figures"]["digits"]["models"]) == {"small-4", "small-8"}
    assert document["command"].startswith("python -m ncselect reproduce figure3a --scale tiny")
    assert "Too few models for any conclusion" in done.stdout
    lines = {path: path.read_text() for path in (tmp_path / "runs").glob("*/observations.jsonl")}
    assert len(lines) == 2

    again = ncselect(*asked, "--workers", 2, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert {path: path.read_text() for path in lines} == lines
    assert json.loads((tmp_path / "reproduced" / "figure3a.json").read_text()) == document

    stored = ncselect("reproduce", "figure-g6", "--scale", "tiny", "--stored", cwd=tmp_path)
    assert stored.returncode == 0, stored.stderr
    costs = json.loads((tmp_path / "reproduced" / "figure-g6.json").read_text())
    assert set(costs["figures"]["datasets"]["digits"]) == {"small-4", "small-8"}
    found = read("figure3a", tmp_path / "runs", scale="tiny")
    assert found.to_json()["figures"] == document["figures"]


# What is asked for


def asked_for(tmp_path, **more):
    return reproduction("figure3a", datasets=["digits"], store=tmp_path / "runs", **more)


def weights_file(folder, entries):
    path = folder / "own.toml"
    path.write_text("".join(f"[[model]]\n{entry}\n" for entry in entries))
    return str(path)


def test_alexnet_without_weights_is_told_before_anything_is_trained(tmp_path):
    asked = asked_for(tmp_path, scale="tiny", pool="AlexNet,MobileNet")
    assert {job.spec.model for job in asked.jobs} == {"MobileNet"}
    assert "pool file" in asked.plan.missing["AlexNet"]
    with pytest.raises(InputError, match="can be run: AlexNet: Keras has no ImageNet weights"):
        asked_for(tmp_path, scale="tiny", pool=["AlexNet"])


@pytest.mark.parametrize("listed", ["paper,{}", "{},paper"])
def test_a_pool_files_entry_takes_the_place_of_the_groups(tmp_path, listed):
    own = weights_file(tmp_path, ['name = "AlexNet"\napplication = "AlexNet"\nweights = "random"'])
    asked = asked_for(tmp_path, scale="tiny", pool=[listed.format(own)], repeats=1)
    assert sorted(job.spec.model for job in asked.jobs) == sorted(paper.MODELS)
    assert not asked.plan.missing
    (alexnet,) = [job for job in asked.jobs if job.spec.model == "AlexNet"]
    assert alexnet.spec.candidate["weights"] == "random"


def images(path, counts, classes=10, seed=0):
    rng = np.random.default_rng(seed)
    arrays = {}
    for split, count in counts.items():
        arrays[f"x_{split}"] = rng.integers(0, 255, (count, 4, 4), dtype=np.uint8)
        arrays[f"y_{split}"] = np.resize(np.arange(classes), count)
    np.savez(path, **arrays)
    return path


def test_the_papers_numbers_of_images_hold_wherever_they_lie(tmp_path, monkeypatch):
    monkeypatch.setenv("NCSELECT_CACHE", str(tmp_path / "cache"))
    path = images(tmp_path / "fashion.npz", {"train": 16_000, "test": 50})
    made = reproduction(
        "figure3a", scale="paper", pool="MobileNet", repeats=1, store=tmp_path / "runs",
        datasets=[f"fashion_mnist={path}"],
    )  # fmt: skip
    (job,) = made.jobs
    assert job.spec.data["counts"] == {"train": 1_000, "validation": 15_000, "test": 50}
    assert job.spec.settings.measure_whole


def test_runs_on_fewer_images_say_that_theirs_are_in_order(tmp_path):
    asked = reproduction("figure3c", scale="tiny", pool="MobileNet", repeats=1,
                         store=tmp_path / "runs")  # fmt: skip
    full, *parts = [(part.size, part.jobs[0].spec.data) for part in asked.parts]
    assert full[0] is None
    assert "in_order" not in full[1]
    assert [size for size, _ in parts] == list(SCALES["tiny"].sizes)
    assert all(data["in_order"] for _, data in parts)
    assert {data["fingerprint"] for _, data in parts} == {full[1]["fingerprint"]}


def test_the_plan_says_what_lc_takes_after_the_training(tmp_path):
    asked = {
        target: reproduction(target, scale="tiny", pool="MobileNet", store=tmp_path / "runs")
        for target in ("table1", "figure2")
    }
    sampled = dataclasses.replace(asked["table1"].scale, lc_steps=2_500)
    table = dataclasses.replace(asked["table1"], scale=sampled)
    # Two lengths, one model, two repeats, 3.5 seconds each.
    assert table.answering_seconds == pytest.approx(14.0)
    assert asked["figure2"].answering_seconds == 0


def test_too_few_images_are_refused_by_the_dataset_and_the_scale(tmp_path, monkeypatch):
    monkeypatch.setenv("NCSELECT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(InputError, match="digits cannot be split as the scale 'small' asks") as no:
        reproduction("table1", scale="small", pool="MobileNet", datasets=["digits"],
                     store=tmp_path / "runs")  # fmt: skip
    assert "--test-size" not in str(no.value)
    assert "another scale (paper, tiny)" in str(no.value)
    path = images(tmp_path / "sorted.npz", {"train": 600, "test": 300})
    with np.load(path) as held:
        arrays = dict(held)
    arrays["y_train"] = np.sort(arrays["y_train"])
    np.savez(path, **arrays)
    tiny = {"scale": "tiny", "pool": "MobileNet", "store": tmp_path / "runs"}
    with pytest.raises(InputError, match="cannot be split as the scale 'tiny' asks"):
        reproduction("figure3c", datasets=[str(path)], **tiny)
    arrays |= {name: np.concatenate([arrays[name]] * 2) for name in ("x_train", "y_train")}
    arrays["y_train"] = np.sort(arrays["y_train"])
    np.savez(path, **arrays)
    with pytest.raises(InputError, match="mixed order"):
        reproduction("figure3c", datasets=[str(path)], **tiny)


def test_an_output_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"output: nothing can be written to .*file"):
        check_output(tmp_path / "file")
    check_output(tmp_path / "new" / "one")
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "one"]


# What the README says


def readme_row(name):
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    (row,) = [line for line in readme.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip().replace(",", "") for cell in row.strip("|").split("|")][1:]


ROWS = {
    "datasets": lambda scale: " ".join(scale.datasets),
    "repeats": lambda scale: str(scale.repeats),
    "epochs T": lambda scale: str(scale.horizon),
    "images to train, validate, test": lambda scale: (
        f"{scale.train} {scale.validation} {scale.test}" if scale.train else "the paper's"
    ),
    "β_eff measured on": lambda scale: (
        "all training images" if scale.measure_whole else f"{Settings().probe_size} of them"
    ),
    "lengths, table 1": lambda scale: " ".join(map(str, scale.lengths)),
    "lengths, figures": lambda scale: f"{scale.curve[0]} to {scale.curve[-1]}",
    "t0, figure 3b": lambda scale: " ".join(map(str, scale.starts)),
    "images, figure 3c": lambda scale: " ".join(map(str, scale.sizes)),
    "images that validate there": lambda scale: str(scale.sizes_validation),
    "steps of `lc`": lambda scale: str(scale.lc_steps),
}


@pytest.mark.parametrize("row", ROWS)
def test_the_readme_shows_every_number_of_every_scale(row):
    assert readme_row(row) == [ROWS[row](scale) for scale in SCALES.values()]


@pytest.mark.parametrize("target", TARGETS)
def test_the_readme_and_the_help_name_every_target(target):
    from ncselect.cli.reproduce import reproduce

    assert f"`{target}`" in (Path(__file__).parents[1] / "README.md").read_text()
    hints = typing.get_type_hints(reproduce, include_extras=True)
    (argument,) = hints["target"].__metadata__
    assert target in argument.help
