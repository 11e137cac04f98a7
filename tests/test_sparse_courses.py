"""``bench.sparse_courses``: in which round of pruning what changes."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from made_connections import chain, of

from bench.sparse_courses import departs, for_good, main, rounds
from ncselect.spec import RunSpec, Settings
from ncselect.store import RunStore
from ncselect.structure import Pruning
from ncselect.types import Observation

ACCURACY = [0.9, 0.95, 0.93, 0.85, 0.91, 0.6, 0.4]


@pytest.mark.parametrize(
    ("holds", "first"),
    [("0011", 2), ("1011", 2), ("1111", 0), ("1110", None), ("0000", None), ("", None)],
)
def test_for_good_is_to_the_last(holds, first):
    assert for_good(np.array([value == "1" for value in holds], dtype=bool)) == first


def test_rounds_are_counted_from_the_unpruned_network():
    count = len(ACCURACY)
    found = rounds(
        {
            "epoch": [*range(0, 5 * count + 1, 5)],
            "test_accuracy": [None, *ACCURACY],  # 95% of the best: .9025; round 3 is made up for
            "mean_abs_weight": [9.0, *(1 + 0.1 * np.arange(count - 1)), 1.46],
            "inputs_on_paths": [1.0, 1.0, 0.951, 0.949, 0.951, 0.95, 0.9, 0.5],
            "hidden_on_paths": [1.0] * (count + 1),
        }
    )
    assert found == {
        "accuracy hurt": 2,  # below .9405; the last to reach it is round 1
        "accuracy fallen": 5,
        "accuracy below a half": 6,
        "mean |w| near its maximum": 5,  # 1.5, the maximum; 1.4 is less than 95% of it
        "mean |w| at its maximum": 5,
        "1 in 20 inputs cut off": 4,
        "1 in 20 hidden units cut off": None,
    }


def test_what_departs_is_above_all_others_as_long_as_they_last():
    others = [[None, 1.0, 2.0, 3.0, 4.0], [None, 1.5, 1.0, 3.5, 4.0, 9.0]]
    assert departs([None, 2.0, 2.0, 4.0, 5.0, 0.0], others) == 2
    assert departs([None, 2.0, 2.5, 3.2, 5.0, 0.0], others) == 3
    assert departs([None, 2.0, 2.5, 4.0, None], others) is None


def pruned(store, criterion, seed, networks, accuracies):
    """Store a run of rounds of one epoch, which end with these networks and accuracies."""
    spec = RunSpec(
        model=f"net {criterion} seed {seed}",
        dataset="made",
        candidate={"source": "net"},
        data={"counts": {"train": 100}},
        settings=dataclasses.replace(
            Settings(), unit="classifier", pruning=Pruning(criterion=criterion, epochs=1)
        ),
        seed=seed,
    )
    with RunStore(store).run(spec).writer() as writer:
        for epoch, (layers, accuracy) in enumerate(zip(networks, accuracies, strict=True)):
            writer.append(Observation(epoch, {"validation-accuracy": accuracy}, 1.0), [])
            writer.keep_connections(epoch, layers)
            if epoch:
                writer.keep_truth(epoch, accuracy)


def test_stored_runs_are_described_and_their_changes_led_to_the_fall(tmp_path, capsys):
    rng = np.random.default_rng(0)
    even = chain(rng, (40, 400, 10), 1.0)
    heavy = np.zeros((40, 400))
    degrees = np.minimum(np.floor((1 - rng.random(400)) ** -1.0), 40).astype(int)
    for unit, degree in enumerate(degrees):
        heavy[rng.permutation(40)[:degree], unit] = 1.0
    unequal = [of("layer 1", heavy), even[1]]
    cut = [of("layer 1", heavy * (np.arange(40) < 20)[:, np.newaxis]), even[1]]
    networks = [even, even, unequal, cut]
    for seed in (1, 0):
        pruned(tmp_path, "magnitude", seed, networks, [0.1, 0.9, 0.9, 0.4])
    pruned(tmp_path, "random", 0, [even] * 4, [0.1, 0.9, 0.9, 0.9])
    assert main([str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    [run] = [one for one in found["runs"] if (one["variant"], one["seed"]) == ("magnitude", 0)]
    assert run["course"]["inputs_on_paths"] == [1.0, 1.0, 1.0, 0.5]
    alive = np.mean(cut[0].mask.any(axis=0))
    assert run["course"]["hidden_on_paths"][-1] == pytest.approx(alive, abs=1e-4)
    assert run["course"]["test_accuracy"] == [None, 0.9, 0.9, 0.4]
    equal, spread, _ = (layers[0].mask.sum(axis=0) + 10 for layers in networks[1:])
    expected = [np.mean(k**2.0) / np.mean(k) ** 2 for k in (equal, spread)]
    assert run["course"]["hidden_degree_heterogeneity"][1:3] == pytest.approx(expected, abs=1e-3)
    tails = {tail["epoch"]: tail for tail in run["tails"] if tail["of"] == "hidden degree"}
    assert tails[1]["heavy"] is None  # all degrees are equal
    assert tails[2]["heavy"] is True
    by_place = {(row["variant"], row["change"]): row for row in found["changes"]}
    fallen = by_place["magnitude", "accuracy fallen"]
    assert (fallen["rounds"], fallen["before_fallen"]) == ([2, 2], [0, 0])
    departed = by_place["magnitude", "hidden degree heterogeneity departs from pruning by lot"]
    assert (departed["rounds"], departed["before_hurt"]) == ([1, 1], [1, 1])
    assert by_place["random", "accuracy fallen"]["rounds"] == [None]
    assert by_place["random", "1 in 20 inputs cut off"]["before_fallen"] == [None]
    told = [row for row in found["heavy"] if row["of"] == "hidden degree"]
    assert [row["seed"] for row in told if row["variant"] == "magnitude"] == [0, 1]
    assert all(2 in row["heavy"] for row in told if row["variant"] == "magnitude")
    assert all(row["judged"] == [] for row in told if row["variant"] == "random")
