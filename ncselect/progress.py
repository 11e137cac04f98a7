"""What a person sees while runs are trained: a live table, or plain lines off the terminal."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from ncselect.elimination.decisions import Decision


NAMED = 5  # candidates of a round that are named; of more the number is said


@dataclass
class _State:
    """How far a candidate has come."""

    until: int
    status: str = "waiting"
    epoch: int = 0
    accuracy: float | None = None
    beta: float | None = None
    share: float = 0.0
    started: float = 0.0
    first_epoch: int = 0


class Progress:
    """A watch for ``execute.complete`` that shows a line per candidate.

    Parameters
    ----------
    models
        The candidates, in order.
    epochs
        Epochs each will be observed for, or at most where some are dropped on the way; 0 where
        none is trained.
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
        self._states = {model: _State(epochs) for model in models}
        self._round = ""
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
        if event["event"] == "waiting":  # nothing is new
            return
        state = self._states[model]
        match event["event"]:
            case "features":
                state.status = "extracting features"
            case "scored":
                state.status = "scored"
            case "measuring":
                state.status = "measuring latency"
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
            case "stored" | "finished":
                state.status = "done" if event["event"] == "finished" else "stored"
                state.epoch = event.get("epoch", state.epoch)
            case "lost":
                state.status = f"goes on elsewhere, {event['error']}"
            case "failed":
                state.status = f"failed: {event['error']}"
        nothing_new = event["event"] == "stored" and self._epochs and not state.epoch
        if event["event"] != "progress" and not nothing_new:
            self._say(self._line(model))
        self._refresh()

    def decided(self, decision: Decision) -> None:
        """Take in a decision about who goes on and show it."""
        match decision.what:
            case "round":
                for model in decision.models:
                    state = self._states[model]
                    state.status, state.until = "waiting", decision.until
                self._round = f"To epoch {decision.until}: {_listed(decision.models)}"
                self._say(self._round)
            case "dropped":
                for model in decision.models:
                    state = self._states[model]
                    if not state.status.startswith("failed"):
                        state.status = f"dropped after epoch {decision.epochs}: {decision.reason}"
                        self._say(f"{model}: {state.status}")
            case "ended":
                self._say(f"Ended: {decision.reason}")
        self._refresh()

    def _say(self, line: str) -> None:
        """Print a line off the terminal."""
        if not self._live:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _refresh(self) -> None:
        if self._live:
            self._live.update(self._table())

    def _line(self, model: str) -> str:
        state = self._states[model]
        if state.status.startswith("failed"):
            return f"{model}: {state.status}"
        parts = [f"{model}: {state.status}"]
        if self._epochs and (state.started or state.status == "stored"):
            parts.append(f"epoch {state.epoch}/{state.until}")
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
        return (time.monotonic() - state.started) / done * (state.until - state.epoch - state.share)

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, title=Text(self._round), title_justify="left")
        for heading in ("model", "status", "epoch", "accuracy", "β", "left"):
            table.add_column(heading)
        for model, state in self._states.items():
            figures = dict(self._figures(state))
            table.add_row(
                model,
                state.status,
                f"{state.epoch + state.share:.1f}/{state.until}" if self._epochs else "",
                *(figures.get(name, "") for name in ("accuracy", "β", "left")),
            )
        return table


def _listed(models: Sequence[str]) -> str:
    """Return some candidates' names, or how many there are of them."""
    return ", ".join(models) if len(models) <= NAMED else f"{len(models)} candidates"


def duration(seconds: float) -> str:
    """Return seconds as a person says them: ``45 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
