"""Who holds a folder's lock, told without disturbing it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys

import pytest

from ncselect.lock import RunBusyError, last_holder, locked, note_until

HOLDER = """
import sys
from pathlib import Path
from ncselect.lock import locked, note_until
with locked(Path(sys.argv[1])):
    note_until(Path(sys.argv[1]), 7)
    print("held", flush=True)
    sys.stdin.read()
"""


def test_nobody_has_a_lock_that_was_never_taken(tmp_path):
    assert last_holder(tmp_path) is None
    assert not [*tmp_path.iterdir()]
    (tmp_path / "lock").write_text("")  # taken, and not named yet
    assert last_holder(tmp_path) is None


@pytest.mark.parametrize("killed", [False, True])
def test_a_process_has_the_lock_until_it_ends(tmp_path, killed):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with holder:
        assert holder.stdout.readline() == "held\n"
        before = (tmp_path / "lock").read_text()
        seen = last_holder(tmp_path)
        assert (seen.pid, seen.node, seen.until) == (holder.pid, socket.gethostname(), 7)
        assert seen.has_it is True
        assert (tmp_path / "lock").read_text() == before
        busy = rf"written by process {holder.pid} on {re.escape(seen.node)};"
        with pytest.raises(RunBusyError, match=busy), locked(tmp_path):
            pass
        if killed:
            holder.send_signal(signal.SIGKILL)
        else:
            holder.stdin.close()
        holder.wait()
    assert last_holder(tmp_path).has_it is False


def test_the_next_holder_has_not_said_where_it_goes_to(tmp_path):
    with locked(tmp_path):
        note_until(tmp_path, 3)
        assert last_holder(tmp_path).until == 3
    with locked(tmp_path):
        seen = last_holder(tmp_path)
        assert (seen.pid, seen.until, seen.has_it) == (os.getpid(), None, True)


def test_a_number_that_another_process_has_got_since_is_no_holder(tmp_path):
    with locked(tmp_path):
        pass
    text = (tmp_path / "lock").read_text()
    number = str(os.getppid())  # it runs, and has never seen the file
    (tmp_path / "lock").write_text(text.replace(str(os.getpid()), number, 1))
    assert last_holder(tmp_path).has_it is False


@pytest.mark.parametrize("line", [0, 1])
def test_of_another_machine_or_container_nothing_is_claimed(tmp_path, line):
    with locked(tmp_path):
        pass
    lines = (tmp_path / "lock").read_text().splitlines()
    lines[line] = ["4711 on elsewhere", "pid:[1]"][line]
    (tmp_path / "lock").write_text("\n".join(lines))
    seen = last_holder(tmp_path)
    assert seen.has_it is None
    assert seen.node == ("elsewhere" if line == 0 else socket.gethostname())
