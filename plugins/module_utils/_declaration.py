# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user can declare of a subscription, and what each part means when a BMC hasn't got it. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._errors import InvalidInputError

FAIL, DROP = "fail", "drop"
DEFAULT_TYPE, DEFAULT_FORMAT = "RedfishEvent", "Event"


@dataclass(frozen=True)
class Property:
    """A property of EventDestination that the user can declare.

    :param kind: how values compare: scalar, list (ordered), set, links (set of @odata.id), headers, oem.
    :param patch: whether the standard lets PATCH change it.
    :param loss: what a BMC without it means, unless the user says otherwise: fail, or drop and report.
    :param without: the value that equals not having the property.
    """

    option: str
    name: str
    kind: str = "set"
    patch: bool = False
    loss: str = FAIL
    without: Any = None


PROPERTIES: dict[str, Property] = {
    entry.name: entry
    for entry in (
        # Old XCCs have none (Lenovo python-redfish-lenovo add_event_subscriptions.py); it is neither filter nor guard.
        Property("context", "Context", "scalar", patch=True, loss=DROP),
        # Deprecated since EventDestination 1.5. A service without it sends every type, so nothing is missed.
        Property("event_types", "EventTypes", loss=DROP),
        Property("registry_prefixes", "RegistryPrefixes"),
        Property("exclude_registry_prefixes", "ExcludeRegistryPrefixes"),
        Property("message_ids", "MessageIds"),
        Property("exclude_message_ids", "ExcludeMessageIds"),
        Property("resource_types", "ResourceTypes"),
        Property("origin_resources", "OriginResources", "links"),
        Property("subordinate_resources", "SubordinateResources", "scalar", without=False),
        Property("severities", "Severities"),
        Property("metric_report_definitions", "MetricReportDefinitions", "links"),
        Property("include_origin_of_condition", "IncludeOriginOfCondition", "scalar", loss=DROP, without=False),
        Property("http_headers", "HttpHeaders", "headers", patch=True),
        Property("delivery_retry_policy", "DeliveryRetryPolicy", "scalar", patch=True, loss=DROP),
        Property("verify_certificate", "VerifyCertificate", "scalar", patch=True, without=False),
        # The schema doesn't let PATCH change heartbeats, bmcweb does; a refused PATCH becomes a replacement.
        Property("send_heartbeat", "SendHeartbeat", "scalar", patch=True, loss=DROP, without=False),
        Property("heartbeat_interval_minutes", "HeartbeatIntervalMinutes", "scalar", patch=True, loss=DROP),
        Property("backup_destinations", "BackupDestinations", "list", patch=True, loss=DROP),
        Property("oem", "Oem", "oem", patch=True),
    )
}


@dataclass(frozen=True)
class Desired:
    """A declared subscription. `properties` are those that the user set, by Redfish name, in Redfish's form."""

    destination: str
    protocol: str = "Redfish"
    subscription_type: str = DEFAULT_TYPE
    event_format_type: str = DEFAULT_FORMAT
    properties: dict[str, Any] = field(default_factory=dict)
    present: bool = True
    policies: dict[str, str] = field(default_factory=dict)
    adopt: bool = True
    remove_duplicates: bool = True
    headers_always: bool = False
    retired: tuple[str, ...] = ()
    credential: str | None = None

    def loss(self, name: str) -> str:
        """What to do when the BMC doesn't support the property: fail or drop."""
        known = PROPERTIES.get(name)
        if known is None:
            return FAIL
        return self.policies.get(known.option, self.policies.get("default", known.loss))


def desired_from(params: dict[str, Any]) -> Desired:
    """The declared subscription from the options of event_destination.

    :raises InvalidInputError: a destination that is no URL, or a policy for something that has none.
    """
    destination = params["destination"].strip()
    if "://" not in destination:
        raise InvalidInputError(
            f"destination {destination!r} is no URL.", "Give one such as https://listener/events/bmc1."
        )
    return Desired(
        destination=destination,
        protocol=params["protocol"],
        subscription_type=params["subscription_type"],
        event_format_type=params["event_format_type"],
        properties={
            known.name: _in_redfish_form(known, params[known.option])
            for known in PROPERTIES.values()
            if params[known.option] is not None
        },
        present=params["state"] == "present",
        policies=_policies(params["on_unsupported"] or {}),
        adopt=params["adopt"] == "same_destination",
        remove_duplicates=params["duplicates"] == "remove",
        headers_always=params["update_http_headers"] == "always",
        retired=tuple(params["retired_destinations"] or ()),
        credential=params["credential"],
    )


def _in_redfish_form(known: Property, value: Any) -> Any:
    if known.kind == "links":
        return [{"@odata.id": uri} for uri in value]
    if known.kind == "headers":
        return [{name: str(text)} for name, text in value.items()]
    return value


def _policies(given: dict[str, Any]) -> dict[str, str]:
    options = {known.option for known in PROPERTIES.values()} | {"default"}
    for option, policy in given.items():
        if option not in options or policy not in (FAIL, DROP):
            raise InvalidInputError(
                f"on_unsupported has {option}: {policy}.",
                f"Use fail or drop for one of: {', '.join(sorted(options))}.",
            )
    return dict(given)
