# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a subscription is, which of a BMC's subscriptions is ours, and what has to be done. No I/O.

`plan(desired, existing, capabilities)` decides; whoever applies it only walks the plan.
Schema: EventDestination v1_17_0; what PATCH may change is its OData.Permission.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.redfleet.events.plugins.module_utils._capabilities import (
    Capabilities,
    advertised_limits,
    shown_value,
)
from ansible_collections.redfleet.events.plugins.module_utils._declaration import (
    DEFAULT_FORMAT,
    DEFAULT_TYPE,
    DROP,
    FAIL,
    PROPERTIES,
    Desired,
    Property,
)
from ansible_collections.redfleet.events.plugins.module_utils._redact import masked, presentable

Resource = dict[str, Any]
DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Plan:
    """What has to be done. `changes` is the body of a PATCH, `payload` of a POST; URIs are the BMC's own."""

    action: str
    member: Resource | None = None
    payload: Resource = field(default_factory=dict)
    changes: Resource = field(default_factory=dict)
    remove: tuple[Resource, ...] = ()
    before: Resource = field(default_factory=dict)
    after: Resource = field(default_factory=dict)
    unsupported: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return self.action != "none"


def normal_destination(url: str) -> str:
    """A destination in one spelling: scheme and host in lower case, no default port, path `/` when empty.

    BMCs rewrite what they are given (bmcweb adds `:443` and `/`), so text doesn't compare.
    """
    try:
        parts = urlsplit(url.strip())
        scheme, port, host = parts.scheme.lower(), parts.port, parts.hostname
    except ValueError:
        return url.strip()
    if not host:
        return url.strip()
    host = _normal_host(host)
    user = parts.netloc.rpartition("@")[0]
    shown_port = "" if port is None or port == DEFAULT_PORTS.get(scheme) else f":{port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"{scheme}://{user + '@' if user else ''}{host}{shown_port}{parts.path or '/'}{query}"


def _normal_host(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.rstrip(".")
    return f"[{address.compressed}]" if address.version == 6 else address.compressed


def uri_of(member: Resource) -> str:
    return str(member.get("@odata.id", ""))


def same_uri(one: str, other: str) -> bool:
    """Whether two URIs name one resource; iLO's end in a slash."""
    return one.rstrip("/") == other.rstrip("/")


def is_free_slot(member: Resource) -> bool:
    """Whether this is an unused slot of a service with fixed slots (Supermicro): no destination, or switched off."""
    if "Destination" not in member:
        return False
    oem = member.get("Oem")
    vendor = oem.get("Supermicro") if isinstance(oem, dict) else None
    disabled = isinstance(vendor, dict) and vendor.get("EnableSubscription") is False
    return not member["Destination"] or disabled


def matches(desired: Desired, member: Resource) -> bool:
    """Whether a member has the declared identity: destination, protocol, subscription type and format.

    A format that isn't shown is taken for Event, except where the event types say otherwise
    (EventFormatType missing on GET: ironcore-dev/metal-operator#865).
    """
    shown = member.get("Destination")
    if not isinstance(shown, str) or not shown or is_free_slot(member):
        return False
    types = member.get("EventTypes")
    assumed = "MetricReport" if types == ["MetricReport"] else DEFAULT_FORMAT
    return (
        normal_destination(shown) == normal_destination(desired.destination)
        and (member.get("Protocol") or "Redfish") == desired.protocol
        and (member.get("SubscriptionType") or DEFAULT_TYPE) == desired.subscription_type
        and (member.get("EventFormatType") or assumed) == desired.event_format_type
    )


def ours(desired: Desired, member: Resource) -> bool:
    """Whether we may change or remove this member: a declared identity, with `adopt: never` also our Context."""
    if not matches(desired, member):
        return False
    context = desired.properties.get("Context")
    return desired.adopt or context is None or member.get("Context") == context


def differences(
    desired: Desired, member: Resource, capabilities: Capabilities, without: tuple[str, ...] = ()
) -> list[str]:
    """Names of declared properties that the BMC shows with another value; what it doesn't show isn't compared."""
    return [
        name
        for name, wanted in desired.properties.items()
        if name not in without
        and _differs(desired, PROPERTIES[name], wanted, shown_value(member, PROPERTIES[name], capabilities))
    ]


def not_shown(desired: Desired, member: Resource, capabilities: Capabilities) -> list[str]:
    """Names of declared properties that the BMC doesn't show, so that a drift would go unnoticed."""
    return [
        name
        for name in desired.properties
        if name != "HttpHeaders" and shown_value(member, PROPERTIES[name], capabilities) is None
    ]


def _differs(desired: Desired, known: Property, wanted: Any, shown: Any) -> bool:
    if known.kind == "headers":
        # The standard hides values on GET (null or []), so only the user can say that they changed.
        return desired.headers_always and not (shown and _pairs(shown) == _pairs(wanted))
    if shown is None:
        return False
    if known.kind in ("set", "links"):
        return _as_set(wanted) != _as_set(shown)
    if known.kind == "oem":
        return not _contains(shown, wanted)
    return bool(wanted != shown)


def shows_headers(desired: Desired, member: Resource) -> bool:
    """Whether the BMC shows the declared HttpHeaders (iLO does); the standard hides them."""
    wanted, shown = desired.properties.get("HttpHeaders"), member.get("HttpHeaders")
    return bool(wanted and shown and _pairs(shown) == _pairs(wanted))


def _as_set(value: Any) -> set[str]:
    items = value if isinstance(value, list) else [value]
    return {str(item.get("@odata.id", "")).rstrip("/") if isinstance(item, dict) else str(item) for item in items}


def _pairs(headers: Any) -> dict[str, str]:
    """Headers as one dictionary: the standard has a list of one-key objects, iLO 4 one object."""
    entries = headers if isinstance(headers, list) else [headers]
    return {
        str(key).lower(): str(value) for entry in entries if isinstance(entry, dict) for key, value in entry.items()
    }


def _contains(shown: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(shown, dict) and all(_contains(shown.get(key), value) for key, value in wanted.items())
    return bool(shown == wanted)


def payload_for(desired: Desired, capabilities: Capabilities, without: tuple[str, ...] = ()) -> Resource:
    """The body that creates the subscription. Defaults stay unsaid: old services refuse properties they don't know."""
    body: Resource = {"Destination": desired.destination, "Protocol": desired.protocol}
    if desired.subscription_type != DEFAULT_TYPE:
        body["SubscriptionType"] = desired.subscription_type
    if desired.event_format_type != DEFAULT_FORMAT:
        body["EventFormatType"] = desired.event_format_type
    body.update({name: value for name, value in desired.properties.items() if name not in without})
    if "EventTypes" not in body and capabilities.default_event_types:
        body["EventTypes"] = capabilities.default_event_types
    return body


def plan(desired: Desired, existing: list[Resource], capabilities: Capabilities) -> Plan:
    """Decide what makes `existing` hold the desired subscription exactly once, or not at all."""
    mine = [member for member in existing if ours(desired, member)]
    retired = [member for member in existing if _is_retired(desired, member) and member not in mine]
    if not desired.present:
        return _removal(mine + retired)
    limits = advertised_limits(desired, capabilities)
    refused = tuple(f"{name} ({why})" for name, why in limits.items() if desired.loss(name) == FAIL)
    unsupported = tuple(name for name in limits if desired.loss(name) == DROP)
    payload = payload_for(desired, capabilities, without=unsupported)
    keep = min(mine, key=lambda member: len(differences(desired, member, capabilities, unsupported)), default=None)
    surplus = [member for member in mine if member is not keep and desired.remove_duplicates] + retired
    common = {"payload": payload, "remove": tuple(surplus), "unsupported": unsupported, "refused": refused}
    if keep is None:
        before, after = _with_surplus({}, masked(payload), surplus)
        return Plan("create", before=before, after=after, **common)
    return _change(desired, keep, capabilities, common)


def _change(desired: Desired, keep: Resource, capabilities: Capabilities, common: dict[str, Any]) -> Plan:
    names = differences(desired, keep, capabilities, common["unsupported"])
    changes = {name: desired.properties[name] for name in names}
    if not names:
        action = "delete" if common["remove"] else "none"
    else:
        action = "patch" if capabilities.slots or all(PROPERTIES[name].patch for name in names) else "replace"
    shown = presentable(keep)
    before, after = _with_surplus(shown, {**shown, **masked(changes)}, list(common["remove"]))
    return Plan(action, member=keep, changes=changes, before=before, after=after, **common)


def _removal(members: list[Resource]) -> Plan:
    before, _after = _with_surplus({}, {}, members)
    return Plan("delete" if members else "none", remove=tuple(members), before=before)


def _is_retired(desired: Desired, member: Resource) -> bool:
    shown = member.get("Destination")
    if not isinstance(shown, str) or is_free_slot(member):
        return False
    mine = (member.get("SubscriptionType") or DEFAULT_TYPE) == DEFAULT_TYPE
    return mine and normal_destination(shown) in {normal_destination(url) for url in desired.retired}


def _with_surplus(before: Resource, after: Resource, surplus: list[Resource]) -> tuple[Resource, Resource]:
    """Before and after, with what is to be removed shown in `before` by its URI."""
    if not surplus:
        return before, after
    removed = {uri_of(member): presentable(member) for member in surplus}
    return {**before, "removed": removed}, dict(after)
