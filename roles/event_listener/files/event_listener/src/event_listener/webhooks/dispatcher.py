# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay's thread of webhooks: makes deliveries of the event log, and gives lanes their turns.

One relay does so at a time, under a lease: each delivery is tried by one. Each webhook has its own place in the event
log; those at the same place are read for together. One whose deliveries pile up stays behind and catches up later.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from event_listener.event import Event, Origin
from event_listener.lanes import LOOK_SECONDS, Wake
from event_listener.places import LEASE_SECONDS
from event_listener.redact import published
from event_listener.settings import Settings
from event_listener.store import FencedError, Lease, Store, StoreBrokenError, StoreUnavailableError
from event_listener.webhooks import render
from event_listener.webhooks.lanes import Lanes
from event_listener.webhooks.model import Groups, Webhook
from event_listener.webhooks.surroundings import Surroundings

logger = logging.getLogger(__name__)

LEASE = "webhooks"
BATCH = 500
_RETRY_SECONDS = 1.0


class Dispatcher(threading.Thread):
    """Runs until ``stop`` is set. ``broken`` says that the event log ended it."""

    def __init__(self, settings: Settings, store: Store, holder: str, wake: Wake, stop: threading.Event) -> None:
        super().__init__(name="webhooks")
        self._settings, self._store, self._holder = settings, store, holder
        self._stop_event = stop
        self._log_grew, self._turn_over = wake, threading.Event()
        self._surroundings = Surroundings(settings, store)
        self._categories = settings.publish.categories()
        self._lease: Lease | None = None
        self._renewed = 0.0
        self._version = -1
        self._enabled: dict[str, Webhook] = {}
        self._positions: dict[str, int] = {}
        self._clean_at = time.monotonic() + settings.webhook.deliveries.cleanup.initial_delay
        self._lanes: Lanes | None = None
        self.broken: StoreBrokenError | None = None

    def run(self) -> None:
        """Until told to stop; after a failure of the store or the loss of the lease it begins again."""
        while not self._stop_event.is_set():
            try:
                self._work()
            except FencedError as error:
                logger.info("%s", error)
                self._let_go()
            except StoreBrokenError as error:
                self.broken = error  # the relay ends with it
                self._stop_event.set()
            except StoreUnavailableError as error:
                logger.warning("webhooks wait: %s", error)
                self._stop_event.wait(_RETRY_SECONDS)
            except Exception:
                logger.exception("webhooks meet a bug; they go on")
                self._stop_event.wait(_RETRY_SECONDS)
        self._end()

    def _work(self) -> None:
        """While the lease is ours."""
        while not self._stop_event.is_set():
            turn = self._log_grew.turn()
            self._turn_over.clear()
            if not self._holds():
                self._stop_event.wait(LOOK_SECONDS)
                continue
            lanes, lease = self._ours()
            lanes.reap()
            self._refresh(lanes)
            more = self._expand(lanes, lease)
            self._clean()
            next_ns = lanes.start(lease, self._enabled, time.time_ns())
            if not more:
                self._rest(turn, next_ns)

    def _rest(self, turn: int, next_ns: int | None) -> None:
        """Until a turn is over, the log has grown, a delivery is due, or it is time to look."""
        seconds = LOOK_SECONDS
        if next_ns is not None:
            seconds = min(max((next_ns - time.time_ns()) / 1e9, 0.001), LOOK_SECONDS)
        if self._lanes is None or not self._lanes.busy:
            self._log_grew.wait(turn, seconds)
            return
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._turn_over.is_set():
            if self._log_grew.turn() != turn or self._stop_event.is_set():
                return
            self._turn_over.wait(min(left, 0.05))

    def _holds(self) -> bool:
        """Take or renew the lease; without webhooks nobody needs it. Raises FencedError when it was lost."""
        if self._lease is None and not self._store.webhooks.version():
            return False
        if self._lease is not None and time.monotonic() - self._renewed < LEASE_SECONDS / 3:
            return True
        taken = self._store.cursors.acquire(LEASE, self._holder, LEASE_SECONDS)
        if self._lease is not None and (taken is None or taken.fence != self._lease.fence):
            raise FencedError("the webhooks were taken over by another relay")
        self._lease, self._renewed = taken, time.monotonic()
        return taken is not None

    def _ours(self) -> tuple[Lanes, Lease]:
        if self._lanes is None:
            told = self._settings.webhook
            keep = told.deliveries.limit
            self._lanes = Lanes(self._store, told.delivery, keep, self._surroundings.guard, self._turn_over.set)
            self._version = -1
        if self._lease is None:
            raise FencedError("the lease of webhooks is nobody's")
        return self._lanes, self._lease

    def _refresh(self, lanes: Lanes) -> None:
        version = self._store.webhooks.version()
        if version == self._version:
            return
        self._enabled = {item.id: item for item in self._store.webhooks.find() if item.state == "Enabled"}
        places = self._store.webhooks.places()
        self._positions = {name: places[name].position for name in self._enabled if name in places}
        lanes.set(self._enabled, {name: place.health for name, place in places.items()})
        self._version = version

    def _expand(self, lanes: Lanes, lease: Lease) -> bool:
        """Make deliveries of what the log has for each webhook that has room; returns whether there is more."""
        head = self._store.log.head()
        behind = {name: place for name, place in self._positions.items() if place < head}
        if not behind:
            return False
        pending, most = self._store.deliveries.pending(), self._settings.webhook.deliveries.pending
        together: dict[tuple[int, int, str], list[str]] = {}
        for name, place in behind.items():
            room = min(most - pending.get(name, 0), BATCH)
            if room > 0:
                # One that has little room doesn't make the others take small steps.
                together.setdefault((place, room, "" if room == BATCH else name), []).append(name)
        more = [self._advance(lanes, lease, place, names, room) for (place, room, _name), names in together.items()]
        return any(more)

    def _advance(self, lanes: Lanes, lease: Lease, place: int, names: Sequence[str], limit: int) -> bool:
        head, now = self._store.log.head(), time.time_ns()
        events = self._store.log.read_events_after(place, limit)
        # Without any, everything up to the head was purged.
        through = events[-1].seq if events else head
        groups = Groups([self._enabled[name] for name in names])
        made = [
            render.delivery(webhook, published(event), now)
            for event in events
            if self._is_for_webhooks(event)
            for webhook in groups.of(event)
        ]
        self._store.deliveries.expand(lease, dict.fromkeys(names, place), through, made)
        for name in names:
            self._positions[name] = through
        for name in {item.webhook for item in made}:
            lanes.tell(name)
        return len(events) == limit

    def _is_for_webhooks(self, event: Event) -> bool:
        return event.origin is Origin.LIVE and event.category in self._categories

    def _clean(self) -> None:
        if time.monotonic() < self._clean_at:
            return
        told = self._settings.webhook.deliveries
        self._clean_at = time.monotonic() + told.cleanup.interval
        if gone := self._store.deliveries.clean(told.limit):
            logger.info("%d old deliveries of webhooks are removed", gone)

    def _let_go(self) -> None:
        """Another relay has the lease: nothing is sent here any more."""
        if self._lanes is not None:
            self._lanes.stop()
        self._lanes, self._lease = None, None

    def _end(self) -> None:
        lease = self._lease
        self._let_go()
        if lease is not None:
            try:
                self._store.cursors.release(lease)
            except StoreUnavailableError as error:
                logger.warning("webhooks: %s", error)
