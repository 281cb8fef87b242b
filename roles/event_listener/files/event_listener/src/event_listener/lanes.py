# SPDX-License-Identifier: GPL-3.0-or-later
"""A lane: reads the event log after one sink's cursor and feeds that sink. A slow or failing sink delays itself alone.

At least once, in order. The cursor moves only after the sink took a batch; a local sink keeps it with its files and so
has each unit exactly once.
"""

from __future__ import annotations

import itertools
import logging
import random
import threading
import time
from collections.abc import Sequence

from event_listener import backoff
from event_listener.clock import cautious_ns
from event_listener.collector import Collector
from event_listener.event import Level, rfc3339
from event_listener.feed import Everything, Feed
from event_listener.places import LeasedPlace, OwnPlace, Place
from event_listener.sinks.base import LocalSink, Ok, Outcome, Reject, Retry, Sink, Unit
from event_listener.store import PAUSED_HOLDER, FencedError, Store, StoreBrokenError, StoreUnavailableError
from event_listener.store.log import Arrival
from event_listener.store.own import own_arrival

logger = logging.getLogger(__name__)

OK, RETRYING, PAUSED = "ok", "retrying", "paused"
LOOK_SECONDS = 0.5  # how soon a lane that has nothing to send, or waits, notices what others did to it


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


class Lane(threading.Thread):
    """Runs until ``stop`` is set. Nothing that a sink does ends it; ``broken`` says that the event log did."""

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
        self._sink, self._store = sink, store
        self.place = place
        self._wake, self._stop_event = wake, stop
        self._feed_of = feed or Everything()
        read = store.log.read_payloads_after if sink.unit == "payload" else store.log.read_events_after
        self._collector = Collector(read, self._feed_of, batch, self._feed_of.batch_interval)
        self._counted: dict[str, int] = {}
        self._warned = False
        self._attempt = 0
        self.broken: StoreBrokenError | None = None

    def run(self) -> None:
        """Begin, feed, and begin again after a failure of the store or the loss of the lease."""
        while not self._stop_event.is_set():
            try:
                if self.place.begin():
                    self._feed()
                else:
                    self._stand_by()
            except FencedError as error:
                logger.info("%s", error)
                self._sink.close()
            except StoreBrokenError as error:
                self.broken = error  # the relay ends with it
                self._stop_event.set()
            except (OSError, StoreUnavailableError) as error:
                self._wait(Retry(str(error)))
            except Exception as error:
                logger.exception("sink %s has a bug; it is tried again, the others go on", self._sink.name)
                self._wait(Retry(f"{type(error).__name__}: {error}"))
        try:
            self.place.end()
        except (OSError, StoreUnavailableError) as error:
            logger.warning("sink %s: %s", self._sink.name, error)

    def _stand_by(self) -> None:
        """Another relay runs this lane, or an operator paused it: until that is over."""
        while not self._stop_event.is_set() and (holder := self.place.taken_by()):
            if holder == PAUSED_HOLDER:
                self._report(PAUSED, "paused; `event-listener sink resume` lets it go on")
            self._stop_event.wait(LOOK_SECONDS)

    def _feed(self) -> None:
        self._report(OK, "")
        collector = self._collector
        collector.again()
        while not self._stop_event.is_set():
            if not self.place.ours():
                raise FencedError(f"lane {self._sink.name} was paused, rewound or taken over")
            turn = self._wake.turn()
            collector.gather(self.place.position())
            outcome = self._send(collector.batch, collector.through) if collector.due else Ok()
            if isinstance(outcome, Ok):
                outcome = self.place.settle(idle=not collector.more)
            if isinstance(outcome, Retry):
                self._wait(outcome)
                collector.afresh()
                continue
            if self._attempt:
                self._attempt = 0
                self._report(OK, "")
            if not collector.more:
                self._idle(turn)

    def _idle(self, turn: int) -> None:
        """Until the log grows, or what is gathered is due."""
        seconds = LOOK_SECONDS
        if self._collector.batch and not self._collector.due:
            seconds = min(max(self._collector.wait(), 0.001), LOOK_SECONDS)
        self._wake.wait(turn, seconds)

    def _send(self, gathered: Sequence[Unit], through: int) -> Outcome:
        """Send what the routes chose. The cursor moves over what was taken, and over what never will be."""
        chosen = self._fresh(gathered)
        outcome = self._sink.send(chosen) if chosen else Ok()
        if isinstance(outcome, Ok):
            self.place.advance(through, self._counts(len(chosen)))
            return outcome
        if isinstance(outcome, Reject):
            refused = chosen[outcome.done]
            logger.error("sink %s refuses %s %d: %s", self._sink.name, self._sink.unit, refused.seq, outcome.reason)
            self._store.rejections.add(self._sink.name, self._sink.unit, refused.seq, outcome.reason)
            self.place.advance(refused.seq, self._counts(outcome.done))
            return Ok()
        if outcome.done:
            self.place.advance(chosen[outcome.done - 1].seq, self._counts(outcome.done))
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
        now = cautious_ns()
        late = now - chosen[0].received_ns > limit * 5e8
        if late and not self._warned:
            text = "sink %s: events have waited for it for half of retain_for (%g s); after all of it they are skipped"
            logger.warning(text, self._sink.name, limit)
        self._warned = late
        # The first ones alone: after a jump of the clock those behind them may look older.
        old = sum(1 for _unit in itertools.takewhile(lambda unit: now - unit.received_ns > limit * 1e9, chosen))
        if old:
            last = chosen[old - 1].seq
            reason = f"{old} events up to this one waited longer than retain_for ({limit:g} s) and are skipped"
            logger.error("sink %s: %s", self._sink.name, reason)
            self._store.log.add([_skipped(self._sink.name, chosen[:old], limit, now)])
            self._store.rejections.add(self._sink.name, self._sink.unit, last, reason)
            self.place.advance(last, {"skipped": old})
        return chosen[old:]

    def _wait(self, retry: Retry) -> None:
        self._attempt += 1
        self._report(RETRYING, retry.reason)
        seconds = retry.after
        if seconds is None:
            seconds = backoff.delay(self._attempt, random.random())  # noqa: S311 - jitter, no secret
        end = time.monotonic() + seconds
        while not self._stop_event.is_set() and (left := end - time.monotonic()) > 0 and self._still_ours():
            self._stop_event.wait(min(left, LOOK_SECONDS))

    def _still_ours(self) -> bool:
        """Whether waiting goes on: what an operator does to a sink that is down is noticed at once too."""
        try:
            return self.place.ours()
        except StoreUnavailableError:
            return True

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


def _skipped(sink: str, units: Sequence[Unit], limit: float, now_ns: int) -> Arrival:
    """The event that tells of it, to the other sinks and to this one, when it works again.

    Named by the first, where the cursor stood: told again after a crash, it is the same one.
    """
    first, last = units[0], units[-1]
    return own_arrival(
        "SinkSkipped",
        f"Sink {sink} was given up for {len(units)} events that waited longer than its retain_for ({limit:g} s).",
        unique=f"skipped:{sink}:{first.seq}",
        now_ns=now_ns,
        level=Level.ERROR,
        arguments=[sink, str(len(units))],
        details={"first": first.seq, "last": last.seq, "received": [rfc3339(one.received_ns) for one in (first, last)]},
        resource=("sink", sink),
    )


def lane_for(
    sink: Sink, store: Store, holder: str, wake: Wake, stop: threading.Event, batch: int, feed: Everything | Feed
) -> Lane:
    """The lane of a sink: with its own cursor where it keeps one, else leased."""
    place: Place = OwnPlace(sink, store) if isinstance(sink, LocalSink) else LeasedPlace(sink, store, holder)
    return Lane(sink, place, store, wake, stop, feed.batch or batch, feed)
