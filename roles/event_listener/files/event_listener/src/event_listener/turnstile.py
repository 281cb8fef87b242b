# SPDX-License-Identifier: GPL-3.0-or-later
"""A fair lock between processes, made of two file locks.

flock alone is unfair: who releases it usually gets it again before the others have woken up. Whoever wants it first
waits in the queue file, and leaves the queue only once it holds the lock, so nobody overtakes twice.
The kernel releases both when a process dies, however it dies.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType


class Turnstile:
    """`with turnstile:` holds the lock; blocks the calling thread without holding the interpreter."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._queue = -1
        self._lock = -1

    def __enter__(self) -> None:
        if self._queue < 0:
            self._queue = self._open("queue.lock")
        if self._lock < 0:
            self._lock = self._open("write.lock")
        fcntl.flock(self._queue, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        finally:
            fcntl.flock(self._queue, fcntl.LOCK_UN)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        fcntl.flock(self._lock, fcntl.LOCK_UN)

    def close(self) -> None:
        """Release the files; whoever wants the lock again opens them again."""
        for descriptor in (self._queue, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._queue = self._lock = -1

    def _open(self, name: str) -> int:
        return os.open(self._directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
