# SPDX-License-Identifier: GPL-3.0-or-later
"""Scans of what changes affect. The sink only writes them down; scans/worker.py launches and watches them.

So an event is confirmed once its scan can't be forgotten any more, and a scanner that is down, or full for today,
keeps no lane waiting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from event_listener.event import Event
from event_listener.scans.ledger import Ledger
from event_listener.scans.plan import plan
from event_listener.settings_scans import ScanSink
from event_listener.sinks.base import Ok, Outcome, Retry, UnitName
from event_listener.sinks.client_tls import client_context


class Scan:
    """One per configured scanner, whatever its kind. ``ledger`` is given by the relay."""

    unit: ClassVar[UnitName] = "event"

    def __init__(self, settings: ScanSink, state_dir: str | Path) -> None:  # noqa: ARG002 - as all sinks are made
        self.name = settings.name
        self.ledger: Ledger | None = None
        self._settings = settings
        self._left_out: Counter[str] = Counter()

    @staticmethod
    def problems(settings: ScanSink) -> Iterator[str]:
        """What can't be used, found out without connecting."""
        try:
            client_context(settings.tls)
        except OSError as error:
            yield str(error)
        if not settings.networks:
            yield "networks is empty, so nothing would be scanned; list the networks that may be, or remove the sink"

    def counts(self) -> Mapping[str, int]:
        """Addresses that weren't scanned, by why."""
        return dict(self._left_out)

    def send(self, batch: Sequence[Event]) -> Outcome:
        """Write down the scans of a batch. What was written down before, also before a replay, isn't again."""
        if self.ledger is None:
            return Retry("scans need the relay")
        after = self.ledger.through(self.name)
        fresh = [event for event in batch if event.seq > after]
        if fresh:
            planned = plan(fresh, self._settings)
            dry = self._settings.dry_run
            self.ledger.schedule(self.name, after, fresh[-1].seq, planned.scans, dry_run=dry)
            self._left_out.update(planned.left_out)
        return Ok()

    def close(self) -> None:
        """There is nothing."""
