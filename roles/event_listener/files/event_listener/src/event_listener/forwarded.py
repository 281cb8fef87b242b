# SPDX-License-Identifier: GPL-3.0-or-later
"""Events that a site's listener forwards, from CloudEvents back to records with the identity they have. No I/O.

Total towards its callers: whatever a site sends becomes events or one :class:`ForwardedError` that says which and why.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import unquote

import msgspec
from msgspec import Meta

from event_listener.cloudevents import SOURCE_PREFIX, TYPE_PREFIX
from event_listener.event import Category, Level, Observation, Origin, Record, State, nanoseconds
from event_listener.normalise.decode import NotJSONError, document, storable, strict
from event_listener.normalise.redfish import LONG, SHORT

SITE = "site:"  # begins the credential of what a site forwarded; no other credential does
_REMOVED = "ResourceEvent.ResourceRemoved"
_ID = r"^[A-Za-z0-9._:-]{1,200}$"
_SOURCE = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._:-]{1,128}")


class ForwardedError(ValueError):
    """What was sent isn't ours; the text says which event, and why."""


class Forwarded(msgspec.Struct, frozen=True):
    """One event with the identity that it got at its site."""

    record: Record
    id: str
    source: str
    address: str
    received_ns: int
    site: str
    repeat_of: str | None = None


class _Data(msgspec.Struct):
    record: Any = None
    message_args: list[str] = []


class _Envelope(msgspec.Struct):
    """The attributes that :mod:`event_listener.cloudevents` writes. Others are left alone: a newer site has some."""

    specversion: Literal["1.0"]
    id: Annotated[str, Meta(pattern=_ID)]
    source: str
    type: str
    time: str
    category: Category
    severitytext: Level
    state: State
    origin: Origin
    address: Annotated[str, Meta(min_length=1, max_length=SHORT)]
    data: _Data
    site: str | None = None
    messageid: str | None = None
    message: str | None = None
    severity: str | None = None
    resolution: str | None = None
    filled: str | None = None
    eventid: str | None = None
    context: str | None = None
    bmctime: str | None = None
    correlationid: str | None = None
    resourcetype: str | None = None
    subject: str | None = None
    stateof: str | None = None
    oldstate: str | None = None
    newstate: str | None = None
    repeatof: Annotated[str, Meta(pattern=_ID)] | None = None


def forwarded(body: bytes, site: str) -> tuple[Forwarded, ...]:
    """The events of a batch, or of one structured CloudEvent, that ``site`` sent. Raises ForwardedError."""
    try:
        value = document(body)
    except NotJSONError as error:
        raise ForwardedError(str(error)) from error
    items = value if isinstance(value, list) else [value]
    return tuple(_event(number, item, site) for number, item in enumerate(items, 1))


def _event(number: int, item: Any, site: str) -> Forwarded:
    try:
        envelope = msgspec.convert(item, _Envelope)
        source = unquote(envelope.source.removeprefix(SOURCE_PREFIX))
        if not envelope.source.startswith(SOURCE_PREFIX) or not _SOURCE.fullmatch(source):
            raise ValueError(f"source {envelope.source[:80]!r} is no source of a listener")  # noqa: TRY301 - one way out
        received_ns = nanoseconds(envelope.time)
    except (msgspec.ValidationError, ValueError, OverflowError) as error:
        raise ForwardedError(f"event {number}: {error}") from error
    # A site may itself be a central listener: the way is kept, the nearest first.
    way = "/".join([site, *([storable(envelope.site, SHORT)] if envelope.site else [])])
    address = storable(envelope.address, SHORT)
    return Forwarded(_record(envelope), envelope.id, source, address, received_ns, way, envelope.repeatof)


def _record(envelope: _Envelope) -> Record:
    type_ = storable(envelope.type.removeprefix(TYPE_PREFIX), SHORT)
    return Record(
        category=envelope.category,
        type=type_,
        level=envelope.severitytext,
        state=envelope.state,
        origin=envelope.origin,
        resource_type=_text(envelope.resourcetype, SHORT),
        resource_id=_text(envelope.subject, LONG),
        message=_text(envelope.message, LONG),
        message_id=_text(envelope.messageid, SHORT),
        message_args=tuple(storable(text, LONG) for text in envelope.data.message_args),
        severity=_text(envelope.severity, SHORT),
        resolution=_text(envelope.resolution, LONG),
        filled=tuple(storable(envelope.filled, SHORT).split(",")) if envelope.filled else (),
        event_id=_text(envelope.eventid, SHORT),
        context=_text(envelope.context, LONG),
        time=_text(envelope.bmctime, SHORT),
        start_id=_text(envelope.correlationid, SHORT),
        state_of=_text(envelope.stateof, SHORT),
        old_state=_text(envelope.oldstate, SHORT),
        new_state=_text(envelope.newstate, SHORT),
        observed=_observed(envelope, type_),
        record=strict(envelope.data.record),
    )


def _observed(envelope: _Envelope, type_: str) -> tuple[Observation, ...]:
    """The state that the event brings; of several aspects a site forwards the one that the event shows."""
    if type_ == _REMOVED and envelope.subject:
        return (Observation("", None),)
    if not envelope.subject or not envelope.stateof or envelope.newstate is None:
        return ()
    return (Observation(storable(envelope.stateof, SHORT), storable(envelope.newstate, SHORT)),)


def _text(value: str | None, limit: int) -> str | None:
    return None if value is None else storable(value, limit)
