# SPDX-License-Identifier: GPL-3.0-or-later
"""A notification of OpenStack to one record. No I/O, total: any bytes, never an exception.

Knows oslo.messaging's envelope 2.0 (``{"oslo.version": "2.0", "oslo.message": "<JSON text>"}``) and the bare message
inside it, which old services send as it is; unversioned payloads, and versioned ones (``nova_object.data``).

Category, first match wins:

1. an ``exists`` or ``usage`` notification, or priority ``sample``       UsageEvent
2. ``.start``, ``.end``, ``.error`` of what an API call does (neutron)   ActionEvent
3. ``.start``, ``.end``, ``.error`` of all others                       AsyncJobEvent
4. ``identity.`` (keystone: who did what)                               ActionEvent
5. priority warn, error or critical                                     AlertEvent
6. everything else                                                      ResourceStateEvent

``start_id`` links start, end and error: the request's id and the operation; with the resource's id where it is known
from the start, since one request may begin several. A job that failed is Completed with level ERROR, as CloudStack has
it.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from event_listener.event import Category, Level, Observation, Record, State, nanoseconds, rfc3339
from event_listener.normalise.decode import NotJSONError, document, storable, strict

_SHORT, _LONG = 255, 4096
_ENVELOPE, _INNER = "oslo.version", "oslo.message"
_CONTEXT = "_context_"
_LEVELS = {"warn": Level.WARN, "warning": Level.WARN, "error": Level.ERROR, "critical": Level.ERROR}
_SEVERITIES = {"info": "OK", "warn": "Warning", "warning": "Warning", "error": "Critical", "critical": "Critical"}
_PHASES = ("start", "end", "error")
_VERBS = frozenset({"create", "update", "delete", "exists", "usage", "bulk"})
# Where payloads have the id of what they are about, beside <kind>.id and <kind>_id.
_IDS = ("instance_id", "uuid", "volume_id", "snapshot_id", "resource_info", "id")
_TOKEN = re.compile(rb'((\\*")(?:_context_)?auth_token\\*"\s*:\s*\\*")[^"\\]+')


class Notification(msgspec.Struct, frozen=True):
    """A notification without its wrapping. ``context`` is who asked: the ``_context_`` keys without that prefix."""

    event_type: str
    payload: dict[str, Any]
    context: dict[str, Any]
    message_id: str
    publisher_id: str
    priority: str
    timestamp: str
    plain: dict[str, Any]


class NotNotificationError(ValueError):
    """The body is no notification; the text says why."""


def normalise(body: bytes, _content_type: str = "") -> tuple[tuple[Record, ...], str, str]:
    """The record of a raw body, the notification's id, and the problem where there is no record."""
    try:
        found = notification(body)
        return (_record(found),), found.message_id, ""
    except NotNotificationError as error:
        return (), "", str(error)
    except RecursionError:
        return (), "", "the JSON is nested too deeply"


def clean(body: bytes) -> bytes:
    """The body without the user's token, which services put into the context before contexts were redacted."""
    return _TOKEN.sub(rb"\1***", body) if b"auth_token" in body else body


def notification(body: bytes) -> Notification:
    """The notification in a body. Raises NotNotificationError."""
    message = _unwrapped(_json(body))
    event_type = message.get("event_type")
    if not isinstance(event_type, str) or not event_type:
        raise NotNotificationError("not a notification of OpenStack: it has no event_type")
    payload = message.get("payload")
    context = {key.removeprefix(_CONTEXT): value for key, value in message.items() if key.startswith(_CONTEXT)}
    plain = {key: value for key, value in message.items() if not key.startswith(_CONTEXT) and key != "_unique_id"}
    if context:
        plain["context"] = context
    return Notification(
        event_type=event_type,
        payload=_bare(payload) if isinstance(payload, dict) else {},
        context=context,
        message_id=_text(message.get("message_id")) or _text(message.get("_unique_id")),
        publisher_id=_text(message.get("publisher_id")),
        priority=_text(message.get("priority")).lower(),
        timestamp=_text(message.get("timestamp")),
        plain=plain,
    )


def _json(body: bytes) -> Any:
    try:
        return document(body)
    except NotJSONError as error:
        raise NotNotificationError(str(error)) from error


def _unwrapped(message: Any) -> dict[str, Any]:
    if isinstance(message, dict) and _INNER in message:
        version, inner = str(message.get(_ENVELOPE, "2.0")), message[_INNER]
        if version.partition(".")[0] != "2" or not isinstance(inner, str):
            raise NotNotificationError(f"an envelope of oslo.messaging of version {version[:20]!r}; 2.x is known")
        message = _json(inner.encode("utf-8", "surrogatepass"))
    if not isinstance(message, dict):
        raise NotNotificationError("not a notification of OpenStack: no JSON object")
    return message


def _bare(payload: dict[str, Any]) -> dict[str, Any]:
    """A versioned payload without its wrapping; others as they are."""
    for key, value in payload.items():
        if key.endswith("_object.data") and isinstance(value, dict):
            return value
    return payload


class Operation(msgspec.Struct, frozen=True):
    """``security_group_rule.create.end``: what, and the phase (start, end, error; empty for something that is over)."""

    name: str
    kind: str
    phase: str


def operation(event_type: str) -> Operation:
    """The parts of an event's type."""
    words = event_type.split(".")
    phase = words[-1] if words[-1] in _PHASES and len(words) > 1 else ""
    name = words[:-1] if phase else words
    things = [word for word in name if word not in _VERBS]
    known = name[: next((index for index, word in enumerate(name) if word in _VERBS), len(name) - 1)]
    kind = (known or things or name)[-1]
    return Operation(".".join(name), kind, phase)


def resource_id(found: Notification, kind: str) -> str:
    """The id of what a notification is about; empty where it has none, such as before it is made."""
    payload = found.payload
    inner = payload.get(kind)
    if isinstance(inner, dict) and isinstance(inner.get("id"), str):
        return str(inner["id"])
    for key in (f"{kind}_id", *_IDS):
        if isinstance(value := payload.get(key), str) and value:
            return value
    return ""


def request_id(found: Notification) -> str:
    """The id of the API request that caused it; empty where it isn't known."""
    return _text(found.context.get("request_id")) or _text(found.payload.get("request_id"))


def _record(found: Notification) -> Record:
    what = operation(found.event_type)
    about = resource_id(found, what.kind)
    level = Level.ERROR if what.phase == "error" else _LEVELS.get(found.priority, Level.INFO)
    return Record(
        category=_category(found, what),
        type=storable(found.event_type, _SHORT),
        level=level,
        state=State.STARTED if what.phase == "start" else State.COMPLETED,
        resource_type=storable(what.kind, _SHORT),
        resource_id=storable(about, _LONG) if about else None,
        message=storable(_sentence(found, what, about), _LONG),
        severity="Critical" if what.phase == "error" else _SEVERITIES.get(found.priority),
        event_id=storable(found.message_id, _SHORT) or None,
        time=_moment(found.timestamp),
        start_id=_start_id(found, what, about),
        observed=_observed(found, what) if about else (),
        record=strict(found.plain),
    )


def _category(found: Notification, what: Operation) -> Category:
    last = what.name.rpartition(".")[2]
    if last in ("exists", "usage") or found.priority == "sample":
        return Category.USAGE
    if what.phase:
        return Category.ACTION if _is_call(found) else Category.ASYNC_JOB
    if found.event_type.startswith("identity."):
        return Category.ACTION
    return Category.ALERT if found.priority in _LEVELS else Category.RESOURCE_STATE


def _is_call(found: Notification) -> bool:
    """Neutron's server says start and end of each API call; what other services say so takes time."""
    return found.publisher_id.startswith("network.") or found.event_type.startswith("identity.")


def _start_id(found: Notification, what: Operation, about: str) -> str | None:
    request = request_id(found)
    if not what.phase or not (request or about):
        return None
    # Neutron's create.start has no id yet, and one request is one call.
    parts = (request, what.name) if request and _is_call(found) else (request, what.name, about)
    return storable(":".join(part for part in parts if part), _SHORT)


def _observed(found: Notification, what: Operation) -> tuple[Observation, ...]:
    if what.phase == "end" and what.name.endswith(".delete"):
        return (Observation("", None),)
    inner = found.payload.get(what.kind)
    fields = inner if isinstance(inner, dict) else found.payload
    state = fields.get("state") or fields.get("status")
    if what.phase == "start" or not isinstance(state, str) or not state:
        return ()
    return (Observation("state", storable(state, _SHORT)),)


def _sentence(found: Notification, what: Operation, about: str) -> str:
    words = [found.event_type, f"{what.kind} {about}" if about else ""]
    user, project = (who(found, name) for name in ("user", "project"))
    words += [f"by user {user}" if user else "", f"in project {project}" if project else ""]
    fault = found.payload.get("exception") or found.payload.get("message") if what.phase == "error" else None
    return ", ".join(word for word in words if word) + (f": {_text(fault)}" if isinstance(fault, str) else "")


def who(found: Notification, name: str) -> str:
    """Who asked, as far as the notification says: name or id of the ``user`` or the ``project``; empty where not."""
    older = {"user": "user", "project": "tenant"}[name]
    for holder in (found.context, found.payload):
        for key in (f"{name}_name", f"{name}_id", name, f"{older}_id", older):
            if isinstance(value := holder.get(key), str) and value:
                return value
    return ""


def _moment(timestamp: str) -> str | None:
    """As RFC 3339: services write UTC without saying so. What is no time is kept as it is."""
    try:
        return rfc3339(nanoseconds(timestamp))
    except (ValueError, OverflowError):
        return storable(timestamp, _SHORT) or None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
