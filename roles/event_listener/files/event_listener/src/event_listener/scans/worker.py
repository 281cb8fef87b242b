# SPDX-License-Identifier: GPL-3.0-or-later
"""Launches the scans that are scheduled, looks for those whose launch got lost, and watches those that run.

A thread of the relay per scanner. Where several relays share an event log each has one, and the database says who
does what. One request at a time, and none while the scanner wants to be left alone.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from event_listener import backoff
from event_listener.scans.http_scan import HttpScanner
from event_listener.scans.qualys import Qualys
from event_listener.scans.scanner import (
    Absent,
    Answer,
    Ended,
    Later,
    Launched,
    Outcome,
    Refused,
    Request,
    Scanner,
)
from event_listener.settings import Settings
from event_listener.settings_scans import HttpScanSink, QualysSink, ScanSink
from event_listener.sinks.base import Sink
from event_listener.sinks.scan import Scan
from event_listener.store import PAUSED_HOLDER, Store, StoreUnavailableError
from event_listener.store.scans import ScanJob

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5


class Worker:
    """One scanner. Raises StoreUnavailableError."""

    def __init__(self, scanner: Scanner, settings: ScanSink, store: Store) -> None:
        self._scanner, self._settings, self._store = scanner, settings, store
        self._attempt = 0
        self._not_before = 0.0  # ours alone: a restart, with other settings, tries at once
        self._said = ""

    def step(self) -> bool:
        """Ask the scanner once, where there is something to ask; returns whether there was."""
        name, every = self._settings.name, self._settings.poll_interval
        # The answer to a launch that is on its way may still come, so a lost one isn't looked for sooner.
        hold = 2 * self._settings.timeout + every
        scans = self._store.scans
        if time.monotonic() < self._not_before or not scans.is_due(name, hold) or self._leave_alone():
            return False
        if (job := scans.due(name, "launching", hold)) is not None:
            self._find(job)
        elif (job := scans.due(name, "running", every)) is not None:
            self._poll(job)
        else:
            begun = time.monotonic()
            if (job := scans.claim(name, self._settings.max_scans_per_day, hold)) is not None:
                self._launch(job, begun)
        return job is not None

    def _leave_alone(self) -> bool:
        seconds, why = self._store.scans.paused(self._settings.name)
        if seconds:
            self._say(f"scans wait: {why}")
        return seconds > 0 or self._store.cursors.holder(self._settings.name) == PAUSED_HOLDER

    def _launch(self, job: ScanJob, begun: float) -> None:
        scans = self._store.scans
        if time.monotonic() - begun > self._settings.timeout:
            scans.put_back(job, "this process stood still")  # another one may be about to look for it
            return
        outcome = self._asked(self._scanner.launch, job)
        if isinstance(outcome, Launched):
            self._launched(job, outcome)
        elif isinstance(outcome, Refused):
            scans.ended(job, outcome.reason, "")
        elif isinstance(outcome, Later):
            scans.put_back(job, outcome.reason)
        else:
            scans.note(job, _reason(outcome))  # it is looked for when it is due

    def _find(self, job: ScanJob) -> None:
        outcome = self._asked(self._scanner.find, job)
        if isinstance(outcome, Launched):
            self._launched(job, outcome)
        elif isinstance(outcome, Absent):
            why = job.error or "the listener ended before the answer came"
            seen = "the scanner has none by its title" if outcome.known else "the scanner can't say"
            told = f"Whether scan {job.id} was launched isn't known ({why}); {seen}, so it is launched again."
            self._store.scans.put_back(job, why, told)
        else:
            self._store.scans.note(job, _reason(outcome))

    def _poll(self, job: ScanJob) -> None:
        outcome = self._asked(self._scanner.poll, job)
        if isinstance(outcome, Ended):
            self._store.scans.ended(job, outcome.error, outcome.text)
        elif (reason := _reason(outcome)) != job.error:
            self._store.scans.note(job, reason)

    def _launched(self, job: ScanJob, outcome: Launched) -> None:
        next_in = 0.0 if outcome.over else self._settings.poll_interval
        self._store.scans.launched(job, outcome.reference, outcome.text, next_in)

    def _asked(self, ask: Callable[[Request], Answer], job: ScanJob) -> Outcome:
        answer = ask(Request(job.id, job.attempts, job.addresses, job.asked_ns, job.reference))
        if answer.pause:
            self._store.scans.pause(self._settings.name, answer.pause, answer.why)
        outcome = answer.outcome
        if reason := _reason(outcome):
            self._attempt += 1
            seconds = outcome.after if isinstance(outcome, Later) and outcome.after is not None else None
            if seconds is None:
                seconds = backoff.delay(self._attempt, random.random())  # noqa: S311 - jitter, no secret
            self._not_before = time.monotonic() + seconds
            self._say(reason)
        else:
            self._attempt = 0
            self._say("")
        return outcome

    def _say(self, reason: str) -> None:
        """Once per change."""
        if reason != self._said and reason:
            logger.error("scanner %s: %s", self._settings.name, reason)
        elif reason != self._said:
            logger.info("scanner %s answers again", self._settings.name)
        self._said = reason


class WorkerThread(threading.Thread):
    """Works until told to stop."""

    def __init__(self, worker: Worker, name: str, stop: threading.Event) -> None:
        super().__init__(name=f"scans-{name}")
        self._worker, self._stopped = worker, stop

    def run(self) -> None:
        """Until told to stop. A store that is down is waited for."""
        attempt = 0
        while not self._stopped.is_set():
            try:
                wait = 0.0 if self._worker.step() else LOOK_SECONDS
                attempt = 0
            except StoreUnavailableError as error:
                attempt += 1
                logger.warning("%s: %s", self.name, error)
                wait = backoff.delay(attempt, random.random(), longest=5.0)  # noqa: S311 - jitter, no secret
            except Exception:
                attempt += 1
                logger.exception("%s has a bug; please report it. Scans are tried again", self.name)
                wait = backoff.delay(attempt, random.random())  # noqa: S311 - jitter, no secret
            self._stopped.wait(wait)


def workers(sinks: Iterable[Sink], settings: Settings, store: Store, stop: threading.Event) -> list[WorkerThread]:
    """A thread for each configured scanner; gives the sinks what they write scans into."""
    for sink in sinks:
        if isinstance(sink, Scan):
            sink.ledger = store.scans
    sections: list[ScanSink] = [*settings.sinks.qualys, *settings.sinks.http_scan]
    return [WorkerThread(Worker(scanner_for(one), one, store), one.name, stop) for one in sections]


def scanner_for(section: ScanSink) -> Scanner:
    """The scanner of a section of the settings."""
    if isinstance(section, QualysSink):
        return Qualys(section)
    if isinstance(section, HttpScanSink):
        return HttpScanner(section)
    raise TypeError(type(section).__name__)


def _reason(outcome: Outcome) -> str:
    """Why nothing came of it; "" where something did."""
    found: Any = getattr(outcome, "reason", "")
    return str(found)
