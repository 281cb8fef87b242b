# SPDX-License-Identifier: GPL-3.0-or-later
"""An event as an RFC 5424 message. No I/O."""

from __future__ import annotations

import re
from typing import get_args

from event_listener import cloudevents
from event_listener.event import Event, Level, as_json, rfc3339
from event_listener.settings_bus import Facility, SyslogSink
from event_listener.sinks import osel
from event_listener.sinks.bodies import to_json

_FACILITIES = {name: (number if number < 12 else number + 4) for number, name in enumerate(get_args(Facility))}
_CRITICAL, _ERROR, _WARNING, _INFORMATIONAL = 2, 3, 4, 6
_SEVERITIES = {Level.ERROR: _ERROR, Level.WARN: _WARNING, Level.INFO: _INFORMATIONAL}
_NOT_PRINTABLE = re.compile(r"[^!-~]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HOSTNAME_LENGTH, _MSGID_LENGTH = 255, 32


class TooLongError(ValueError):
    """The message can't be made short enough."""


def messages(settings: SyslogSink, event: Event) -> list[bytes]:
    """The messages of an event: one, but of ``body: osel`` one per address, and none of others. Raises TooLongError."""
    if settings.body != "osel":
        return [message(settings, event)]
    head = _head(settings, event)
    found = [head + to_json(line) for line in osel.lines(event, settings.source_type)]
    if any(len(one) > settings.max_size for one in found):
        raise TooLongError(f"a line of the change is longer than max_size ({settings.max_size} bytes)")
    return found


def _head(settings: SyslogSink, event: Event) -> bytes:
    parts = (
        f"<{_priority(settings, event)}>1",
        rfc3339(event.received_ns),
        _names(settings, event),
        _data(settings, event),
    )
    return " ".join((*parts, "")).encode()


def message(settings: SyslogSink, event: Event) -> bytes:
    """The message, at most ``max_size`` bytes: text is cut, JSON goes without its record. Raises TooLongError."""
    head = _head(settings, event)
    room = settings.max_size - len(head)
    if settings.body == "text":
        text = _CONTROL.sub(" ", event.message or event.message_id or event.type).encode()
        if room >= len(text):
            return head + text
        if room > 0:
            return head + text[:room].decode(errors="ignore").encode()
    else:
        for shown in (_shown(settings, event), _without_record(settings, event)):
            body = to_json(shown)
            if room >= len(body):
                return head + body
    raise TooLongError(f"the message is longer than max_size ({settings.max_size} bytes) even without its record")


def frame(settings: SyslogSink, encoded: bytes) -> bytes:
    """The message as TCP and TLS carry it."""
    if settings.framing == "octet-counting":
        return b"%d %s" % (len(encoded), encoded)
    return encoded + b"\n"  # no message holds one: JSON escapes it, text has it replaced


def _priority(settings: SyslogSink, event: Event) -> int:
    """Redfish's Critical is syslog's; an ERROR of another kind is err."""
    severity = _SEVERITIES[event.level]
    if severity == _ERROR and (event.severity or "").lower() == "critical":
        severity = _CRITICAL
    return _FACILITIES[settings.facility] * 8 + severity


def _names(settings: SyslogSink, event: Event) -> str:
    """HOSTNAME APP-NAME PROCID MSGID: printable ASCII without spaces, of limited length."""
    host = _NOT_PRINTABLE.sub("_", event.source)[:_HOSTNAME_LENGTH] or "-"
    kind = _NOT_PRINTABLE.sub("_", event.type)[:_MSGID_LENGTH] or "-"
    return f"{host} {settings.app_name} - {kind}"


def _data(settings: SyslogSink, event: Event) -> str:
    fields = {
        "id": event.id,
        "seq": str(event.seq),
        "category": event.category.value,
        "level": event.level.value,
        "state": event.state.value,
        "origin": event.origin.value,
        "type": event.type,
        "resourceType": event.resource_type,
        "resourceId": event.resource_id,
        "messageId": event.message_id,
        "severity": event.severity,
        "eventId": event.event_id,
        "time": event.time,
        "startId": event.start_id,
    }
    shown = "".join(f' {name}="{_value(text)}"' for name, text in fields.items() if text is not None)
    return f'[{settings.structured_data_id}{shown}][origin ip="{_value(event.address)}"]'


def _value(text: str) -> str:
    """A PARAM-VALUE: ``"``, ``\\`` and ``]`` escaped; control characters would end a newline-framed message."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")
    return _CONTROL.sub(" ", escaped)


def _shown(settings: SyslogSink, event: Event) -> object:
    return as_json(event) if settings.body == "json" else cloudevents.encode(event)


def _without_record(settings: SyslogSink, event: Event) -> object:
    if settings.body == "json":
        return {**as_json(event), "record": None, "truncated": True}
    return {**cloudevents.encode(event), "data": None, "truncated": True}
