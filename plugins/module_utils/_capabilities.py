# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an EventService says it supports, and the habits of vendors that it doesn't say. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._declaration import PROPERTIES, Desired, Property

Resource = dict[str, Any]
_VERSION = re.compile(r"\.v?(\d+)[._](\d+)[._]\d+\.")
# Property of EventService (v1_12_0) -> what it lists or says about a property of EventDestination.
LISTS = {
    "RegistryPrefixes": "RegistryPrefixes",
    "ResourceTypes": "ResourceTypes",
    "Severities": "Severities",
    "EventTypesForSubscription": "EventTypes",
    "EventFormatTypes": "Formats",
}
FLAGS = {
    "IncludeOriginOfConditionSupported": "IncludeOriginOfCondition",
    "SubordinateResourcesSupported": "SubordinateResources",
    "OriginResourcesSupported": "OriginResources",
    "ExcludeMessageId": "ExcludeMessageIds",
    "ExcludeRegistryPrefix": "ExcludeRegistryPrefixes",
}
# Properties that a vendor shows empty whatever they are, with EventServices older than the version (None: all).
HIDDEN: tuple[tuple[str, tuple[int, int] | None, frozenset[str]], ...] = (
    # Why Cray puts the endpoint's id into the Destination: Cray-HPE/hms-hmcollector rf_subscriptions.go
    ("HPE", None, frozenset({"Context"})),
    ("HP", None, frozenset({"Context"})),
    # Older XCCs take no Context at all: lenovo python-redfish-lenovo add_event_subscriptions.py
    ("LENOVO", (1, 3), frozenset({"Context"})),
)
# What a ServiceRoot of before `Vendor` calls its product.
PRODUCTS = {"ProLiant": "HPE", "Integrated Dell Remote Access Controller": "Dell", "ThinkSystem": "Lenovo"}


@dataclass(frozen=True)
class Capabilities:
    """What an EventService says it supports; None where it says nothing."""

    lists: dict[str, list[str] | None] = field(default_factory=dict)
    flags: dict[str, bool | None] = field(default_factory=dict)
    slots: bool = False
    hidden: frozenset[str] = frozenset()

    @property
    def default_event_types(self) -> list[str] | None:
        """EventTypes for services of before filters by registry, which take no subscription without them."""
        types = self.lists.get("EventTypes")
        modern = any(self.lists.get(name) is not None for name in ("RegistryPrefixes", "ResourceTypes", "Formats"))
        if modern or not types:
            return None
        return ["Alert"] if "Alert" in types else list(types)


def capabilities_of(service: Resource, root: Resource, slots: bool = False) -> Capabilities:
    """Read an EventService and its ServiceRoot; what is absent or malformed counts as unsaid."""
    return Capabilities(
        lists={about: _texts(service.get(name)) for name, about in LISTS.items()},
        flags={about: _flag(service.get(name)) for name, about in FLAGS.items()},
        slots=slots,
        hidden=_hidden(vendor_of(root).upper(), schema_version(service)),
    )


def vendor_of(root: Resource) -> str:
    """The vendor, from the ServiceRoot: Vendor (1.5), in older ones the only key of Oem, or a known product."""
    oem = root.get("Oem")
    only = next(iter(oem), "") if isinstance(oem, dict) and len(oem) == 1 else ""
    product = str(root.get("Product") or "")
    known = next((vendor for name, vendor in PRODUCTS.items() if product.startswith(name)), "")
    return str(root.get("Vendor") or only or known)


def schema_version(resource: Resource) -> tuple[int, int] | None:
    """(1, 12) of `#EventService.v1_12_0.EventService`; iLO 4 writes `1.0.0`."""
    found = _VERSION.search(str(resource.get("@odata.type")))
    return (int(found.group(1)), int(found.group(2))) if found else None


def _hidden(vendor: str, version: tuple[int, int] | None) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for name, before, properties in HIDDEN:
        if name == vendor and (before is None or (version is not None and version < before)):
            found |= properties
    return found


def _texts(value: Any) -> list[str] | None:
    return [str(item) for item in value] if isinstance(value, list) else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def shown_value(member: Resource, known: Property, capabilities: Capabilities) -> Any:
    """What a BMC shows of a property; None where that can't be told.

    A property that the EventService says it supports, but that is not there, has its default: it isn't set. Without
    such a word it may as well be hidden (bmcweb never shows OriginResources).
    """
    value = member.get(known.name)
    if not value and known.name in capabilities.hidden:
        return None
    if value is not None:
        return value
    said = bool(capabilities.lists.get(known.name)) or capabilities.flags.get(known.name) is True
    default = [] if known.kind in ("set", "links") else known.without
    return default if said else None


def advertised_limits(desired: Desired, capabilities: Capabilities) -> dict[str, str]:
    """Declared properties that the EventService itself says it doesn't support, each with its reason."""
    limits = {}
    for name, wanted in desired.properties.items():
        known = PROPERTIES[name]
        if wanted == known.without or wanted == []:
            continue
        if capabilities.flags.get(name) is False:
            limits[name] = "the EventService says it does not support it"
        offered = capabilities.lists.get(name)
        if offered and isinstance(wanted, list):
            unknown = [str(item) for item in wanted if item not in offered]
            if unknown:
                limits[name] = f"{', '.join(unknown)} is not among {', '.join(offered)}"
    formats = capabilities.lists.get("Formats")
    if formats and desired.event_format_type not in formats:
        limits["EventFormatType"] = f"{desired.event_format_type} is not among {', '.join(formats)}"
    return limits
