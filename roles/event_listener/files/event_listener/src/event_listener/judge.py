# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay's thread that judges whether sources are silent, and reckons how many events they send."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from event_listener.indexer import journal_cursor
from event_listener.journal import JournalBrokenError, JournalReader, JournalUnavailableError
from event_listener.registry import Source
from event_listener.source_health import Expectation, FairStart, Health, judge
from event_listener.source_rates import Rates, publish
from event_listener.store import Store, StoreUnavailableError

logger = logging.getLogger(__name__)

_BEHIND = 1000  # payloads that wait to be indexed: then nobody knows who was heard


class Judge:
    """One look after another; for one thread. ``listening`` asks whether ingest answers."""

    def __init__(
        self,
        store: Store,
        state_dir: str | Path,
        expectation: Expectation,
        listening: Callable[[], bool],
        clocks: Callable[[], tuple[int, float]] = lambda: (time.time_ns(), time.monotonic()),
    ) -> None:
        self._store, self._state_dir, self._expectation = store, state_dir, expectation
        self._listening, self._clocks = listening, clocks
        self._fair = FairStart(*clocks())
        self._rates = Rates()

    def step(self) -> list[Health]:
        """Judge once; returns the transitions that nobody told before. Raises StoreUnavailableError, OSError."""
        listening = self._listening() and not is_behind(self._store, self._state_dir)
        wall_ns, monotonic = self._clocks()
        activity = self._store.sources.activity()
        self._rates.step({name: one.events for name, one in activity.items()}, monotonic)
        publish(self._state_dir, self._rates.by_source)
        if not self._fair.step(wall_ns, monotonic, listening=listening):
            return []
        sources = {source.name: source for source in self._store.sources.list()}
        heard = {name: one.last_seen_ns for name, one in activity.items()}
        known = self._store.health.all()
        if gone := [name for name in known if not self._expects(sources.get(name))]:
            self._store.health.forget(gone)
        news = judge(sources.values(), heard, known, self._expectation, now_ns=wall_ns, fair_ns=self._fair.ns)
        told = self._store.health.change([(sources[one.source], one) for one in news]) if news else []
        silent = [one.source for one in told if one.silent]
        if silent:
            logger.warning("%d sources fell silent: %s", len(silent), ", ".join(silent[:10]))
        return told

    def _expects(self, source: Source | None) -> bool:
        return source is not None and self._expectation.longest(source) is not None


def is_behind(store: Store, state_dir: str | Path) -> bool:
    """Whether so much waits to be indexed that nobody knows who was heard. Raises StoreUnavailableError."""
    try:
        with JournalReader(state_dir) as reader:
            cursor = store.cursors.get(journal_cursor(reader.journal_id)) or 0
            return reader.head() - cursor > _BEHIND
    except (JournalUnavailableError, JournalBrokenError):
        return True


class JudgeThread(threading.Thread):
    """Judges every ``seconds`` until told to stop."""

    def __init__(self, judge: Judge, seconds: float, stop: threading.Event) -> None:
        super().__init__(name="judge")
        self._judge, self._seconds, self._stopped = judge, seconds, stop

    def run(self) -> None:
        """Until told to stop."""
        while not self._stopped.wait(self._seconds):
            try:
                self._judge.step()
            except (StoreUnavailableError, OSError) as error:
                logger.warning("who is silent can't be judged now: %s", error)
