# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/events`, `/api/v1/quarantine` and `/api/v1/sinks`."""

from __future__ import annotations

import time
from typing import Annotated, Any, TypedDict

import msgspec
from flask import Blueprint, Response, g, jsonify, request
from werkzeug.exceptions import NotFound

from event_listener import parameters, status
from event_listener.event import EventDocument, as_json, rfc3339
from event_listener.manage.access import needs
from event_listener.manage.connection import Connection
from event_listener.manage.describe import BYTES, Moment, Parameter, describe
from event_listener.policy import Action
from event_listener.store import Held
from event_listener.store.query import MAX_LIMIT, SETS

OneOf = Annotated[
    str,
    msgspec.Meta(extra_json_schema={"pattern": "[^,]"}, description="A value, or several separated by commas."),
]
LIMIT = Parameter("limit", "Most of a page; 100 by default.", Annotated[int, msgspec.Meta(ge=1, le=MAX_LIMIT)])
EVENT_PARAMETERS = tuple(
    LIMIT if name == "limit" else Parameter(name, text, parameters.TYPES.get(name, OneOf), repeated=name in SETS)
    for name, text in parameters.TEXTS.items()
)
_PAGE = (Parameter("after", "The `next` of the page before.", parameters.TYPES["after"]), LIMIT)


class Events(TypedDict):
    """A page: ``next`` is where the next one begins, null on the last; ``head`` is the end of the log."""

    events: list[EventDocument]
    head: int
    next: int | None


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


def blueprint(connection: Connection) -> Blueprint:
    """The routes."""
    routes = Blueprint("events", __name__, url_prefix="/api/v1")

    @routes.get("/events")
    @needs(Action.READ_EVENTS)
    @describe("Events, in pages.", Events, parameters=EVENT_PARAMETERS)
    def find() -> Response:
        asked = parameters.query(request.args.to_dict(flat=False), time.time_ns())
        page = connection.store.queries.find(msgspec.structs.replace(asked, scope=g.scope))
        return jsonify(events=[as_json(event) for event in page.events], head=page.head, next=page.next)

    @routes.get("/events/<event_id>")
    @needs(Action.READ_EVENTS)
    @describe("One event.", EventDocument)
    def one(event_id: str) -> Response:
        event = connection.store.queries.get(event_id, g.scope)
        if event is None:
            raise NotFound(f"there is no event {event_id}")
        return jsonify(as_json(event))

    @routes.get("/events/<event_id>/raw")
    @needs(Action.READ_EVENTS)
    @describe("The POST that it came in, byte for byte.", media=BYTES)
    def raw(event_id: str) -> Response:
        event = connection.store.queries.get(event_id, g.scope)
        payload = connection.store.queries.payload(event.payload_id) if event is not None else None
        if payload is None:
            raise NotFound(f"there is no event {event_id}")
        return _bytes(payload.body)

    @routes.get("/quarantine")
    @describe("What was not understood, oldest first.", Quarantine, parameters=_PAGE)
    def quarantine() -> Response:
        limit = parameters.query({"limit": [request.args.get("limit", "100")]}, 0).limit
        after = parameters.query({"after": [request.args.get("after", "0")]}, 0).after
        held = connection.store.quarantine.list(after, limit + 1)
        more = held[limit - 1].seq if len(held) > limit else None
        return jsonify(quarantine=[_held(item) for item in held[:limit]], next=more)

    @routes.get("/quarantine/<int:seq>/raw")
    @describe("A quarantined body, byte for byte.", media=BYTES)
    def quarantined(seq: int) -> Response:
        body = connection.store.quarantine.body(seq)
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
