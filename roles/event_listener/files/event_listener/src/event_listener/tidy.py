# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay's thread that keeps the event log tidy: makes it searchable, and removes what is deleted or old.

Removing goes in short transactions with rests between them: half of the time, and a thirtieth of it while events wait
to be stored, so that whoever stores them doesn't feel it. What a kill broke off goes on after the next start. Where
hosts share the log one of them removes at a time, under a lease.
"""

from __future__ import annotations

import functools
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator

from event_listener.clock import cautious_ns
from event_listener.event import State
from event_listener.places import LEASE_SECONDS, cursor_name
from event_listener.reserve import Reserve
from event_listener.settings import Settings
from event_listener.settings_bus import BusSink
from event_listener.settings_files import FileSink
from event_listener.store import Lease, Removed, Store, StoreUnavailableError, Waiting
from event_listener.store.own_jobs import job_event
from event_listener.store.search import BATCH

logger = logging.getLogger(__name__)

_APART = 1.0  # seconds: what arrives meanwhile is indexed at once, which costs less than by ones
_LOOK = 10.0  # seconds between looks for what somebody deleted
_REST = 1.0  # times as long as a batch took, nothing is removed
_LONG_REST = 29.0  # the same, while events wait to be stored
_AGAIN = 100.0  # times as long as it looked in vain, it isn't looked for what may go to make room
_LONGEST_AGAIN = 600.0  # seconds; at most
_DAY_NS = 86_400_000_000_000
_SIGN = 900.0  # seconds between signs of life of a purge: job.hanging_after is an hour
LEASE = "purge"
UNFINISHED = "event.purge"  # a cursor: before when the purge that runs removes; 0: none does


class Tidy:
    """One step after another; for one thread."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        is_busy: Callable[[], bool] = lambda: False,
        now_ns: Callable[[], int] = cautious_ns,
        clock: Callable[[], float] = time.monotonic,
        quarantined: Callable[[], int | None] = lambda: 0,
    ) -> None:
        """``quarantined``: bytes in quarantine; None while nobody knows."""
        self._settings, self._store, self._is_busy = settings, store, is_busy
        self._now_ns, self._clock, self._quarantined = now_ns, clock, quarantined
        self._room_again = -_LOOK  # when to look for room again, after there was too little that may go
        self._reserve = Reserve(settings.state_dir, settings.disk.reserve)
        self._removing: Iterator[int] | None = None
        self._indexed = self._looked = -_LOOK
        self._lease: Lease | None = None
        self._renewed = 0.0

    def step(self) -> float:
        """Index what is new, and remove a batch; returns how many seconds to wait. Raises StoreUnavailableError."""
        began = self._clock()
        behind = False
        if began - self._indexed >= _APART:
            behind = self._store.search.step() == BATCH
            self._indexed = -_LOOK if behind else began
        if self._removing is None and began - self._looked >= _LOOK:
            self._looked, self._removing = began, self.removing()
        if self._removing is not None and not self._is_ours():
            self._removing = None
        if self._removing is not None:
            began = self._clock()
            removing, self._removing = self._removing, None  # one that fails begins anew
            if next(removing, None) is not None:
                self._removing = removing
                return (self._clock() - began) * (_LONG_REST if self._is_busy() else _REST)
        return 0.0 if behind else _APART

    def let_go(self) -> None:
        """Another host may remove from now on. Raises StoreUnavailableError."""
        lease, self._lease = self._lease, None
        if lease is not None:
            self._store.cursors.release(lease)

    def _is_ours(self) -> bool:
        """Whether this host is the one that removes."""
        if not self._store.place:
            return True
        now = self._clock()
        if self._lease is None or now - self._renewed >= LEASE_SECONDS / 3:
            # By host, not by process: who follows a killed relay there needn't wait.
            holder = f"relay of {self._store.place}"
            self._lease, self._renewed = self._store.cursors.acquire(LEASE, holder, LEASE_SECONDS), now
        return self._lease is not None

    def removing(self) -> Iterator[int]:
        """Remove what is deleted, once in an interval what is old, and at their bound the oldest events.

        A batch with each step, and how many it had.
        """
        purge, waiting, limit = self._store.purge, self.waiting(), self._settings.event.purge.batch
        yield from self._walk("deleted", lambda at: purge.deleted(at, waiting, limit))
        yield from self._aged(waiting)
        yield from self._bounded(waiting)

    def _aged(self, waiting: list[Waiting]) -> Iterator[int]:
        """Once in an interval, or when that was broken off, what is old."""
        purge = self._store.purge
        settings, now = self._settings.event.purge, self._now_ns()
        before = self._store.cursors.get(UNFINISHED) or 0
        resumed = bool(before)
        if not before and (settings.delay or settings.archived_delay) and purge.is_due(now, settings.interval):
            before = now
            self._store.cursors.advance(UNFINISHED, before)
        if not before:
            return
        yield from self._as_job(f"purge:{before}", self._old(before, waiting), resumed=resumed)
        self._store.cursors.advance(UNFINISHED, 0)

    def _old(self, before: int, waiting: list[Waiting]) -> Iterator[int]:
        """Remove what is old at that time."""
        purge, settings = self._store.purge, self._settings.event.purge
        limit = settings.batch
        if settings.delay:
            old = before - settings.delay * _DAY_NS
            yield from self._walk("old", lambda at: purge.old(old, at, waiting, limit))
            yield from self._walk("without events", lambda at: purge.bare(old, at, waiting, limit))
        if settings.archived_delay:
            kept = before - settings.archived_delay * _DAY_NS
            yield from self._walk("archived long ago", lambda at: purge.archived(kept, at, waiting, limit))

    def _bounded(self, waiting: list[Waiting]) -> Iterator[int]:
        """At the bound of bytes the oldest, until a tenth of it is free; and tell how many, also after a kill."""
        bound, quarantined = self._settings.disk.events, self._quarantined()
        if not bound or quarantined is None or self._clock() < self._room_again:
            return
        use = self._store.space.look(quarantined)
        count = use.excess(bound)
        if not count and use.noted is None:
            return
        began = use.noted.began if use.noted else self._now_ns()
        resumed = use.noted is not None
        yield from self._as_job(f"purge:space:{began}", self._oldest(began, count, waiting), resumed=resumed)
        tell = functools.partial(self._store.space.tell, bound, use.size / max(1, use.events))
        if told := self._reserve.lend(tell, StoreUnavailableError):
            logger.warning("%d events were given up: they reached disk.events (%d bytes)", told, bound)

    def _oldest(self, began: int, count: int, waiting: list[Waiting]) -> Iterator[int]:
        """Remove so many of the oldest, and the payloads from the same time that told of no event."""
        purge, limit, gone, last = self._store.purge, self._settings.event.purge.batch, 0, self._now_ns()
        looked = self._clock()
        if not count:
            return

        def some(at: int) -> Removed:
            nonlocal last
            removed = purge.oldest(began, at, waiting, min(limit, count - gone))
            last = last if removed.resume is None else removed.resume
            return removed

        for removed in self._walk("the oldest", some, most=count):
            gone += removed
            yield removed
        last = last if gone >= count else self._now_ns()
        yield from self._walk("without events", lambda at: purge.bare(last, at, waiting, limit))
        if gone < count:
            now = self._clock()
            self._room_again = now + min(_LONGEST_AGAIN, (now - looked) * _AGAIN)

    def _as_job(self, start_id: str, batches: Iterator[int], *, resumed: bool) -> Iterator[int]:
        """Tell of begin, life and end of what removes something; of what finds nothing to remove, nothing."""
        total, told = 0, self._clock()
        for count in batches:
            if count and not total:
                self._tell(start_id, State.STARTED, "Old events are being removed for good.")
            total += count
            if total and self._clock() - told > _SIGN:
                told = self._clock()
                text = f"Old events are being removed for good: {total} so far."
                self._tell(start_id, State.STARTED, text, sign=time.time_ns())
            yield count
        if total or resumed:
            text = f"{total} old events were removed for good{' since the relay went on with it' if resumed else ''}."
            self._tell(start_id, State.COMPLETED, text, total)

    def _tell(self, start_id: str, state: State, text: str, *arguments: int, sign: int = 0) -> None:
        event = job_event(start_id, state, text, [str(one) for one in arguments], sign=sign)
        self._reserve.lend(functools.partial(self._store.log.add, [event]), StoreUnavailableError)

    def waiting(self) -> list[Waiting]:
        """How far the required sinks are: each host's, where hosts share the event log."""
        sinks: list[tuple[str, FileSink | BusSink]] = [(one.name, one) for one in self._settings.sinks.bus()]
        files = {"text_log": self._settings.sinks.text_log, "json_lines": self._settings.sinks.json_lines}
        sinks += [(name, one) for name, one in files.items() if one.enabled]
        positions = self._store.cursors.all()
        found = []
        for name, section in sinks:
            if section.required:
                places = [at for key, at in positions.items() if key.partition("@")[0] == cursor_name(name)]
                given_up = self._now_ns() - int(section.retain_for * 1e9) if section.retain_for else 0
                found.append(Waiting("payload" if name == "text_log" else "event", min(places, default=0), given_up))
        return found

    def _walk(self, what: str, remove: Callable[[int], Removed], most: float = math.inf) -> Iterator[int]:
        """Until nothing is left, or ``most`` are removed."""
        total, at = 0, 0
        while True:
            removed = self._reserve.lend(functools.partial(remove, at), StoreUnavailableError)
            total += removed.count
            yield removed.count
            if removed.resume is None or total >= most:
                break
            at = removed.resume
        if total:
            logger.info("%d events that were %s are removed for good", total, what)


class TidyThread(threading.Thread):
    """Keeps the log tidy until told to stop."""

    def __init__(self, tidy: Tidy, stop: threading.Event) -> None:
        super().__init__(name="tidy")
        self._tidy, self._stopped = tidy, stop

    def run(self) -> None:
        """Until told to stop; an event log that can't be used is waited for."""
        failed, pause = "", 0.0
        while not self._stopped.wait(pause):
            try:
                pause = self._tidy.step()
                failed = ""
            except (StoreUnavailableError, OSError) as error:
                pause = _LOOK
                if str(error) != failed:  # once per cause
                    failed = str(error)
                    logger.warning("searching and purging wait for the event log: %s", error)
        try:
            self._tidy.let_go()
        except StoreUnavailableError as error:
            logger.warning("another host purges in %.0f s: %s", LEASE_SECONDS, error)
