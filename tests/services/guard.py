# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program so that it and everything it started end with us, whatever happens to us.

    guard.py [--user NAME] [--grace SECONDS] [--remove DIRECTORY] -- COMMAND...

Listens on standard input: a line ``stop`` asks the program to end (SIGTERM, after the grace SIGKILL), a line ``kill``
ends it at once, and the end of the input (whoever started us is gone, even by SIGKILL) does so too and removes its
directory. Daemons that the program left behind, Erlang's epmd for one, are adopted (PR_SET_CHILD_SUBREAPER) and killed.
Runs alone, on the standard library, because it is started as a file.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_guard() -> None:
    """In the child: SIGKILL when the guard dies. After setuid, which would clear it."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _order(ended: int) -> str | None:
    """The order of whoever started us: ``stop``, ``kill``, ``gone``; None when the program ended by itself."""
    readable, _, _ = select.select([0, ended], [], [])
    if ended in readable:
        return None
    return os.read(0, 64).decode().strip() or "gone"


def _signal(program: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(program.pid, number)


def _bury_orphans() -> None:
    """Kill and reap what the program left behind, and what that left behind."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    while left := children.read_text().split():
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)


def main() -> int:
    """Returns the program's exit code, or 128 + the signal that ended it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--user")
    parser.add_argument("--grace", type=float, default=20.0)
    parser.add_argument("--remove")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Ctrl-C goes to pytest, which then closes our input. A handler, because the program would inherit SIG_IGN.
        signal.signal(number, lambda *_: None)
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    program = subprocess.Popen(
        options.command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        user=options.user,
        group=options.user,
        extra_groups=[] if options.user else None,
        preexec_fn=_die_with_guard,  # noqa: PLW1509 - one thread, so there is nothing that a fork could deadlock on
    )
    order = _order(os.pidfd_open(program.pid))
    if order == "stop":
        _signal(program, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(options.grace)
    _signal(program, signal.SIGKILL)
    code = program.wait()
    _bury_orphans()
    if order == "gone" and options.remove:
        shutil.rmtree(options.remove, ignore_errors=True)
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    started = time.monotonic()
    result = main()
    print(f"guard: ended with {result} after {time.monotonic() - started:.1f} s", file=sys.stderr)
    sys.exit(result)
