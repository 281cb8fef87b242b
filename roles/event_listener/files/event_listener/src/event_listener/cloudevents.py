# SPDX-License-Identifier: GPL-3.0-or-later
"""An event as a CloudEvents 1.0 envelope in the structured JSON mode, and back. No I/O.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md. Attribute names are lower-case letters and digits
there, so ``resource_type`` travels as ``resourcetype``. ``(source, id)`` is unique, as the specification asks.
"""

from __future__ import annotations

import functools
from typing import Any
from urllib.parse import quote, unquote

from event_listener.event import Category, Event, Level, Origin, State, nanoseconds, rfc3339

SPECVERSION = "1.0"
SOURCE_PREFIX = "/redfleet/sources/"
TYPE_PREFIX = "events.redfleet."
CONTENT_TYPE = "application/json"
_OPTIONAL = {
    "messageid": "message_id",
    "message": "message",
    "severity": "severity",
    "resolution": "resolution",
    "eventid": "event_id",
    "context": "context",
    "account": "account",
    "site": "site",
    "bmctime": "time",
    "correlationid": "start_id",
    "resourcetype": "resource_type",
    "subject": "resource_id",
    "stateof": "state_of",
    "oldstate": "old_state",
    "newstate": "new_state",
    "repeatof": "repeat_of",
}


def encode(event: Event) -> dict[str, Any]:
    """The envelope. ``time`` is when the listener received it: a BMC's clock is not to be trusted (``bmctime``)."""
    envelope: dict[str, Any] = attributes(event)
    envelope["datacontenttype"] = CONTENT_TYPE
    envelope["data"] = data(event)
    return envelope


def data(event: Event) -> dict[str, Any]:
    """The payload of the envelope, JSON."""
    return {"record": event.record, "message_args": list(event.message_args)}


def attributes(event: Event) -> dict[str, str]:
    """The context attributes, without the content type."""
    found = {
        "specversion": SPECVERSION,
        "id": event.id,
        "source": _uri(event.source),
        "type": TYPE_PREFIX + event.type,
        "time": rfc3339(event.received_ns),
        "sequence": str(event.seq),
        "category": event.category.value,
        "severitytext": event.level.value,
        "state": event.state.value,
        "origin": event.origin.value,
        "address": event.address,
        "domain": event.domain,
        "payloadid": str(event.payload_id),
    }
    if event.filled:
        found["filled"] = ",".join(event.filled)
    for name, field in _OPTIONAL.items():
        if (value := getattr(event, field)) is not None:
            found[name] = value
    return found


@functools.lru_cache(maxsize=16384)  # a fleet has few sources and many events
def _uri(source: str) -> str:
    return SOURCE_PREFIX + quote(source, safe="")


def decode(envelope: dict[str, Any]) -> Event:
    """The event of an envelope that :func:`encode` made. Raises KeyError or ValueError for any other."""
    if envelope["specversion"] != SPECVERSION:
        raise ValueError(f"CloudEvents {envelope['specversion']} is not {SPECVERSION}")
    optional: dict[str, Any] = {field: envelope.get(name) for name, field in _OPTIONAL.items()}
    return Event(
        seq=int(envelope["sequence"]),
        id=envelope["id"],
        source=unquote(envelope["source"].removeprefix(SOURCE_PREFIX)),
        type=envelope["type"].removeprefix(TYPE_PREFIX),
        received_ns=nanoseconds(envelope["time"]),
        category=Category(envelope["category"]),
        level=Level(envelope["severitytext"]),
        state=State(envelope["state"]),
        origin=Origin(envelope["origin"]),
        address=envelope["address"],
        domain=envelope["domain"],
        payload_id=int(envelope["payloadid"]),
        record=envelope["data"]["record"],
        message_args=tuple(envelope["data"]["message_args"]),
        filled=tuple(envelope["filled"].split(",")) if "filled" in envelope else (),
        **optional,
    )
