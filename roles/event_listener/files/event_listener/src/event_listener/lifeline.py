# SPDX-License-Identifier: GPL-3.0-or-later
"""Long operations that end with their process: a locked file each, so that somebody tells it when the process dies.

The kernel lets go of the lock however a process dies, and with its host, too. The relay of the host finds such a file,
and tells that the job failed; a job that ended, but couldn't remove its file any more, has told so itself, and an end
is told once. What goes on after a kill (a purge, a move of the event log) needs none.
"""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path

from event_listener.event import State
from event_listener.store import Store
from event_listener.store.own_jobs import job_event

logger = logging.getLogger(__name__)

_LONGEST = 10_000  # bytes of what is to be told


class Lifeline:
    """Of one job, held by this process."""

    def __init__(self, state_dir: str, start_id: str, text: str) -> None:
        """``text``: what is told when the process dies. Raises OSError."""
        directory = _directory(state_dir)
        directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._path, made = directory / start_id, directory / f".{start_id}"
        self._descriptor = os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(self._descriptor, text.encode())
            made.rename(self._path)  # locked before anybody sees it
        except OSError:
            made.unlink(missing_ok=True)
            os.close(self._descriptor)
            raise

    def end(self, *, told: bool) -> None:
        """The job ended; where that couldn't be told, the relay tells that it failed."""
        if told:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def tell_broken_off(state_dir: str, store: Store) -> None:
    """Tell of each job of this host whose process died that it failed. Raises StoreUnavailableError, OSError."""
    for path in sorted(_directory(state_dir).glob("[!.]*")):
        text = _left(path)
        if text is not None:
            store.log.add([job_event(path.name, State.COMPLETED, text, [text], failed=True)])
            path.unlink(missing_ok=True)
            logger.warning("job %s was broken off: %s", path.name, text)


def _left(path: Path) -> str | None:
    """What a job that died left to be told; None of one that lives, or has just ended."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.read(descriptor, _LONGEST).decode(errors="replace")
    except BlockingIOError:
        return None
    finally:
        os.close(descriptor)


def _directory(state_dir: str) -> Path:
    return Path(state_dir) / "run" / "jobs"
