# SPDX-License-Identifier: GPL-3.0-or-later
"""Deliveries and their attempts as the API and the command line ask for and show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from event_listener.event import rfc3339
from event_listener.parameters import ParameterError, moment
from event_listener.store.deliveries import MAX_LIMIT, Delivery, DeliveryQuery
from event_listener.webhooks.schedule import DELIVERED, FAILED, PENDING, Attempt

_TEXTS = ("id", "webhook", "event_id", "event_type", "state", "keyword")
_MOMENTS = ("since", "until")


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


def delivery_query(given: Mapping[str, str], now_ns: int) -> DeliveryQuery:
    """The query that parameters ask for. Raises ParameterError."""
    fields: dict[str, Any] = {name: value for name, value in given.items() if name in _TEXTS}
    if (state := fields.get("state")) and state not in (PENDING, DELIVERED, FAILED):
        raise ParameterError(f"state {state!r} is none of {PENDING}, {DELIVERED}, {FAILED}")
    fields |= {f"{name}_ns": moment(given[name], now_ns, name) for name in _MOMENTS if name in given}
    for name, most in (("before", 2**63 - 1), ("limit", MAX_LIMIT)):
        if name in given:
            if not (given[name].isascii() and given[name].isdigit() and 1 <= int(given[name][:20]) <= most):
                raise ParameterError(f"{name} {given[name][:40]!r} is no whole number from 1 to {most}")
            fields[name] = int(given[name])
    return DeliveryQuery(**fields)
