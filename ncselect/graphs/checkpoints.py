"""Graph signatures of checkpoints that others have saved."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ncselect.graphs.names import GRAPH_SIGNALS, RECORDED
from ncselect.graphs.recording import GraphRecorder
from zoo.errors import InputError, UnknownNameError
from zoo.saved import load_safely

WEIGHTS = ".weights.h5"


@dataclass(frozen=True)
class CheckpointSignatures:
    """Graph signatures of saved networks.

    Attributes
    ----------
    rows
        One per checkpoint, in the given order: ``checkpoint``, its path as it was given, then
        signal → value, None where the network has no such graph or it cannot be measured; the same
        keys in all.
    absent
        Checkpoint → kind of graph that was asked for → why values are missing.
    """

    rows: tuple[dict[str, Any], ...]
    absent: Mapping[str, Mapping[str, str]]


def checkpoint_signatures(
    checkpoints: Iterable[str | Path], *, network: str | Path | None = None, graphs: str = "rolled"
) -> CheckpointSignatures:
    """Return the graph signatures of saved networks.

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
    CheckpointSignatures

    Raises
    ------
    InputError
        If a file cannot be used, or its network has none of the graphs; the text says why.
    UnknownNameError
        If ``graphs`` is neither.
    WeightsUnavailableError
        If a file is missing or damaged.
    """
    wanted = [name for name, kinds in RECORDED.items() if kinds]
    if graphs not in wanted:
        raise UnknownNameError("graphs", graphs, wanted)
    frame = None if network is None else load_safely(Path(network), "network")
    followed = None if frame is None else GraphRecorder(frame, graphs)
    found: dict[str, dict[str, float]] = {}
    absent: dict[str, dict[str, str]] = {}
    given = list(checkpoints)
    for path in map(Path, given):
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
        lacking = _lacking(recorder, graphs)
        if len(lacking) == len(RECORDED[graphs]):
            raise InputError(f"checkpoint: '{path}': {next(iter(lacking.values()))}")
        found[str(path)], unmeasured = _measured(recorder)
        if lacking := lacking | unmeasured:
            absent[str(path)] = lacking
    known = [name for name in GRAPH_SIGNALS if name.split("/")[1] in RECORDED[graphs]]
    rows = tuple(
        {"checkpoint": str(path), **{name: found[str(path)].get(name) for name in known}}
        for path in map(Path, given)
    )
    return CheckpointSignatures(rows, absent)


def _measured(recorder: GraphRecorder) -> tuple[dict[str, float], dict[str, str]]:
    """Return the signals that are numbers, and why other kinds of graph have none."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", RuntimeWarning)
        measured = recorder.measure()
    reason = "; ".join(dict.fromkeys(str(one.message) for one in said))
    bad = [name for name, value in measured.items() if not math.isfinite(value)]
    numbers = {name: value for name, value in measured.items() if name not in bad}
    return numbers, {name.split("/")[1]: reason for name in bad}


def _lacking(recorder: GraphRecorder, graphs: str) -> dict[str, str]:
    """Return the kinds of graph that are asked for and absent, with the reason."""
    reasons = {name.split("/")[1]: reason for name, reason in recorder.absent.items()}
    return {kind: reasons[kind] for kind in RECORDED[graphs] if kind in reasons}


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
