# SPDX-License-Identifier: GPL-3.0-or-later
"""An event of CloudStack's bus, or of its webhooks, to one record. No I/O, total: any bytes, never an exception.

The body is the event's description, a JSON object. On AMQP the category and the type of a state change stand only in
the routing key (``management-server.ActionEvent.VM-START.VirtualMachine.<uuid>``: a dot in a word is ``-``, a missing
word ``*``); on Kafka and in a webhook there is none, and the shape of the body tells. CloudStack gives no message id,
so a message is known by its routing key, or its place in a Kafka topic, and its bytes: what is delivered again adds
nothing.

A job's events have its id as ``start_id``. One that failed is Completed with level ERROR, as CloudStack's event log
has it. Read at: framework/events (Event, EventCategory), AsyncJobManagerImpl, AlertGenerator, UsageEventUtils,
ActionEventUtils and the listeners of state machines, of 4.19 and 4.20.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from event_listener.event import Category, Level, Observation, Record, State, rfc3339
from event_listener.normalise.decode import NotJSONError, document, storable, strict
from event_listener.normalise.labels import labels_of

_SHORT, _LONG = 255, 4096
_CATEGORIES = {category.value.lower(): category for category in Category}
_STATES = {state.value.lower(): state for state in State}
_JOB_STATES = {"in_progress": State.STARTED, "succeeded": State.COMPLETED, "failed": State.COMPLETED,
               "cancelled": State.COMPLETED}  # fmt: skip
_JOB_EVENTS = {"submit": State.SCHEDULED, "complete": State.COMPLETED}
_BEFORE = "preStateTransitionEvent"
_FAULT = re.compile(r'"errortext"\s*:\s*"((?:[^"\\]|\\.)*)"')
_WORDS = 5

Body = dict[str, Any]


def normalise(body: bytes, content_type: str = "") -> tuple[tuple[Record, ...], str, str]:
    """The record of a raw body, an id of the message, and the problem where there is no record."""
    try:
        found = document(body)
    except NotJSONError as error:
        return (), "", str(error)
    if not isinstance(found, dict):
        return (), "", "not an event of CloudStack: no JSON object"
    labels = labels_of(content_type)
    words = _words(labels.get("routing-key", ""), labels.get("key", ""))
    category = _CATEGORIES.get(words[1].lower()) or _category(found)
    if category is None:
        return (), "", "not an event of CloudStack: of none of its five categories"
    try:
        return (_RECORDS[category](found, words),), _message_id(body, labels), ""
    except RecursionError:
        return (), "", "the JSON is nested too deeply"


def _words(routing_key: str, resource: str) -> Sequence[str]:
    """The five words of a key; "" for one that is missing. Kafka's key is the last of them alone."""
    words = ["" if word == "*" else word for word in routing_key.split(".")]
    return words if len(words) == _WORDS else ["", "", "", "", resource]


def _message_id(body: bytes, labels: Mapping[str, str]) -> str:
    """What is delivered again has the same; its place in a Kafka topic, which a topic made anew gives away again."""
    place = "\n".join(labels.get(name, "") for name in ("routing-key", "offset"))
    return hashlib.sha256(place.encode("utf-8", "surrogatepass") + b"\n" + body).hexdigest()[:32]


def _category(body: Body) -> Category | None:
    """What the shape says."""
    signs = {
        Category.ASYNC_JOB: ("jobId", "commandEventType"),
        Category.RESOURCE_STATE: ("old-state", "new-state"),
        Category.ALERT: ("event", "subject"),
        Category.ACTION: ("event", "status"),
        Category.USAGE: ("event", "resource", "id"),
    }
    return next((category for category, names in signs.items() if all(name in body for name in names)), None)


def _action(body: Body, words: Sequence[str]) -> Record:
    description = _text(body.get("description"))
    failed = description.lower().startswith("error")
    type_ = _text(body.get("event")) or words[2].replace("-", ".")
    about = _text(body.get("entity")) or words[3]
    return _record(
        body,
        Category.ACTION,
        type_,
        level=Level.ERROR if failed else Level.INFO,
        state=_STATES.get(_text(body.get("status")).lower(), State.COMPLETED),
        resource=(about.rpartition(".")[2], _text(body.get("entityuuid")) or words[4]),
        message=description or type_,
    )


def _alert(body: Body, words: Sequence[str]) -> Record:
    pod, zone = _text(body.get("podId")), _text(body.get("dataCenterId"))
    return _record(
        body,
        Category.ALERT,
        _text(body.get("event")) or words[2],
        level=Level.WARN,
        resource=("Pod", pod) if pod else ("DataCenter" if zone else "", zone),
        message=_text(body.get("subject")) or _text(body.get("body")),
    )


def _usage(body: Body, words: Sequence[str]) -> Record:
    type_ = _text(body.get("event")) or words[2].replace("-", ".")
    resource = (_text(body.get("resource")) or words[3]).rpartition(".")[2]
    identity = _text(body.get("id")) or words[4]
    return _record(body, Category.USAGE, type_, resource=(resource, identity), message=f"{type_} {identity}".strip())


def _resource_state(body: Body, words: Sequence[str]) -> Record:
    """Published before and after each transition; only the latter says what is."""
    resource = _text(body.get("resource")) or words[3]
    identity = _text(body.get("id")) or words[4]
    old, new = _text(body.get("old-state")), _text(body.get("new-state"))
    happened = body.get("status") != _BEFORE
    tells = identity and new and happened
    verb = "is" if happened else "is about to be"
    return _record(
        body,
        Category.RESOURCE_STATE,
        f"{resource or 'Resource'}.{words[2] or 'StateTransition'}",
        state=State.COMPLETED if happened else State.SCHEDULED,
        resource=(resource, identity),
        message=f"{resource} {identity} {verb} {new}" + (f", was {old}" if old else ""),
        observed=(Observation("state", storable(new, _SHORT)),) if tells else (),
    )


def _job(body: Body, words: Sequence[str]) -> Record:
    said, status = words[2].lower(), _text(body.get("status"))
    failed = status.lower() in ("failed", "cancelled")
    command = _text(body.get("command")).rpartition(".")[2]
    type_ = _text(body.get("commandEventType")) or command or "AsyncJob"
    result = body.get("jobResult")
    fault = _FAULT.search(result if isinstance(result, str) else json.dumps(result)) if failed else None
    message = " ".join(filter(None, (type_, status.lower().replace("_", " ") or said)))
    return _record(
        body,
        Category.ASYNC_JOB,
        type_,
        level=Level.ERROR if failed else Level.INFO,
        state=_JOB_EVENTS.get(said) or _JOB_STATES.get(status.lower(), State.STARTED),
        resource=(_text(body.get("instanceType")) or words[3], _text(body.get("instanceUuid")) or words[4]),
        message=f"{message}: {fault[1]}" if fault else message,
        start_id=storable(_text(body.get("jobId")), _SHORT) or None,
    )


_RECORDS: dict[Category, Callable[[Body, Sequence[str]], Record]] = {
    Category.ACTION: _action,
    Category.ALERT: _alert,
    Category.USAGE: _usage,
    Category.RESOURCE_STATE: _resource_state,
    Category.ASYNC_JOB: _job,
}
_SEVERITIES = {Level.INFO: None, Level.WARN: "Warning", Level.ERROR: "Critical"}


def _record(
    body: Body, category: Category, type_: str, *, resource: tuple[str, str], message: str, level: Level = Level.INFO,
    state: State = State.COMPLETED, observed: tuple[Observation, ...] = (), start_id: str | None = None,
) -> Record:  # fmt: skip
    return Record(
        category=category,
        type=storable(type_ or f"CloudStack.{category.value}", _SHORT),
        level=level,
        state=state,
        resource_type=storable(resource[0], _SHORT) or None,
        resource_id=storable(resource[1], _LONG) or None,
        message=storable(message, _LONG) or None,
        severity=_SEVERITIES[level],
        time=_moment(_text(body.get("eventDateTime"))),
        start_id=start_id,
        observed=observed,
        record=strict(body),
    )


def _moment(text: str) -> str | None:
    """``2015-09-04 17:59:24 +0530`` as RFC 3339 in UTC; what is no such time is kept as it is."""
    try:
        moment = datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z").astimezone(UTC)
    except (ValueError, OverflowError):
        return storable(text, _SHORT) or None
    return rfc3339(int(moment.timestamp()) * 1_000_000_000)


def _text(value: Any) -> str:
    """A text or a number; "" for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""
