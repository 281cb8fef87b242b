# SPDX-License-Identifier: GPL-3.0-or-later
"""The live tail: one thread reads the event log for all streams, and looks after those whose client is slow or gone.

A stream has its own place in the log. What its client was too slow for is read again from there, so a stream skips
nothing and repeats nothing, whatever happens to the queue between.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator

import msgspec

from event_listener.event import Event
from event_listener.manage.connection import Connection
from event_listener.sinks.memory import Memory, Subscription
from event_listener.store import MAX_LIMIT, Query, StoreUnavailableError

logger = logging.getLogger(__name__)

_TICK = 0.2  # seconds between looks at the event log, while somebody listens
_BATCH = 1000
_HANG_UP = select.POLLRDHUP | select.POLLHUP | select.POLLERR | select.POLLNVAL


class FullError(Exception):
    """There are as many streams as are allowed."""


class Stream:
    """One client's way through the log: an iterator over parts (events, and the place after them), for its thread."""

    def __init__(self, live: Live, query: Query, wants: Callable[[Event], bool], connection: socket.socket) -> None:
        self._live, self._query, self._wants = live, query, wants
        self._subscription: Subscription = live.memory.subscribe(wants)
        self._connection = connection
        self._sending_since: float | None = None
        self.position = query.after

    def parts(self, patience: float) -> Iterator[list[Event]]:
        """Lists of events in order; an empty one where ``patience`` seconds brought none. Ends when it is closed.

        Raises StoreUnavailableError.
        """
        yield from self._stored()
        while not self._subscription.closed:
            taken = self._subscription.take(patience)
            yield self._fresh(taken.events)
            if taken.dropped:
                yield from self._stored()

    def _stored(self) -> Iterator[list[Event]]:
        """What the log has after our place."""
        while not self._subscription.closed:
            asked = msgspec.structs.replace(self._query, after=self.position, order="asc", limit=MAX_LIMIT)
            page = self._live.connection.store.queries.find(asked)
            found = [event for event in page.events if self._wants(event)]
            self.position = max(self.position, page.head if page.next is None else page.next)
            if page.next is None:
                yield from [found] if found else []
                return
            yield found  # also where it is empty: the client learns that we got on

    def _fresh(self, events: list[Event]) -> list[Event]:
        fresh = [event for event in events if event.seq > self.position]
        if fresh:
            self.position = fresh[-1].seq
        elif not events:
            # Nothing of what the tail has read is for this stream.
            self.position = max(self.position, self._live.seen_without(self._subscription))
        return fresh

    def sending(self, *, now: bool) -> None:
        """Say that the client is being sent something, or has taken it."""
        self._sending_since = time.monotonic() if now else None

    def is_over(self, limit: float) -> bool:
        """Whether the client has taken nothing for too long."""
        since = self._sending_since
        return since is not None and time.monotonic() - since > limit

    def cut(self) -> None:
        """Have the thread that sends fail at once, and end."""
        self._subscription.close()
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            logger.debug("a stream's connection was closed already")

    def fileno(self) -> int:
        """The connection's descriptor; -1 where it is closed."""
        return self._connection.fileno()

    def close(self) -> None:
        """Give the place back; more than once is once."""
        self._live.leave(self)

    @property
    def subscription(self) -> Subscription:
        """Its queue."""
        return self._subscription


class Live:
    """All streams of this process. ``limit`` of them at once, each cut when it takes nothing for ``timeout`` s."""

    def __init__(self, connection: Connection, limit: int, timeout: float) -> None:
        self.connection, self.memory = connection, Memory("live")
        self._limit, self._timeout = limit, timeout
        self._lock = threading.Lock()
        self._streams: set[Stream] = set()
        self._position = 0
        self._thread: threading.Thread | None = None
        self._alive: Callable[[], bool] = lambda: True
        self.cut = 0

    def until(self, alive: Callable[[], bool]) -> None:
        """End all streams once ``alive`` says no: the process is asked to end."""
        self._alive = alive

    def __len__(self) -> int:
        return len(self._streams)

    def join(self, query: Query, wants: Callable[[Event], bool], connection: socket.socket) -> Stream:
        """A new stream after ``query.after``. Raises FullError, StoreUnavailableError."""
        with self._lock:
            if len(self._streams) >= self._limit:
                raise FullError
            if self._thread is None:
                # Before the stream reads the log: what comes later than that is the tail's.
                self._position = self.connection.store.log.head()
                self._thread = threading.Thread(target=self._run, name="live", daemon=True)
                self._thread.start()
            stream = Stream(self, query, wants, connection)
            self._streams.add(stream)
        return stream

    def leave(self, stream: Stream) -> None:
        """A stream ended."""
        self.memory.unsubscribe(stream.subscription)
        with self._lock:
            self._streams.discard(stream)

    def seen_without(self, subscription: Subscription) -> int:
        """How far the tail has read, where it has left nothing in this queue; else 0."""
        position = self._position
        return 0 if subscription.waiting else position

    def _run(self) -> None:
        failing = False
        while self._alive():
            with self._lock:
                if not self._streams:
                    self._thread = None
                    return
            try:
                more = self._read()
                failing = False
            except StoreUnavailableError as error:
                more = False
                if not failing:
                    logger.error("streams wait for the event log: %s", error)  # noqa: TRY400 - no trace
                failing = True
            self._look_after()
            if not more:
                time.sleep(_TICK)
        for stream in list(self._streams):
            stream.subscription.close()

    def _read(self) -> bool:
        """Hand on what is new; whether there is more."""
        batch = self.connection.store.log.read_events_after(self._position, _BATCH)
        if batch:
            self.memory.send(batch)
            self._position = batch[-1].seq
        return len(batch) == _BATCH

    def _look_after(self) -> None:
        """End the streams whose client is gone, and cut those that take nothing."""
        with self._lock:
            streams = {stream.fileno(): stream for stream in self._streams}
        poll = select.poll()
        for number in streams:
            if number >= 0:
                poll.register(number, select.POLLRDHUP)
        gone = {number for number, what in poll.poll(0) if what & _HANG_UP}
        for number, stream in streams.items():
            if stream.is_over(self._timeout):
                self.cut += 1
                logger.warning("cut a stream whose client took nothing for %g s; it can resume", self._timeout)
                stream.cut()
            elif number in gone:
                stream.cut()
