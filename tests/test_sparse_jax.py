"""Sparse training on JAX, where TensorFlow cannot be imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CHOSEN = {
    "test_topology_evolution.py": [
        "test_a_training_resumed_from_a_checkpoint_is_the_uninterrupted_one",
        "test_what_is_absent_stays_0_in_training_and_in_the_optimiser[optimizer1]",
    ],
    "test_dense_gradient.py": [
        "test_the_gradient_is_that_of_finite_differences_absent_connections_included"
    ],
    "test_sparse_layers.py": [
        "test_a_dense_layer_computes_with_its_connections_alone",
        "test_a_layer_built_inside_a_traced_call_starts_masked",
    ],
    "test_storage.py": ["test_nested_and_functional_models_are_chains_too"],
    "test_slots.py": [
        f"test_state_of_chosen_entries_begins_anew_and_nothing_else_does[{name}]"
        for name in ("adagrad", "schedule-free")
    ],
}


SINGLE_PRECISION = {
    "test_held_masks.py": "(at_once and adamw) or accumulates or own_loop or saved",
    "test_tickets.py": "begins or go_back",
    "test_sparse_runs.py": "interrupted and rewound",
}


def test_masks_are_held_tickets_drawn_and_runs_resumed_on_jax():
    pytest.importorskip("jax")
    chosen = " or ".join(f"({file} and ({words}))" for file, words in SINGLE_PRECISION.items())
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider"),
            *(HERE / file for file in SINGLE_PRECISION),
            *("-k", chosen),
        ],
        cwd=HERE.parent,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_same_holds_on_jax(tmp_path):
    pytest.importorskip("jax")
    blocked = tmp_path / "tensorflow"
    blocked.mkdir()
    (blocked / "__init__.py").write_text("raise ImportError('blocked for this test')")
    names = [f"{HERE / file}::{name}" for file, tests in CHOSEN.items() for name in tests]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *names],
        cwd=HERE.parent,
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            "JAX_ENABLE_X64": "1",
            "PYTHONPATH": os.pathsep.join([str(tmp_path), str(HERE.parent)]),
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
