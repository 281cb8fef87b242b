# SPDX-License-Identifier: GPL-3.0-or-later
"""Which records say once more what was just said? No I/O.

A BMC that misses an answer sends the event again, and one with two subscriptions to us sends each twice. A repeat is a
record of the same source with the same content that names itself (an EventId) or its moment; without either, equal
records may be two events. Left out of the comparison is what belongs to the delivery: MemberId and Context.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from typing import Any

import msgspec

_IDENTITY = ("EventId", "EventTimestamp", "ReportSequence", "Timestamp")
_OF_THE_DELIVERY = frozenset({"MemberId", "Context"})


def fingerprint(source: str, record: Any) -> bytes | None:
    """What equal records of a source have in common; None where nothing tells repeats from new events."""
    if not isinstance(record, dict) or all(record.get(name) in (None, "") for name in _IDENTITY):
        return None
    content = {key: value for key, value in record.items() if key not in _OF_THE_DELIVERY}
    return hashlib.blake2b(source.encode() + b"\0" + _encoded(content), digest_size=16).digest()


def _encoded(content: dict[str, Any]) -> bytes:
    """In the order in which it was sent: a repeat has the same."""
    try:
        return msgspec.json.encode(content)
    except OverflowError:  # an integer of more than 64 bits
        return json.dumps(content).encode()


class Recent:
    """The events of the last ``window`` seconds, at most ``most``; about 250 bytes each. Not for two threads."""

    def __init__(self, window: float, most: int) -> None:
        self._window_ns, self._most = int(window * 1e9), most
        self._known: OrderedDict[bytes, tuple[str, int]] = OrderedDict()

    @property
    def window_ns(self) -> int:
        """How far back it looks; 0: not at all."""
        return self._window_ns

    @property
    def most(self) -> int:
        """How many events it remembers."""
        return self._most

    def repeats(self, source: str, record: Any, event_id: str, received_ns: int) -> str | None:
        """The id of the first event that said the same, within the window since it was last said; None for news.

        To ask again about the same event, after it could not be stored, is no repeat.
        """
        if not self._window_ns or (mark := fingerprint(source, record)) is None:
            return None
        first, last_ns = self._known.get(mark, (event_id, received_ns))
        if abs(received_ns - last_ns) > self._window_ns:
            first = event_id
        self._note(mark, first, received_ns)
        return first if first != event_id else None

    def note(self, source: str, record: Any, event_id: str, received_ns: int) -> None:
        """Remember an event of the log; ``event_id`` is that of the first one where it is a repeat."""
        if self._window_ns and (mark := fingerprint(source, record)) is not None:
            self._note(mark, event_id, received_ns)

    def _note(self, mark: bytes, event_id: str, received_ns: int) -> None:
        self._known[mark] = (event_id, received_ns)
        self._known.move_to_end(mark)
        while len(self._known) > self._most or self._is_old(received_ns):
            self._known.popitem(last=False)

    def _is_old(self, now_ns: int) -> bool:
        _first, last_ns = next(iter(self._known.values()))
        return now_ns - last_ns > self._window_ns
