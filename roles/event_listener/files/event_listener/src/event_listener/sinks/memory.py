# SPDX-License-Identifier: GPL-3.0-or-later
"""Events for subscribers in this process: the live tail of the management API, and whoever embeds the listener.

Never blocks and never fails: a subscriber has a bounded queue of its own, and what doesn't fit is dropped and counted.
Who mustn't lose anything reads what was dropped from the event log, as the live tail does.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, NamedTuple

from event_listener.event import Event
from event_listener.sinks.base import Ok, Outcome, UnitName

logger = logging.getLogger(__name__)

QUEUE = 4096  # events that a subscriber may be behind

Wants = Callable[[Event], bool]


class Taken(NamedTuple):
    """Events in order, and how many were dropped after the last of them."""

    events: list[Event]
    dropped: int


class Subscription:
    """The events that one subscriber wants and hasn't taken yet. For the thread that sends and the one that takes."""

    def __init__(self, wants: Wants, size: int = QUEUE) -> None:
        self._wants, self._size = wants, size
        self._changed = threading.Condition()
        self._queue: deque[Event] = deque()
        self._missing = 0  # dropped since the queue was full; nothing is put behind a gap until it was seen
        self._closed = False
        self.dropped = 0
        self.failed = 0  # events at which `wants` raised

    def offer(self, batch: Sequence[Event]) -> None:
        """Put what is wanted into the queue. Never waits, never raises."""
        wanted = [event for event in batch if self._is_wanted(event)]
        if not wanted:
            return
        with self._changed:
            room = 0 if self._missing else max(0, self._size - len(self._queue))
            self._queue.extend(wanted[:room])
            self._missing += len(wanted[room:])
            self.dropped += len(wanted[room:])
            self._changed.notify_all()

    def _is_wanted(self, event: Event) -> bool:
        try:
            return self._wants(event)
        except Exception:  # a subscriber's own code: its bug is counted and shown, and harms nobody else
            self.failed += 1
            if self.failed == 1:
                logger.exception("a subscriber's condition fails; events at which it does are left out")
            return False

    def take(self, seconds: float) -> Taken:
        """What is there, after waiting ``seconds`` at most for something."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._missing or self._closed, seconds)
            taken = Taken(list(self._queue), self._missing)
            self._queue.clear()
            self._missing = 0
        return taken

    @property
    def waiting(self) -> bool:
        """Whether there is something to take, or to make good."""
        with self._changed:
            return bool(self._queue) or self._missing > 0

    def close(self) -> None:
        """Take nothing more; who waits is woken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed


class Memory:
    """The sink: gives each batch to all subscribers. They come and go at any time."""

    unit: ClassVar[UnitName] = "event"

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self._lock = threading.Lock()
        self._subscriptions: list[Subscription] = []
        self._gone = 0  # dropped by subscriptions that ended

    def subscribe(self, wants: Wants = lambda _event: True, size: int = QUEUE) -> Subscription:
        """A subscription to what ``wants`` says yes to, from the next batch on."""
        subscription = Subscription(wants, size)
        with self._lock:
            self._subscriptions.append(subscription)
        return subscription

    def call(self, function: Callable[[Event], object], wants: Wants = lambda _event: True) -> Subscription:
        """Have ``function`` called with each event, in a thread of its own. What it raises is logged, once."""
        subscription = self.subscribe(wants)
        threading.Thread(target=_deliver, args=(subscription, function), name="subscriber", daemon=True).start()
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription; one that ended already is none."""
        subscription.close()
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)
                self._gone += subscription.dropped

    def __len__(self) -> int:
        return len(self._subscriptions)

    def counts(self) -> Mapping[str, int]:
        """``dropped``: events for which a subscriber had no room."""
        with self._lock:
            return {"dropped": self._gone + sum(one.dropped for one in self._subscriptions)}

    def send(self, batch: Sequence[Event]) -> Outcome:
        """Give a batch to all; always taken."""
        with self._lock:
            subscriptions = list(self._subscriptions)
        for subscription in subscriptions:
            subscription.offer(batch)
        return Ok()

    def close(self) -> None:
        """End all subscriptions."""
        with self._lock:
            subscriptions = list(self._subscriptions)
        for subscription in subscriptions:
            self.unsubscribe(subscription)


def _deliver(subscription: Subscription, function: Callable[[Event], object]) -> None:
    failed = False
    while not subscription.closed:
        for event in subscription.take(60.0).events:
            try:
                function(event)
            except Exception:
                if not failed:
                    logger.exception("a subscriber fails; it gets the events that follow, and no further trace")
                failed = True
