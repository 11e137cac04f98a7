"""A source stage for real: trained, killed, saved, ranked on another dataset."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import keras
import numpy as np
import pytest
from rich.console import Console
from shown_events import check_shows

from ncselect import Pretrained, Settings, pretrain, select
from ncselect.numerics.transferability.leep import leep
from ncselect.pool_file import extend
from ncselect.pretrained import PretrainedNetwork, network_file, stored_network
from ncselect.pretraining import SETTINGS, source_stage
from ncselect.spec import RunSpec
from ncselect.store import RunStore
from ncselect.train import Training
from zoo.datasets import prepare
from zoo.errors import InputError
from zoo.models import Candidate, build, candidates

SIZES = {"image_size": 32, "train_size": 512, "validation_size": 150, "test_size": 100}
FAST = {
    "epochs": 3,
    "settings": dataclasses.replace(SETTINGS, learning_rate=0.01),
    "threads": 1,
    "progress": False,
}
ALONE = """
import sys
sys.modules.update(ncselect=None, zoo=None)
import keras, numpy as np
images, *files = sys.argv[1:]
for file in files:
    network = keras.saving.load_model(file, safe_mode=True)
    np.save(file + ".npy", network.predict(np.load(images), batch_size=64, verbose=0))
"""


def ncselect(*arguments, **variables):
    return subprocess.run(
        [sys.executable, "-m", "ncselect", *map(str, arguments)],
        env={**os.environ, **variables}, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def digits(cache):
    return prepare("digits", **SIZES, cache=cache)


@pytest.fixture(scope="module")
def small(small_network):
    return Candidate("small", "file", str(small_network(8)), {}, "included")


@dataclasses.dataclass(frozen=True)
class Stage:
    answer: Pretrained
    models: list
    store: Path

    @property
    def out(self):
        return self.answer.pool.parent


@pytest.fixture(scope="module")
def stage(digits, small, tmp_path_factory):
    """Train a small network, and a MobileNet whose name climbs out of the folder."""
    folder = tmp_path_factory.mktemp("stage")
    (folder / "models.toml").write_text(
        '[[model]]\nname = "../../quarter"\napplication = "MobileNet"\n'
        "arguments = { alpha = 0.25 }\n"
    )
    models, store = [Path(small.source), folder / "models.toml"], folder / "runs"
    models[0] = shutil.copy(models[0], folder / "small.keras")
    models = [str(model) for model in models]
    answer = pretrain(
        models, digits, out=folder / "out", store=store, keep=True, workers=2,
        tensorboard=folder / "logs", **FAST,
    )  # fmt: skip
    for run in RunStore(store).runs():
        check_shows(folder / "logs", run)
    return Stage(answer, models, store)


def predicted(network, images):
    return keras.saving.load_model(network.file).predict(images, batch_size=64, verbose=0)


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def contents(folder):
    return {one: (one.stat().st_mtime_ns, one.read_bytes()) for one in folder.iterdir()}


def test_a_file_predicts_what_the_trained_network_does_without_this_package(
    stage, digits, tmp_path
):
    assert not stage.answer.failed
    assert [one.weights for one in stage.answer.networks] == ["included", "random"]
    images = np.concatenate([digits.images("validation"), digits.images("test")])
    np.save(tmp_path / "images.npy", images)
    files = [shutil.copy(one.file, tmp_path) for one in stage.answer.networks]
    done = subprocess.run(
        [sys.executable, "-c", ALONE, tmp_path / "images.npy", *files],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

    given = candidates(stage.models, weights="random", default="random")
    listed = candidates(stage.answer.pool)
    for network, before, after, file in zip(
        stage.answer.networks, given, listed, files, strict=True
    ):
        seen = np.load(f"{file}.npy")
        run = RunStore(stage.store).find(network.spec)
        training = Training(run.spec, before, digits)
        with run.writer() as writer:
            training.restore(writer.epochs - 1, writer.variables())
        logits = training.model.predict(images, batch_size=64, verbose=0)
        np.testing.assert_allclose(seen, softmax(logits), atol=1e-5)

        record = run.record()
        validated = np.mean(seen[:150].argmax(axis=1) == digits.labels("validation"))
        tested = np.mean(seen[150:].argmax(axis=1) == digits.labels("test"))
        assert validated == pytest.approx(record.observations[-1].signals["validation-accuracy"])
        assert tested == pytest.approx(record.truth[3])
        assert (network.validation_accuracy, network.test_accuracy) == pytest.approx(
            (validated, tested)
        )

        base = build(after, digits.image_shape, seed=0).model
        assert len(base.variables) == len(training.model.variables) - 2
        for kept, trained in zip(base.variables, training.model.variables, strict=False):
            if "seed" not in kept.path:
                np.testing.assert_array_equal(np.asarray(kept.value), np.asarray(trained.value))

        momenta = [
            {one.momentum for one in model._flatten_layers() if hasattr(one, "momentum")}
            for model in (base, training.model)
        ]
        assert momenta[0] == {0.99}  # the architecture's, not what an epoch of 8 steps needs
        assert max(momenta[1]) < 0.6
    assert stage.answer.networks[0].validation_accuracy > 0.18  # of ten classes: it has learned


def test_names_classes_and_facts_are_kept_inside_the_folder(stage, digits):
    names = sorted(one.name for one in stage.out.iterdir())
    assert names == [
        "pool.toml", "quarter-2f80cc5a.json", "quarter-2f80cc5a.keras", "small.json", "small.keras",
    ]  # fmt: skip
    assert not list(stage.out.parent.glob("*quarter*"))
    quarter = stage.answer.networks[1]
    assert stored_network(quarter.file) == quarter
    facts = json.loads((stage.out / "quarter-2f80cc5a.json").read_text())
    assert facts["classes"] == list(digits.classes)
    assert facts["input_shape"] == [None, None, 3]
    assert [one.smallest_size for one in stage.answer.networks] == [None, 32]  # of its card
    assert [one.smallest_size for one in candidates(stage.answer.pool)] == [None, 32]
    pool = stage.answer.pool.read_text()
    assert [one["name"] for one in tomllib.loads(pool)["model"]] == ["small", "../../quarter"]
    assert "# Trained on digits for 3 epochs, seed 0, from random weights;" in pool
    assert f"validation {quarter.validation_accuracy:.4f}" in pool


def test_the_pool_ranks_on_another_dataset_with_its_source_heads(stage, digits, cache, tmp_path):
    images, labels = 255 - digits.images("train"), digits.labels("train") % 3
    other = prepare((images, labels), name="parts", cache=cache)
    ranking = select(
        stage.answer.pool, other, method=["leep", "nce", "logme"], epochs=0,
        store=tmp_path, threads=1, progress=False,
    )  # fmt: skip
    assert not ranking.failed
    assert ranking.others == ("nce", "logme")
    for network in stage.answer.networks:
        (row,) = (row for row in ranking.rows if row.model == network.spec.model)
        assert set(row.beside) == {"nce", "logme"}
        of_source = predicted(network, other.images("train"))
        assert row.score == pytest.approx(leep(of_source, other.labels("train")), abs=1e-4)


def test_a_second_call_trains_and_rewrites_nothing_and_another_model_extends(
    stage, digits, small_network, tmp_path
):
    out, store = tmp_path / "moved", tmp_path / "runs"
    shutil.copytree(stage.out, out)
    shutil.copytree(stage.store, store)
    before = contents(out)
    again = pretrain(stage.models, digits, out=out, store=store, **FAST)
    assert contents(out) == before
    assert [one.digest for one in again.networks] == [one.digest for one in stage.answer.networks]

    lost = pretrain(stage.models, digits, out=out, store=tmp_path / "other", **FAST)
    assert lost == again  # what is saved needs no store
    assert contents(out) == before

    (out / "pool.toml").write_text(before[out / "pool.toml"][1].decode() + "\n# mine\n")
    more = [*stage.models, str(small_network(4))]
    extended = pretrain(more, digits, out=out, store=store, **FAST)
    assert [one.spec.model for one in extended.networks] == ["small", "../../quarter", "small-4"]
    text = (out / "pool.toml").read_text()
    assert text.startswith(before[out / "pool.toml"][1].decode() + "\n# mine\n")
    assert [one.name for one in candidates(out / "pool.toml")][2:] == ["small-4"]
    for file in before.keys() - {out / "pool.toml"}:
        assert (file.stat().st_mtime_ns, file.read_bytes()) == before[file]

    seen = Console(width=100, record=True, file=io.StringIO())
    seen.print(extended)
    assert re.search(r"small-4 +from included +0\.\d+ +0\.\d+ +small-4\.keras", seen.export_text())


def test_what_was_killed_or_could_not_be_saved_goes_on_to_the_same_file(stage, digits, tmp_path):
    whole = stage.answer.networks[0]
    model, out, store = stage.models[0], tmp_path / "out", tmp_path / "runs"
    chosen = {name: value for name, value in FAST.items() if name != "progress"}

    def call(watch=lambda _model, _event: None):
        return source_stage(model, digits, out=out, store=store, **chosen).pretrained(watch=watch)

    def kill(_model, event):
        if event["event"] == "observation" and event["epoch"] == 1:
            os.kill(int(next(store.glob("*/lock")).read_text().split()[0]), signal.SIGKILL)

    killed = call(kill)
    assert "killed by signal SIGKILL" in killed.failed["small"]
    assert not killed.networks
    assert list(out.iterdir()) == []

    (out / ".small.draft.keras").mkdir()  # nothing can be written there
    unsaved = call()
    assert "draft.keras" in unsaved.failed["small"]
    record = RunStore(store).find(whole.spec).record()
    assert (record.status, record.epochs, set(record.truth)) == ("partial", 3, {3})
    assert next(store.glob("*/checkpoint.npz"))
    (out / ".small.draft.keras").rmdir()

    events = []
    saved = call(lambda _model, event: events.append(event["event"]))
    assert "observation" not in events
    assert saved.networks[0].digest == whole.digest
    assert saved.networks[0].test_accuracy == whole.test_accuracy
    run = RunStore(store).find(whole.spec)
    assert run.record().status == "complete"
    assert not list(store.glob("*/checkpoint.npz"))

    (run.folder / "outcome.json").unlink()  # as if killed between the file and the run's end
    events.clear()
    assert call(lambda _model, event: events.append(event["event"])) == saved
    assert events == ["stored"]
    assert run.record().status == "complete"

    saved.networks[0].file.unlink()
    gone = call()
    assert "stored to epoch 3 without a checkpoint, saving wanted" in gone.failed["small"]
    assert "--delete" in gone.failed["small"]


def test_what_lies_in_the_folder_already_is_never_overwritten(stage, digits, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(stage.out, out)

    def call(models=stage.models[0], **changed):
        chosen = {**FAST, **changed}
        del chosen["progress"]
        return source_stage(models, digits, out=out, store=tmp_path / "runs", **chosen)

    assert [run.basis for run in call().plan.runs] == ["saved"]
    for changed, told in (
        (
            {"seed": 1},
            r"seed 0 \(wanted: 1\); give another place with --out, or delete "
            r"'small\.keras' and 'small\.json' there to train it anew",
        ),
        ({"epochs": 4}, r"epochs 3 \(wanted: 4\)"),
        ({"settings": SETTINGS}, r"learning_rate 0\.01 \(wanted: 0\.001\)"),
    ):
        with pytest.raises(InputError, match=rf"'.*small\.keras' is of another training: {told}"):
            call(**changed)
    with pytest.raises(InputError, match="unit is 'probe'; a source stage trains plain"):
        call(settings=Settings())
    with pytest.raises(InputError, match="weights is 'imagenet', but small brings its own"):
        call(weights="imagenet")
    content = bytearray((out / "small.keras").read_bytes())
    content[len(content) // 2] ^= 1
    (out / "small.keras").write_bytes(content)
    with pytest.raises(InputError, match="is not as it was saved: damaged or changed"):
        call()
    (out / "small.keras").unlink()
    (out / "small.json").unlink()
    assert [run.basis for run in call(seed=1).plan.runs] == ["unknown"]
    (out / "small.keras").write_bytes(content)
    (out / "small.json").write_text('{"mine": 1}')
    with pytest.raises(InputError, match=r"small\.json' is none of the files that ncselect"):
        call()
    (out / "small.json").unlink()
    with pytest.raises(InputError, match=r"is there without 'small\.json'"):
        call()
    (out / "small.keras").unlink()
    (out / "pool.toml").write_text("mine")
    with pytest.raises(InputError, match=r"pool file .*pool\.toml is not TOML"):
        call()


NAMES = ["a/b", "a-b", "../../x", "/etc/x", "..", ".", "", "a b", "ä", "x" * 300, "pool", "\ud800"]


def test_no_name_leaves_the_folder_and_no_two_share_a_file(tmp_path):
    files = [network_file(tmp_path, name) for name in NAMES]
    assert {file.parent for file in files} == {tmp_path}
    assert len({file.name.casefold() for file in files}) == len(NAMES)
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*\.keras", file.name) for file in files)
    assert max(len(file.name) for file in files) < 120
    assert network_file(tmp_path, "mobilenet-v1-0.25").name == "mobilenet-v1-0.25.keras"


def test_any_name_can_be_listed_in_a_pool_file(tmp_path):
    odd = ['say "no"', "back\\slash", "two\nlines", "\x7f\x00", "😀", "]]", "a = 1 # b"]
    for name in odd:
        spec = RunSpec(model=name, dataset=f"{name}\r\nx = 1", candidate={}, data={})
        network = PretrainedNetwork(
            network_file(tmp_path, name), spec, 3, ("a", "b"), "random", 9, (None, None, 3),
            0.5, 0.5, "",
        )  # fmt: skip
        for _ in range(2):
            extend(tmp_path / "pool.toml", [network])
    listed = tomllib.loads((tmp_path / "pool.toml").read_text())["model"]
    assert [one["name"] for one in listed] == odd
    assert all(set(one) == {"name", "file"} for one in listed)
    sized = dataclasses.replace(network, spec=dataclasses.replace(spec, model="sized"),
                                smallest_size=32)  # fmt: skip
    extend(tmp_path / "pool.toml", [sized])
    assert candidates(tmp_path / "pool.toml")[-1].smallest_size == 32


def test_the_command_line_agrees_says_the_remedy_and_fails_alone(stage, cache, tmp_path):
    before = contents(stage.out)
    command = (
        "pretrain", "--dataset", "digits", "--image-size", 32, "--train-size", 512,
        "--validation-size", 150, "--test-size", 100, "--epochs", 3, "--learning-rate", 0.01,
        "--store", stage.store, "--format", "json",
    )  # fmt: skip
    variables = {"NCSELECT_CACHE": str(cache)}
    models = ("--models", ",".join(stage.models))
    done = ncselect(*command, *models, "--out", stage.out, **variables)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == stage.answer.to_dict()
    assert contents(stage.out) == before

    fresh = ("--out", tmp_path / "fresh" / "out", "--store", tmp_path / "fresh" / "runs", "--plan")
    planned = ncselect(*command, *models, *fresh, **variables)
    assert planned.returncode == 0, planned.stderr
    assert [run["epochs"] for run in json.loads(planned.stdout)["runs"]] == [3, 3]
    assert not list(tmp_path.iterdir())

    (tmp_path / "one" / "cat").mkdir(parents=True)
    keras.utils.save_img(tmp_path / "one" / "cat" / "a.png", np.zeros((8, 8, 3)))
    for changed, told in (
        ((*models, "--out", "/dev/null/x"), "with --out"),
        (("--models", "MobilNet", "--out", tmp_path), "MobileNet"),
        ((*models, "--dataset", tmp_path / "one", "--out", tmp_path), "one class ('cat')"),
    ):
        refused = ncselect(*command, *changed, **variables)
        assert refused.returncode == 2, refused.stderr
        assert told in refused.stderr
        assert refused.stdout == ""

    alexnet = ("--models", "AlexNet", "--weights", "imagenet", "--out", tmp_path / "none")
    failed = ncselect(*command, *alexnet, **variables)
    assert failed.returncode == 1, failed.stderr
    assert "Keras has no ImageNet weights" in json.loads(failed.stdout)["failed"]["AlexNet"]
    assert not list((tmp_path / "none").glob("*"))
