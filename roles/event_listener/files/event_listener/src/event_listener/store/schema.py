# SPDX-License-Identifier: GPL-3.0-or-later
"""The event log's tables, for queries. The migrations make them; a test compares the two.

``seq`` is given by us from the table ``counter``, under the lock that serialises appends: it rises without gaps in the
order of commits, on every database, and is never used again. AUTOINCREMENT says the same to SQLite.
"""

from event_listener.store.schema_base import metadata
from event_listener.store.schema_events import (
    checkpoint,
    event,
    event_mark,
    make,
    message_registry,
    payload,
    period,
    quarantine,
    resource_state,
)
from event_listener.store.schema_people import account, api_token, api_user, domain
from event_listener.store.schema_relay import (
    cloud_object,
    counter,
    cursor,
    heartbeat,
    lane,
    lease,
    rejected,
    scan,
    scan_sink,
)
from event_listener.store.schema_sources import (
    activity,
    coverage,
    credential_use,
    outage,
    presence,
    proof,
    source,
    source_health,
    upkeep,
)
from event_listener.store.schema_tasks import alert, condition, job
from event_listener.store.schema_webhooks import webhook, webhook_attempt, webhook_delivery, webhook_lane

__all__ = [
    "account",
    "activity",
    "alert",
    "api_token",
    "api_user",
    "checkpoint",
    "cloud_object",
    "condition",
    "counter",
    "coverage",
    "credential_use",
    "cursor",
    "domain",
    "event",
    "event_mark",
    "heartbeat",
    "job",
    "lane",
    "lease",
    "make",
    "message_registry",
    "metadata",
    "outage",
    "payload",
    "period",
    "presence",
    "proof",
    "quarantine",
    "rejected",
    "resource_state",
    "scan",
    "scan_sink",
    "source",
    "source_health",
    "upkeep",
    "webhook",
    "webhook_attempt",
    "webhook_delivery",
    "webhook_lane",
]
