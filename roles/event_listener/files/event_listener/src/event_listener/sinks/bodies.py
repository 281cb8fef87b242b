# SPDX-License-Identifier: GPL-3.0-or-later
"""An event as the body of a message: CloudEvents, CloudStack's description JSON, or the record as sent. No I/O."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import msgspec

from event_listener import cloudevents
from event_listener.event import Category, Event, Level

Kind = Literal["cloudevents", "cloudevents-binary", "cloudstack", "record"]
to_json = msgspec.json.Encoder().encode  # compact UTF-8


class Body(NamedTuple):
    """What travels. ``attributes`` are a binary CloudEvent's, without a prefix; empty otherwise."""

    data: bytes
    content_type: str
    attributes: dict[str, str]


def body_of(kind: Kind, event: Event) -> Body:
    """The body of an event."""
    if kind == "cloudevents":
        return Body(to_json(cloudevents.encode(event)), "application/cloudevents+json", {})
    if kind == "cloudevents-binary":
        return Body(to_json(cloudevents.data(event)), cloudevents.CONTENT_TYPE, cloudevents.attributes(event))
    if kind == "cloudstack":
        return Body(to_json(cloudstack(event)), "text/plain", {})
    return Body(to_json(event.record), "application/json", {})


def cloudstack(event: Event) -> dict[str, Any]:
    """What CloudStack's management server puts into an event of the same category (its ``description``).

    Redfish has no accounts, zones and pods: what it has no word for is null where CloudStack allows null.
    """
    return {**_CLOUDSTACK[event.category](event), "eventDateTime": _moment(event.received_ns)}


def _moment(nanoseconds: int) -> str:
    """CloudStack's ``yyyy-MM-dd HH:mm:ss Z``."""
    return f"{datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S +0000}"


def _action(event: Event) -> dict[str, Any]:
    return {
        "event": event.type,
        "status": event.state.value,
        "entity": event.resource_type,
        "entityuuid": event.resource_id,
        "user": None,
        "account": None,
        "description": event.message,
    }


def _alert(event: Event) -> dict[str, Any]:
    return {
        "event": event.type,
        "dataCenterId": None,
        "podId": None,
        "subject": f"{event.source}: {event.message or event.type}",
        "body": event.message,
    }


def _usage(event: Event) -> dict[str, Any]:
    return {
        "account": None,
        "zone": None,
        "event": event.type,
        "resource": event.resource_type,
        "id": event.resource_id,
    }


def _resource_state(event: Event) -> dict[str, Any]:
    return {
        "resource": event.resource_type,
        "id": event.resource_id,
        "old-state": event.old_state,
        "new-state": event.new_state or event.severity or event.level.value,
        "status": "postStateTransitionEvent",
    }


def _job(event: Event) -> dict[str, Any]:
    return {
        "command": event.type,
        "user": None,
        "account": None,
        "processStatus": 0,
        "resultCode": 530 if event.level is Level.ERROR else 0,
        "instanceUuid": event.resource_id,
        "instanceType": event.resource_type,
        "commandEventType": event.type,
        "jobId": event.start_id,
        "jobResult": event.message,
        "status": event.state.value,
    }


_CLOUDSTACK = {
    Category.ACTION: _action,
    Category.ALERT: _alert,
    Category.USAGE: _usage,
    Category.RESOURCE_STATE: _resource_state,
    Category.ASYNC_JOB: _job,
}
