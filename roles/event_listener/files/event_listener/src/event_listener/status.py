# SPDX-License-Identifier: GPL-3.0-or-later
"""How the listener is: what readiness, metrics and `event-listener sinks` say, found out in one place."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from typing import Literal

import msgspec

from event_listener.disk_use import published
from event_listener.indexer import journal_cursor
from event_listener.journal import Journal, JournalBrokenError, JournalReader, JournalUnavailableError
from event_listener.lanes import OK
from event_listener.places import cursor_name
from event_listener.relay import HEARTBEAT, HEARTBEAT_SECONDS
from event_listener.reserve import Reserve
from event_listener.store import LaneStatus, Store, StoreUnavailableError

Verdict = Literal["ready", "degraded", "unready"]

STALE_SECONDS = 5 * HEARTBEAT_SECONDS
LONG_JOURNAL = 50_000  # payloads waiting: more than a storm that the relay catches up with in seconds
LITTLE_SPACE = 256 << 20
NO_SPACE = 4 << 20
PROBE_SECONDS = 1.0
# What happens at a bound, and what to do.
_AT_BOUND = {
    "journal": "BMCs are answered 503. Look why the relay doesn't index (is the database down?), or raise disk.journal",
    "events": "the oldest go that every required sink has, and none is left. Look which sink is behind "
    "(`event-listener sinks`), delete what is archived, or raise disk.events",
    "quarantine": "the oldest payloads go. Look at `event-listener quarantine list`, or raise disk.quarantine",
    "text_log": "nothing set aside is left to remove. Lower sinks.text_log.rotate.size, or raise disk.files",
    "json_lines": "nothing set aside is left to remove. Lower sinks.json_lines.rotate.size, or raise disk.files",
}


class SinkStatus(msgspec.Struct, frozen=True):
    """A sink as of now. ``lag`` is how many units (payloads or events) of the log it hasn't confirmed yet."""

    name: str
    unit: str
    state: str
    reason: str
    since_ns: int
    position: int
    lag: int
    behind: float  # seconds that the first of them has waited
    rejected: int


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at; the reason says what to do where it isn't ready."""

    name: str
    status: Verdict
    reason: str = ""


def sinks(store: Store) -> list[SinkStatus]:
    """All sinks that the relay runs. Raises StoreUnavailableError."""
    heads = {"payload": store.log.payload_head(), "event": store.log.head()}
    positions, rejected = store.cursors.all(), store.rejections.counts()
    found = []
    for lane in store.cursors.lanes():
        position = positions.get(cursor_name(lane.name), 0)
        lag = max(0, heads[lane.unit] - position)
        found.append(
            SinkStatus(
                name=lane.name,
                unit=lane.unit,
                state=lane.state,
                reason=lane.reason,
                since_ns=lane.since_ns,
                position=position,
                lag=lag,
                behind=_waited(store, lane, position) if lag else 0.0,
                rejected=rejected.get(lane.name, 0),
            )
        )
    return found


def _waited(store: Store, lane: LaneStatus, position: int) -> float:
    received_ns = store.log.received_after(position, lane.unit)
    return 0.0 if received_ns is None else max(0.0, (time.time_ns() - received_ns) / 1e9)


def journal_depth(state_dir: str, store: Store) -> int:
    """How many acknowledged payloads aren't indexed yet. Raises JournalUnavailableError, StoreUnavailableError."""
    with JournalReader(state_dir) as reader:
        return max(0, reader.head() - (store.cursors.get(journal_cursor(reader.journal_id)) or 0))


def relay_age(store: Store) -> float | None:
    """Seconds since the relay last said that it is alive; None if it never did.

    A beat in the future is from before the clock was set back, and as old as it is far.
    """
    beaten = store.cursors.beats().get(HEARTBEAT)
    return None if beaten is None else abs(time.time_ns() - beaten) / 1e9


class _JournalProbe:
    """Whether the journal takes a transaction now; asked of the disk once a second at most, whoever asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[str, tuple[float, str]] = {}

    def problem(self, state_dir: str) -> str:
        """One sentence; "" where it does."""
        with self._lock:
            asked, problem = self._asked.get(state_dir, (-PROBE_SECONDS, ""))
            if time.monotonic() - asked >= PROBE_SECONDS:
                problem = self._ask(state_dir)
                self._asked[state_dir] = time.monotonic(), problem
            return problem

    @staticmethod
    def _ask(state_dir: str) -> str:
        journal = Journal(state_dir, create=False)
        try:
            journal.check()
        except (JournalUnavailableError, JournalBrokenError) as error:
            return str(error)
        finally:
            journal.close()
        return ""


_probe = _JournalProbe()


def checks(state_dir: str, store: Store) -> list[Check]:
    """Everything but ingest. Never raises."""
    try:
        return [_relay(store), _journal(state_dir, store), *_sinks(store), space(state_dir), *bounds(state_dir)]
    except StoreUnavailableError as error:
        return [Check("event log", "unready", str(error))]


def receiving(state_dir: str) -> list[Check]:
    """What acknowledging takes: journal and disk of this host, no database and no relay. Never raises."""
    full = [one for one in bounds(state_dir) if one.name == "disk.journal"]
    problem = _probe.problem(state_dir)
    return [Check("journal", "unready" if problem else "ready", problem), space(state_dir), *full]


def _relay(store: Store) -> Check:
    age = relay_age(store)
    if age is not None and age <= STALE_SECONDS:
        return Check("relay", "ready")
    said = "never said that it runs" if age is None else f"was last heard {age:.0f} s ago"
    return Check("relay", "unready", f"the relay {said}; what arrives waits in the journal. Look at the relay's log")


def _journal(state_dir: str, store: Store) -> Check:
    try:
        depth = journal_depth(state_dir, store)
    except (JournalUnavailableError, JournalBrokenError) as error:
        return Check("journal", "unready", str(error))
    if problem := _probe.problem(state_dir):
        return Check("journal", "unready", problem)
    if depth > LONG_JOURNAL:
        return Check("journal", "degraded", f"{depth} payloads wait to be indexed")
    return Check("journal", "ready")


def _sinks(store: Store) -> list[Check]:
    return [
        Check(f"sink {sink.name}", "ready" if sink.state == OK else "degraded", sink.reason) for sink in sinks(store)
    ]


def space(state_dir: str) -> Check:
    """What is free on the disk. Never raises."""
    try:
        free = shutil.disk_usage(Path(state_dir)).free
    except OSError as error:
        return Check("disk", "unready", f"{state_dir} can't be looked at: {error.strerror}")
    if free < NO_SPACE:
        return Check("disk", "unready", f"the disk of {state_dir} is full; BMCs are answered 503 until there is space")
    if Reserve(state_dir).is_spent():
        return Check(
            "disk",
            "degraded",
            f"the disk of {state_dir} was full and its reserve is spent on removing; {free >> 20} MiB are free. Give "
            "it space, or lower what is kept (section disk of the settings)",
        )
    if free < LITTLE_SPACE:
        return Check("disk", "degraded", f"{free >> 20} MiB are free in {state_dir}; at 0 the answer to BMCs is 503")
    return Check("disk", "ready")


def bounds(state_dir: str | Path) -> list[Check]:
    """Which parts are at their bounds, as the relay measured them last. Never raises."""
    use = published(state_dir)
    return [
        Check(
            f"disk.{part.name}",
            "unready" if part.name == "journal" else "degraded",
            f"{part.name} takes {part.used >> 20} MiB, its bound is {part.bound >> 20} MiB: " + _AT_BOUND[part.name],
        )
        for part in (use.parts if use else ())
        if part.is_full
    ]


def verdict(found: list[Check]) -> Verdict:
    """The worst of them."""
    states = {check.status for check in found}
    return "unready" if "unready" in states else "degraded" if "degraded" in states else "ready"
