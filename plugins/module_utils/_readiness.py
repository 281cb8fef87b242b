# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a subscribed BMC would stay silent all the same."""

from __future__ import annotations

from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._capabilities import vendor_of
from ansible_collections.redfleet.events.plugins.module_utils._errors import RedfishError
from ansible_collections.redfleet.events.plugins.module_utils._event_service import EventService
from ansible_collections.redfleet.events.plugins.module_utils._manager_attributes import ALERTS, ManagerAttributes

Resource = dict[str, Any]
# Vendor, property: why a filter by it lets nothing through.
SILENCING: dict[tuple[str, str], str] = {
    # bmcweb takes the bare key only and compares Prefix.Key (event_matches_filter.hpp; sonic-mgmt#28036)
    ("OPENBMC", "MessageIds"): "bmcweb's filter by MessageIds never matches",
    # bmcweb's log events have neither type nor origin
    ("OPENBMC", "ResourceTypes"): "bmcweb's log events have no resource type, so this filter drops them",
    ("OPENBMC", "OriginResources"): "bmcweb's log events have no origin, so this filter drops them",
}


def why_silent(
    service: EventService, declared: dict[str, Any], member: Resource, attributes: ManagerAttributes | None
) -> list[str]:
    """Sentences; empty where nothing is known against it.

    :param declared: the declared properties, by Redfish name.
    :param member: the subscription as the BMC shows it.
    :param attributes: read them, too, which costs requests, for Dell's AlertEnable.
    """
    vendor = vendor_of(service.client.root).upper()
    found = [why for (name, prop), why in SILENCING.items() if name == vendor and declared.get(prop)]
    if service.settings.get("ServiceEnabled") is False:
        found.append("its EventService is disabled; event_service: {service_enabled: true}")
    status = member.get("Status")
    if isinstance(status, dict) and status.get("State") == "Disabled":
        found.append("the subscription is suspended; resume it on the BMC, or remove it and subscribe again")
    if attributes:
        found += _alerts(attributes)
    return found


def _alerts(attributes: ManagerAttributes) -> list[str]:
    try:
        attributes.read()
    except RedfishError as error:
        # A subscription was made; that this can't be told must not make it fail.
        return [f"whether {ALERTS} is Enabled could not be read ({error})"]
    if attributes.shown.get(ALERTS) == "Disabled":
        return [f"{ALERTS} is Disabled; event_service: {{alert_enable: true}}"]
    return []
