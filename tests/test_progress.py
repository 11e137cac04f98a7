"""What a person sees while runs are trained."""

from __future__ import annotations

import io

from rich.console import Console

from ncselect.elimination.decisions import Decision
from ncselect.progress import Progress


def console(*, terminal=False):
    return Console(file=io.StringIO(), force_terminal=terminal, width=100)


def decision(what, models, *, reason="", epochs=0, until=0):
    return Decision(epochs, 1.0, what, tuple(models), reason, until)


def observed(epoch):
    return {
        "event": "observation", "epoch": epoch, "seconds": 1.0,
        "signals": {"validation-accuracy": 0.5},
    }  # fmt: skip


def test_rounds_and_drops_are_said_with_their_reasons():
    shown = console()
    with Progress(["a", "[b]", "c"], 50, beta="", console=shown) as progress:
        progress.decided(decision("round", ["a", "[b]", "c"], until=2))
        progress("a", {"event": "waiting"})  # nothing is new
        progress("a", {"event": "started", "epoch": 0})
        progress("a", observed(2))
        progress("c", {"event": "failed", "error": "no memory"})
        progress.decided(decision("observed", ["a", "[b]"], reason="up to epoch 2"))
        progress.decided(decision("dropped", ["c"], reason="no memory", epochs=0))
        progress.decided(decision("dropped", ["[b]"], reason="P(best) 0.01", epochs=2))
        progress.decided(decision("ended", ["a"], reason="one is left", epochs=2))
    lines = shown.file.getvalue().splitlines()
    assert [line.partition(", left")[0] for line in lines] == [
        "To epoch 2: a, [b], c",
        "a: starting, epoch 0/2",
        "a: training, epoch 2/2, accuracy 0.500",
        "c: failed: no memory",
        "[b]: dropped after epoch 2: P(best) 0.01",
        "Ended: one is left",
    ]


def test_many_candidates_of_a_round_are_counted():
    shown = console()
    names = [f"net {k}" for k in range(9)]
    with Progress(names, 5, beta="", console=shown) as progress:
        progress.decided(decision("round", names, until=1))
    assert shown.file.getvalue() == "To epoch 1: 9 candidates\n"


def test_the_table_has_the_round_above_it_and_the_epochs_of_the_round_in_it():
    shown = console(terminal=True)
    with Progress(["a", "b"], 50, beta="", console=shown) as progress:
        progress.decided(decision("round", ["a", "b"], until=4))
        progress("a", {"event": "started", "epoch": 0})
        progress("a", {"event": "progress", "epoch": 1, "step": 1, "steps": 2})
        progress.decided(decision("dropped", ["b"], reason="P(best) 0.01", epochs=1))
        table = console()
        table.print(progress._table())
    text = table.file.getvalue()
    assert "To epoch 4: a, b" in text
    assert "0.5/4" in text
    assert "dropped after epoch 1: P(best) 0.01" in text


def test_what_is_stored_without_an_epoch_is_no_news():
    shown = console()
    with Progress(["a", "b"], 5, beta="", console=shown) as progress:
        progress("a", {"event": "stored", "epoch": 0})
        progress("b", {"event": "stored", "epoch": 5})
    assert shown.file.getvalue() == "b: stored, epoch 5/5\n"
    scored = console()
    with Progress(["a"], 0, beta="", console=scored) as progress:
        progress("a", {"event": "stored", "epoch": 0})
    assert scored.file.getvalue() == "a: stored\n"
