# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to send instead, after a BMC refused a subscription and said why. No I/O.

A refusal (4xx) means that nothing was done, so asking again with another body is no blind repetition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.redfleet.events.plugins.module_utils._declaration import (
    DEFAULT_FORMAT,
    DEFAULT_TYPE,
    DROP,
    FAIL,
    PROPERTIES,
    Desired,
)
from ansible_collections.redfleet.events.plugins.module_utils._errors import (
    MISSING_KEYS,
    Answer,
    Message,
    named_properties,
)

Resource = dict[str, Any]
# What a service gets that insists on a property the user left to its default.
REQUIRED_DEFAULTS: dict[str, Any] = {
    "Context": "",  # mandatory on XCC2 (pubs.lenovo.com)
    "SubscriptionType": DEFAULT_TYPE,
    "EventFormatType": DEFAULT_FORMAT,
    "EventTypes": ["Alert"],  # mandatory before EventDestination 1.5; the usual word of iLO 4 and old iDRACs
}


@dataclass(frozen=True)
class Amended:
    """A body to try next; `dropped` are declared properties it gives up, `fatal` those that must not be lost."""

    body: Resource
    dropped: tuple[str, ...] = ()
    fatal: tuple[str, ...] = ()


def amend(body: Resource, answer: Answer, desired: Desired) -> Amended | None:
    """The next body to try, or None when the refusal gives nothing to go by."""
    messages = answer.messages
    missing = [message for message in messages if message.key in MISSING_KEYS]
    added = {name for name in named_properties(missing, REQUIRED_DEFAULTS) if name not in body}
    if added:
        return Amended({**body, **{name: REQUIRED_DEFAULTS[name] for name in added}})
    named = named_properties(messages, set(body) - {"Destination", "Protocol"})
    if "HttpHeaders" in named and _wants_an_object(body, messages):
        body = {**body, "HttpHeaders": {key: text for entry in body["HttpHeaders"] for key, text in entry.items()}}
        named -= {"HttpHeaders"}
        if not named:
            return Amended(body)
    if named:
        return _without(body, named, desired, _unusable(messages, body))
    return _guess(body, messages, desired)


def _wants_an_object(body: Resource, messages: list[Message]) -> bool:
    """Whether this is iLO 4, whose HttpHeaders is one object (HewlettPackard ilo-rest-api-docs)."""
    wrong_type = [message for message in messages if message.key.endswith(("TypeError", "FormatError"))]
    return isinstance(body["HttpHeaders"], list) and bool(named_properties(wrong_type, {"HttpHeaders"}))


def _unusable(messages: list[Message], body: Resource) -> set[str]:
    """Free texts whose value is wrong, for example too long: the user's mistake, not a lack of the BMC's."""
    about_values = [message for message in messages if "Value" in message.key]
    return named_properties(about_values, {"Context"} & set(body))


def _without(body: Resource, named: set[str], desired: Desired, unusable: set[str]) -> Amended:
    """Give up the refused properties, as far as their policy allows."""
    fatal = tuple(sorted(name for name in named if name in unusable or _is_fatal(name, body[name], desired)))
    declared = {name for name in named if name in desired.properties and not _is_nothing(name, body[name])}
    rest = {name: value for name, value in body.items() if name not in named}
    return Amended(rest, dropped=tuple(sorted(declared)), fatal=fatal)


def _is_nothing(name: str, value: Any) -> bool:
    """Whether the value means the same as not having the property."""
    return value == [] or (name in PROPERTIES and value == PROPERTIES[name].without)


def _is_fatal(name: str, value: Any, desired: Desired) -> bool:
    if name in REQUIRED_DEFAULTS and value == REQUIRED_DEFAULTS[name]:
        return False  # our own addition, or what the service assumes anyway
    if name not in desired.properties:
        return name in ("SubscriptionType", "EventFormatType")
    return not _is_nothing(name, value) and desired.loss(name) == FAIL


def _guess(body: Resource, messages: list[Message], desired: Desired) -> Amended | None:
    """After a refusal that names no property: once without everything that may be dropped, then with EventTypes."""
    if any(message.key in ("InsufficientPrivilege", "NoValidSession") for message in messages):
        return None
    comfort = {name for name in body if name in desired.properties and desired.loss(name) == DROP}
    if comfort:
        return _without(body, comfort, desired, set())
    if "EventTypes" not in body and "EventTypes" not in desired.properties:
        return Amended({**body, "EventTypes": REQUIRED_DEFAULTS["EventTypes"]})
    return None
