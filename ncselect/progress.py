"""What a person sees while runs are trained: a live table, or plain lines off the terminal."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table


@dataclass
class _State:
    """How far a candidate has come."""

    status: str = "waiting"
    epoch: int = 0
    accuracy: float | None = None
    beta: float | None = None
    share: float = 0.0
    started: float = 0.0
    first_epoch: int = 0
    epoch_seconds: list[float] = field(default_factory=list)


class Progress:
    """A watch for ``execute.complete`` that shows a line per candidate.

    Parameters
    ----------
    models
        The candidates, in order.
    epochs
        Epochs each will be observed for; 0 where none is trained.
    beta
        The signal to show as β.
    console
        Where to show; a live table on a terminal, else one plain line per event.
    """

    def __init__(
        self, models: list[str], epochs: int, *, beta: str, console: Console | None = None
    ) -> None:
        self._console = console or Console(stderr=True)
        self._epochs, self._beta = epochs, beta
        self._states = {model: _State() for model in models}
        self._live = (
            Live(self._table(), console=self._console, refresh_per_second=4, transient=True)
            if self._console.is_terminal
            else None
        )

    def __enter__(self) -> Progress:
        if self._live:
            self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.__exit__(kind, error, trace)

    def __call__(self, model: str, event: Mapping[str, Any]) -> None:
        """Take in an event and show it."""
        state = self._states[model]
        match event["event"]:
            case "features":
                state.status = "extracting features"
            case "scored":
                state.status = "scored"
            case "started":
                state.status, state.started = "starting", time.monotonic()
                state.first_epoch = state.epoch = event["epoch"]
            case "progress":
                state.status, state.share = "training", event["step"] / event["steps"]
            case "observation":
                state.status, state.share = "training", 0.0
                state.epoch = event["epoch"]
                state.accuracy = event["signals"].get("validation-accuracy")
                state.beta = event["signals"].get(self._beta)
                state.epoch_seconds.append(event["seconds"])
            case "stored" | "finished":
                state.status = "done" if event["event"] == "finished" else "stored"
                state.epoch = event.get("epoch", state.epoch)
            case "failed":
                state.status = f"failed: {event['error']}"
        if self._live:
            self._live.update(self._table())
        elif event["event"] != "progress":
            self._console.print(self._line(model), highlight=False, soft_wrap=True)

    def _line(self, model: str) -> str:
        state = self._states[model]
        if state.status.startswith("failed"):
            return f"{model}: {state.status}"
        parts = [f"{model}: {state.status}"]
        if self._epochs and (state.started or state.status == "stored"):
            parts.append(f"epoch {state.epoch}/{self._epochs}")
        parts += [f"{name} {value}" for name, value in self._figures(state)]
        return ", ".join(parts)

    def _figures(self, state: _State) -> list[tuple[str, str]]:
        figures = []
        if state.accuracy is not None:
            figures.append(("accuracy", f"{state.accuracy:.3f}"))
        if state.beta is not None:
            figures.append(("β", f"{state.beta:.3g}"))
        if state.status == "training" and (left := self._seconds_left(state)) is not None:
            figures.append(("left", duration(left)))
        return figures

    def _seconds_left(self, state: _State) -> float | None:
        done = state.epoch + state.share - state.first_epoch
        if done <= 0:
            return None
        return (
            (time.monotonic() - state.started) / done * (self._epochs - state.epoch - state.share)
        )

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for heading in ("model", "status", "epoch", "accuracy", "β", "left"):
            table.add_column(heading)
        for model, state in self._states.items():
            figures = dict(self._figures(state))
            table.add_row(
                model,
                state.status,
                f"{state.epoch + state.share:.1f}/{self._epochs}" if self._epochs else "",
                *(figures.get(name, "") for name in ("accuracy", "β", "left")),
            )
        return table


def duration(seconds: float) -> str:
    """Return seconds as a person says them: ``45 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
