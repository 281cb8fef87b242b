# SPDX-License-Identifier: GPL-3.0-or-later
"""Which entries of a BMC's logs are not in the event log? Pure; docs/backfill.md has the rule in words.

An entry and an event of the same source are the same when their message keys (the last word of MessageId), and where
both tell them their arguments (else texts) and origins, are equal, and their times differ by the tolerance at most. One
event accounts for one entry of each log: of two equal entries of which one arrived, the other one is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from event_listener.event import Record, nanoseconds
from event_listener.normalise.log_entry import uri


class Seen(msgspec.Struct, frozen=True):
    """What is compared. ``moment_ns`` is by the BMC's clock; ``uri`` is the LogEntry's, empty where unknown."""

    key: str
    arguments: tuple[str, ...]
    message: str
    origin: str
    moment_ns: int
    uri: str


def seen(record: Record, received_ns: int = 0) -> Seen:
    """Of a record; one whose time can't be read happened when it was received."""
    try:
        moment = nanoseconds(record.time or "")
    except (ValueError, OverflowError):
        moment = received_ns
    return Seen(
        key=(record.message_id or "").rpartition(".")[2],
        arguments=record.message_args,
        message=record.message or "",
        origin=record.resource_id or "",
        moment_ns=moment,
        uri=uri(record.record),
    )


def missing(entries: Sequence[Seen], events: Iterable[Seen], tolerance_ns: int) -> list[int]:
    """Positions of the entries that no event accounts for, in order.

    Logs are looked at one after the other, and what one of them adds counts for the next: many BMCs note the same
    thing in two logs.
    """
    logs: dict[str, list[int]] = {}
    for index, entry in enumerate(entries):
        logs.setdefault(_log_of(entry.uri), []).append(index)
    pool, found = list(events), []
    for members in logs.values():
        absent = _unmatched([entries[index] for index in members], pool, tolerance_ns)
        found += [members[position] for position in absent]
        pool += [entries[members[position]] for position in absent]
    return sorted(found)


def _unmatched(entries: Sequence[Seen], events: Sequence[Seen], tolerance_ns: int) -> list[int]:
    by_key: dict[str, list[int]] = {}
    for index, event in enumerate(events):
        by_key.setdefault(event.key, []).append(index)
    pairs = []
    for position, entry in enumerate(entries):
        for index in by_key.get(entry.key, ()):
            apart = abs(entry.moment_ns - events[index].moment_ns)
            if apart <= tolerance_ns and _agree(entry, events[index]):
                pairs.append((entry.uri != events[index].uri, apart, position, index))
    matched: set[int] = set()
    taken: set[int] = set()
    # The surest pairs first: the same entry, then what is nearest in time.
    for _other, _apart, position, index in sorted(pairs):
        if position not in matched and index not in taken:
            matched.add(position)
            taken.add(index)
    return [position for position in range(len(entries)) if position not in matched]


def _agree(entry: Seen, event: Seen) -> bool:
    if entry.uri and event.uri and entry.uri != event.uri and _log_of(entry.uri) == _log_of(event.uri):
        return False  # another entry of the same log
    if entry.origin and event.origin and entry.origin != event.origin:
        return False
    if entry.arguments and event.arguments:
        return entry.arguments == event.arguments
    return not entry.message or not event.message or entry.message == event.message


def _log_of(entry_uri: str) -> str:
    return entry_uri.rpartition("/")[0]
