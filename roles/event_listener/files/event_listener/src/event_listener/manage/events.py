# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/events`, `/api/v1/quarantine` and `/api/v1/sinks`."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from flask import Blueprint, Response, g, jsonify, request
from werkzeug.exceptions import NotFound

from event_listener import parameters, status
from event_listener.event import as_json, rfc3339
from event_listener.manage.access import needs
from event_listener.manage.connection import Connection
from event_listener.policy import Action
from event_listener.store import Held


def blueprint(connection: Connection) -> Blueprint:
    """The routes."""
    routes = Blueprint("events", __name__, url_prefix="/api/v1")

    @routes.get("/events")
    @needs(Action.READ_EVENTS)
    def find() -> Response:
        asked = parameters.query(request.args.to_dict(flat=False), time.time_ns())
        page = connection.store.queries.find(msgspec.structs.replace(asked, scope=g.scope))
        return jsonify(events=[as_json(event) for event in page.events], head=page.head, next=page.next)

    @routes.get("/events/<event_id>")
    @needs(Action.READ_EVENTS)
    def one(event_id: str) -> Response:
        event = connection.store.queries.get(event_id, g.scope)
        if event is None:
            raise NotFound(f"there is no event {event_id}")
        return jsonify(as_json(event))

    @routes.get("/events/<event_id>/raw")
    @needs(Action.READ_EVENTS)
    def raw(event_id: str) -> Response:
        event = connection.store.queries.get(event_id, g.scope)
        payload = connection.store.queries.payload(event.payload_id) if event is not None else None
        if payload is None:
            raise NotFound(f"there is no event {event_id}")
        return _bytes(payload.body)

    @routes.get("/quarantine")
    def quarantine() -> Response:
        limit = parameters.query({"limit": [request.args.get("limit", "100")]}, 0).limit
        after = parameters.query({"after": [request.args.get("after", "0")]}, 0).after
        held = connection.store.quarantine.list(after, limit + 1)
        more = held[limit - 1].seq if len(held) > limit else None
        return jsonify(quarantine=[_held(item) for item in held[:limit]], next=more)

    @routes.get("/quarantine/<int:seq>/raw")
    def quarantined(seq: int) -> Response:
        body = connection.store.quarantine.body(seq)
        if body is None:
            raise NotFound(f"there is no quarantined payload {seq}")
        return _bytes(body)

    @routes.get("/sinks")
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
