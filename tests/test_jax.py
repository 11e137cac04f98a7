"""The same run on JAX, where TensorFlow cannot be imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys
from pathlib import Path
from ncselect import Settings, select
folder = Path(sys.argv[1])
ranking = select(
    sys.argv[3:], "digits", epochs=1, image_size=32,
    train_size=128, validation_size=60, test_size=60, progress=False,
    store=folder / sys.argv[2], method="last-value",
    settings=Settings(probe_dropout=0.0, probe_size=64),
)
assert not ranking.failed, ranking.failed
records = sorted(ranking.records.values(), key=lambda record: record.spec.model)
print(json.dumps([
    {"model": one.spec.model, "signals": [dict(seen.signals) for seen in one.observations]}
    for one in records
]))
"""


def test_jax_without_tensorflow_sees_what_tensorflow_sees(
    tmp_path, small_network, in_this_process, monkeypatch, capsys
):
    asked = ["-c", str(tmp_path), "tensorflow", str(small_network(8, dropout=0.0))]
    monkeypatch.setenv("NCSELECT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "argv", asked)
    with in_this_process():
        exec(PROGRAM, {})
    ours = json.loads(capsys.readouterr().out)

    blocked = tmp_path / "blocked" / "tensorflow"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text("raise ImportError('blocked for this test')")
    path = os.pathsep.join([str(blocked.parent), os.environ.get("PYTHONPATH", "")])
    asked[2] = "jax"
    done = subprocess.run(
        [sys.executable, *asked[:1], PROGRAM, *asked[1:]],
        env={**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout)
    assert [one["model"] for one in ours] == ["small-8"]
    for one, other in zip(ours, theirs, strict=True):
        before, after = zip(one["signals"], other["signals"], strict=True)
        for (mine, its), tolerance in ((before, 1e-3), (after, 0.05)):
            assert mine.keys() == its.keys()
            for name in ("training-loss", "residual", "validation-loss"):
                assert mine[name] == pytest.approx(its[name], rel=tolerance), name
        mine, its = before
        for name in ("beta/base/exact/signed", "beta/base/held/signed", "beta/norm/exact/signed"):
            assert mine[name] == pytest.approx(its[name], rel=1e-2), name
