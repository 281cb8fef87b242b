# SPDX-License-Identifier: GPL-3.0-or-later
"""A Redfish payload to records. No I/O, and total: any bytes, any JSON, never an exception.

Knows Event (DSP0268 Event v1_13_0) and MetricReport, and what BMCs send besides: ``Alerts`` arrays, a single record
without an envelope, integer ids, records that are no objects.

Precedence of the category, first match wins:

1. MetricReport                                   UsageEvent
2. registry TaskEvent                             AsyncJobEvent
3. registry ResourceEvent                         ResourceStateEvent
4. severity Warning or Critical                   AlertEvent
5. EventType Alert that states no severity        AlertEvent
6. everything else                                ResourceStateEvent
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec

from event_listener.event import Category, Level, Origin, Record, State
from event_listener.message_registry import Message
from event_listener.normalise import resources, states
from event_listener.normalise.decode import NotJSONError, document, storable, strict

TEST_MARKER = "redfleet-test-"
SHORT, LONG = 255, 4096  # characters kept in columns; ``record`` holds the whole value
_ARRAYS = ("Events", "Alerts")
_SIGNS_OF_A_RECORD = ("MessageId", "EventType", "MessageSeverity", "EventTimestamp")
_LEVELS = {
    "warning": Level.WARN,
    "minor": Level.WARN,
    "major": Level.WARN,
    "critical": Level.ERROR,
    "error": Level.ERROR,
    "fatal": Level.ERROR,
}
Meaning = Callable[[str], Message | None]  # of a MessageId
_EXPLAINED = ("message", "severity", "resolution")
_NOTHING = Message()
_RUNNING = frozenset({"TaskStarted", "TaskProgressChanged", "TaskPaused", "TaskResumed"})


class Normalised(msgspec.Struct, frozen=True):
    """The records of a payload, or the reason why there are none (then it belongs in quarantine)."""

    records: tuple[Record, ...] = ()
    problem: str = ""


def normalise(body: bytes, meaning: Meaning | None = None) -> Normalised:
    """The records of a raw body; ``meaning`` tells what a record that carries only its MessageId leaves out."""
    try:
        return records(document(body), meaning)
    except NotJSONError as error:
        return Normalised(problem=str(error))


def records(payload: Any, meaning: Meaning | None = None) -> Normalised:
    """The records of a decoded body."""
    try:
        if isinstance(payload, dict):
            return _envelope(payload, meaning)
        if isinstance(payload, list) and payload:
            return Normalised(tuple(_record(item, {}, meaning) for item in payload))
        if isinstance(payload, (list, str)):
            # Nothing to tell, but the DMTF listener logs them, and so does the text log.
            return Normalised((_record(payload, {}, meaning),))
    except RecursionError:
        return Normalised(problem="the JSON is nested too deeply")
    return Normalised(problem=f"a JSON {_json_type(payload)} where a Redfish Event or MetricReport is expected")


def _envelope(payload: dict[str, Any], meaning: Meaning | None) -> Normalised:
    if _is_metric_report(payload):
        return Normalised((_metric_report(payload),))
    for name in _ARRAYS:
        if name in payload:
            members = payload[name] if isinstance(payload[name], list) else [payload[name]]
            if members:
                return Normalised(tuple(_record(item, payload, meaning) for item in members))
            break
    return Normalised((_record(payload, payload, meaning),))


def _is_metric_report(payload: dict[str, Any]) -> bool:
    return "MetricValues" in payload or resources.odata_type(payload.get("@odata.type")) == "MetricReport"


def _metric_report(payload: dict[str, Any]) -> Record:
    """One record per report. Its type names the report's definition, which is stable; its Id may count upwards."""
    definition = resources.uri(payload.get("MetricReportDefinition"))
    report = resources.uri(payload.get("@odata.id"))
    name = definition.rsplit("/", 1)[-1] if definition else "MetricReport"
    return Record(
        category=Category.USAGE,
        type=storable(f"MetricReport.{name}", SHORT),
        origin=_origin(None, _text(payload.get("Name")), ()),
        resource_type="MetricReport",
        resource_id=storable(report, LONG) if report else None,
        message=_text(payload.get("Name")),
        event_id=_text(payload.get("ReportSequence"), SHORT) or _text(payload.get("Id"), SHORT),
        context=_text(payload.get("Context")),
        time=_text(payload.get("Timestamp"), SHORT),
        record=strict(payload),
    )


def _record(member: Any, envelope: dict[str, Any], meaning: Meaning | None) -> Record:
    if not isinstance(member, dict):
        return Record(type="Event.NotAnObject", message=_text(member), record=strict(member))
    message_id = _text(member.get("MessageId"), SHORT)
    registry, key = _message_key(message_id)
    arguments = _arguments(member.get("MessageArgs"))
    told = _told(member)
    added = _added(told, message_id, arguments, meaning)
    message, severity, resolution = ({**told, **added}[name] for name in _EXPLAINED)
    origin = _origin_of_condition(member)
    path = resources.uri(origin) or resources.uri(states.resource_named(registry, key, arguments))
    event_type = _text(member.get("EventType"))
    observed = states.observations(registry, key, arguments, severity, event_type, origin) if path else ()
    event_id = _text(member.get("EventId"), SHORT)
    category = _category(registry, severity, event_type)
    context = envelope.get("Context")
    return Record(
        category=category,
        type=_type(registry, key, member),
        level=_LEVELS.get((severity or "").lower(), Level.INFO),
        state=State.STARTED if category is Category.ASYNC_JOB and key in _RUNNING else State.COMPLETED,
        origin=Origin.TEST if key == "TestMessage" else _origin(event_id, told["message"], arguments),
        resource_type=_optional(resources.type_of(path, origin) if path else None),
        resource_id=storable(path, LONG) if path else None,
        message=message,
        message_id=message_id,
        message_args=arguments,
        severity=severity,
        resolution=resolution,
        filled=tuple(added),
        event_id=event_id,
        context=_text(context if context is not None else member.get("Context")),
        time=_text(member.get("EventTimestamp"), SHORT),
        start_id=_optional(_start_id(registry, path, arguments)),
        state_of=observed[0].aspect or None if observed else None,
        new_state=observed[0].value if observed else None,
        observed=observed,
        record=strict(member),
    )


def _start_id(registry: str, path: str | None, arguments: tuple[str, ...]) -> str | None:
    """The Task that a TaskEvent is about, or whose own ResourceEvent it is."""
    if registry == "TaskEvent":
        return resources.task(path, arguments)
    return path if registry == "ResourceEvent" and resources.is_task(path) else None


def _told(member: dict[str, Any]) -> dict[str, str | None]:
    """What the record itself says of its meaning."""
    severity = _text(member.get("MessageSeverity"), SHORT) or _text(member.get("Severity"), SHORT)
    return {
        "message": _text(member.get("Message")),
        "severity": severity,
        "resolution": _text(member.get("Resolution")),
    }


def _added(
    told: dict[str, str | None], message_id: str | None, arguments: tuple[str, ...], meaning: Meaning | None
) -> dict[str, str]:
    """What a registry adds: only what the record leaves out, or leaves empty."""
    missing = [name for name in _EXPLAINED if not told[name]]
    if not missing or message_id is None or meaning is None:
        return {}
    known = meaning(message_id) or _NOTHING
    texts = {
        "message": storable(known.filled(arguments), LONG),
        "severity": known.severity,
        "resolution": known.resolution,
    }
    return {name: texts[name] for name in missing if texts[name]}


def _message_key(message_id: str | None) -> tuple[str, str]:
    """``ResourceEvent``, ``ResourceCreated`` of ``ResourceEvent.1.0.3.ResourceCreated``. Versions vary, so they go."""
    words = [word for word in (message_id or "").split(".") if word]
    if not words:
        return "", ""
    return (words[0] if len(words) > 1 else ""), words[-1]


def _type(registry: str, key: str, member: dict[str, Any]) -> str:
    if key:
        return storable(f"{registry}.{key}" if registry else key, SHORT)
    kind = _text(member.get("EventType"), SHORT) or resources.odata_type(member.get("@odata.type"))
    return storable(f"Event.{kind or 'Other'}", SHORT)


def _category(registry: str, severity: str | None, event_type: str | None) -> Category:
    if registry == "TaskEvent":
        return Category.ASYNC_JOB
    if registry == "ResourceEvent":
        return Category.RESOURCE_STATE
    if (severity or "").lower() in _LEVELS or (severity is None and event_type == "Alert"):
        return Category.ALERT
    return Category.RESOURCE_STATE


def _origin_of_condition(member: dict[str, Any]) -> Any:
    """Where the event says it comes from; LogEntry-shaped records have it under Links."""
    if (direct := member.get("OriginOfCondition")) is not None:
        return direct
    links = member.get("Links")
    return links.get("OriginOfCondition") if isinstance(links, dict) else None


def _origin(event_id: str | None, message: str | None, arguments: tuple[str, ...]) -> Origin:
    marked = any(TEST_MARKER in text for text in (event_id, message, *arguments) if text)
    return Origin.TEST if marked else Origin.LIVE


def _arguments(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    items = value if isinstance(value, list) else [value]
    return tuple(_text(item) or "" for item in items)


def _text(value: Any, limit: int = LONG) -> str | None:
    """A scalar as text, anything else as JSON, null as None."""
    if value is None:
        return None
    if isinstance(value, str):
        return storable(value, limit)
    return storable(json.dumps(value), limit)


def _optional(text: str | None) -> str | None:
    return storable(text, SHORT) if text else None


def _json_type(value: Any) -> str:
    return {bool: "boolean", int: "number", float: "number"}.get(type(value), "null")
