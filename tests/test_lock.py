"""Who holds a folder's lock, told without disturbing it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys

import pytest

from ncselect.lock import RunBusyError, last_holder, locked

HOLDER = """
import sys
from pathlib import Path
from ncselect.lock import locked
with locked(Path(sys.argv[1]), until=7):
    print("held", flush=True)
    sys.stdin.read()
"""

ANOTHER = """
import os
from pathlib import Path
from ncselect.lock import last_holder
os.setgid(65534)
os.setuid(65534)
seen = last_holder(Path("."))
print((seen.pid, seen.node, seen.until, seen.has_it))
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
    with locked(tmp_path, until=3):
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


@pytest.mark.parametrize("part", ["machine", "container", "start"])
def test_of_another_machine_or_container_nothing_is_claimed(tmp_path, part):
    with locked(tmp_path):
        pass
    named, system = (tmp_path / "lock").read_text().splitlines()
    container, start = system.split()
    lines = {
        "machine": f"4711 on elsewhere\n{system}\n",
        "container": f"{named}\npid:[1] {start}\n",
        "start": f"{named}\n{container} 00000000-0000-4000-8000-000000000000\n",
    }
    (tmp_path / "lock").write_text(lines[part])
    seen = last_holder(tmp_path)
    assert seen.has_it is None
    assert seen.node == ("elsewhere" if part == "machine" else socket.gethostname())


def hidden(monkeypatch, error):
    """Let /proc show no process's files: nobody may mount it so for a test."""
    real = os.listdir

    def listdir(path):
        if re.fullmatch(r"/proc/\d+/fd", path):
            raise error(path)
        return real(path)

    monkeypatch.setattr(os, "listdir", listdir)


def test_of_a_process_that_may_not_be_seen_nothing_is_claimed(tmp_path, monkeypatch):
    ended = subprocess.Popen(["true"])
    ended.wait()
    with locked(tmp_path):
        hidden(monkeypatch, PermissionError)  # another user's
        assert last_holder(tmp_path).has_it is None
        hidden(monkeypatch, FileNotFoundError)  # another user's, where /proc has hidepid=2
        assert last_holder(tmp_path).has_it is None
        text = (tmp_path / "lock").read_text()
    (tmp_path / "lock").write_text(text.replace(str(os.getpid()), str(ended.pid), 1))
    assert last_holder(tmp_path).has_it is False


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize("mode", [0o644, 0])
def test_another_user_is_told_what_may_be_known(tmp_path, mode):
    tmp_path.chmod(0o755)
    with locked(tmp_path, until=3):
        (tmp_path / "lock").chmod(mode)
        seen = subprocess.run(
            [sys.executable, "-c", ANOTHER],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
    known = (os.getpid(), socket.gethostname(), 3) if mode else (None, None, None)
    assert seen.stdout == f"{(*known, None)}\n"
