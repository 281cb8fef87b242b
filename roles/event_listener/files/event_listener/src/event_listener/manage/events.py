# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/events`, `/api/v1/quarantine` and `/api/v1/sinks`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import msgspec
from flask import Blueprint, Response, g, jsonify, request
from werkzeug.exceptions import Conflict, NotFound

from event_listener import page_cursor, parameters, status
from event_listener.event import Event, EventDocument, as_json, rfc3339
from event_listener.manage.access import needs, reached
from event_listener.manage.connection import Connection
from event_listener.manage.describe import BYTES, Moment, Parameter, describe
from event_listener.policy import Action
from event_listener.store import Held
from event_listener.store.question import MAX_LIMIT, SETS, Query

OneOf = Annotated[
    str,
    msgspec.Meta(extra_json_schema={"pattern": "[^,]"}, description="A value, or several separated by commas."),
]
LIMIT = Parameter("limit", "Most of a page; 100 by default.", Annotated[int, msgspec.Meta(ge=1, le=MAX_LIMIT)])
EVENT_PARAMETERS = tuple(
    LIMIT if name == "limit" else Parameter(name, text, parameters.TYPES.get(name, OneOf), repeated=name in SETS)
    for name, text in parameters.TEXTS.items()
)
FILTERS = tuple(one for one in EVENT_PARAMETERS if one.name not in ("limit", "order", "cursor"))
ARCHIVED = next(one for one in EVENT_PARAMETERS if one.name == "archived")
_TOTAL = Parameter(
    "total", "`true`: count all that fit, on whatever page; that reads them all.", Literal["true", "false"]
)
_PAGE = (Parameter("after", "The `next` of the page before.", parameters.TYPES["after"]), LIMIT)


class Events(TypedDict):
    """A page. ``cursor`` leads to the next one, so does ``next``; both are null on the last. ``head`` ends the log."""

    events: list[EventDocument]
    head: int
    next: int | None
    cursor: str | None
    total: NotRequired[int]


class Quarantined(TypedDict):
    """What was not understood, without its body."""

    seq: int
    journal_id: str
    journal_seq: int
    received: Moment
    source: str
    address: str
    peer: str
    credential: str
    content_type: str
    reason: str
    size: int


class Quarantine(TypedDict):
    """A page; ``next`` is null on the last one."""

    quarantine: list[Quarantined]
    next: int | None


class Sink(TypedDict):
    """A sink as of now. ``behind`` is for how many seconds the first unit of ``lag`` has waited."""

    name: str
    unit: str
    state: str
    reason: str
    since: Moment
    position: int
    lag: int
    behind: float
    rejected: int


class Sinks(TypedDict):
    """All sinks that the relay runs."""

    sinks: list[Sink]


def asked_for(given: Mapping[str, Sequence[str]]) -> Query:
    """The query of a request, within what its asker may see. Raises ParameterError."""
    asked = parameters.query(given, time.time_ns())
    scope = g.scope if asked.archived == "no" else reached(Action.MANAGE_EVENTS)
    return msgspec.structs.replace(asked, scope=scope)


def seen(connection: Connection, event_id: str) -> Event:
    """The event that a path names, for who may see it; archived ones with `archived`. Raises NotFound."""
    archived = {"archived": request.args.getlist("archived")} if "archived" in request.args else {}
    asked = asked_for(archived)
    event = connection.store.queries.get(event_id, asked.scope, asked.archived)
    if event is None:
        raise NotFound(f"there is no event {event_id}")
    return event


def blueprint(connection: Connection) -> Blueprint:
    """The routes."""
    routes = Blueprint("events", __name__, url_prefix="/api/v1")

    @routes.get("/events")
    @needs(Action.READ_EVENTS)
    @describe("Events, in pages.", Events, parameters=(*EVENT_PARAMETERS, _TOTAL))
    def find() -> Response:
        given = request.args.to_dict(flat=False)
        total = given.pop("total", ["false"]) == ["true"]
        asked = asked_for(given)
        page = connection.store.queries.find(asked)
        cursor = None if page.next is None else page_cursor.next_page(asked, page.next)
        shown = {"events": [as_json(event) for event in page.events], "head": page.head, "next": page.next}
        counted = {"total": connection.store.queries.total(asked)} if total else {}
        return jsonify(**shown, cursor=cursor, **counted)

    @routes.get("/events/<event_id>")
    @needs(Action.READ_EVENTS)
    @describe("One event.", EventDocument, parameters=(ARCHIVED,))
    def one(event_id: str) -> Response:
        return jsonify(as_json(seen(connection, event_id)))

    @routes.get("/events/<event_id>/raw")
    @needs(Action.READ_EVENTS)
    @describe("The POST that it came in, byte for byte.", media=BYTES, parameters=(ARCHIVED,), problems=(409,))
    def raw(event_id: str) -> Response:
        event = seen(connection, event_id)
        if not connection.store.queries.is_whole(event.payload_id, g.scope):
            raise Conflict("the POST holds events of others, too; `record` has what it says of this one")
        payload = connection.store.queries.payload(event.payload_id)
        if payload is None:
            raise NotFound(f"there is no event {event_id}")
        return _bytes(payload.body)

    @routes.get("/quarantine")
    @needs(Action.READ_EVENTS)
    @describe("What was not understood, oldest first.", Quarantine, parameters=_PAGE)
    def quarantine() -> Response:
        limit = parameters.query({"limit": [request.args.get("limit", "100")]}, 0).limit
        after = parameters.query({"after": [request.args.get("after", "0")]}, 0).after
        held = connection.store.quarantine.list(after, limit + 1, g.scope)
        more = held[limit - 1].seq if len(held) > limit else None
        return jsonify(quarantine=[_held(item) for item in held[:limit]], next=more)

    @routes.get("/quarantine/<int:seq>/raw")
    @needs(Action.READ_EVENTS)
    @describe("A quarantined body, byte for byte.", media=BYTES)
    def quarantined(seq: int) -> Response:
        body = connection.store.quarantine.body(seq, g.scope)
        if body is None:
            raise NotFound(f"there is no quarantined payload {seq}")
        return _bytes(body)

    @routes.get("/sinks")
    @describe("Each sink, and how far it is.", Sinks)
    def sinks() -> Response:
        return jsonify(sinks=[_sink(sink) for sink in status.sinks(connection.store)])

    return routes


def _bytes(body: bytes) -> Response:
    """What a BMC sent, for tools: never something that a browser would run."""
    headers = {"X-Content-Type-Options": "nosniff"}
    return Response(body, headers=headers, content_type="application/octet-stream")


def _held(item: Held) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.structs.asdict(item)
    shown["received"] = rfc3339(shown.pop("received_ns"))
    return shown


def _sink(sink: status.SinkStatus) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.structs.asdict(sink)
    shown["since"] = rfc3339(shown.pop("since_ns"))
    return shown
