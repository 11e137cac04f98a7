"""From a ranking to a file that predicts, for real: trained, killed, saved, exported."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from shown_events import check_shows

import ncselect
from ncselect import Settings, finetune, select
from ncselect.execute import complete
from ncselect.exporting import asked_export
from ncselect.finetuning import FineTuningError, fine_tuning
from ncselect.kept_ranking import kept_ranking
from ncselect.pretrained import stored_network
from ncselect.run import stored_arrays
from ncselect.store import RunStore
from ncselect.train import Training
from zoo.datasets import prepare
from zoo.errors import InputError, UnknownNameError
from zoo.images import resized
from zoo.models import Candidate

HORIZON, PATIENCE = 8, 2
SETTINGS = Settings(optimizer="sgd", learning_rate=0.02, probe_size=64, graphs="none")
ALONE = """
import sys
sys.modules.update(ncselect=None, zoo=None)
import json, zipfile
import keras, numpy as np
file, images, answer = sys.argv[1:]
network = keras.models.load_model(file)
np.save(answer, network.predict(np.load(images), verbose=0))
print(json.dumps(json.loads(zipfile.ZipFile(file).read("classes.json"))))
"""


def ncselect_command(*arguments, **variables):
    return subprocess.run(
        [sys.executable, "-m", "ncselect", *map(str, arguments)],
        env={**os.environ, **variables}, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return prepare(
        "digits", image_size=32, train_size=128, validation_size=60, test_size=80,
        cache=tmp_path_factory.mktemp("cache"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def ranked(digits, small_network, tmp_path_factory):
    """Return a ranking of a network after an epoch, and its store."""
    store = tmp_path_factory.mktemp("ranked")
    ranking = select(
        str(small_network(8)), digits, method="last-value", epochs=1,
        horizon=HORIZON, settings=SETTINGS, store=store, threads=1, progress=False,
    )  # fmt: skip
    assert not ranking.failed
    return ranking, store


@pytest.fixture
def store(ranked, tmp_path):
    """Return a copy of the store, to be changed."""
    return shutil.copytree(ranked[1], tmp_path / "runs")


@pytest.fixture(scope="module")
def fresh(ranked, tmp_path_factory):
    """Return the best network with a fresh head, its training killed on the way; and its events."""
    ranking, store = ranked
    out = tmp_path_factory.mktemp("fresh") / "digits.keras"
    logs = tmp_path_factory.mktemp("logs")
    stage = fine_tuning(ranking, out=out, store=store, patience=PATIENCE, tensorboard=logs)
    events = []

    def kill(_model, event):
        events.append(event)
        if event["event"] == "observation" and event["epoch"] == 2:
            folder = RunStore(store).find(stage.job.spec).folder
            os.kill(int((folder / "lock").read_text().split()[0]), signal.SIGKILL)

    with pytest.raises(FineTuningError, match="killed by signal SIGKILL"):
        stage.finetuned(watch=kill)
    assert not out.exists()
    run = RunStore(store).find(stage.job.spec)
    reached = run.record().observations[-1].epoch  # 2, or one more before it was killed
    said = rf"epochs: 1 came, but .* gone on to epoch {reached}; .*--seed"
    with pytest.raises(InputError, match=said):
        fine_tuning(ranking, out=out, store=store, patience=PATIENCE, epochs=1)
    folder = run.folder
    with (
        stored_arrays(folder / "best.npz") as best,
        stored_arrays(folder / "checkpoint.npz") as all_,
    ):
        assert len(best.files) < len(all_.files)  # the optimiser's are in the checkpoint alone
    events.clear()
    done = stage.finetuned(watch=lambda _model, event: events.append(event))
    assert next(one for one in events if one["event"] == "started")["epoch"] == reached
    check_shows(logs, RunStore(store).find(stage.job.spec))
    return done, stage, events


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def trained(stage, epochs, digits, store):
    """Train for so many epochs in one go, keeping nothing but the last; return what comes of it.

    The observations, and the probabilities that the network gives for the test images.
    """
    settings = dataclasses.replace(stage.job.spec.settings, restore_best=False)
    spec = dataclasses.replace(stage.job.spec, settings=settings)
    job = dataclasses.replace(stage.job, spec=spec, epochs=epochs, saves=None, keep=True)
    (record,) = complete([job], RunStore(store))
    training = Training(spec, Candidate.from_json(job.candidate), digits)
    with RunStore(store).run(spec).writer() as writer:
        training.restore(epochs, writer.variables())
    logits = training.model.predict(digits.images("test"), verbose=0)
    return record, softmax(logits)


def predicted_alone(file, images, tmp_path):
    """Return what a file predicts in a process without this package, and its classes."""
    np.save(tmp_path / "images.npy", images)
    done = subprocess.run(
        [sys.executable, "-c", ALONE, file, tmp_path / "images.npy", tmp_path / "answer.npy"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return np.load(tmp_path / "answer.npy"), json.loads(done.stdout)


def test_a_fresh_head_has_the_weights_of_the_best_epoch_and_predicts_alone(
    fresh, ranked, digits, tmp_path
):
    done, stage, _ = fresh
    record = RunStore(ranked[1]).find(stage.job.spec).record()
    last, accuracies = record.epochs, record.curve("validation-accuracy").tolist()
    best = 1 + accuracies.index(max(accuracies))
    assert best < last  # what is last is not what is saved
    assert last < HORIZON  # and patience was out
    short, expected = trained(stage, best, digits, tmp_path / "runs")
    assert [one.signals for one in record.observations[: best + 1]] == [
        one.signals for one in short.observations
    ]
    network = done.network
    assert (network.best_epoch, network.epochs, network.has_stopped) == (best, last, True)
    assert set(record.truth) == {best, last}
    assert record.status == "complete"
    assert not [*RunStore(ranked[1]).find(stage.job.spec).folder.glob("*.npz")]

    images, labels = digits.images("test"), digits.labels("test")
    alone, classes = predicted_alone(done.file, images, tmp_path)
    np.testing.assert_allclose(alone, expected, atol=1e-5)
    assert done.test_accuracy == pytest.approx(np.mean(alone.argmax(axis=1) == labels))
    assert done.test_accuracy == record.truth[best]
    low, high = done.test_interval
    assert 0 < low < done.test_accuracy < high < 1
    assert network.test_images == len(images)
    assert tuple(classes) == done.classes == ncselect.class_names(done.file) == digits.classes


def test_the_file_brings_images_of_any_size_to_that_of_the_training(fresh, digits):
    model = fresh[0].load()
    images = digits.images("test")[:4]
    assert model.input_shape == (None, None, None, 3)
    whole = model.predict(images, verbose=0)
    large = np.stack([resized(image, (75, 50)) for image in images])
    assert np.abs(model.predict(large, verbose=0) - whole).max() < 0.02
    # it sees 32 pixels a side whatever comes: a pattern finer than those is averaged away
    noise = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3))
    fine = noise.repeat(4, axis=1).repeat(4, axis=2).astype(float)
    checks = np.indices((128, 128)).sum(axis=0)[None, :, :, None] % 2 * 2.0 - 1
    same = model.predict(np.concatenate([fine, fine + 9 * checks]), verbose=0)
    np.testing.assert_allclose(same[0], same[1], atol=1e-3)


def test_the_run_goes_on_below_its_probe_unit_to_the_horizon(ranked, store, digits, tmp_path):
    ranking = ranked[0]
    stage = fine_tuning(ranking.name, out=tmp_path / "ncp.keras", head="ncp", store=store)
    assert stage.job.spec == kept_ranking(RunStore(store)).specs[ranking.best]
    assert [(run.epochs, run.model) for run in stage.plan.runs] == [(HORIZON - 1, ranking.best)]
    started = []
    done = stage.finetuned(watch=lambda _model, event: started.append(event))
    assert [one["epoch"] for one in started if one["event"] == "observation"] == [
        *range(2, HORIZON + 1)
    ]
    whole, expected = trained(stage, HORIZON, digits, tmp_path / "whole")
    record = RunStore(store).find(stage.job.spec).record()
    assert [one.signals for one in record.observations] == [
        one.signals for one in whole.observations
    ]
    assert record.truth == whole.truth
    assert "beta/base/held/signed" in whole.observations[-1].signals
    predicted = done.load().predict(digits.images("test"), verbose=0)
    np.testing.assert_allclose(predicted, expected, atol=1e-5)
    assert done.test_accuracy == record.truth[HORIZON]
    probe = [layer for layer in done.load().layers if layer.name.startswith("ncp_")]
    kernels = [layer for layer in probe if layer.weights]
    assert len(kernels) == 5
    assert not any(layer.trainable for layer in kernels)

    again = finetune(ranking, out=done.file, head="ncp", store=store, progress=False)
    assert again.network == done.network
    with pytest.raises(InputError, match=r"has ended at epoch 8 .* saved as '.*ncp\.keras': copy"):
        fine_tuning(ranking, out=tmp_path / "other.keras", head="ncp", store=store)
    done.file.unlink()
    with pytest.raises(InputError, match=r"checkpoint is gone; delete the run with 'ncselect runs"):
        fine_tuning(ranking, out=tmp_path / "other.keras", head="ncp", store=store)
    shutil.copytree(store / "rankings", tmp_path / "whole" / "rankings")
    with pytest.raises(InputError, match=r"epochs: 3 came, but .* to epoch 8; .* --head fresh"):
        fine_tuning(
            ranking, out=tmp_path / "new.keras", head="ncp", store=tmp_path / "whole", epochs=3
        )


def test_a_second_call_trains_and_rewrites_nothing(fresh, ranked):
    done, _, _ = fresh
    files = {one: (one.stat().st_mtime_ns, one.read_bytes()) for one in done.file.parent.iterdir()}
    assert sorted(one.name for one in files) == ["digits.json", "digits.keras", "digits.md"]
    asked = {"out": done.file, "store": ranked[1], "patience": PATIENCE}
    assert [run.basis for run in fine_tuning(**asked).plan.runs] == ["saved"]
    again = finetune(**asked, progress=False)
    assert again.network == done.network
    assert finetune(**asked, epochs=HORIZON + 9, progress=False).network == done.network
    assert {one: (one.stat().st_mtime_ns, one.read_bytes()) for one in files} == files
    done.card.unlink()  # as if killed before it was written
    finetune(**asked, progress=False)
    assert done.card.read_bytes() == files[done.card][1]


def test_an_edited_card_and_the_first_ranking_are_kept(fresh, ranked, tmp_path, monkeypatch):
    ranking, _ = ranked
    for name in ("digits.keras", "digits.json", "digits.md"):
        shutil.copy(fresh[0].file.with_name(name), tmp_path)
    monkeypatch.chdir(tmp_path)  # the ranking knows its store
    (tmp_path / "digits.md").write_text("Mine.")
    facts = (tmp_path / "digits.json").read_bytes()
    row = dataclasses.replace(ranking[0], accuracy=0.25)
    other = dataclasses.replace(ranking, rows=(row,))
    stage = fine_tuning(other, out="digits.keras", patience=PATIENCE)
    assert stage.ranked["accuracy"] == 0.25
    done = stage.finetuned()
    assert (tmp_path / "digits.md").read_text() == "Mine."
    assert (tmp_path / "digits.json").read_bytes() == facts
    assert "'digits.md' is not as it was written" in done.notes[-1]
    assert done.notes[-1] not in fresh[0].notes
    with pytest.raises(InputError, match="ranking: no candidate could be ranked"):
        fine_tuning(dataclasses.replace(ranking, rows=()), out="other.keras")


def test_card_and_facts_say_the_same(fresh, ranked, digits, monkeypatch):
    done, _, _ = fresh
    ranking, _ = ranked
    facts = json.loads(done.file.with_suffix(".json").read_text())
    card = done.card.read_text()
    assert stored_network(done.file) == done.network
    assert facts["test_interval"] == list(done.test_interval)
    assert facts["ranking"]["name"] == ranking.name
    assert tuple(facts["notes"]) == digits.notes == done.notes
    assert facts["ranking"]["accuracy"] == ranking[0].accuracy
    for told in (
        f"Test accuracy {facts['test_accuracy']:.4f}, 95% interval "
        f"{facts['test_interval'][0]:.4f} to {facts['test_interval'][1]:.4f} (Wilson, 80 images",
        f"{ranking.best}, fine-tuned on digits (10 classes).",
        "| images | 128 to train, 60 to validate, 80 to test |",
        f"| weights of epoch | {facts['best_epoch']} |",
        "| learning rate | 0.02 |", "| momentum | 0.9 |", f"| patience | {PATIENCE} |",
        f"| ranking | {ranking.name}, ", "| place | 1 of 1 candidates |",
        f"| predicted accuracy at epoch {HORIZON} | {ranking[0].accuracy:.3f} ± ",
        digits.fingerprint, *digits.notes,
    ):  # fmt: skip
        assert told in card
    code = card.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(done.file.parent)
    exec(code, names := {"images": digits.images("test")[:2]})
    assert names["probabilities"].shape == (2, 10)
    assert names["classes"] == facts["classes"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"head": "new"}, "unknown head 'new'"),
        ({"model": "small"}, "unknown model 'small'"),
        ({"ranking": "other"}, "ranking: 'other' fits 0"),
        ({"ranking": 5}, r"ranking: 5 came; give what select\(\) has returned"),
        ({"model": 5}, "model: 5 came; give the name"),
        ({"head": 5}, "head: 5 came; give 'fresh' or 'ncp'"),
        ({"out": 5}, "out: 5 came; give the name of a .keras file"),
        ({"epochs": 0}, "epochs: 0 came"),
        ({"patience": -1}, "patience: -1 came"),
        ({"learning_rate": 0}, "learning_rate: 0 came"),
        ({"seed": -1}, "seed: -1 came"),
        ({"out": "model.h5"}, r"out: 'model\.h5' came; give the name of a \.keras file"),
        ({"out": f"{__file__}/model.keras"}, "out: cannot write"),
        ({"head": "ncp", "patience": 3}, "patience: 3 came, but a run goes on as it began"),
        ({"head": "ncp", "learning_rate": 0.1}, "learning_rate: 0.1 came, but a run goes on"),
        ({"head": "ncp", "seed": 1}, "seed: 1 came, but a run goes on as it began"),
    ],
)
def test_what_cannot_be_used_is_named(ranked, tmp_path, changed, told):
    asked = {"out": tmp_path / "model.keras", "store": ranked[1], **changed}
    with pytest.raises((InputError, UnknownNameError), match=told):
        fine_tuning(asked.pop("ranking", None), **asked)
    assert not [*tmp_path.iterdir()]


def test_what_lies_in_the_place_is_never_overwritten(fresh, ranked, tmp_path):
    ranking, store = ranked
    for name in ("digits.keras", "digits.json", "digits.md"):
        shutil.copy(fresh[0].file.with_name(name), tmp_path)
    file = tmp_path / "digits.keras"

    def call(**changed):
        return fine_tuning(ranking, out=file, **{"patience": PATIENCE, "store": store, **changed})

    assert call().plan.runs[0].basis == "saved"
    for changed, told in (
        ({"patience": 3}, r"patience 2 \(wanted: 3\)"),
        ({"head": "ncp", "patience": None}, r"another training"),
        ({"seed": 1}, r"seed 0 \(wanted: 1\)"),
        ({"epochs": 1}, r"epochs \d \(wanted: 1\)"),
    ):
        with pytest.raises(InputError, match=told):
            call(**changed)
    own = RunStore(shutil.copytree(store, tmp_path / "runs"))
    run = own.find(call().job.spec)
    command = f"ncselect runs --store {own.folder} --delete {run.key}"
    anew = "delete 'digits.keras', 'digits.json' and 'digits.md' there"
    with pytest.raises(InputError, match=rf"{anew} to train it anew"):
        call(seed=1, store=own.folder)  # the store has no run of that
    with pytest.raises(InputError, match=rf"{anew} and the run with '{command}' to train it anew"):
        call(epochs=1, store=own.folder)
    kept = {one: one.read_bytes() for one in tmp_path.glob("digits.*")}
    for one in kept:
        one.unlink()
    run.delete()
    assert call(epochs=1, store=own.folder).plan.runs[0].epochs == 1
    for one, content in kept.items():
        one.write_bytes(content)
    file.with_suffix(".json").unlink()
    with pytest.raises(InputError, match=r"is there without 'digits\.json'"):
        call()
    file.unlink()
    with pytest.raises(InputError, match=r"digits\.md' is there, where the model card"):
        call()
    file.with_suffix(".md").unlink()
    file.mkdir()
    with pytest.raises(InputError, match="is a folder"):
        call()


def test_what_was_ranked_must_still_be_there(ranked, store, tmp_path):
    name = ranked[0].name
    path = store / "rankings" / f"{name}.json"
    kept = json.loads(path.read_text())
    best = ranked[0].best

    def call(head="fresh", **changed):
        path.write_text(json.dumps({**kept, **changed}))
        return fine_tuning(name, out=tmp_path / "model.keras", head=head, store=store)

    call()
    lost = {**kept["candidates"][best], "source": str(tmp_path / "gone.keras")}
    with pytest.raises(InputError, match=f"{best} is not what was ranked: source is missing"):
        call(candidates={**kept["candidates"], best: lost})
    with pytest.raises(InputError, match=r"dataset: .* no longer in .* Rank again"):
        call(dataset={**kept["dataset"], "folder": str(tmp_path / "gone")})
    spec = kept["specs"][best]
    plain = {**spec, "settings": {**spec["settings"], "unit": "classifier"}}
    with pytest.raises(InputError, match="ranked below a plain classifier"):
        call("ncp", specs={**kept["specs"], best: plain})
    call()
    run = RunStore(store).find(kept_ranking(RunStore(store)).specs[best])
    older = {**spec, "environment": {**spec["environment"], "keras": "3.0"}}
    (run.folder / "spec.json").write_text(json.dumps({**older, "model": "small"}))
    with pytest.raises(InputError, match=r"made with keras 3\.0, here it is .* --head fresh"):
        call("ncp", specs={**kept["specs"], best: older})
    by_steps = {**spec, "settings": {**spec["settings"], "observation_steps": 1}}
    settings = call(specs={**kept["specs"], best: by_steps}).job.spec.settings
    assert settings.observation_steps == 0  # epochs and patience count epochs
    call()
    unkept = dataclasses.replace(ranked[0], name="")
    with pytest.raises(InputError, match="not kept in a store"):
        fine_tuning(unkept, out=tmp_path / "model.keras", store=store)
    with pytest.raises(InputError, match="there are no runs in"):
        fine_tuning(out=tmp_path / "model.keras", store=tmp_path / "none")


@pytest.mark.parametrize("format", ["saved-model", "onnx"])
def test_an_export_predicts_the_same(fresh, digits, tmp_path, format):
    done, _, _ = fresh
    assert done.export(format, tmp_path / "exported") == tmp_path / "exported"
    images = digits.images("test").astype(np.float32)
    if format == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(tmp_path / "exported" / "model.onnx")
        (given,) = session.get_inputs()
        (answer,) = session.run(None, {given.name: images})
    else:
        layer = keras.layers.TFSMLayer(tmp_path / "exported", call_endpoint="serve")
        answer = np.asarray(layer(images))
    np.testing.assert_allclose(answer, done.load().predict(images, verbose=0), atol=1e-5)
    said = json.loads((tmp_path / "exported" / "classes.json").read_text())
    assert tuple(said["classes"]) == digits.classes

    before = {one: one.stat().st_mtime_ns for one in (tmp_path / "exported").rglob("*")}
    done.export(format, tmp_path / "exported")
    assert {one: one.stat().st_mtime_ns for one in before} == before
    other = {"saved-model": "onnx", "onnx": "saved-model"}[format]
    with pytest.raises(InputError, match=r"exported' is there and is not this network's"):
        asked_export(other, tmp_path / "exported", done.file)


def test_an_export_that_cannot_be_made_is_refused_before_training(tmp_path):
    file = tmp_path / "new" / "model.keras"
    for place in (file.parent, tmp_path, file, file.with_suffix(".md")):
        with pytest.raises(InputError, match=r"is where 'model\.keras' goes, or above it"):
            asked_export("onnx", place, file)
    with pytest.raises(UnknownNameError, match="unknown export 'tflite'"):
        asked_export("tflite", tmp_path / "new", file)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "classes.json").write_text("mine")
    with pytest.raises(InputError, match="name a folder that is not there"):
        asked_export("onnx", tmp_path / "mine", file)
    with pytest.raises(InputError, match="export: cannot write"):
        asked_export("onnx", f"{__file__}/new", file)


def test_the_command_line_says_what_it_did_and_what_went_wrong(fresh, ranked, store, tmp_path):
    done, _, _ = fresh
    asked = ("finetune", "--store", store)
    again = ncselect_command(
        *asked, ranked[0].name[:8], "--out", done.file, "--patience", PATIENCE, "--format", "json"
    )
    assert again.returncode == 0, again.stderr
    told = json.loads(again.stdout)
    assert (told["file"], told["head"], told["test"]) == (
        str(done.file), "fresh", done.test_accuracy,
    )  # fmt: skip
    assert "stored" in again.stderr

    planned = ncselect_command(*asked, "--out", tmp_path / "new.keras", "--plan")
    assert planned.returncode == 0
    assert f"{HORIZON} epochs" in planned.stdout
    assert "left alone" not in planned.stdout
    assert not (tmp_path / "new.keras").exists()

    wrong = ncselect_command(*asked, "--out", tmp_path / "new.keras", "--head", "none")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "error: unknown head 'none'" in wrong.stderr
    diverged = ncselect_command(
        *asked, "--out", tmp_path / "new.keras", "--learning-rate", 1e30, "--yes"
    )
    assert (diverged.returncode, diverged.stdout) == (1, "")
    assert "diverged at epoch 1" in diverged.stderr
    assert not (tmp_path / "new.keras").exists()


def test_class_names_are_asked_of_files_that_have_them(tmp_path, small_network):
    (tmp_path / "text.keras").write_text("no archive")
    for file in (small_network(4), tmp_path / "text.keras", Path("gone.keras")):
        with pytest.raises(InputError, match="no class names can be read from"):
            ncselect.class_names(file)
