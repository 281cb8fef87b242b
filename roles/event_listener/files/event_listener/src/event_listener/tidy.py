# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay's thread that makes the event log searchable."""

from __future__ import annotations

import logging
import threading

from event_listener.store import Store, StoreUnavailableError
from event_listener.store.search import BATCH

logger = logging.getLogger(__name__)

_APART = 1.0  # seconds: what arrives meanwhile is indexed at once, which costs less than by ones


class TidyThread(threading.Thread):
    """Indexes once a second, and without a break while it is behind, until told to stop."""

    def __init__(self, store: Store, stop: threading.Event) -> None:
        super().__init__(name="tidy")
        self._store, self._stopped = store, stop

    def run(self) -> None:
        """Until told to stop; an event log that can't be used is waited for."""
        failed = ""
        more = False
        while not self._stopped.wait(0 if more else _APART):
            more = False
            try:
                more = self._store.search.step() == BATCH
                failed = ""
            except StoreUnavailableError as error:
                if str(error) != failed:  # once per cause
                    failed = str(error)
                    logger.warning("searching waits for the event log: %s", error)
