"""What a table or figure asks for, before anything is trained."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ncselect.reproduction import SCALES, paper
from ncselect.reproduction.request import reproduction
from zoo.errors import InputError


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
