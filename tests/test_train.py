"""What a run records under settings that change when, on what and below what it is observed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from ncselect.graphs.names import GRAPH_SIGNALS
from ncselect.signals import ON_ALL, SIGNALS
from ncselect.spec import RunSpec, Settings
from ncselect.train import Training, observe
from zoo.datasets import prepare
from zoo.models import Candidate

BATCH, STEPS = 64, 4
ROLLED = {name for name in GRAPH_SIGNALS if name.startswith("graph/rolled/")}


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return prepare(
        "digits",
        image_size=32,
        train_size=BATCH * STEPS + 1,
        validation_size=60,
        test_size=50,
        cache=tmp_path_factory.mktemp("cache"),
    )


@pytest.fixture(scope="module")
def network(small_network):
    return Candidate("small", "file", str(small_network(8)), {}, "included")


def spec(digits, network, **settings):
    return RunSpec(
        model="small",
        dataset=digits.name,
        candidate=network.identity(),
        data=digits.identity(),
        settings=Settings(batch_size=BATCH, probe_size=64, **settings),
    )


def seen(digits, network, epochs, **settings):
    asked = spec(digits, network, **settings)
    return list(observe(asked, candidate=network, dataset=digits, epochs=epochs))


@pytest.mark.parametrize(
    ("augmentation", "unit", "beta"),
    [("none", "classifier", []), ("flip-crop", "probe", ["beta/base/held/signed"])],
)
def test_observing_in_mid_epoch_does_not_change_what_is_trained(
    digits, network, augmentation, unit, beta
):
    asked = {"augmentation": augmentation, "unit": unit}
    epochs = seen(digits, network, 3, **asked)
    halves = seen(digits, network, 6, observation_steps=STEPS // 2, **asked)
    longer = seen(digits, network, 2, observation_steps=STEPS + STEPS // 2, **asked)
    for name in ("training-loss", "validation-accuracy", *beta):
        by_epoch = [one.signals[name] for one in epochs]
        assert by_epoch == [one.signals[name] for one in halves[::2]]
        assert [by_epoch[0], halves[3].signals[name], by_epoch[3]] == [
            one.signals[name] for one in longer
        ]
    assert len({one.signals["training-loss"] for one in halves}) == 7


def test_each_image_passes_once_in_an_epoch_however_it_is_observed(digits, network):
    training = Training(spec(digits, network, observation_steps=3), network, digits)
    orders = np.concatenate([training._order(turn) for turn in range(1, 5)])
    assert len(orders) == 12 * BATCH
    for epoch in orders.reshape(3, -1):
        assert len(set(epoch)) == STEPS * BATCH
    assert (orders[: STEPS * BATCH] != orders[STEPS * BATCH : 2 * STEPS * BATCH]).any()


def test_the_whole_training_set_is_measured_beside_the_probe_subset(digits, network):
    (found,) = seen(digits, network, 0, measure_whole=True)
    everything = spec(digits, network)
    everything = dataclasses.replace(
        everything, settings=dataclasses.replace(everything.settings, probe_size=BATCH * STEPS + 1)
    )
    (expected,) = observe(everything, candidate=network, dataset=digits, epochs=0)
    of_training = [name for name in SIGNALS if not name.startswith("validation")]
    assert set(found.signals) == {*SIGNALS, *(name + ON_ALL for name in of_training), *ROLLED}
    for name in of_training:
        assert found.signals[name + ON_ALL] == pytest.approx(
            expected.signals[name], rel=1e-3, abs=1e-9
        )
    assert found.signals["residual"] != pytest.approx(found.signals["residual" + ON_ALL], rel=1e-4)


def test_a_classifier_takes_the_place_of_the_probe_unit(digits, network):
    asked = spec(digits, network, unit="classifier")
    training = Training(asked, network, digits)
    head = training.model.layers[-1]
    assert [weight.trainable for weight in head.weights] == [True, True]
    assert head.input.shape[1] == 16  # the base's features, nothing in between
    measured = training.epoch(0)
    assert set(measured.signals) == {
        name for name in [*SIGNALS, *ROLLED] if not name.startswith(("beta/", "denominator/"))
    }
    assert {*training.absent_signals, *measured.signals} == {*SIGNALS, *GRAPH_SIGNALS}
    assert "'classifier' has no probe unit" in training.absent_signals["beta/base/held/signed"]
    images, labels = digits.images("validation", np.arange(60)), digits.labels("validation")
    logits = training.model.predict(images, verbose=0)
    assert measured.signals["validation-accuracy"] == pytest.approx(
        (logits.argmax(axis=1) == labels).mean()
    )


def test_hidden_layers_decide_nothing_below_a_classifier(digits, network):
    hidden = {
        "probe_units": (8,),
        "probe_dropout": 0.1,
        "probe_order": "dense-bn",
        "probe_statistics": "inference",
        "probe_activation": "linear",
        "probe_head": "trained",
    }
    plain, same, other = (
        seen(digits, network, 1, unit="classifier", **changed)
        for changed in ({}, hidden, {"probe_initializer": "he_normal_untruncated"})
    )
    assert [one.signals for one in same] == [one.signals for one in plain]
    assert [one.signals for one in other] != [one.signals for one in plain]


def test_settings_that_came_later_leave_the_keys_of_older_runs_as_they_were(digits, network):
    asked = spec(digits, network)
    older = asked.to_json()
    for name in ("unit", "observation_steps", "measure_whole"):
        del older["settings"][name]
    assert RunSpec.from_json(older).key == asked.key
    keys = {
        spec(digits, network, **{name: value}).key
        for name, value in {
            "unit": "classifier",
            "observation_steps": 3,
            "measure_whole": True,
        }.items()
    }
    assert len(keys | {asked.key}) == 4


def test_numpy_measures_on_one_thread_and_has_its_threads_again(digits, network, monkeypatch):
    def threads():
        return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}

    training = Training(spec(digits, network), network, digits)
    graphs, found = training._graphs.measure, []
    monkeypatch.setattr(training._graphs, "measure", lambda: found.append(threads()) or graphs())
    with threadpool_limits(2, "blas"):
        training.epoch(0)
        assert threads() == {2}
    assert found == [{1}]
