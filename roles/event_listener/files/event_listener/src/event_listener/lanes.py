# SPDX-License-Identifier: GPL-3.0-or-later
"""A lane: reads the event log after one sink's cursor and feeds that sink. A slow or failing sink delays itself alone.

At least once, in order. The cursor moves only after the sink took a batch; a local sink keeps it with its files and so
has each unit exactly once.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from event_listener import backoff
from event_listener.feed import Everything, Feed
from event_listener.sinks.base import LocalSink, Ok, Outcome, Reject, Retry, Sink, Unit
from event_listener.store import PAUSED_HOLDER, FencedError, Lease, Store, StoreUnavailableError

logger = logging.getLogger(__name__)

OK, RETRYING, PAUSED = "ok", "retrying", "paused"
LEASE_SECONDS = 10.0


class Wake:
    """Tells lanes that the log grew. A hint only: they look by themselves too."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._turn = 0

    def turn(self) -> int:
        """A number that each call of :meth:`tell` changes."""
        return self._turn

    def tell(self) -> None:
        """Wake all who wait."""
        with self._condition:
            self._turn += 1
            self._condition.notify_all()

    def wait(self, turn: int, seconds: float) -> None:
        """Wait until told after ``turn``, ``seconds`` at most."""
        with self._condition:
            self._condition.wait_for(lambda: self._turn != turn, seconds)


class Place(Protocol):
    """Where a lane's cursor is kept."""

    def begin(self) -> bool:
        """Find the cursor; False while another process runs this lane. Raises OSError, StoreUnavailableError."""

    def position(self) -> int:
        """The unit after which to go on."""

    def advance(self, position: int, counts: Mapping[str, int]) -> None:
        """The sink took everything up to ``position``. Raises FencedError, StoreUnavailableError."""

    def paused(self) -> bool:
        """Whether an operator keeps the lane from running. Raises StoreUnavailableError."""

    def settle(self, *, idle: bool) -> Outcome:
        """Confirm. Raises FencedError, StoreUnavailableError."""

    def end(self) -> None:
        """Let another process have the lane."""


class OwnPlace:
    """A local sink keeps its cursor; the store gets a copy of what is confirmed, for lag and retention."""

    def __init__(self, sink: LocalSink, store: Store) -> None:
        self._sink, self._store = sink, store
        self._copied: int | None = None

    def begin(self) -> bool:
        """A new sink, and one whose own cursor was lost, begins at the store's."""
        self._sink.open(admit(self._sink, self._store))
        self._copy()
        return True

    def position(self) -> int:
        """As the sink says."""
        return self._sink.position()

    def advance(self, position: int, counts: Mapping[str, int]) -> None:
        """The sink did so itself."""

    def paused(self) -> bool:
        """Files are never paused."""
        return False

    def settle(self, *, idle: bool) -> Outcome:
        """Have the sink confirm, and copy its cursor."""
        outcome = self._sink.settle(idle=idle)
        self._copy()
        return outcome

    def _copy(self) -> None:
        if (confirmed := self._sink.confirmed()) != self._copied:
            self._store.cursors.advance(cursor_name(self._sink.name), confirmed)
            self._copied = confirmed

    def end(self) -> None:
        """Confirm what is written; the copy follows at the next start."""
        self._sink.close()


class LeasedPlace:
    """A cursor in the store, under a lease: several relays may run, one of them runs this lane."""

    def __init__(self, sink: Sink, store: Store, holder: str, ttl: float = LEASE_SECONDS) -> None:
        self._sink, self._store, self._holder, self._ttl = sink, store, holder, ttl
        self._lease: Lease | None = None
        self._position = 0
        self._renewed = 0.0

    def begin(self) -> bool:
        """Take the lease and read the cursor."""
        self._lease = self._store.cursors.acquire(self._sink.name, self._holder, self._ttl)
        if self._lease is None:
            return False
        self._position, self._renewed = admit(self._sink, self._store), time.monotonic()
        return True

    def position(self) -> int:
        """The last unit that the sink confirmed."""
        return self._position

    def advance(self, position: int, counts: Mapping[str, int]) -> None:
        """Move the cursor while the lease holds."""
        named = {f"{self._sink.name}:{what}": count for what, count in counts.items() if count}
        self._store.cursors.advance(cursor_name(self._sink.name), position, self._lease, named)
        self._position = position

    def paused(self) -> bool:
        """Whether an operator holds the lease."""
        return self._store.cursors.holder(self._sink.name) == PAUSED_HOLDER

    def settle(self, *, idle: bool) -> Outcome:  # noqa: ARG002 - renewing is due in a storm too
        """Renew the lease once half of it is over. Raises FencedError when it is lost."""
        if time.monotonic() - self._renewed < self._ttl / 2:
            return Ok()
        renewed = self._store.cursors.acquire(self._sink.name, self._holder, self._ttl)
        if renewed is None or self._lease is None or renewed.fence != self._lease.fence:
            raise FencedError(f"lane {self._sink.name} was taken over by another relay")
        self._lease, self._renewed = renewed, time.monotonic()
        return Ok()

    def end(self) -> None:
        """Release the lease, so that another relay needn't wait for its end."""
        self._sink.close()
        if self._lease is not None:
            self._store.cursors.release(self._lease)


def cursor_name(sink: str) -> str:
    """The name of a sink's cursor in the store."""
    return f"sink:{sink}"


def admit(sink: Sink, store: Store) -> int:
    """The cursor of a sink in the store; a new sink gets one, at the last unit. Raises StoreUnavailableError."""
    name = cursor_name(sink.name)
    position = store.cursors.get(name)
    if position is None:
        position = store.cursors.begin(name, store.log.payload_head() if sink.unit == "payload" else store.log.head())
    return position


class Lane(threading.Thread):
    """Runs until ``stop`` is set. Nothing that a sink does ends it."""

    def __init__(
        self,
        sink: Sink,
        place: Place,
        store: Store,
        wake: Wake,
        stop: threading.Event,
        batch: int,
        feed: Everything | Feed | None = None,
    ) -> None:
        super().__init__(name=f"lane-{sink.name}")
        self._sink, self._place, self._store = sink, place, store
        self._wake, self._stop_event, self._batch = wake, stop, batch
        self._feed_of = feed or Everything()
        self._counted: dict[str, int] = {}
        self._warned = False
        self._attempt = 0

    def run(self) -> None:
        """Begin, feed, and begin again after a failure of the store or the loss of the lease."""
        while not self._stop_event.is_set():
            try:
                if self._place.begin():
                    self._feed()
                else:
                    self._stand_by()
            except FencedError as error:
                logger.info("%s", error)
                self._sink.close()
            except (OSError, StoreUnavailableError) as error:
                self._wait(Retry(str(error)))
            except Exception as error:
                logger.exception("sink %s has a bug; it is tried again, the others go on", self._sink.name)
                self._wait(Retry(f"{type(error).__name__}: {error}"))
        try:
            self._place.end()
        except (OSError, StoreUnavailableError) as error:
            logger.warning("sink %s: %s", self._sink.name, error)

    def _stand_by(self) -> None:
        """Another relay runs this lane, or an operator paused it."""
        if self._place.paused():
            self._report(PAUSED, "paused; `event-listener sink resume` lets it go on")
        self._stop_event.wait(LEASE_SECONDS / 4)

    def _feed(self) -> None:
        self._report(OK, "")
        while not self._stop_event.is_set():
            turn = self._wake.turn()
            batch = self._read()
            outcome = self._send(batch) if batch else Ok()
            if isinstance(outcome, Ok):
                outcome = self._place.settle(idle=len(batch) < self._batch)
            if isinstance(outcome, Retry):
                self._wait(outcome)
                continue
            if self._attempt:
                self._attempt = 0
                self._report(OK, "")
            if len(batch) < self._batch:
                self._wake.wait(turn, 0.5)

    def _read(self) -> Sequence[Unit]:
        after = self._place.position()
        if self._sink.unit == "payload":
            return self._store.log.read_payloads_after(after, self._batch)
        return self._store.log.read_events_after(after, self._batch)

    def _send(self, batch: Sequence[Unit]) -> Outcome:
        """Send what the routes choose. The cursor moves over what was taken, and over what never will be."""
        chosen = self._fresh(self._feed_of(batch))
        outcome = self._sink.send(chosen) if chosen else Ok()
        if isinstance(outcome, Ok):
            self._place.advance(batch[-1].seq, self._counts(len(chosen)))
            return outcome
        if isinstance(outcome, Reject):
            refused = chosen[outcome.done]
            logger.error("sink %s refuses %s %d: %s", self._sink.name, self._sink.unit, refused.seq, outcome.reason)
            self._store.cursors.reject(self._sink.name, self._sink.unit, refused.seq, outcome.reason)
            self._place.advance(refused.seq, self._counts(outcome.done))
            return Ok()
        if outcome.done:
            self._place.advance(chosen[outcome.done - 1].seq, self._counts(outcome.done))
        return outcome

    def _counts(self, sent: int) -> dict[str, int]:
        """What was sent, and what the sink and its feed counted since the last time."""
        now = {**self._feed_of.counts(), **getattr(self._sink, "counts", dict)()}
        changed = {what: count - self._counted.get(what, 0) for what, count in now.items()}
        self._counted = now
        return {"sent": sent, **changed}

    def _fresh(self, chosen: Sequence[Unit]) -> Sequence[Unit]:
        """Without what waited longer than ``retain_for``; that is noted, counted and passed."""
        limit = self._feed_of.retain_for
        if not limit or not chosen:
            return chosen
        now = time.time_ns()
        late = now - chosen[0].received_ns > limit * 5e8
        if late and not self._warned:
            text = "sink %s: events have waited for it for half of retain_for (%g s); after all of it they are skipped"
            logger.warning(text, self._sink.name, limit)
        self._warned = late
        old = sum(now - unit.received_ns > limit * 1e9 for unit in chosen)
        if old:
            last = chosen[old - 1].seq
            reason = f"{old} events up to this one waited longer than retain_for ({limit:g} s) and are skipped"
            logger.error("sink %s: %s", self._sink.name, reason)
            self._store.cursors.reject(self._sink.name, self._sink.unit, last, reason)
            self._place.advance(last, {"skipped": old})
        return chosen[old:]

    def _wait(self, retry: Retry) -> None:
        self._attempt += 1
        self._report(RETRYING, retry.reason)
        seconds = retry.after
        if seconds is None:
            seconds = backoff.delay(self._attempt, random.random())  # noqa: S311 - jitter, no secret
        self._stop_event.wait(seconds)

    def _report(self, state: str, reason: str) -> None:
        """Note the lane's state; log it once per change."""
        try:
            news = self._store.cursors.report(self._sink.name, self._sink.unit, state, reason)
        except StoreUnavailableError as error:
            logger.warning("sink %s: %s; %s", self._sink.name, reason or state, error)
            return
        if news and state == PAUSED:
            logger.warning("sink %s is %s", self._sink.name, reason)
        elif news and state == RETRYING:
            logger.error("sink %s fails and is tried again, others go on: %s", self._sink.name, reason)
        elif news:
            logger.info("sink %s works", self._sink.name)


def lane_for(
    sink: Sink, store: Store, holder: str, wake: Wake, stop: threading.Event, batch: int, feed: Everything | Feed
) -> Lane:
    """The lane of a sink: with its own cursor where it keeps one, else leased."""
    place: Place = OwnPlace(sink, store) if isinstance(sink, LocalSink) else LeasedPlace(sink, store, holder)
    return Lane(sink, place, store, wake, stop, feed.batch or batch, feed)
