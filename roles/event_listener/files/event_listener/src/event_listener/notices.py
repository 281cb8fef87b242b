# SPDX-License-Identifier: GPL-3.0-or-later
"""Log a recurring thing once per minute, over all worker processes: attackers and broken BMCs must not fill a disk."""

from __future__ import annotations

import hashlib
import logging
import mmap
import struct
import time

_SLOTS = 8192
_SLOT = struct.Struct("<II")  # which thing, which minute


class Notices:
    """Make one before forking: the workers share its memory. Memory is bounded, whoever knocks."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._seen = mmap.mmap(-1, _SLOTS * _SLOT.size)

    def warn(self, key: str, message: str) -> None:
        """Log `message` unless `key` was logged within this minute. Counting is the metrics' job."""
        if self._first_in_minute(key):
            self._logger.warning("%s (said once a minute)", message)

    def _first_in_minute(self, key: str) -> bool:
        digest = hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8).digest()
        slot, tag = struct.unpack("<II", digest)
        offset = slot % _SLOTS * _SLOT.size
        mark = (tag, int(time.monotonic() // 60))
        # Two keys of one slot drive each other out and are logged more often, never less.
        if _SLOT.unpack_from(self._seen, offset) == mark:
            return False
        _SLOT.pack_into(self._seen, offset, *mark)
        return True
