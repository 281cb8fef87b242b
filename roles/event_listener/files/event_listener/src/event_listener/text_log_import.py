# SPDX-License-Identifier: GPL-3.0-or-later
"""Text logs into the event log, with the origin `import`, each entry once however often and by whatever name.

An entry's identity is made of its content. What our own sink wrote into the same file is in the event log already: it
is known by address, time of receipt and body.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import tzinfo
from typing import Any

import msgspec

from event_listener.addresses import canonical_address
from event_listener.dmtf_text_log import TextEntry
from event_listener.event import Origin
from event_listener.normalise.redfish import normalise
from event_listener.registry import Directory
from event_listener.store import Arrival, Store

BATCH = 500
_JOURNAL = "import"
_MICROSECOND = 1000


class Imported(msgspec.Struct):
    """What an import did so far, in entries."""

    added: int = 0
    known: int = 0
    events: int = 0
    damaged: int = 0


class TextLogImport:
    """Raises StoreUnavailableError."""

    def __init__(self, store: Store, zone: tzinfo | None) -> None:
        self._store = store
        self._zone = zone
        self._directory = Directory(store.sources.list())
        self.done = Imported()

    def add(self, batch: Sequence[TextEntry]) -> list[TextEntry]:
        """Add the entries that are new, in one transaction; returns those that can't be read (kept in quarantine)."""
        arrivals = {_journal_id(entry): self._arrival(entry) for entry in batch}
        known = self._store.log.known_journals(arrivals.keys())
        fresh = [arrival for journal, arrival in arrivals.items() if journal not in known]
        fresh = [arrival for arrival in fresh if arrival.problem or not self._arrived(arrival)]
        written = self._store.log.add(fresh)
        self.done.added += written.payloads
        self.done.events += written.events
        self.done.damaged += sum(bool(arrival.problem) for arrival in arrivals.values())
        good = sum(not arrival.problem for arrival in arrivals.values())
        self.done.known += good - written.payloads + len(batch) - len(arrivals)
        return [entry for entry in batch if arrivals[_journal_id(entry)].problem]

    def _arrival(self, entry: TextEntry) -> Arrival:
        host = canonical_address(entry.host) if entry.host else "unknown"
        identity = self._directory.identify(None, host)
        found = normalise(entry.body) if not entry.problem else None
        return Arrival(
            journal_id=_journal_id(entry),
            journal_seq=1,
            received_ns=entry.received_ns(self._zone) if not entry.problem else 0,
            source=identity.source,
            address=identity.address,
            peer=host,
            credential=Origin.IMPORT.value,
            content_type="application/json",
            origin=Origin.IMPORT,
            body=entry.raw if entry.problem else entry.body,
            records=found.records if found else (),
            problem=found.problem if found else f"line {entry.line} of a text log {entry.problem}",
        )

    def _arrived(self, arrival: Arrival) -> bool:
        """Whether our own listener received it and wrote the file's entry."""
        bodies = self._store.log.bodies_received(arrival.address, arrival.received_ns, _MICROSECOND)
        wanted = _json(arrival.body)
        return any(_json(body) == wanted for body in bodies)


def batches(entries: Iterable[TextEntry]) -> Iterable[list[TextEntry]]:
    """Entries in batches that are bounded in number and, nearly, in size."""
    batch: list[TextEntry] = []
    size = 0
    for entry in entries:
        batch.append(entry)
        size += len(entry.raw)
        if len(batch) == BATCH or size > 8 << 20:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _journal_id(entry: TextEntry) -> str:
    return f"{_JOURNAL}{entry.identity()}"


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body
