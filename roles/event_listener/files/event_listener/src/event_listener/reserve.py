# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that takes space so that it can be freed: removing rows needs some too, and a full disk has none.

Deleting from SQLite first writes to its write-ahead log. The relay keeps the file and spends it when the disk is
full; ingest doesn't use what was freed, so that it isn't gone before anything was removed. A spent reserve is an
empty file, and is filled again when there is space for it twice.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")

_SHARE = 100  # of the file system, at most one part of so many
FULL = 4 << 20  # bytes free at which a disk counts as full: SQLite fails before it is at 0


class Reserve:
    """The file `reserve` in `state_dir`; ``wanted`` bytes."""

    def __init__(self, state_dir: str | Path, wanted: int = 0) -> None:
        self.path = Path(state_dir) / "reserve"
        self._wanted = wanted

    def held(self) -> int:
        """Bytes that it takes now; 0 when it is spent or was never made."""
        try:
            return os.stat(self.path).st_size
        except FileNotFoundError:
            return 0

    def is_spent(self) -> bool:
        """Whether it was freed and isn't filled again. Raises OSError."""
        try:
            return os.stat(self.path).st_size == 0
        except FileNotFoundError:
            return False

    def keep(self) -> bool:
        """Fill it where there is space; returns whether it holds something now. Raises OSError.

        It is made where there is space for it twice. Later it takes what is there, when that is at least half: on a
        disk that stays full, what was removed leaves room within the databases, not beside them.
        """
        size, held = self.size(), self.held()
        room = held + self.free_bytes() - FULL
        if not self.path.exists():
            room //= 2
        target = min(size, room)
        if target <= max(held, size // 2):
            return held > 0
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
        try:
            os.posix_fallocate(descriptor, 0, target)
        except OSError:
            os.ftruncate(descriptor, held)
            raise
        finally:
            os.close(descriptor)
        return True

    def lend(self, remove: Callable[[], T], failure: type[Exception]) -> T:
        """Run what removes something; where it fails on a full disk, spend the reserve and run it again.

        Raises OSError, and what `remove` raises.
        """
        try:
            return remove()
        except failure:
            if not self.is_full() or not self._spend():
                raise
        logger.warning("the disk is full: the reserve %s is spent so that something can be removed", self.path)
        return remove()

    def _spend(self) -> bool:
        if not self.held():
            return False
        os.truncate(self.path, 0)
        return True

    def is_full(self) -> bool:
        """Whether the disk is full for all but who removes something. Raises OSError."""
        return self.free_bytes() < self.size() + FULL

    def free_bytes(self) -> int:
        """Bytes that an ordinary user may still take. Raises OSError."""
        found = os.statvfs(self.path.parent)
        return found.f_bavail * found.f_frsize

    def size(self) -> int:
        """Bytes that it takes when it is whole. Raises OSError."""
        found = os.statvfs(self.path.parent)
        return min(self._wanted, found.f_blocks * found.f_frsize // _SHARE)
