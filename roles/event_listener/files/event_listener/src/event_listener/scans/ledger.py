# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scan sink writes its scans into, before anybody launches one. The event log has it (store/scans.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from event_listener.scans.plan import Wanted


class Ledger(Protocol):
    """Scans that are to be, each once."""

    def through(self, sink: str) -> int:
        """The last event whose scans are in it."""

    def schedule(self, sink: str, after: int, through: int, wanted: Sequence[Wanted], *, dry_run: bool) -> None:
        """Add the scans of the events ``(after, through]``, unless somebody did so meanwhile."""
