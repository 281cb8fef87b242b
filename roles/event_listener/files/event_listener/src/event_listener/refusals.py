# SPDX-License-Identifier: GPL-3.0-or-later
"""Refused attempts, counted per source by each ingest worker, in small files that the management server adds up.

A source is named by the registry, else by its address, so that nobody fills the table with names that he invents.
Like all of ingest's counters they begin anew with ingest.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

logger = logging.getLogger(__name__)

MOST = 4096  # sources that a worker remembers; who was refused longest ago goes first
FLUSH_SECONDS = 5.0

Later = Callable[[float, Callable[[], None]], Any]


class Refused(msgspec.Struct):
    """Attempts of one source: how many by reason, and when the last one was (ns)."""

    reasons: dict[str, int]
    last_ns: int

    @property
    def count(self) -> int:
        """All of them."""
        return sum(self.reasons.values())


def directory(state_dir: str | Path) -> Path:
    """Where the workers keep their files."""
    return Path(state_dir) / "run" / "refused"


def begin(state_dir: str | Path) -> None:
    """Forget an earlier run, and make the directory. Raises OSError."""
    shutil.rmtree(directory(state_dir), ignore_errors=True)
    directory(state_dir).mkdir(mode=0o750, parents=True, exist_ok=True)


class Refusals:
    """One worker's. ``later(seconds, action)`` does something after a while."""

    def __init__(self, state_dir: str | Path, later: Later) -> None:
        self._path = directory(state_dir) / f"{os.getpid()}.json"
        self._later = later
        self._waiting = False
        self._found: OrderedDict[str, Refused] = OrderedDict()

    def note(self, name: str, reason: str) -> None:
        """Count an attempt."""
        refused = self._found.setdefault(name, Refused({}, 0))
        refused.reasons[reason] = refused.reasons.get(reason, 0) + 1
        refused.last_ns = time.time_ns()
        self._found.move_to_end(name)
        if len(self._found) > MOST:
            self._found.popitem(last=False)
        if not self._waiting:
            self._waiting = True
            self._later(FLUSH_SECONDS, self._flush)

    def _flush(self) -> None:
        self._waiting = False
        temporary = self._path.with_suffix(".tmp")
        try:
            temporary.write_bytes(msgspec.json.encode(dict(self._found)))
            temporary.replace(self._path)
        except OSError as error:  # a full disk, say; the next attempt tries again
            logger.debug("refused attempts can't be written: %s", error)


def refused(state_dir: str | Path) -> dict[str, Refused]:
    """The sum over the workers, by source or address; nothing where it can't be read."""
    found: dict[str, Refused] = {}
    for path in directory(state_dir).glob("*.json"):
        try:
            of_worker = msgspec.json.decode(path.read_bytes(), type=dict[str, Refused])
        except (OSError, msgspec.DecodeError):
            continue  # of a worker that is starting, or of another version
        for name, one in of_worker.items():
            total = found.setdefault(name, Refused({}, 0))
            total.last_ns = max(total.last_ns, one.last_ns)
            for reason, count in one.reasons.items():
                total.reasons[reason] = total.reasons.get(reason, 0) + count
    return found
