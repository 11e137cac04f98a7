"""What a run's numbers depend on besides its spec: backend, versions, threads, device.

Nothing here imports a Keras backend: a run's process is told its environment before it starts.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from zoo.errors import InputError

BACKENDS = ("tensorflow", "jax")
PROTOCOL = 1  # raised with every change of training or measuring that changes numbers
_CONFIGURING = ("KERAS_", "TF_", "XLA_", "JAX_")
_SHORTENED = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")  # Keras cuts fit() short by these


def environment(
    threads: int, *, gpu: bool | None = None, variables: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return what belongs into a run's key: versions, backend and its switches, threads, device.

    Parameters
    ----------
    threads
        Threads of a run's process.
    gpu
        Whether it has a GPU; None: if this machine has one.
    variables
        The environment variables of this machine, or of another that they are meant for.

    Raises
    ------
    InputError
        If the configured Keras backend is neither TensorFlow nor JAX.
    """
    configured = _keras_configuration(variables)
    backend = _checked(variables.get("KERAS_BACKEND") or configured.get("backend"))
    where = {
        "protocol": str(PROTOCOL),
        "backend": backend,
        "floatx": str(configured.get("floatx", "float32")),
        "keras": metadata.version("keras"),
        backend: metadata.version(backend),
        "numpy": metadata.version("numpy"),
        "threads": str(threads),
        "device": "gpu" if (_has_gpu() if gpu is None else gpu) else "cpu",
    }
    if backend == "jax":
        return {
            **where,
            "jaxlib": metadata.version("jaxlib"),
            "xla": variables.get("XLA_FLAGS", ""),
        }
    return {**where, "onednn": variables.get("TF_ENABLE_ONEDNN_OPTS", "1")}


def process_variables(
    environment: Mapping[str, str], variables: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the environment variables that pin a run's process to an environment.

    Operations are deterministic and the thread pools of fixed size: with these, the same seed
    gives the same numbers on the same machine.

    Parameters
    ----------
    environment
        What the process is pinned to, see :func:`environment`.
    variables
        What it inherits.
    """
    threads = environment["threads"]
    inherited = {name: value for name, value in variables.items() if name not in _SHORTENED}
    return {
        **inherited,
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


def configuring(variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables that Keras and its backends are configured by.

    They go with a run to whichever machine it is done on.
    """
    return {name: value for name, value in variables.items() if name.startswith(_CONFIGURING)}


def _keras_configuration(variables: Mapping[str, str]) -> dict[str, object]:
    """Read what Keras itself will read: ``keras.json`` in its home."""
    home = Path(variables.get("KERAS_HOME", Path.home() / ".keras"))
    file = home / "keras.json"
    return dict(json.loads(file.read_text())) if file.exists() else {}


def _checked(backend: object) -> str:
    backend = backend or "tensorflow"
    if backend not in BACKENDS:
        raise InputError(
            f"KERAS_BACKEND: ncselect measures derivatives on {' and '.join(BACKENDS)}, "
            f"not on '{backend}'; set KERAS_BACKEND=tensorflow"
        )
    return str(backend)


def _has_gpu() -> bool:
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return not hidden and machine_has_gpu()


def machine_has_gpu() -> bool:
    """Tell whether this machine has a GPU, whether or not this process may see it."""
    return Path("/proc/driver/nvidia/version").exists()


def peak_megabytes() -> float:
    """Return the most memory that this process has held so far."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / 2 ** (20 if sys.platform == "darwin" else 10)  # there it counts in bytes
