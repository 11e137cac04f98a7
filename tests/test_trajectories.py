"""Tables of stored runs: the right epochs in the right form, and every run that is not in them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from made_dynamics import DEGREE, decreed_runs

from ncselect.graphs.prediction.inputs import (
    CONTROLS,
    Inputs,
    Window,
    control_inputs,
    signature_inputs,
    signature_signals,
)
from ncselect.graphs.prediction.trajectories import (
    CHANCE,
    TEST,
    VALIDATION,
    architecture_of,
    final_accuracy,
    gathered,
    of_architecture,
    point_of,
    run_name,
    shared_starts,
    window_values,
)
from zoo.errors import InputError, UnknownNameError

ALL = (signature_inputs("degree"), *(control_inputs(one) for one in CONTROLS))
SIGNATURES = np.arange(3 * 5 * 5, dtype=float).reshape(3, 5, 5)  # 3 runs, epochs 0 … 4
PLAIN = np.arange(15, dtype=float).reshape(3, 5) / 20
RUNS = decreed_runs(SIGNATURES, [0.2, 0.5, 0.9], controls=PLAIN)


def without(run, signal, epoch):
    """Return a run that lacks a signal after an epoch."""
    observations = list(run.observations)
    kept = {name: value for name, value in observations[epoch].signals.items() if name != signal}
    observations[epoch] = dataclasses.replace(observations[epoch], signals=kept)
    return dataclasses.replace(run, observations=tuple(observations))


def spoilt(run, signal, epoch, value):
    observations = list(run.observations)
    changed = {**observations[epoch].signals, signal: value}
    observations[epoch] = dataclasses.replace(observations[epoch], signals=changed)
    return dataclasses.replace(run, observations=tuple(observations))


def stopped(run, epochs, status="complete"):
    return dataclasses.replace(run, observations=run.observations[: epochs + 1], status=status)


def test_signals_are_named_by_graph_feature_and_statistic():
    assert signature_signals("eigenvector", "unrolled-negative") == tuple(
        f"graph/unrolled-negative/eigenvector/{statistic}"
        for statistic in ("median", "mean", "sd", "skewness", "kurtosis")
    )
    both = signature_signals("degree", "unrolled")
    assert both[:5] == signature_signals("degree", "unrolled-positive")
    assert both[5:] == signature_signals("degree", "unrolled-negative")


def test_a_row_is_the_windows_epochs_one_after_the_other():
    data = gathered(RUNS, ALL, Window(1, 3))
    np.testing.assert_array_equal(data.tables["rolled degree"], SIGNATURES[:, 1:4].reshape(3, 15))
    np.testing.assert_array_equal(data.tables["validation loss"], PLAIN[:, 1:4])
    columns = ALL[0].columns(data.window)
    assert columns[0] == (1, "graph/rolled/degree/median")
    assert columns[-1] == (3, "graph/rolled/degree/kurtosis")
    assert len(columns) == 15
    np.testing.assert_array_equal(data.accuracy, [0.2, 0.5, 0.9])
    assert data.judged_by == {TEST: 3}
    assert data.held == ()
    assert not data.left_out


def test_epoch_zero_is_before_training():
    assert window_values(RUNS[0], DEGREE, Window(0, 0)).tolist() == [SIGNATURES[0, 0].tolist()]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("concatenated", [[0.0, 1.0], [3.0, 4.0], [6.0, 7.0]]),
        # (1·0 + 2·3)/3 = 2, (0 + 2·3 + 3·6)/6 = 4; by 1 more in the second column
        ("linear", [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]),
        # .25·3 + .75·0 = .75, .25·6 + .75·.75 = 2.0625
        ("exponential", [[0.0, 1.0], [0.75, 1.75], [2.0625, 3.0625]]),
    ],
)
def test_temporal_forms_by_hand(form, expected):
    told = Inputs("x", ("a", "b"), form, alpha=0.25).row(np.array([[0.0, 1], [3, 4], [6, 7]]))
    np.testing.assert_allclose(told, np.ravel(expected))


def test_changes_since_epoch_zero():
    changes = signature_inputs("degree", since_start=True)
    assert changes.name == "rolled degree since the start"
    data = gathered(RUNS, [changes], Window(2, 3))
    expected = SIGNATURES[:, 2:4] - SIGNATURES[:, :1]
    np.testing.assert_array_equal(data.tables[changes.name], expected.reshape(3, 10))
    lost = without(RUNS[0], DEGREE[0], 0)
    (reason,) = gathered([lost], [changes], Window(2, 3)).left_out.values()
    assert "was not recorded after epoch 0" in reason


def test_the_last_value_alone():
    last = control_inputs("training-loss", last_only=True)
    data = gathered(RUNS, [last], Window(0, 3))
    np.testing.assert_array_equal(data.tables[last.name], PLAIN[:, 3:4])
    assert last.columns(data.window) == ((3, "training-loss"),)


def patient(run, patience):
    settings = dataclasses.replace(run.spec.settings, patience=patience)
    return dataclasses.replace(run, spec=dataclasses.replace(run.spec, settings=settings))


def test_a_run_that_stopped_early_keeps_its_last_values():
    early = stopped(patient(spoilt(RUNS[0], "validation-accuracy", 1, 0.9), 1), 2)
    runs = [early, *RUNS[1:]]
    data = gathered(runs, ALL, Window(1, 4))
    expected = np.concatenate([SIGNATURES[0, 1:3], SIGNATURES[0, [2, 2]]])
    np.testing.assert_array_equal(data.tables["rolled degree"][0], expected.ravel())
    assert data.held == (run_name(runs[0]),)
    assert data.runs == tuple(map(run_name, runs))
    long_after = window_values(runs[0], DEGREE, Window(3, 4))
    np.testing.assert_array_equal(long_after, SIGNATURES[0, [2, 2]])


@pytest.mark.parametrize("patience", [0, 1], ids=["never stops", "might have stopped later"])
def test_a_run_that_was_trained_for_fewer_epochs_is_left_out_and_not_held(patience):
    short = stopped(patient(RUNS[0], patience), 2)  # its accuracy rises after every epoch
    data = gathered([short, *RUNS[1:]], ALL, Window(1, 4))
    assert data.held == ()
    assert data.left_out == {
        run_name(short): "2 epochs were observed and the window ends with epoch 4; train the run "
        "for more epochs, or choose an earlier window"
    }
    assert gathered([short], ALL, Window(1, 2)).runs == (run_name(short),)


def test_a_signal_that_a_run_lacks_has_a_remedy_that_brings_it():
    lost = without(RUNS[0], DEGREE[0], 1)
    with pytest.raises(InputError, match=r"delete it with 'ncselect runs --delete KEY' and train"):
        window_values(lost, DEGREE, Window(0, 1))
    known = dataclasses.replace(lost, facts={"absent_signals": {DEGREE[0]: "it has no channels"}})
    with pytest.raises(InputError, match="after epoch 1: it has no channels; or choose inputs"):
        window_values(known, DEGREE, Window(0, 1))


def test_a_point_is_what_only_seeds_and_what_is_recorded_tell_apart():
    spec = RUNS[0].spec
    alike = [
        dataclasses.replace(spec, seed=7),
        dataclasses.replace(spec, model="another name", environment={"threads": "2"}),
        dataclasses.replace(spec, settings=dataclasses.replace(spec.settings, graphs="none")),
        dataclasses.replace(spec, settings=dataclasses.replace(spec.settings, patience=9)),
    ]
    others = [
        dataclasses.replace(spec, candidate={**spec.candidate, "arguments": {"dropout": 0.5}}),
        dataclasses.replace(spec, settings=dataclasses.replace(spec.settings, learning_rate=0.5)),
    ]
    points = [
        point_of(dataclasses.replace(RUNS[0], spec=one)) for one in [spec, *alike, *others]
    ]  # fmt: skip
    assert len(set(points[:5])) == 1
    assert len(set(points)) == 3


def test_every_run_that_cannot_be_used_is_named_with_the_reason():
    more = decreed_runs(np.ones((6, 5, 5)), np.full(6, 0.5), model="other")
    failed = dataclasses.replace(more[0], status="failed", error="loss is nan at epoch 3")
    unfinished = stopped(more[1], 4, status="partial")
    unrecorded = without(more[2], DEGREE[3], 2)
    diverged = spoilt(more[3], "validation-loss", 1, float("inf"))
    empty = dataclasses.replace(more[4], observations=(), truth={})
    percent = dataclasses.replace(more[5], truth={4: 50.0})
    bad = [failed, unfinished, unrecorded, diverged, empty, percent]
    data = gathered([RUNS[0], *bad, *RUNS[1:]], ALL, Window(0, 3))
    assert data.runs == tuple(run_name(run) for run in RUNS)
    assert {name: len(rows) for name, rows in data.tables.items()} == {one.name: 3 for one in ALL}
    assert list(data.left_out) == [run_name(run) for run in bad]
    reasons = [data.left_out[run_name(run)] for run in bad]
    for reason, words in zip(
        reasons,
        (
            "the run failed: loss is nan at epoch 3",
            "it has not finished; continue it",
            f"signal '{DEGREE[3]}' was not recorded after epoch 2: choose inputs that the run has",
            "signal 'validation-loss' is inf after epoch 1: the run diverged; choose an earlier",
            "no epoch of it was observed; train it",
            "its final accuracy is 50; record accuracies between 0 and 1",
        ),
        strict=True,
    ):
        assert words in reason


def test_runs_that_diverged_may_count_as_low_with_their_last_values_held():
    lost = dataclasses.replace(
        RUNS[1],
        observations=RUNS[1].observations[:3],
        status="failed",
        error="diverged at epoch 3: loss is nan",
        truth={},
    )
    broken = dataclasses.replace(RUNS[2], status="failed", error="the disk is full")
    records = [RUNS[0], lost, broken]
    data = gathered(records, ALL, Window(1, 4), diverged="low")
    assert data.runs == (run_name(RUNS[0]), run_name(lost))
    assert data.accuracy[1] == 0.1  # the runs have ten classes
    assert data.judged_by == {TEST: 1, CHANCE: 1}
    assert data.held == (run_name(lost),)
    expected = SIGNATURES[1, [1, 2, 2, 2]].ravel()
    np.testing.assert_array_equal(data.tables["rolled degree"][1], expected)
    assert list(data.left_out) == [run_name(broken)]
    left_out = gathered(records, ALL, Window(1, 4)).left_out
    assert list(left_out) == [run_name(lost), run_name(broken)]
    with pytest.raises(UnknownNameError, match="unknown treatment of diverged runs 'high'"):
        gathered(records, ALL, Window(1, 4), diverged="high")


def test_networks_of_one_architecture_and_those_that_begin_alike():
    others = decreed_runs(SIGNATURES[:2] + 1, np.array([0.2, 0.4]), model="other")
    own = [dataclasses.replace(run, spec=dataclasses.replace(run.spec, seed=number))
           for number, run in enumerate(others)]  # fmt: skip
    data = gathered([own[0], *RUNS, own[1]], ALL, Window(0, 1))
    assert shared_starts(data) == ("net",)
    part, alone = of_architecture(data, "other"), gathered(own, ALL, Window(0, 1))
    for name, table in alone.tables.items():
        np.testing.assert_array_equal(part.tables[name], table)
    np.testing.assert_array_equal(part.accuracy, [0.2, 0.4])
    for name in ("runs", "architectures", "datasets", "seeds", "points", "held"):
        assert getattr(part, name) == getattr(alone, name)


def test_what_lies_outside_the_window_does_not_matter():
    changed = [without(spoilt(run, DEGREE[0], 4, float("nan")), DEGREE[0], 0) for run in RUNS]
    np.testing.assert_array_equal(
        gathered(RUNS, ALL[:1], Window(1, 3)).tables["rolled degree"],
        gathered(changed, ALL[:1], Window(1, 3)).tables["rolled degree"],
    )


def test_the_truth_is_test_accuracy_where_it_is_known():
    several = dataclasses.replace(RUNS[0], truth={2: 0.3, 4: 0.6})
    none = dataclasses.replace(RUNS[1], truth={})
    assert final_accuracy(several) == (0.6, TEST)
    assert final_accuracy(none) == (PLAIN[1, 4], VALIDATION)
    data = gathered([several, none], ALL, Window(0, 1))
    assert data.judged_by == {TEST: 1, VALIDATION: 1}


def test_no_run_that_can_be_used_gives_empty_tables():
    data = gathered([stopped(RUNS[0], 3, "partial")], ALL, Window(0, 3))
    assert data.runs == ()
    assert data.tables["rolled degree"].shape == (0, 20)


def test_what_is_learnt_from_and_judged_comes_once():
    with pytest.raises(InputError, match=r"records: net \[\w+\] came more than once; a run that"):
        gathered([RUNS[0], RUNS[0]], ALL, Window(0, 1))
    with pytest.raises(InputError, match="inputs: 'rolled degree' came more than once; give"):
        gathered(RUNS, [ALL[0], ALL[0]], Window(0, 1))
    with pytest.raises(InputError, match="inputs: none came; give a signature or a control"):
        gathered(RUNS, [], Window(0, 1))


def test_bad_names_and_numbers_are_refused():
    with pytest.raises(UnknownNameError, match=r"unknown feature 'degre'\. Did you mean degree"):
        signature_inputs("degre")
    with pytest.raises(UnknownNameError, match="unknown kind of graph 'roled'"):
        signature_inputs("degree", "roled")
    with pytest.raises(UnknownNameError, match="unknown form 'quadratic'"):
        signature_inputs("degree", form="quadratic")
    with pytest.raises(UnknownNameError, match="unknown control 'beta'"):
        control_inputs("beta")
    with pytest.raises(InputError, match="alpha is 0; give a number above 0, at most 1"):
        signature_inputs("degree", form="exponential", alpha=0)
    for first, last in ((-1, 2), (3, 2)):
        with pytest.raises(InputError, match=f"window: {first}…{last} came; give a first epoch"):
            Window(first, last)


def test_architectures_are_told_apart_by_source_and_width():
    def named(candidate):
        return dataclasses.replace(RUNS[0].spec, model="net rate 0.1", candidate=candidate)

    for candidate, expected in (
        ({"source": "LeNet5", "arguments": {"dropout": 0.5}}, "LeNet5"),
        ({"source": "LeNet5", "arguments": {"width": 2.0}}, "LeNet5 width 2"),
        ({"number": 1}, "net rate 0.1"),
    ):
        run = dataclasses.replace(RUNS[0], spec=named(candidate))
        assert architecture_of(run) == expected
        assert gathered([run], ALL, Window(0, 1)).architectures == (expected,)
    assert gathered(RUNS, ALL, Window(0, 1)).seeds == (0, 0, 0)
