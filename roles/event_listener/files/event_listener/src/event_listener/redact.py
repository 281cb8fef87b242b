# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that BMCs put into events: taken out of what is published. No I/O, total.

CloudStack's bus published session keys in job dumps (apache/cloudstack#782). A BMC does alike: an expanded session or
subscription, an account that changed, a URL with credentials. The list is in docs/event-bus.md.
"""

from __future__ import annotations

import functools
import re
from typing import Any

import msgspec

from event_listener import path_secret
from event_listener.event import Event

MARK = "***"
# Names of properties, without case, dashes and underscores; their values are secret, whatever they are.
NAMES = frozenset(
    {
        "accesskey", "accesstoken", "apikey", "authenticationkey", "authorization", "authtoken", "clientsecret",
        "communitystring", "cookie", "encryptionkey", "httpheaders", "passphrase", "passwd", "password", "privatekey",
        "refreshtoken", "secret", "secretkey", "sessionkey", "sessiontoken", "setcookie", "token", "xauthtoken",
    }
)  # fmt: skip
# A text is looked at closely only where one of these is in it: nearly none has.
_SIGNS = ("://", path_secret.PREFIX, "=", "earer ", "asic ", "EARER ", "ASIC ")
_RULES = (
    (re.compile(r"(?<=://)[^/\s@\"']+(?=@)"), MARK),  # https://user:password@host
    (re.compile(re.escape(path_secret.PREFIX) + r"[A-Za-z0-9_-]{32,128}"), MARK),
    # Not "Basic configuration": a credential has more than small letters.
    (
        re.compile(r"\b([Bb]earer|BEARER|[Bb]asic|BASIC)\s+(?=\S+[0-9A-Z+/=_.-])[A-Za-z0-9+/=._~-]{8,}"),
        rf"\1 {MARK}",
    ),
    (
        re.compile(
            r"(?i)\b((?:[a-z]+[_-])?(?:password|passwd|secret|token|session_?key|api_?key|x-auth-token))=[^&\s\"']+"
        ),
        rf"\1={MARK}",
    ),
)


def published(event: Event) -> Event:
    """The event as sinks beyond this host get it; itself where it holds no secret."""
    record = _value(event.record)
    message = None if event.message is None else _text(event.message)
    arguments = [_text(argument) for argument in event.message_args]
    context = None if event.context is None else _text(event.context)
    same = record is event.record and message is event.message and context is event.context
    if same and all(new is old for new, old in zip(arguments, event.message_args, strict=True)):
        return event
    return msgspec.structs.replace(
        event, record=record, message=message, message_args=tuple(arguments), context=context
    )


def cleaned(text: str) -> str:
    """A text without secrets."""
    return _text(text)


@functools.lru_cache(maxsize=4096)  # Redfish has few names of properties
def _is_secret(name: str) -> bool:
    return name.lower().replace("-", "").replace("_", "") in NAMES


def _value(value: Any) -> Any:
    """The same JSON without secrets; the same object where there are none."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        items = {name: _member(name, item) for name, item in value.items()}
        return value if all(items[name] is item for name, item in value.items()) else items
    if isinstance(value, list):
        cleaned = [_value(item) for item in value]
        return value if all(new is old for new, old in zip(cleaned, value, strict=True)) else cleaned
    return value


def _member(name: str, value: Any) -> Any:
    # An empty one says that there is none, or that it isn't shown: that is no secret.
    return MARK if _is_secret(name) and value not in (None, "", [], {}, False, True) else _value(value)


def _text(text: str) -> str:
    if not any(sign in text for sign in _SIGNS):
        return text
    cleaned = text
    for pattern, mark in _RULES:
        cleaned = pattern.sub(mark, cleaned)
    return text if cleaned == text else cleaned
