# SPDX-License-Identifier: GPL-3.0-or-later
"""Deliveries and their attempts as JSON, for the API and the command line."""

from __future__ import annotations

from typing import Any

import msgspec

from event_listener.event import rfc3339
from event_listener.store.deliveries import Delivery
from event_listener.webhooks.schedule import PENDING, Attempt


def shown_delivery(delivery: Delivery) -> dict[str, Any]:
    """A delivery, with what was sent."""
    plain = {
        name: getattr(delivery, name)
        for name in ("id", "webhook", "message_id", "event_id", "event_type", "state", "attempts", "redelivery_of")
    }
    return {
        **plain,
        "content_type": delivery.content_type,
        "payload": delivery.payload.decode(errors="replace"),
        "created": rfc3339(delivery.created_ns),
        "next": rfc3339(delivery.next_ns) if delivery.state == PENDING else None,
        "done": rfc3339(delivery.done_ns) if delivery.done_ns is not None else None,
    }


def shown_attempt(attempt: Attempt) -> dict[str, Any]:
    """One request and what came of it."""
    plain = {name: value for name, value in msgspec.structs.asdict(attempt).items() if name != "started_ns"}
    return {"started": rfc3339(attempt.started_ns), "success": attempt.delivered, **plain}
