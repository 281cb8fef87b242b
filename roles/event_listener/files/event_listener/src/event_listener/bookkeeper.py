# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay's thread that makes jobs and alerts of events, says which jobs hang and sinks fail, and removes old ones.

Every relay has one; where several share an event log, what each of them does counts once (store/reader.py).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from event_listener.alert_rules import Rulebook
from event_listener.clock import CautiousClock
from event_listener.lanes import LOOK_SECONDS, Wake
from event_listener.settings_alerts import AlertSettings, JobSettings
from event_listener.source_health import FairStart
from event_listener.store import Store, StoreUnavailableError

logger = logging.getLogger(__name__)

JUDGE_SECONDS = 5.0
DAY_NS = 86_400_000_000_000


class Bookkeeper:
    """For one thread. ``behind``: whether events wait to be indexed, so that nobody knows what they say."""

    def __init__(
        self,
        store: Store,
        jobs: JobSettings,
        alerts: AlertSettings,
        behind: Callable[[], bool],
        clocks: Callable[[], tuple[int, float]] = lambda: (time.time_ns(), time.monotonic()),
        tell_broken_off: Callable[[], None] = lambda: None,
    ) -> None:
        self._store, self._jobs, self._alerts = store, jobs, alerts
        self._behind, self._clocks, self._tell_broken_off = behind, clocks, tell_broken_off
        self._alert_reader = store.alerts.reader(Rulebook(alerts))
        self._fair = FairStart(*clocks())
        self._fair.ns = 0  # what was so before the start is so still
        self._cautious = CautiousClock(lambda: clocks()[0], lambda: int(clocks()[1] * 1e9))

    def begin(self) -> None:
        """Before the indexer runs: the first time, what is in the log already is over."""
        self._store.jobs.reader.begin()
        self._alert_reader.reader.begin()

    def follow(self) -> bool:
        """Take in the next events; returns whether there are more. Raises StoreUnavailableError."""
        return any([self._store.jobs.follow(), self._alert_reader.follow()])

    def judge(self) -> None:
        """Say what hangs or was broken off, and remove what is old. Raises StoreUnavailableError, OSError."""
        self._tell_broken_off()
        wall_ns, monotonic = self._clocks()
        steady = self._fair.step(wall_ns, monotonic, listening=True)
        if steady and not self._behind():
            self._judge_jobs(wall_ns)
        for name in self._store.conditions.judge_sinks(self._cautious.ns(), self._alerts.sink_fails_after):
            logger.error("sink %s fails for too long; see `event-listener alerts list`", name)
        self._purge(self._cautious.ns())

    def _purge(self, now_ns: int) -> None:
        """Remove what is old by a clock that nobody sets forward."""
        purge = self._jobs.purge
        if purge.delay and self._store.jobs.purge_due(now_ns, purge.interval):
            gone = self._store.jobs.purge(now_ns - purge.delay * DAY_NS)
            if gone:
                logger.info("%d jobs older than %d days were removed", gone, purge.delay)
        kept = self._alerts.purge
        if self._store.alerts.purge_due(now_ns, kept.interval):
            gone = self._store.alerts.purge(
                now_ns,
                resolved_before=now_ns - kept.delay * DAY_NS if kept.delay else None,
                archived_before=now_ns - kept.archived_delay * DAY_NS if kept.archived_delay else None,
            )
            if gone:
                logger.info("%d old alerts were removed", gone)

    def _judge_jobs(self, now_ns: int) -> None:
        """After a jump of the clock all get their full time again."""
        since = (now_ns - self._fair.ns) / 1e9
        limits = [limit if limit < since else 0 for limit in (self._jobs.hanging_after, self._jobs.not_started_after)]
        for job in self._store.jobs.judge(now_ns, *limits):
            logger.warning("job %s of %s hangs; see `event-listener jobs --hanging`", job.start_id, job.source)


class BookkeeperThread(threading.Thread):
    """Follows the log as it grows, and judges every few seconds, until told to stop."""

    def __init__(self, bookkeeper: Bookkeeper, wake: Wake, stop: threading.Event) -> None:
        super().__init__(name="bookkeeper")
        self._keeper, self._wake, self._stopped = bookkeeper, wake, stop

    def run(self) -> None:
        """Until told to stop; an event log that can't be used is waited for."""
        judged = 0.0
        while not self._stopped.is_set():
            turn = self._wake.turn()
            try:
                if self._keeper.follow():
                    continue
                if time.monotonic() - judged >= JUDGE_SECONDS:
                    judged = time.monotonic()
                    self._keeper.judge()
            except (StoreUnavailableError, OSError) as error:
                logger.warning("jobs and alerts wait: %s", error)
                self._stopped.wait(JUDGE_SECONDS)
            self._wake.wait(turn, LOOK_SECONDS)
