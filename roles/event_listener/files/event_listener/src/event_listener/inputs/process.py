# SPDX-License-Identifier: GPL-3.0-or-later
"""The process `event-listener source KIND`: the intake, until SIGTERM or SIGINT."""

from __future__ import annotations

import logging
import random
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from event_listener import backoff
from event_listener.event import Level
from event_listener.inputs import opener
from event_listener.inputs.intake import Intake
from event_listener.inputs.report import Report
from event_listener.journal import Journal, JournalBrokenError
from event_listener.settings import Settings
from event_listener.store import Store, StoreUnavailableError, open_store, own_arrival

logger = logging.getLogger(__name__)


def main(kind: str, settings: Settings) -> None:
    """Run until told to stop. Ends with SystemExit where it can't begin. Raises MissingLibraryError."""
    stop = threading.Event()

    def told(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    section = getattr(settings, kind)
    opened = opener(kind)(section)
    following: threading.Thread | None = None
    try:
        journal = Journal(settings.state_dir)
        report = Report(settings.state_dir, opened.name)
        if opened.follow is not None:
            following = threading.Thread(target=_follow, args=(settings, opened.follow, stop), name="follow")
            following.start()
        Intake(kind, opened, journal, report, stop, lambda count: tell_lost(settings, section, count)).run()
        journal.close()
    except (JournalBrokenError, OSError) as error:
        logger.critical("%s", error)
        raise SystemExit(1) from error
    finally:
        stop.set()
        if following is not None:
            following.join()


def _follow(
    settings: Settings, follow: Callable[[Store, threading.Event], threading.Thread], stop: threading.Event
) -> None:
    """Follow the event log, once it is there: a database that is down is waited for."""
    attempt = 0
    while not stop.is_set():
        try:
            with open_store(settings.state_dir, settings.event_log) as store:
                thread = follow(store, stop)
                thread.start()
                thread.join()
                return
        except StoreUnavailableError as error:
            attempt += 1
            if attempt == 1:
                logger.error("what follows the event log waits: %s", error)  # noqa: TRY400 - no trace
            stop.wait(backoff.delay(attempt, random.random(), longest=15.0))  # noqa: S311 - jitter, no secret


def tell_lost(settings: Settings, section: Any, count: int) -> None:
    """Add an alert of our own: the bus gave up ``count`` messages. Raises OSError where it can't be stored now."""
    now = time.time_ns()
    alert = own_arrival(
        "MessagesLost",
        section.lost(count),
        unique=f"lost:{section.name}:{now}",
        now_ns=now,
        about=section.name,
        level=Level.ERROR,
        arguments=(section.place, str(count)),
        details={"queue": section.place, "lost": count},
    )
    try:
        with open_store(settings.state_dir, settings.event_log) as store:
            store.log.add([alert])
    except StoreUnavailableError as error:
        raise OSError(str(error)) from error
