# SPDX-License-Identifier: GPL-3.0-or-later
"""The LogService of a BMC: what happened, so that it can be read later by those who missed it."""

from __future__ import annotations

from collections import deque

from .answer import Json
from .records import Record

CAPACITY = 1000


class EventLog:
    """Entries as LogEntry resources, oldest first; the oldest give way."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._entries: deque[Json] = deque(maxlen=CAPACITY)
        self._last = 0

    def add(self, record: Record) -> str:
        """Note a record and return the URI of its entry."""
        self._last += 1
        uri = f"{self.uri}/Entries/{self._last}"
        entry: Json = {
            "@odata.id": uri,
            "@odata.type": "#LogEntry.v1_18_0.LogEntry",
            "Id": str(self._last),
            "Name": f"Log Entry {self._last}",
            "EntryType": "Event",
            "Created": record.timestamp,
            "EventTimestamp": record.timestamp,
            "MessageId": record.message_id,
            "Message": record.message,
            "MessageArgs": list(record.args),
            "Severity": record.severity,
            "Resolved": False,
        }
        if record.origin:
            entry["Links"] = {"OriginOfCondition": {"@odata.id": record.origin}}
        self._entries.append(entry)
        return uri

    def entries(self) -> list[Json]:
        """All entries, oldest first."""
        return list(self._entries)

    def clear(self) -> None:
        """LogService.ClearLog."""
        self._entries.clear()
