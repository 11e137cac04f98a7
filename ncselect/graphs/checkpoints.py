"""Graph signatures of checkpoints that others have saved."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ncselect.graphs.recording import GraphRecorder
from zoo.errors import InputError
from zoo.saved import load_safely

WEIGHTS = ".weights.h5"


def checkpoint_signatures(
    checkpoints: Iterable[str | Path], *, network: str | Path | None = None, graphs: str = "rolled"
) -> list[dict[str, Any]]:
    """Return the graph signatures of saved networks, one row each, in the given order.

    Parameters
    ----------
    checkpoints
        ``.keras`` files, loaded in safe mode; or ``.weights.h5`` files of ``network``.
    network
        The ``.keras`` file whose weights the ``.weights.h5`` files are.
    graphs
        ``rolled`` or ``rolled+unrolled``.

    Returns
    -------
    list of dict
        ``checkpoint``, the file's name, then signal → value.

    Raises
    ------
    InputError
        If a file cannot be used, or its network has no such graph; the text says why.
    WeightsUnavailableError
        If a file is missing or damaged.
    """
    frame = None if network is None else load_safely(Path(network), "network")
    followed = None if frame is None else GraphRecorder(frame, graphs)
    rows = []
    for path in map(Path, checkpoints):
        if path.name.endswith(WEIGHTS):
            if frame is None or followed is None:
                raise InputError(
                    f"network: '{path}' holds weights alone; name the .keras file of the network "
                    "they belong to with --network"
                )
            _load_weights(frame, path)
            recorder = followed
        elif path.suffix == ".keras":
            recorder = GraphRecorder(load_safely(path, path.name), graphs)
        else:
            raise InputError(f"checkpoint: '{path}' came; give .keras or {WEIGHTS} files")
        measured = recorder.measure()
        if not measured:
            raise InputError(f"checkpoint: '{path}': {next(iter(recorder.absent.values()))}")
        rows.append({"checkpoint": path.name, **measured})
    return rows


def _load_weights(model: Any, path: Path) -> None:
    if not path.is_file():
        raise InputError(f"checkpoint: no file '{path}'; correct the path")
    try:
        model.load_weights(path)
    except (ValueError, TypeError, OSError, KeyError) as error:
        raise InputError(
            f"checkpoint: '{path}' does not fit the network '{model.name}': "
            f"{' '.join(str(error).split())[:300]}; give the network that it was saved from"
        ) from error
