# SPDX-License-Identifier: GPL-3.0-or-later
"""LogEntry resources (DSP0268 LogEntry v1_18_0) to the Event that their BMC would have sent. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NAME = "Backfill from LogServices"
_SAME = ("MessageId", "Message", "MessageArgs", "EventId", "EventGroupId", "Resolution")


def moment(entry: dict[str, Any]) -> Any:
    """When it happened: EventTimestamp, else Created (when the entry was made)."""
    return entry.get("EventTimestamp") or entry.get("Created")


def uri(record: Any) -> str:
    """The LogEntry that a record of an Event names, without a trailing slash; empty where it names none."""
    link = record.get("LogEntry") if isinstance(record, dict) else None
    found = link.get("@odata.id") if isinstance(link, dict) else link
    return found.rstrip("/") if isinstance(found, str) else ""


def event_of(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """An Event with one record per entry; the entry as the BMC shows it is in ``Oem.redfleet.LogEntry``."""
    return {
        "@odata.type": "#Event.v1_13_0.Event",
        "Id": "backfill",
        "Name": NAME,
        "Events": [_record(index, entry) for index, entry in enumerate(entries)],
        "Events@odata.count": len(entries),
    }


def _record(index: int, entry: dict[str, Any]) -> dict[str, Any]:
    record: dict[str, Any] = {
        "EventType": "Other",
        "MemberId": str(index),
        "EventTimestamp": moment(entry),
        "MessageSeverity": entry.get("Severity"),
        **{name: entry.get(name) for name in _SAME},
        "OriginOfCondition": _links(entry).get("OriginOfCondition"),
    }
    record = {name: value for name, value in record.items() if value is not None}
    if isinstance(entry.get("@odata.id"), str):
        record["LogEntry"] = {"@odata.id": entry["@odata.id"]}
    return {**record, "Oem": {"redfleet": {"LogEntry": entry}}}


def _links(entry: dict[str, Any]) -> dict[str, Any]:
    links = entry.get("Links")
    return links if isinstance(links, dict) else {}
