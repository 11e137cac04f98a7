"""What a run's numbers depend on besides its spec: backend, versions, threads, device.

Nothing here imports a Keras backend: a run's process is told its environment before it starts.
"""

from __future__ import annotations

import json
import os
from importlib import metadata
from pathlib import Path

from zoo.errors import InputError

BACKENDS = ("tensorflow", "jax")


def environment(threads: int) -> dict[str, str]:
    """Return what belongs into a run's key: backend, versions, threads and device.

    Parameters
    ----------
    threads
        Threads of a run's process.

    Raises
    ------
    InputError
        If the configured Keras backend is neither TensorFlow nor JAX.
    """
    backend = _configured_backend()
    return {
        "backend": backend,
        "keras": metadata.version("keras"),
        backend: metadata.version(backend),
        "numpy": metadata.version("numpy"),
        "threads": str(threads),
        "device": "gpu" if _has_gpu() else "cpu",
    }


def process_variables(environment: dict[str, str]) -> dict[str, str]:
    """Return the environment variables that pin a run's process to an environment.

    Operations are deterministic and the thread pools of fixed size: with these, the same seed
    gives the same numbers on the same machine.
    """
    threads = environment["threads"]
    return {
        **os.environ,
        "KERAS_BACKEND": environment["backend"],
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "NPROC": threads,
        "TF_DETERMINISTIC_OPS": "1",
        "TF_CUDNN_DETERMINISTIC": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONUNBUFFERED": "1",
    }


def available_cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0))


def _configured_backend() -> str:
    """Follow Keras's own rule: KERAS_BACKEND, then keras.json, then TensorFlow."""
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    backend = os.environ.get("KERAS_BACKEND")
    if not backend and (home / "keras.json").exists():
        backend = json.loads((home / "keras.json").read_text()).get("backend")
    backend = backend or "tensorflow"
    if backend not in BACKENDS:
        raise InputError(
            f"KERAS_BACKEND: ncselect measures derivatives on {' and '.join(BACKENDS)}, "
            f"not on '{backend}'; set KERAS_BACKEND=tensorflow"
        )
    return backend


def _has_gpu() -> bool:
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return not hidden and Path("/proc/driver/nvidia/version").exists()
