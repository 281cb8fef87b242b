# SPDX-License-Identifier: GPL-3.0-or-later
"""An event as a delivery of a webhook. No I/O."""

from __future__ import annotations

import hashlib

from event_listener import cloudevents
from event_listener.event import Event, as_json, rfc3339
from event_listener.policy import Owner
from event_listener.sinks.bodies import cloudstack, to_json
from event_listener.store.deliveries import Delivery, new_id
from event_listener.webhooks import signing
from event_listener.webhooks.model import Webhook

TEST_TYPE = "TEST.WEBHOOK"
TEST_PAYLOAD = '{"CloudStack": "works!"}'  # what receivers written for CloudStack know
JSON = "application/json"


def delivery(webhook: Webhook, event: Event, now_ns: int) -> Delivery:
    """A new delivery. ``message_id`` follows from webhook and event, so it is the same whoever makes it, and when."""
    payload, content_type = body(webhook, event)
    digest = hashlib.sha256(f"{webhook.id}:{event.id}".encode()).hexdigest()[:32]
    return Delivery(
        id=new_id(),
        webhook=webhook.id,
        message_id=f"msg_{digest}",
        event_id=event.id,
        event_type=event.type,
        event_owner=owner_name(Owner(event.domain, event.account)),
        content_type=content_type,
        payload=payload,
        next_ns=now_ns,
        created_ns=now_ns,
    )


def body(webhook: Webhook, event: Event) -> tuple[bytes, str]:
    """Payload and content type in the webhook's format."""
    if webhook.format == "cloudevents":
        return to_json(cloudevents.encode(event)), "application/cloudevents+json"
    if webhook.format == "cloudstack":
        return to_json(cloudstack(event)), JSON
    shape = {"type": event.type, "timestamp": rfc3339(event.received_ns), "data": as_json(event)}
    return to_json(shape), JSON


def owner_name(owner: Owner) -> str:
    """The account that an event belongs to, for the User-Agent: ``dc1/row2/web``; ``-`` for the root's."""
    return "/".join(part for part in (owner.domain.strip("/"), owner.account) if part) or "-"


def headers(webhook: Webhook, item: Delivery, now_ns: int) -> dict[str, str]:
    """The headers of an attempt now."""
    return signing.headers(
        message_id=item.message_id,
        timestamp=now_ns // 1_000_000_000,
        event_id=item.event_id,
        event_type=item.event_type,
        owner=item.event_owner,
        payload=item.payload,
        content_type=item.content_type,
        secrets=webhook.secrets(now_ns),
    )


def trial(webhook: Webhook, payload: str) -> Delivery:
    """A test delivery: like any other, but recorded nowhere."""
    text = payload or TEST_PAYLOAD
    identity = new_id()
    return Delivery(
        id=identity,
        webhook=webhook.id,
        message_id=f"msg_{identity.removeprefix('whd_')}",
        event_id=identity,
        event_type=TEST_TYPE,
        event_owner=owner_name(webhook.owner),
        content_type=JSON if text.lstrip()[:1] in ("{", "[") else "text/plain",
        payload=text.encode("utf-8", "replace"),
    )
