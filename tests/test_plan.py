from __future__ import annotations

import math

import pytest
from rich.console import Console

from ncselect.cost import BUILD_SECONDS, Price, RoughCost
from ncselect.execute import Job
from ncselect.plan import LONG_SECONDS, Plan, PlannedRun, is_cached, network_of, planned
from ncselect.spec import RunSpec
from ncselect.store import RunStore
from ncselect.types import Observation
from zoo.models import Candidate


def printed(*runs, **options):
    plan = Plan(tuple(runs), {}, workers=1, free_megabytes=1e5, other_settings=(), **options)
    console = Console(width=200)
    with console.capture() as captured:
        console.print(plan)
    return captured.get()


def run_planned(epochs, *, features=False, seconds=math.nan, basis="unknown"):
    return PlannedRun("net", epochs, features, seconds, basis, 0.0, 0.0)


def test_what_takes_an_unknown_time_is_said_once():
    text = printed(run_planned(0, features=True))
    assert text.count("unknown") == 2
    assert "unknown (unknown)" not in text
    assert "Together the unknown time of 1 candidate, 0 MB to download" in text
    text = printed(
        run_planned(0, features=True), run_planned(3), run_planned(2, seconds=240.0, basis="rough")
    )
    assert "~4 min (rough)" in text
    assert "Together ~4 min and the unknown time of 2 candidates, 0 MB" in text
    assert "runs of" not in text


def test_unknown_times_count_as_those_of_an_ordinary_network_when_it_is_asked():
    half = 0.6 * LONG_SECONDS
    known = run_planned(3, seconds=half, basis="rough")
    unknown = PlannedRun("own", 3, False, math.nan, "unknown", 0.0, 0.0, half)
    for runs, workers, is_long in (
        ([known, run_planned(1)], 1, False),
        ([known, unknown], 1, True),
        ([unknown, unknown], 1, True),
        ([known, unknown], 2, False),
    ):
        plan = Plan(tuple(runs), {}, workers, free_megabytes=1e5, other_settings=())
        assert plan.is_long == is_long
        assert plan.seconds == (half if known in runs else 0.0)


@pytest.mark.parametrize(("images", "side", "is_long"), [(100, 32, False), (50_000, 224, True)])
def test_a_network_of_unknown_cost_is_asked_about_where_much_is_to_be_trained(
    tmp_path, images, side, is_long
):
    own = Candidate("own", "file", str(tmp_path / "own.keras"), {}, "included")
    spec = RunSpec(
        model="own",
        dataset="many",
        candidate=own.identity(),
        data={"counts": {"train": images, "validation": 50}, "image_shape": [side, side, 3]},
        environment={"threads": "1"},
    )
    job = Job(spec, own.to_json(), {}, epochs=5, horizon=5)
    plan = planned([job], RunStore(tmp_path / "store"), {})
    (run,) = plan.runs
    assert (run.time, run.work) == ("unknown", "5 epochs")
    assert plan.seconds == 0.0
    assert plan.is_long == is_long
    assert plan.to_dict()["runs"][0]["seconds"] is None


def test_the_price_of_epochs_holds_neither_compiling_nor_features(tmp_path):
    network = Candidate("net", "application", "MobileNet", {}, "random")
    store = RunStore(tmp_path)

    def spec(images, seed):
        return RunSpec(
            model="net", dataset="made", candidate=network.identity(), seed=seed,
            data={"counts": {"train": images, "validation": 50}, "image_shape": [32, 32, 3]},
            environment={"threads": "1"},
        )  # fmt: skip

    with store.run(spec(100, 0)).writer() as writer:
        writer.add_facts({"trace_seconds": 7.0})
        for epoch, seconds in enumerate((0.0, 4.0, 2.0, 3.0)):
            writer.append(Observation(epoch, {"validation-accuracy": 0.5}, seconds, 1.0), [])
    scores = frozenset({"logme"})
    asked = Job(spec(200, 1), network.to_json(), {}, epochs=5, horizon=5, scores=scores)
    plan = planned([asked], store, {})
    price = plan.prices["net"]
    assert price == Price(BUILD_SECONDS + 7, 2 * (3 + 1), "as stored runs")
    assert plan.runs[0].features
    assert plan.seconds > price.training(5) == BUILD_SECONDS + 7 + 5 * 8
    assert plan.extraction["net"] == pytest.approx(plan.seconds - price.training(5))
    assert not {"price", "extraction"} & {*plan.to_dict()["runs"][0]}


def test_a_plan_says_that_candidates_are_dropped_and_when_it_ends():
    text = printed(run_planned(50, seconds=600.0), strategy="confident: drops", budget=1200.0)
    assert "Together ~10 min if nobody is dropped, 0 MB" in text
    assert "By confident: drops. It ends after about 20 min, as budgeted." in text
    assert "if nobody" not in printed(run_planned(50, seconds=600.0))


def test_one_epoch_is_no_plural():
    assert run_planned(1, seconds=5.0).work == "1 epoch"
    assert run_planned(2, features=True).work == "features, 2 epochs"
    text = printed(run_planned(1, seconds=30.0, basis="as stored runs"))
    assert "~30 s (as stored runs)" in text
    assert "Together ~30 s, 0 MB to download" in text


def test_nothing_to_do_takes_no_time():
    stored = run_planned(0, seconds=0.0, basis="stored")
    assert (stored.work, stored.time) == ("", "–")
    assert "Together ~0 s, 0 MB" in printed(stored)


@pytest.mark.parametrize(
    ("file", "network"),
    [
        # Names under which Keras 3.15 keeps headless ImageNet weights.
        ("vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "VGG16"),
        ("resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", "ResNet50"),
        ("resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5", "ResNet50V2"),
        ("mobilenet_1_0_224_tf_no_top.h5", "MobileNet"),
        ("mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", "MobileNetV2"),
        ("weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5", "MobileNetV3Small"),
        ("nasnet_mobile_no_top.h5", "NASNetMobile"),
        ("efficientnetb0_notop.h5", "EfficientNetB0"),
        ("efficientnetv2-b0_notop.h5", "EfficientNetV2B0"),
        ("convnext_tiny_notop.h5", "ConvNeXtTiny"),
        ("inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5", "InceptionResNetV2"),
        ("vgg16_weights_tf_dim_ordering_tf_kernels.h5", None),
        ("imagenet_class_index.json", None),
    ],
)
def test_a_file_in_the_cache_is_of_one_network(file, network):
    assert network_of(file) == network


def test_only_the_network_whose_file_is_there_is_cached(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert not is_cached("ResNet50V2")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5").touch()
    assert is_cached("ResNet50V2")
    assert not is_cached("ResNet50")


@pytest.mark.parametrize(
    ("file", "network"),
    [
        ("vgg16_weights_tf_dim_ordering_tf_kernels.h5", "VGG16"),
        ("mobilenet_1_0_224_tf.h5", "MobileNet"),
        ("weights_mobilenet_v3_small_224_1.0_float_v2.h5", "MobileNetV3Small"),
        ("efficientnetv2-b0.h5", "EfficientNetV2B0"),
        ("efficientnetb0_notop.h5", None),
        ("imagenet_class_index.json", None),
    ],
)
def test_files_with_the_classifier_are_told_from_headless_ones(file, network):
    assert network_of(file, headless=False) == network


@pytest.mark.parametrize(("name", "argument"), [("VGGSmall", "width"), ("MobileNet", "alpha")])
def test_a_network_of_half_the_channels_costs_a_quarter(name, argument):
    data = {"counts": {"train": 500}, "image_shape": [32, 32, 3]}

    def seconds(**arguments):
        candidate = Candidate(name, "application", name, arguments, "random")
        spec = RunSpec(
            model=name, dataset="made", candidate=candidate.identity(), data=data,
            environment={"threads": "1"},
        )  # fmt: skip
        return RoughCost(spec, candidate, lambda threads: 1e9 * threads).training().epoch

    assert seconds(**{argument: 0.5}) == pytest.approx(seconds() / 4)
