"""``bench.regret_cost``: what strategies lose and cost on whole trainings."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from made_runs import made_run, rising_curve

from bench.optuna_pruners import pruned
from bench.regret_cost import (
    ORDERED,
    SHARES,
    SIZE,
    STRATEGIES,
    Question,
    area,
    questions,
    regrets,
    stored_questions,
    summary,
)
from ncselect.cost import BUILD_SECONDS
from ncselect.methods import PLAIN
from ncselect.spec import Settings

HORIZON = 20
ONCE = [(share, 1.0) for share in SHARES]
"""What is lost if it is always a point."""


def question(seeds):
    pools = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        finals = rng.permutation(np.linspace(0.5, 0.9, 6))
        pools.append(
            {
                f"net {place}": made_run(
                    f"net {place}",
                    rising_curve(final, 1.0, HORIZON, rng, noise=0.01),
                    truth={HORIZON: float(final)},
                )
                for place, final in enumerate(finals)
            }
        )
    return Question("made", HORIZON, tuple(pools), "epochs")


@pytest.fixture(scope="module")
def lost():
    """Return a question of two pools and what is lost in each."""
    asked = question(range(2))
    return asked, [regrets(asked, pool) for pool in asked.pools]


def test_regrets_are_of_the_pick_and_costs_within_the_budget(lost):
    asked, (found, _) = lost
    assert {label for label, points in found.items() if len(points) > 1} == {
        f"{by} {name}" for name, strategies in STRATEGIES.items() for by in strategies
    }
    for points in found.values():
        for share, (cost, regret) in zip(SHARES, points, strict=False):
            assert len(points) == 1 or cost <= share * (1 + 1e-9)
            # finals lie 8 points apart; 20 is the mean, where nothing is known
            at_random = cost == 0 and regret == pytest.approx(20)
            assert at_random or regret == pytest.approx(8 * round(regret / 8))
    curves = {m: run.curve("validation-accuracy") for m, run in asked.pools[0].items()}
    half = SHARES.index(0.5)
    pick = max(curves, key=lambda model: curves[model][: HORIZON // 2].max())
    expected = 100 * (0.9 - asked.pools[0][pick].truth[HORIZON])
    assert found["uniform best-value"][half] == pytest.approx((0.5, expected))


def test_unpruned_trials_cost_everything_and_pick_the_best_seen():
    asked = question([1])
    pool = dict(list(asked.pools[0].items())[:3])  # fewer than the median pruner starts with
    cost, pick = pruned(pool, asked.replay(pool), HORIZON)["optuna median"]
    assert cost == 3 * HORIZON
    assert pick == max(pool, key=lambda model: pool[model].curve("validation-accuracy").max())


def test_the_area_is_a_mean_over_log_cost():
    assert area(np.full((2, len(SHARES)), 3.0)) == pytest.approx([3.0, 3.0])
    line = np.log(np.array(SHARES))[np.newaxis]
    assert area(line) == pytest.approx([(line[0, 0] + line[0, -1]) / 2])


def test_summaries_are_means_over_pools_and_differences_by_pairs(lost):
    asked, found = lost
    told = json.loads(json.dumps(summary(asked, found)))
    rows = {row["strategy"]: row for row in told["rows"]}
    plain = {label: row["area"][0] for label, row in rows.items() if label.endswith(" best-value")}
    assert told["best_plain"] == min(plain, key=plain.get)
    assert rows[told["best_plain"]]["less"] == [[0.0, 0.0, 0.0]] * len(SHARES)
    label = "successive-halving:eta=2 best-value"
    regret = np.array([[point[1] for point in one[label]] for one in found]).mean(axis=0)
    assert [one[0] for one in rows[label]["regret"]] == pytest.approx(regret, rel=1e-2, abs=1e-9)
    for mean, low, high in rows[label]["regret"]:
        assert low <= mean * 1.01 + 1e-9
        assert mean <= high * 1.01 + 1e-9
    assert math.isfinite(rows[label]["area_less"][0])
    assert "less" not in rows["optuna median"]
    assert rows["confident combined, no budget"]["cost"][0] < 1


def test_datasets_of_one_name_are_told_apart_by_their_source(tmp_path):
    lines = [
        json.dumps({"dataset": "mnist", "model": f"net {place}", "hparams": {}, "acc": [0.1, 0.2]})
        for place in range(SIZE)
    ]
    for name in ("some.jsonl", "others.jsonl"):
        (tmp_path / name).write_text("\n".join(lines))
    given = [str(tmp_path / name) for name in ("some.jsonl", "others.jsonl")]
    found = [summary(one, [{f"{by} {PLAIN}": ONCE for by in ORDERED}] * 3) for one in
             questions(given, None, 3, 0)]  # fmt: skip
    assert [(one["dataset"], one["source"], one["pools"]) for one in found] == [
        ("mnist", "some.jsonl", 3), ("mnist", "others.jsonl", 3)
    ]  # fmt: skip


def stored(model, seed, *, dataset="digits", epochs=6, stopped=False, **facts):
    """Return a run as a store has it, whose epochs take a second; stopped after three."""
    curve = [0.9, 0.8, 0.8] if stopped else np.linspace(0.5, 0.8, epochs)
    truth = {3: 0.9} if stopped else {6: 0.8} if epochs == 6 else {}
    run = made_run(model, curve, seed=seed, dataset=dataset, truth=truth)
    spec = dataclasses.replace(run.spec, settings=Settings(patience=2))
    return dataclasses.replace(run, spec=spec, facts=facts)


def test_stored_runs_are_a_pool_per_seed_and_a_question_per_dataset():
    runs = [stored(model, seed) for seed in (0, 1) for model in ("a", "b")]
    runs += [stored("early", 1, stopped=True), stored("unfinished", 0, epochs=4)]
    runs += [stored("a", 0, dataset="birds"), stored("b", 0, dataset="birds")]
    runs += [stored("alone", 7, dataset="birds")]
    birds, digits = stored_questions(runs)
    assert (birds.dataset, digits.dataset) == ("birds", "digits")
    assert (birds.horizon, digits.horizon) == (6, 6)
    assert [sorted(pool) for pool in birds.pools] == [["a", "b"]]
    assert [sorted(pool) for pool in digits.pools] == [["a", "b"], ["a", "b", "early"]]


def test_what_early_stopping_ended_costs_its_own_epochs_and_every_run_its_start():
    runs = [stored("a", 0, trace_seconds=4.0), stored("early", 0, stopped=True, trace_seconds=20.0)]
    [asked] = stored_questions(runs)
    [pool] = asked.pools
    assert asked.truth(pool) == {"a": 0.8, "early": 0.9}
    assert asked.whole(pool) == 2 * BUILD_SECONDS + 4 + 20 + 6 + 3
    found = regrets(asked, pool)
    # no starts of both fit; nothing is known, so that any of them may be picked
    assert found["uniform best-value"][-1] == pytest.approx((0, 5))
    alone = (BUILD_SECONDS + 4 + 5) / asked.whole(pool)  # only this one's start and epochs do
    assert found["confident combined"][-1] == pytest.approx((alone, 10), abs=0.2)
    for label, points in found.items():
        for share, (cost, _) in zip(SHARES, points, strict=False):
            assert len(points) == 1 or cost <= share * (1 + 1e-9), label
