# SPDX-License-Identifier: GPL-3.0-or-later
"""What an event says about the state of a resource: its health, its power state, its Status.State. No I/O, total.

The rules, of which all that fit apply; where two speak of the same aspect the earlier one is right:

1. a ResourceEvent that names the new state (DSP8011, ResourceEvent 1.0.1 to 1.4.2)
2. an OEM message that is known to mean one (HPE's iLOEvents, Supermicro's SMC)
3. an expanded OriginOfCondition: its PowerState, Status.Health and Status.State
4. EventType StatusChange (deprecated in Redfish 1.5, all that older BMCs have): the severity is the resource's health
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from event_listener.event import Observation

HEALTH, POWER, STATE = "health", "power", "state"
_LONGEST = 64
_HEALTH = {"ok": "OK", "warning": "Warning", "critical": "Critical"}

# The message's second argument is the new value; the health is in the key, too.
_ARGUMENT: dict[str, tuple[str, str | None]] = {
    "ResourceStatusChangedOK": (HEALTH, "OK"),
    "ResourceStatusChangedWarning": (HEALTH, "Warning"),
    "ResourceStatusChangedCritical": (HEALTH, "Critical"),
    "ResourceStateChanged": (STATE, None),
}
# The message is the new value.
_MEANING = {
    ("ResourceEvent", "ResourcePoweredOn"): (POWER, "On"),
    ("ResourceEvent", "ResourcePoweredOff"): (POWER, "Off"),
    ("ResourceEvent", "ResourcePoweringOn"): (POWER, "PoweringOn"),
    ("ResourceEvent", "ResourcePoweringOff"): (POWER, "PoweringOff"),
    ("ResourceEvent", "ResourcePaused"): (POWER, "Paused"),
    ("iLOEvents", "ServerPoweredOn"): (POWER, "On"),
    ("iLOEvents", "ServerPoweredOff"): (POWER, "Off"),
    ("SMC", "SystemPowerOn"): (POWER, "On"),
}
_REMOVED = ("ResourceEvent", "ResourceRemoved")


def observations(
    registry: str,
    key: str,
    arguments: Sequence[str],
    severity: str | None,
    event_type: str | None,
    origin: Any,
) -> tuple[Observation, ...]:
    """What a record says about the resource that it comes from; the first is what its message is about."""
    if (registry, key) == _REMOVED:
        return (Observation("", None),)
    found: dict[str, str] = {}
    for aspect, value in (
        *_of_message(registry, key, arguments),
        *_of_resource(origin),
        *_of_severity(severity, event_type),
    ):
        found.setdefault(aspect, value)
    return tuple(Observation(aspect, value) for aspect, value in found.items())


def resource_named(registry: str, key: str, arguments: Sequence[str]) -> str | None:
    """The resource in the first argument, for the few services that send no OriginOfCondition."""
    known = registry == "ResourceEvent" and (key in _ARGUMENT or (registry, key) in _MEANING)
    return arguments[0] if known and arguments and arguments[0].startswith("/redfish/") else None


def _of_message(registry: str, key: str, arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    if registry == "ResourceEvent" and key in _ARGUMENT:
        aspect, meant = _ARGUMENT[key]
        said = _value(arguments[1]) if len(arguments) > 1 else None
        value = meant or said
        if value:
            yield aspect, value
    elif (registry, key) in _MEANING:
        yield _MEANING[registry, key]


def _of_resource(origin: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(origin, dict):
        return
    status = origin.get("Status")
    status = status if isinstance(status, dict) else {}
    for aspect, value in (
        (POWER, _value(origin.get("PowerState"))),
        (HEALTH, _HEALTH.get((_value(status.get("Health")) or "").lower())),
        (STATE, _value(status.get("State"))),
    ):
        if value:
            yield aspect, value


def _of_severity(severity: str | None, event_type: str | None) -> Iterator[tuple[str, str]]:
    value = _HEALTH.get((severity or "").lower())
    if event_type == "StatusChange" and value:
        yield HEALTH, value


def _value(value: Any) -> str | None:
    """A name of a state, never a text."""
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable() else None
