"""What a page holds that is not written by hand: the help of every command."""

from __future__ import annotations

from typing import Any

PLACE = "<!-- every command's help -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put every command's help where a page has a place for it."""
    return markdown.replace(PLACE, _helps()) if PLACE in markdown else markdown


def _helps() -> str:
    import typer

    from ncselect.cli import app

    found = []
    for name, command in typer.main.get_command(app).commands.items():
        for last, one in getattr(command, "commands", {"": command}).items():
            words = " ".join(filter(None, ("ncselect", name, last)))
            context = typer.Context(one, info_name=words, max_content_width=88, terminal_width=88)
            found.append(f"## {words}\n\n```text\n{one.get_help(context)}\n```\n")
    return "\n".join(found)
