# SPDX-License-Identifier: GPL-3.0-or-later
"""What a BMC accepts in a subscription: a pure function from personality and body to properties, or to a refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from .answer import Json, RedfishProblem, info
from .personality import CreateTraits, Personality


def _strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _links(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) and "@odata.id" in item for item in value)


def _headers(value: Any) -> bool:
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        return False
    return all(isinstance(item, dict) and all(isinstance(text, str) for text in item.values()) for item in value)


def _string(value: Any) -> bool:
    return isinstance(value, str)


def _boolean(value: Any) -> bool:
    return isinstance(value, bool)


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


TYPES: Mapping[str, Callable[[Any], bool]] = {
    "BackupDestinations": _strings,
    "Context": _string,
    "DeliveryRetryPolicy": _string,
    "Destination": _string,
    "EventFormatType": _string,
    "EventTypes": _strings,
    "ExcludeMessageIds": _strings,
    "ExcludeRegistryPrefixes": _strings,
    "HeartbeatIntervalMinutes": _integer,
    "HttpHeaders": _headers,
    "IncludeOriginOfCondition": _boolean,
    "MessageIds": _strings,
    "MetricReportDefinitions": _links,
    "Name": _string,
    "Oem": lambda value: isinstance(value, dict),
    "OriginResources": _links,
    "Protocol": _string,
    "RegistryPrefixes": _strings,
    "ResourceTypes": _strings,
    "SendHeartbeat": _boolean,
    "Severities": _strings,
    "SubordinateResources": _boolean,
    "SubscriptionType": _string,
    "VerifyCertificate": _boolean,
}


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def check_types(body: Json) -> list[Json]:
    """Messages for values of a wrong type. The value of HttpHeaders is never repeated."""
    return [
        info("PropertyValueTypeError", "" if name == "HttpHeaders" else _shown(value), name, prop=name)
        for name, value in body.items()
        if name in TYPES and not TYPES[name](value)
    ]


def check_create(personality: Personality, body: Json) -> list[Json]:
    """Messages for everything that a POST with this body is refused for; empty when it is fine."""
    traits = personality.create
    found: list[Json] = []
    if traits.unknown == "reject":
        found += [info(_key(traits), name, prop=name) for name in body if name not in traits.accepts]
    found += [info("PropertyMissing", name, prop=name) for name in traits.required if name not in body]
    found += check_types(body)
    if "HttpHeaders" in body and isinstance(body["HttpHeaders"], dict) is not traits.headers_object:
        found.append(info("PropertyValueTypeError", "", "HttpHeaders", prop="HttpHeaders"))
    if found:
        return found
    return _check_values(personality, body) + _check_conflicts(traits, body)


def _key(traits: CreateTraits) -> str:
    return traits.unknown_key


def _check_values(personality: Personality, body: Json) -> list[Json]:
    traits = personality.create
    found = check_destination(traits, body["Destination"]) if "Destination" in body else []
    found += check_policy(personality, body)
    if len(body.get("Context", "")) > traits.max_context:
        found.append(info("StringValueTooLong", body["Context"], str(traits.max_context), prop="Context"))
    choices = {
        "Protocol": ("Redfish",),
        "SubscriptionType": ("RedfishEvent",),
        "EventFormatType": traits.format_types,
        "RegistryPrefixes": traits.registry_prefixes,
        "ResourceTypes": traits.resource_types,
        "EventTypes": traits.event_types,
        "Severities": ("OK", "Warning", "Critical"),
    }
    for name, allowed in choices.items():
        values = body.get(name, [])
        for value in [values] if isinstance(values, str) else values:
            if allowed is not None and value not in allowed:
                found.append(info("PropertyValueNotInList", value, name, prop=name))
    if traits.bare_message_ids:
        dotted = [value for value in body.get("MessageIds", []) if "." in value]
        found += [info("PropertyValueNotInList", value, "MessageIds", prop="MessageIds") for value in dotted]
    return found


def check_policy(personality: Personality, body: Json) -> list[Json]:
    """Messages for a DeliveryRetryPolicy that this BMC doesn't know."""
    policy = body.get("DeliveryRetryPolicy")
    if policy is None or policy in personality.delivery.policies:
        return []
    return [info("PropertyValueNotInList", policy, "DeliveryRetryPolicy", prop="DeliveryRetryPolicy")]


def check_destination(traits: CreateTraits, destination: str) -> list[Json]:
    """Messages for a Destination that isn't a URL that this BMC would POST to."""
    schemes = ("https",) if traits.https_only else ("http", "https")
    try:
        url = urlsplit(destination)
        sound = url.scheme.lower() in schemes and bool(url.hostname) and (url.port or 1) > 0
    except ValueError:
        sound = False
    if not sound:
        return [info("PropertyValueFormatError", destination, "Destination", prop="Destination")]
    if len(destination) > traits.max_destination:
        return [info("StringValueTooLong", destination, str(traits.max_destination), prop="Destination")]
    return []


def _check_conflicts(traits: CreateTraits, body: Json) -> list[Json]:
    return [
        info("PropertyValueConflict", first, second, prop=first)
        for first, second in traits.conflicts
        if body.get(first) and body.get(second)
    ]


def rewrite_destination(destination: str) -> str:
    """Scheme and host in lower case, the port written out, "/" where there is no path: what bmcweb does to it."""
    url = urlsplit(destination)
    scheme = url.scheme.lower()
    host = (url.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    port = url.port or (443 if scheme == "https" else 80)
    return urlunsplit((scheme, f"{host}:{port}", url.path or "/", url.query, url.fragment))


def headers_of(body: Json) -> list[tuple[str, str]]:
    """HttpHeaders as pairs."""
    headers = body.get("HttpHeaders") or []
    return [pair for item in ([headers] if isinstance(headers, dict) else headers) for pair in item.items()]


def accepted(personality: Personality, body: Json) -> Json:
    """The properties of a new subscription: defaults, then what was sent. Raises RedfishProblem (400)."""
    found = check_create(personality, body)
    if found:
        raise RedfishProblem(400, found)
    traits = personality.create
    properties: Json = {
        "Context": "",
        "SubscriptionType": "RedfishEvent",
        "EventFormatType": "Event",
        "DeliveryRetryPolicy": personality.delivery.policy,
        "VerifyCertificate": personality.delivery.verify,
    }
    properties.update({name: value for name, value in body.items() if name in traits.accepts and name != "HttpHeaders"})
    if traits.rewrite_destination:
        properties["Destination"] = rewrite_destination(properties["Destination"])
    return properties
