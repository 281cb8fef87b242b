# SPDX-License-Identifier: GPL-3.0-or-later
"""How an input is, in a small file that `/metrics` shows: it works while the event log doesn't."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from pathlib import Path
from typing import Any

import msgspec

logger = logging.getLogger(__name__)

_EVERY_SECONDS = 1.0


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """An input as of ``at_ns``. The counts are kept over restarts; a crash forgets those of its last second."""

    name: str
    up: bool = False
    reason: str = ""
    depth: int | None = None
    received: int = 0
    lost: int = 0
    warnings: tuple[str, ...] = ()
    at_ns: int = 0


class Report:
    """The writing side; for one thread. A disk that takes no file is no reason to stop: it is tried again."""

    def __init__(self, state_dir: str | Path, name: str) -> None:
        self._path = _directory(state_dir) / f"{name}.json"
        self._written = 0.0
        before = _read(self._path) or Reported(name=name)
        self._now = Reported(name=name, received=before.received, lost=before.lost)

    def update(self, **changes: Any) -> None:
        """Note what is so now, and write it; what goes on for long calls this every few seconds."""
        self._now = msgspec.structs.replace(self._now, **changes)
        self._write()

    def count(self, received: int) -> None:
        """Messages that were stored and confirmed."""
        self._now = msgspec.structs.replace(self._now, received=self._now.received + received)
        if time.monotonic() - self._written > _EVERY_SECONDS:
            self._write()

    def lose(self, lost: int) -> None:
        """Messages that the bus gave up."""
        self.update(lost=self._now.lost + lost)

    def _write(self) -> None:
        self._written = time.monotonic()
        self._now = msgspec.structs.replace(self._now, at_ns=time.time_ns())
        try:
            self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            beside = self._path.with_suffix(".new")
            beside.write_bytes(msgspec.json.encode(self._now))
            os.replace(beside, self._path)
        except OSError as error:
            logger.debug("%s can't be written: %s", self._path, error)


def reported(state_dir: str | Path) -> list[Reported]:
    """What the inputs of this host said last."""
    found = [_read(path) for path in sorted(_directory(state_dir).glob("*.json"))]
    return [one for one in found if one is not None]


def _directory(state_dir: str | Path) -> Path:
    return Path(state_dir) / "run" / "inputs"


def _read(path: Path) -> Reported | None:
    with contextlib.suppress(OSError, msgspec.DecodeError, msgspec.ValidationError):  # none yet, or of another version
        return msgspec.json.decode(path.read_bytes(), type=Reported)
    return None
