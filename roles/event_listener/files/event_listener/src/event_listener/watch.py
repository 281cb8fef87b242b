# SPDX-License-Identifier: GPL-3.0-or-later
"""Was the listener away? The relay asks ingest every few seconds, and remembers when it got no answer for a while.

BMCs drop what nobody takes, some their subscription with it: whoever repairs that has to know when. After a start the
last answer is that of the process before, so a host that was switched off counts from its last answer. While only the
relay is down nobody asks, and that counts too: looking for lost events once too often does no harm.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from event_listener.clock import passed_ns
from event_listener.store import Store, StoreUnavailableError

logger = logging.getLogger(__name__)

ASK_SECONDS = 5.0
OUTAGE_SECONDS = 15.0  # three times no answer


class Watch:
    """Knows when ingest answered last. ``answers`` asks it; for one thread."""

    def __init__(self, store: Store, answers: Callable[[], bool], passed: Callable[[], int] = passed_ns) -> None:
        self._store = store
        self._answers = answers
        self._passed = passed
        self._last_ns: int | None = None
        self._last_passed = 0
        self._unsaved: list[tuple[int, int]] = []

    def step(self, now: Callable[[], int] = time.time_ns) -> None:
        """Ask once, and remember the answer. Raises StoreUnavailableError; what it couldn't store comes next time."""
        if not self._answers():
            return
        now_ns = now()
        last = self._store.upkeep.last_alive()
        if self._last_ns is not None:
            # The clock may have been set back meanwhile. Forward may also mean that the machine stood still.
            last = min(self._last_ns, now_ns - (self._passed() - self._last_passed))
        if last is not None and now_ns - last >= OUTAGE_SECONDS * 1e9:
            self._unsaved.append((last, now_ns))
            logger.warning("no events were taken for %.0f s", (now_ns - last) / 1e9)
        self._last_ns, self._last_passed = now_ns, self._passed()
        self._store.upkeep.note_outages(self._unsaved, now_ns)
        self._unsaved = []


class Watcher(threading.Thread):
    """Asks every few seconds until told to stop."""

    def __init__(self, watch: Watch, stop: threading.Event) -> None:
        super().__init__(name="watch")
        self._watch, self._stopped = watch, stop

    def run(self) -> None:
        """Until told to stop."""
        while not self._stopped.is_set():
            try:
                self._watch.step()
            except StoreUnavailableError as error:
                logger.warning("that ingest answers can't be noted now: %s", error)
            self._stopped.wait(ASK_SECONDS)
