# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop between a bus and the journal: receive a batch, store it in one synced transaction, confirm it.

A crash between the last two repeats the batch; the event log knows each message by its id. While the journal can't be
written nothing is confirmed, and the bus keeps what arrives (docs/adr/0018-bus-sources.md says why the journal).
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence

from event_listener import backoff
from event_listener.inputs.base import Bus, BusError, Message, Opened
from event_listener.inputs.report import Report
from event_listener.journal import STATUS_OK, Entry, Journal, JournalUnavailableError
from event_listener.normalise.buses import credential_of
from event_listener.normalise.labels import labelled
from event_listener.secrets import SecretError

logger = logging.getLogger(__name__)

_TURN_SECONDS = 0.5
LOOK_SECONDS = 5.0  # between looks at how many messages wait, and at what was lost
_LONGEST_WAIT = 15.0


class Intake:
    """Reads one bus until ``stop`` is set. ``lost`` is told how many messages the bus gave up, and may raise OSError
    or JournalUnavailableError: then it is told again."""

    def __init__(
        self,
        kind: str,
        opened: Opened,
        journal: Journal,
        report: Report,
        stop: threading.Event,
        lost: Callable[[int], None],
    ) -> None:
        self._kind, self._opened, self._journal = kind, opened, journal
        self._report, self._stop, self._lost = report, stop, lost
        self._attempt = 0
        self._looked = 0.0
        self._warned: tuple[str, ...] = ()

    def run(self) -> None:
        """Connect, and again after each failure, with growing waits. Raises JournalBrokenError."""
        while not self._stop.is_set():
            try:
                bus = self._opened.connect()
            except (BusError, SecretError, OSError) as error:
                self._failed(str(error))
                continue
            try:
                self._pump(bus)
            except BusError as error:
                self._failed(str(error))
            finally:
                bus.close()
        self._report.update(up=False, reason="stopped")

    def _failed(self, reason: str) -> None:
        self._attempt += 1
        self._report.update(up=False, reason=reason)
        if self._attempt == 1:
            logger.error("source %s: %s; it is tried again, the bus keeps what arrives", self._opened.name, reason)
        self._stop.wait(backoff.delay(self._attempt, random.random(), longest=_LONGEST_WAIT))  # noqa: S311 - jitter

    def _pump(self, bus: Bus) -> None:
        logger.info("source %s: connected to %s", self._opened.name, bus.peer)
        self._report.update(up=True, reason="")
        self._looked = 0.0
        while not self._stop.is_set():
            self._look(bus)
            messages = bus.receive(_TURN_SECONDS)
            if not messages:
                continue
            if not self._stored(bus, self._entries(bus.peer, messages)):
                return
            bus.confirm()
            self._attempt = 0  # a peer that takes us and drops us at once is waited for longer and longer
            self._report.count(len(messages))

    def _entries(self, peer: str, messages: Sequence[Message]) -> list[Entry]:
        now, credential = time.time_ns(), credential_of(self._kind, self._opened.name)
        return [
            Entry(
                received_ns=now,
                source=self._opened.name,
                peer=peer,
                credential=credential,
                content_type=labelled(message.content_type, message.labels),
                status=STATUS_OK,
                reason="",
                body=self._opened.clean(message.body),
            )
            for message in messages
        ]

    def _stored(self, bus: Bus, entries: Sequence[Entry]) -> bool:
        """Whether the entries are durable; False when told to stop before they were."""
        attempt = 0
        while not self._stop.is_set():
            try:
                self._journal.append(entries)
            except JournalUnavailableError as error:
                attempt += 1
                if attempt == 1:
                    logger.error("source %s waits: %s", self._opened.name, error)  # noqa: TRY400 - no trace
                    self._report.update(up=False, reason=str(error))
                bus.idle(backoff.delay(attempt, random.random(), longest=5.0))  # noqa: S311 - jitter, no secret
                continue
            if attempt:
                logger.info("source %s goes on", self._opened.name)
                self._report.update(up=True, reason="")
            return True
        return False

    def _look(self, bus: Bus) -> None:
        """From time to time: how many messages wait, which were lost, what works only in part."""
        if self._looked and time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        if lost := bus.lost():
            try:
                self._lost(lost)
            except (JournalUnavailableError, OSError) as error:
                logger.warning("source %s lost %d messages, told later: %s", self._opened.name, lost, error)
            else:
                bus.forget_lost()
                self._report.lose(lost)
        warnings = tuple(bus.warnings())
        for text in warnings:
            if text not in self._warned:
                logger.warning("source %s: %s", self._opened.name, text)
        self._warned = warnings
        self._report.update(depth=bus.depth(), warnings=warnings)
