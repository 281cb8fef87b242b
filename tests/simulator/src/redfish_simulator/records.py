# SPDX-License-Identifier: GPL-3.0-or-later
"""One thing that happened, before a vendor's habits shape it; and which subscriptions want to hear of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .answer import Json
from .personality import Personality
from .subscription import Subscription


@dataclass
class Record:
    """An event record. `origin` is the URI of the resource it is about; `extra` goes out as it is."""

    message_id: str
    message: str = ""
    args: list[str] = field(default_factory=list)
    severity: str = "OK"
    event_type: str = "Alert"
    origin: str = ""
    resource_type: str = ""
    event_id: str = ""
    timestamp: str = ""
    resolution: str = ""
    log_entry: str = ""
    extra: Json = field(default_factory=dict)
    test: bool = False

    @property
    def registry(self) -> str:
        """Prefix of the registry: what stands before the first dot of MessageId."""
        return self.message_id.partition(".")[0]

    @property
    def key(self) -> str:
        """`Prefix.Key`, without versions."""
        return f"{self.registry}.{self.message_id.rpartition('.')[2]}"

    @classmethod
    def from_json(cls, body: Json) -> Record:
        """A record as the control API takes it: Redfish names, all optional; what is unknown goes out as it is."""
        rest = dict(body)

        def take(*names: str) -> Any:
            values = [rest.pop(name) for name in names if name in rest]
            return values[0] if values else ""

        origin = take("OriginOfCondition")
        return cls(
            message_id=str(take("MessageId") or "ResourceEvent.1.4.ResourceChanged"),
            message=str(take("Message")),
            args=[str(arg) for arg in take("MessageArgs") or []],
            severity=str(take("MessageSeverity", "Severity") or "OK"),
            event_type=str(take("EventType") or "Alert"),
            origin=str(origin.get("@odata.id", "") if isinstance(origin, dict) else origin),
            resource_type=str(take("ResourceType")),
            event_id=str(take("EventId")),
            timestamp=str(take("EventTimestamp")),
            resolution=str(take("Resolution")),
            extra=rest,
        )


def wants(personality: Personality, subscription: Subscription, record: Record) -> bool:
    """Whether the filters of a subscription let a record through."""
    if subscription.get("EventFormatType") not in (None, "Event"):
        return False
    if record.test and personality.test.broadcast:
        return True
    if personality.delivery.filters == "bmcweb":
        return _bmcweb_wants(subscription, record)
    return _included(subscription, record) and not _excluded(subscription, record)


def _included(subscription: Subscription, record: Record) -> bool:
    prefixes, message_ids = subscription.get("RegistryPrefixes"), subscription.get("MessageIds")
    if (prefixes or message_ids) and record.registry not in (prefixes or []) and record.key not in (message_ids or []):
        return False
    for name, value in (
        ("ResourceTypes", record.resource_type),
        ("Severities", record.severity),
        ("EventTypes", record.event_type),
    ):
        if subscription.get(name) and value not in subscription.get(name):
            return False
    return _from_origin(subscription, record.origin)


def _from_origin(subscription: Subscription, origin: str) -> bool:
    wanted = [str(link["@odata.id"]).rstrip("/") for link in subscription.get("OriginResources") or []]
    if not wanted or origin in wanted:
        return True
    return bool(subscription.get("SubordinateResources")) and any(origin.startswith(uri + "/") for uri in wanted)


def _excluded(subscription: Subscription, record: Record) -> bool:
    return record.registry in (subscription.get("ExcludeRegistryPrefixes") or []) or record.key in (
        subscription.get("ExcludeMessageIds") or []
    )


def _bmcweb_wants(subscription: Subscription, record: Record) -> bool:
    """As bmcweb's event_matches_filter.hpp has it.

    Accepted MessageIds are bare keys and are compared with Prefix.Key, so that such a filter matches nothing; log
    events have the resource type "" and no origin, so that filters on these silence them.
    """
    if subscription.get("MessageIds"):
        return record.key in subscription.get("MessageIds")
    if subscription.get("RegistryPrefixes") and record.registry not in subscription.get("RegistryPrefixes"):
        return False
    of_log = record.registry == "OpenBMC"
    if subscription.get("ResourceTypes"):
        return not of_log and record.resource_type in subscription.get("ResourceTypes")
    return not (subscription.get("OriginResources") and of_log)
