"""What is picked on some targets and reported on others, against chance; what a ranking adds."""

from __future__ import annotations

import dataclasses

import numpy as np
from made_ablation import BAD, GOOD, HORIZON, pool, said_of

from bench.ablation.added import added
from bench.ablation.chance import exchanged_inputs, random_inputs, tail
from bench.ablation.choices import (
    DEFAULT_READING,
    Read,
    readings,
)
from bench.ablation.grid import best, grid
from bench.ablation.intervals import Figures, Plan
from bench.ablation.picking import picks


def made_reads(epochs=6):
    pools = [pool(target) for target in ("a", "b", "c")]
    return {one: Read(one, epochs) for one in pools}


def test_the_known_best_definition_is_picked_and_beats_chance():
    reads = made_reads()
    real = grid(reads, [BAD, GOOD, "base/exact/signed"], 6)
    rho, _ = measured = real.measured()
    assert rho.shape == (3, 3 * len(readings(6)))
    for held in range(3):
        tuned = [one for one in range(3) if one != held]
        picked = int(best(measured, tuned, real.families()["definition"]))
        assert real.label(picked) == f"{GOOD}; {DEFAULT_READING}"
    good = rho[:, len(readings(6))].mean()
    rng = np.random.default_rng(0)
    for kind in (random_inputs, exchanged_inputs):
        chance, _ = kind(reads, real, 200, rng)
        assert chance.shape == (200, 3, len(real))
        assert tail(good, chance[..., 0].mean(axis=-1))["p"] <= 0.05


def test_where_no_choice_is_better_the_first_stays():
    figures = np.zeros((2, 4)), np.array([[1.0, 1, 0, 1], [1, 1, 2, 1]])
    assert best(figures, [0, 1], np.arange(4)) == 0
    assert best(figures, [0], np.arange(4)) == 2
    assert best(figures, [0], np.array([1, 3])) == 1


def test_chance_exchanges_all_definitions_of_a_model_alike():
    reads = made_reads()
    real = grid(reads, [GOOD, GOOD], 6)
    rho, _ = exchanged_inputs(reads, real, 50, np.random.default_rng(0))
    ways = len(readings(6))
    assert rho[..., :ways].tolist() == rho[..., ways:].tolist()
    rho, _ = random_inputs(reads, real, 50, np.random.default_rng(0))
    assert (rho[..., :ways] != rho[..., ways:]).any()


def test_a_tail_counts_the_value_itself():
    assert tail(0.5, np.array([0.1, 0.2, 0.5])) == {"median": 0.2, "q95": 0.47, "p": 0.5}


def test_a_figure_that_is_not_defined_has_no_tail():
    nothing = {"median": None, "q95": None, "p": None}
    assert tail(float("nan"), np.array([0.1, 0.2])) == nothing
    assert tail(0.5, np.array([float("nan")])) == nothing


def test_a_definition_that_refuses_a_model_is_no_choice():
    reads = made_reads()
    gone = pool("d", **{f"beta/{BAD}": [0.1] * 3 + [float("nan")] * (HORIZON - 3)})
    assert grid(reads | {gone: Read(gone, 6)}, [BAD, GOOD], 6).names == (GOOD,)


def test_what_is_added_is_what_the_other_lacks():
    pools = [pool(target) for target in ("a", "b", "c")]
    figures = Figures(pools, Plan(pools, resamples=200, seed=0))
    for one in pools:
        rng = np.random.default_rng(len(one.target))
        half = one.truth.argsort().argsort() // 2 + 0.1 * rng.random(8)
        figures.add(one, "coarse", said_of(half))
        figures.add(one, "truth", said_of(one.truth))
        figures.add(one, "noise", said_of(*rng.random((20, 8))))
    helps = added(figures, pools, "coarse", "truth")
    assert helps["partial_rho"][0] == 1.0
    assert helps["half"]["rho"][0] > 0
    assert set(helps["weights"].values()) <= {0.1, 0.2, 0.3, 0.4, 0.5}
    idle = added(figures, pools, "truth", "noise")
    assert idle["partial_rho"][0] == 0.0  # the truth is given: nothing is left to explain
    assert idle["weights"] == {"a": 0.0, "b": 0.0, "c": 0.0}
    assert idle["learned"]["rho"][0] == 0.0
    assert idle["half"]["rho"][0] < 0


def test_nothing_is_added_to_what_is_the_same_for_all_and_no_weight_is_learned_of_it():
    pools = [pool(target) for target in ("a", "b")]
    figures = Figures(pools, Plan(pools, resamples=20, seed=0))
    for one in pools:
        figures.add(one, "same", said_of(np.ones(8)))
        figures.add(one, "truth", said_of(one.truth))
    assert added(figures, pools, "same", "truth")["partial_rho"] == [None] * 5
    assert added(figures, pools, "same", "truth")["weights"] == {"a": 0.1, "b": 0.1}
    assert added(figures, pools, "same", "same")["weights"] == {"a": 0.0, "b": 0.0}


def resized(like, target):
    """Return a pool of the same dataset under another name of its target."""
    return dataclasses.replace(like, target=target)


def test_sizes_of_one_dataset_are_one_draw_and_are_not_chosen_on_for_each_other():
    pools = [pool("a"), resized(pool("a"), "a (small)"), pool("b")]
    plan = Plan(pools, resamples=400, seed=0)
    values = {one: np.full(401, value) for one, value in zip(pools, (0.0, 0.4, 1.0), strict=True)}
    _, _, _, low, high = plan.interval(values)
    assert (low, high) == (0.2, 1.0)  # both sizes or neither
    found = picks(
        {one: Read(one, 6) for one in pools}, Figures(pools, plan), names=[BAD, GOOD], epochs=6,
        tune=None, report=None, against=[], draws=5, seed=0,
    )  # fmt: skip
    assert [(one["chosen_on"], one["reported_on"]) for one in found["definition"]["rotations"]] == [
        (["b"], "a"),
        (["b"], "a (small)"),
        (["a", "a (small)"], "b"),
    ]
    figures = Figures(pools[:2], plan)
    for one in pools[:2]:
        figures.add(one, "truth", said_of(one.truth))
    alone = added(figures, pools[:2], "truth", "truth")
    assert "learned" not in alone
    assert alone["half"]["rho"][0] == 0.0
