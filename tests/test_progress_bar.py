from __future__ import annotations

import io

from rich.console import Console

from ncselect.progress_bar import ProgressBar


def shown(terminal):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
    with ProgressBar(console) as watch:
        for done in (1, 2, 3):
            watch("pools", done, 3)
    return console.file.getvalue()


def test_a_terminal_shows_what_is_counted():
    assert "pools" in shown(terminal=True)
    assert "3/3" in shown(terminal=True)


def test_off_the_terminal_nothing_is_shown():
    assert shown(terminal=False) == ""
