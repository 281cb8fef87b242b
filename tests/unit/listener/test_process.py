# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process does to itself: the service user, the parent's death, the pid file."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest
from event_listener.config_file import convert
from event_listener.process import PidFile, PidFileError, PrivilegeError, drop_privileges, may_write, service_account


def run_python(program: str, *arguments: str) -> subprocess.CompletedProcess:
    """Run a program in a process of its own."""
    command = [sys.executable, "-c", textwrap.dedent(program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def test_an_unknown_user_is_an_error(tmp_path: Path):
    """Asked for by name, it must exist: going on as root would be a surprise."""
    with pytest.raises(PrivilegeError, match="the account no-such-account"):
        service_account(convert({"state_dir": str(tmp_path), "user": "no-such-account"}))


def test_root_stays_only_when_told(tmp_path: Path):
    """`user: root` is None: stay."""
    assert service_account(convert({"state_dir": str(tmp_path), "user": "root"})) is None
    assert service_account(convert({"state_dir": str(tmp_path), "user": "nobody"})).pw_name == "nobody"


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up root")
def test_root_becomes_the_service_user_for_good():
    """Files belong to the service user, and there is no way back."""
    program = """
        import os, sys
        from event_listener.config_file import convert
        from event_listener.process import drop_privileges
        drop_privileges(convert({"state_dir": sys.argv[1], "user": "nobody"}))
        open(sys.argv[1] + "/file", "w").close()
        try:
            os.setuid(0)
        except PermissionError:
            print(os.getuid(), os.getgid(), 0 in os.getgroups())
    """
    account = pwd.getpwnam("nobody")
    # Not below pytest's directory, which is root's alone.
    with tempfile.TemporaryDirectory() as name:
        os.chown(name, account.pw_uid, account.pw_gid)
        done = run_python(program, name)
        assert done.stdout.split() == [str(account.pw_uid), str(account.pw_gid), "False"], done.stderr
        status = (Path(name) / "file").stat()
    assert (status.st_uid, status.st_mode & 0o777) == (account.pw_uid, 0o640)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up root")
def test_without_an_account_the_owner_of_the_state_counts(tmp_path: Path):
    """So that a try-out in somebody's home leaves nothing there that is root's."""
    nobody = pwd.getpwnam("nobody")
    os.chown(tmp_path, nobody.pw_uid, nobody.pw_gid)
    account = service_account(convert({"state_dir": str(tmp_path)}))
    assert account.pw_name in ("nobody", "event-listener")


def test_other_users_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Only root can, only root must."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    before = os.getresuid(), os.getgroups(), os.environ.get("HOME")
    mask = os.umask(0)
    try:
        drop_privileges(convert({"state_dir": str(tmp_path), "user": "no-such-account"}))
        assert (os.getresuid(), os.getgroups(), os.environ.get("HOME")) == before
    finally:
        os.umask(mask)


def test_a_child_ends_with_its_parent(tmp_path: Path):
    """However the parent ends; here by SIGKILL."""
    child = f"""
import os, sys, time
from event_listener.process import die_with_parent
die_with_parent(int(sys.argv[1]))
open({str(tmp_path / "up")!r}, "w").write(str(os.getpid()))
time.sleep(60)
"""
    program = "import os, subprocess as s, sys; s.Popen([sys.executable, '-c', sys.argv[1], str(os.getpid())]).wait()"
    parent = subprocess.Popen([sys.executable, "-c", program, child])
    pid = int(wait_for(lambda: (tmp_path / "up").exists() and (tmp_path / "up").read_text()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_for(lambda: not Path(f"/proc/{pid}").exists() or "State:\tZ" in Path(f"/proc/{pid}/status").read_text())


def wait_for(condition, seconds: float = 60.0):
    """Return the condition's first true value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


def test_a_pid_file_is_held_by_one(tmp_path: Path):
    """A second listener is refused with the pid of the first."""
    first, second = PidFile(tmp_path / "run" / "pid"), PidFile(tmp_path / "run" / "pid")
    assert second.holder() is None
    first.take()
    assert second.holder() == os.getpid()
    with pytest.raises(PidFileError, match=rf"running already \(pid {os.getpid()}, "):
        second.take()
    first.release()
    assert second.holder() is None


def test_a_stale_pid_file_is_nobodys(tmp_path: Path):
    """Its number may be another program's by now; only the lock counts."""
    (tmp_path / "pid").write_text(f"{os.getpid()}\n")
    held = PidFile(tmp_path / "pid")
    assert held.holder() is None
    held.take()
    held.release()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_who_may_write_into_a_directory(tmp_path: Path):
    """As its owner, in its group, or anybody: what counts is the account that the service will run as."""
    nobody = pwd.getpwnam("nobody")
    tmp_path.chmod(0o700)
    assert may_write(tmp_path, None)
    assert not may_write(tmp_path, nobody)
    tmp_path.chmod(0o770)
    os.chown(tmp_path, 0, nobody.pw_gid)
    assert may_write(tmp_path, nobody)
    os.chown(tmp_path, nobody.pw_uid, 0)
    tmp_path.chmod(0o700)
    assert may_write(tmp_path, nobody)
    tmp_path.chmod(0o500)
    assert not may_write(tmp_path, nobody)
