# SPDX-License-Identifier: GPL-3.0-or-later
"""Go on in the background, and let the caller wait until it is known how that went."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable
from pathlib import Path

Report = Callable[[str], None]


def detach(log: Path, serve: Callable[[Report], str], seconds: float) -> tuple[bool, str]:
    """Run `serve(report)` in a daemon that logs to `log`; return whether it reported (its line) or failed (its error).

    Only the caller returns. Waits at most `seconds`. `serve` returns an error, or "" at its end. Raises OSError.
    """
    log_descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    read, write = os.pipe()
    first = os.fork()
    if first == 0:
        os.close(read)
        os.setsid()
        # Not a session leader any more, so it can never get a terminal again.
        if os.fork() == 0:
            _daemon(log_descriptor, serve, write)
        os._exit(0)
    os.close(write)
    os.close(log_descriptor)
    os.waitpid(first, 0)
    return _outcome(read, seconds)


def _daemon(log_descriptor: int, serve: Callable[[Report], str], write: int) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(log_descriptor, 1)
    os.dup2(log_descriptor, 2)
    status = 1
    try:
        error = serve(lambda line: _tell(write, f"+{line}"))
        if error:
            _tell(write, f"-{error}")
        status = 1 if error else 0
    finally:
        os._exit(status)


def _tell(write: int, message: str) -> None:
    try:
        os.write(write, message.encode()[: select.PIPE_BUF])
    except OSError:
        # Nobody waits any more; standard error is the log.
        print(message[1:], file=sys.stderr, flush=True)


def _outcome(read: int, seconds: float) -> tuple[bool, str]:
    try:
        ready, _writable, _broken = select.select([read], [], [], seconds)
        if not ready:
            return False, f"it started, but didn't get ready within {seconds:g} s"
        message = os.read(read, select.PIPE_BUF).decode()
    finally:
        os.close(read)
    return (True, message[1:]) if message.startswith("+") else (False, message[1:] or "it ended at once")
