# SPDX-License-Identifier: GPL-3.0-or-later
"""A webhook as the API and the command line show it: what it is, where it is in the event log, how its endpoint is."""

from __future__ import annotations

from typing import Any

from event_listener.event import rfc3339
from event_listener.store.webhooks import Place
from event_listener.webhooks.model import Webhook, shown


def watched(webhook: Webhook, place: Place | None) -> dict[str, Any]:
    """The webhook as JSON; ``place`` is None where it was removed meanwhile."""
    if place is None:
        return shown(webhook)
    health = place.health
    return {
        **shown(webhook),
        "position": place.position,
        "failures": health.failures,
        "failing_since": rfc3339(health.failing_since_ns) if health.failures else None,
        "delivered": place.delivered,
        "failed": place.failed,
    }
