"""What is known from elsewhere: the built-in table, a file, the runs of a store."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest
from made_runs import made_run

from ncselect.experience import (
    built_in,
    dataset_key,
    elsewhere,
    family,
    is_as_published,
    known_networks,
    name_in_experience,
    outcomes,
    plain_name,
    read_experience,
    tabulated,
)
from ncselect.methods.prior import Prior
from ncselect.published import published
from ncselect.scores import card_scores
from ncselect.spec import RunSpec
from ncselect.store import RunStore
from ncselect.types import Observation, Outcome, RunRecord
from zoo.candidate import Candidate
from zoo.cards import MODELS
from zoo.errors import InputError
from zoo.sources.tfds import TfdsSource


def run_of(model, **candidate):
    published_as = {"kind": "application", "source": model, "arguments": {}, "weights": "imagenet"}
    card = MODELS.get(candidate.get("source", model))
    own = {"preprocessing": "included" if card is None else card.preprocessing}
    spec = RunSpec(
        model=model, dataset="flowers", candidate=published_as | own | candidate, data={}
    )
    return RunRecord(spec)


def test_the_built_in_table_holds_the_published_figures():
    assert len(built_in()) == 19 * 9
    assert {one.model for one in built_in()} <= set(MODELS)
    by_pair = {(one.model, one.dataset): one.accuracy for one in built_in()}
    assert by_pair["MobileNetV3Large", "dtd"] == 0.57021
    assert by_pair["NASNetMobile", "oxford_flowers102"] == 0.35323
    assert by_pair["EfficientNetB3", "cifar10"] == 0.9719
    assert published().scores["n_leep"][0, 0] == -1.6808


def test_the_built_in_table_is_the_source_table(real_data):
    source = real_data / "experience" / "keras_19_models_9_datasets.csv"
    ours = {"mobilenetv3": "MobileNetV3Large"}
    by_pair = {(one.model.casefold(), one.dataset): one.accuracy for one in built_in()}
    with source.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(by_pair)
    for row in rows:
        pair = ours.get(row["model"], row["model"]).casefold(), row["dataset"]
        assert by_pair[pair] == float(row["fine_tuned_accuracy"])


def test_accuracies_of_the_table_are_counts_of_test_images():
    """The sizes of the test sets fit the networks' accuracies, so these are whole sets."""
    images = {"oxford_flowers102": 6149, "caltech_birds2011": 5794, "imagenette": 3925}
    for one in built_in():
        right = one.accuracy * images.get(one.dataset, 1)
        if one.dataset in images:
            assert abs(right - round(right)) < 0.06  # five digits of images


def test_a_file_of_ones_own_is_read(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("\ufeffDataset, Model ,accuracy,when\nleaves, Mine ,0.75,May\nleaves,B,1,\n")
    assert read_experience(path) == (Outcome("Mine", "leaves", 0.75), Outcome("B", "leaves", 1.0))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model,accuracy\na,0.5\n", "has no column 'dataset'; its first line must name"),
        ("", "it names nothing"),
        ("model,dataset,accuracy\n", "has no lines below its names"),
        ("model,dataset,accuracy\na,d,0.5\nb,d,75\n", "line 3 has the accuracy '75'; give a num"),
        ("model,dataset,accuracy\na,d,high\n", "line 2 has the accuracy 'high'"),
        ("model,dataset,accuracy\na,d,nan\n", "line 2 has the accuracy 'nan'"),
        ("model,dataset,accuracy\na,d\n", "line 2 has the accuracy ''"),
        ("model,dataset,accuracy\n,d,0.5\n", "line 2 names no model"),
        ("model,dataset,accuracy\na, ,0.5\n", "line 2 names no dataset"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path, text, told):
    path = tmp_path / "own.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=told):
        read_experience(path)


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*missing\.csv.*model,dataset,accuracy"):
        read_experience(tmp_path / "missing.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match="cannot read"):
        read_experience(tmp_path / "binary.csv")


def test_runs_that_ended_are_experience():
    ended = made_run("a", [0.5, 0.6], truth={1: 0.5, 2: 0.61}, dataset="leaves")
    going_on = made_run("b", [0.5, 0.6], truth={2: 0.7}, status="partial")
    failed = made_run("c", [0.5], truth={1: 0.7}, status="failed", error="nan")
    untested = made_run("d", [0.5, 0.6], truth={1: 0.5})
    (known,) = outcomes([ended, going_on, failed, untested])
    assert (plain_name(known.model), known.dataset, known.accuracy) == ("a", "leaves", 0.61)
    assert known.model == name_in_experience(ended)


def test_a_network_as_published_has_the_name_of_its_card():
    assert name_in_experience(run_of("ResNet50")) == "ResNet50"
    renamed = run_of("mine", source="ResNet50")
    assert name_in_experience(renamed) == "ResNet50"


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"weights": "random"}, "weights random"),
        ({"weights": "sha256:12"}, "weights sha256:12"),
        ({"arguments": {"alpha": 0.5}}, "alpha=0.5"),
        ({"preprocessing": "torch"}, "preprocessing torch"),
        ({"kind": "file", "source": "sha256:12", "weights": "included"}, "weights included"),
    ],
)
def test_what_differs_from_the_card_is_another_network(other, told):
    name = name_in_experience(run_of("MobileNet", **other))
    assert plain_name(name) == f"MobileNet with {told}"
    mine = name_in_experience(run_of("mine", **{"source": "MobileNet"} | other))
    assert plain_name(mine) == "mine"
    assert mine != "mine"


def test_the_card_s_own_preprocessing_stated_is_as_published():
    for stated in (None, "caffe"):
        candidate = Candidate("a", "application", "ResNet50", preprocessing=stated)
        spec = RunSpec(model="a", dataset="d", candidate=candidate.identity(), data={})
        assert name_in_experience(RunRecord(spec)) == "ResNet50"


@pytest.mark.parametrize(
    "other",
    [{}, {"weights": "random"}, {"arguments": {"alpha": 1}}, {"preprocessing": "torch"},
     {"kind": "file"}],
)  # fmt: skip
def test_scores_and_experience_agree_on_what_is_as_published(other):
    candidate = run_of("MobileNet", **other).spec.candidate
    assert is_as_published(candidate) == ("imagenet-top1" in card_scores(candidate)[0])


def finished_run(store, folder, content, dataset, accuracy, model="model"):
    """Finish a run of ``FOLDER/model.keras`` in a store; return it as a record."""
    path = folder / "model.keras"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    candidate = Candidate(model, "file", str(path), weights="included").identity()
    run = store.run(RunSpec(model=model, dataset=dataset, candidate=candidate, data={}))
    with run.writer() as writer:
        writer.append(Observation(0, {}, 0.0), [])
        writer.append(Observation(1, {}, 1.0), [])
        writer.keep_truth(1, accuracy)
        writer.complete(keep_checkpoint=False)
    return run.record()


def test_two_files_of_one_name_are_two_networks_to_a_store(tmp_path):
    """Each is known by its own runs, a moved copy by those of the original."""
    store = RunStore(tmp_path / "store")
    for dataset in ("x", "y", "z"):
        good = finished_run(store, tmp_path / "a", b"good", dataset, 0.9)
        bad = finished_run(store, tmp_path / "b", b"bad", dataset, 0.5)
        finished_run(store, tmp_path / "c", b"fair", dataset, 0.7, model="fair")
    elsewhere_store = RunStore(tmp_path / "elsewhere")
    copy = finished_run(elsewhere_store, tmp_path / "d", b"good", "leaves", 0.8)
    new = finished_run(elsewhere_store, tmp_path / "e", b"new", "leaves", 0.8)
    method = Prior(experience=outcomes(store.records()))
    assert name_in_experience(copy) == name_in_experience(good)
    assert method.estimate([copy]).estimates[0].score > 0.5
    assert method.estimate([bad]).estimates[0].score < -0.5
    assert "nothing is known of model on other datasets" in method.estimate([new]).refused["model"]


def test_a_file_of_ones_own_knows_networks_by_their_plain_names(tmp_path):
    """A row is of any candidate of its name, unless a store knows the very candidate."""
    path = tmp_path / "own.csv"
    path.write_text("model,dataset,accuracy\nMine,x,0.9\nother,x,0.5\nthird,x,0.7\n")
    own = read_experience(path)
    one, two = (
        run_of("mine", kind="file", source=f"sha256:{n}", weights="included") for n in (1, 2)
    )
    by_name = [Prior(experience=own).estimate([run]).estimates[0].score for run in (one, two)]
    assert by_name[0] == by_name[1] > 0.5
    known = (*own, Outcome(name_in_experience(two), "x", 0.4))
    one_score, two_score = (
        Prior(experience=known).estimate([run]).estimates[0].score for run in (one, two)
    )
    assert two_score < 0 < one_score
    rows = known_networks(
        [name_in_experience(one), name_in_experience(two)], known, "y", ("accuracy",)
    )
    accuracy = rows[0].values[0, :, -1]
    np.testing.assert_array_equal(accuracy[rows[1]], [0.9, 0.4])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("birds", "caltech_birds2011"),
        ("CIFAR10", "cifar10"),
        ("tfds:oxford_flowers102:2.1.1", "oxford_flowers102"),
        ("svhn", "svhn_cropped"),
        ("stanford-dogs", "stanford_dogs"),
        ("cifar-10", "cifar10"),
        ("Fashion-MNIST", "fashion_mnist"),
        ("tfds-dtd", "dtd"),
        ("tfds-dtd:3.0.1", "dtd"),
        ("tfds-imagenette/320px-v2", "imagenette"),
        ("tfds:imagenette/320px-v2:1.0.0", "imagenette"),
        ("tfds-tf_flowers", "flowers"),
        ("tfds-svhn_cropped", "SVHN"),
    ],
)
def test_all_names_of_a_dataset_are_one(one, other):
    assert dataset_key(one) == dataset_key(other)


@pytest.mark.parametrize("suffix", ["", "/a-config", "/a-config:1.0.0", ":1.0.0"])
@pytest.mark.parametrize("dataset", published().datasets)
def test_every_dataset_of_the_table_is_known_when_it_comes_by_tfds(
    tmp_path, monkeypatch, dataset, suffix
):
    """The name is the one that the source itself gives to a prepared copy."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    folder = tmp_path / dataset / ("a-config/1.0.0" if "/" in suffix else "1.0.0")
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text(json.dumps({}))
    name = TfdsSource(dataset + suffix).name
    left = elsewhere(built_in(), [name])
    assert len(left) == 19 * 8
    assert dataset not in {one.dataset for one in left}
    known, _ = known_networks(["ResNet50"], (), name, ("accuracy",))
    assert known.reference == 8


def test_other_datasets_stay_apart():
    assert len({dataset_key(name) for name in ("flowers", "oxford_flowers102", "cifar100")}) == 3


def test_what_is_known_of_a_dataset_is_left_out_by_any_of_its_names():
    left = elsewhere(built_in(), ["birds"])
    assert len(left) == 19 * 8
    assert "caltech_birds2011" not in {one.dataset for one in left}


def test_a_table_does_not_depend_on_the_order_and_averages_repetitions():
    known = [
        Outcome("a", "x", 0.4), Outcome("A ", "X", 0.6), Outcome("b", "x", 0.9),
        Outcome("b", "y", 0.1),
    ]  # fmt: skip
    table, turned = tabulated(known), tabulated(known[::-1])
    assert table.models == turned.models == ("a", "b")
    assert table.datasets == turned.datasets == ("x", "y")
    np.testing.assert_array_equal(table.accuracy, [[0.5, math.nan], [0.9, 0.1]])
    np.testing.assert_array_equal(table.accuracy, turned.accuracy)


def test_families_are_designs_of_several_sizes():
    assert family("EfficientNetB7") == family("efficientnetb0")
    assert family("ResNet152") == family("ResNet50")
    assert len({family(name) for name in ("ResNet50", "ResNet50V2", "InceptionResNetV2")}) == 3
    assert len({family(name) for name in ("MobileNetV3Small", "MobileNetV3Large")}) == 2
    assert family("my-resnet50") == "my-resnet50"


def test_what_is_known_as_numbers():
    own = (Outcome("mine", "leaves", 0.4), Outcome("VGG16", "leaves", 0.3), Outcome("x", "dtd", 1))
    quantities = ("accuracy", "linear-head", "imagenet-top1")
    known, rows = known_networks(["Mine", "ResNet50", "New"], own, "DTD", quantities)
    assert known.values.shape == (3, 19 + 2, 8 + 1)
    assert known.reference == 8
    np.testing.assert_array_equal(rows, [19, 0, 20])
    assert known.values[0, 19, 8] == 0.4
    assert np.isfinite(known.values[0, :19, :8]).all()
    assert np.isnan(known.values[:, 20]).all()
    assert np.isnan(known.values[1:, :, 8]).all()
    assert math.isnan(known.images[8])
    vgg = published().models.index("VGG16")
    assert known.values[0, vgg, 8] == 0.3
    assert known.values[2, vgg, 0] == 0.713
    assert known.families[vgg] == known.families[published().models.index("VGG19")]
    assert "dtd" not in tabulated(own[:2]).datasets
