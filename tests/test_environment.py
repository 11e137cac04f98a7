from __future__ import annotations

import json

import pytest

from ncselect.environment import environment, process_variables
from zoo.errors import InputError


@pytest.fixture(autouse=True)
def keras_home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    return tmp_path


def test_what_keras_is_configured_to_be_is_part_of_it(keras_home, monkeypatch):
    plain = environment(2)
    assert plain["backend"] == "tensorflow"
    (keras_home / "keras.json").write_text(json.dumps({"backend": "jax", "floatx": "float64"}))
    assert environment(2)["backend"] == "jax"
    assert environment(2)["floatx"] == "float64"
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert environment(2) != {**plain, "floatx": "float64"}


def test_a_backend_that_gives_no_derivatives_is_refused(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(InputError, match=r"not on 'torch'; set KERAS_BACKEND=tensorflow"):
        environment(1)


def test_what_would_cut_training_short_does_not_reach_a_run(monkeypatch):
    monkeypatch.setenv("KERAS_MAX_EPOCHS", "1")
    variables = process_variables(environment(3))
    assert "KERAS_MAX_EPOCHS" not in variables
    assert variables["TF_NUM_INTRAOP_THREADS"] == "3"
