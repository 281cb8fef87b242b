# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/events/<id>/trace`: what became of an event."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from flask import Blueprint, Response, jsonify

from event_listener.manage.connection import Connection
from event_listener.manage.describe import Moment, describe
from event_listener.manage.events import ARCHIVED, seen
from event_listener.settings import Settings
from event_listener.trace import trace


class TracedSink(TypedDict):
    """What became of an event at one sink."""

    sink: str
    state: Literal["not routed", "rejected", "skipped", "before its time", "waiting", "confirmed", "passed"]
    reason: str
    confirmed: Moment | None
    not_before: Moment | None
    again: list[Moment]
    route: NotRequired[str | None]


class Trace(TypedDict):
    """The way of one event. Times are null where nobody knows them."""

    id: str
    seq: int
    source: str
    type: str
    archived: bool
    bmc_time: str | None
    peer: str | None
    credential: str | None
    site: str | None
    received: Moment
    acknowledged: Moment | None
    indexed: Moment | None
    sinks: list[TracedSink]


def blueprint(settings: Settings, connection: Connection) -> Blueprint:
    """The route."""
    routes = Blueprint("trace", __name__, url_prefix="/api/v1")

    @routes.get("/events/<event_id>/trace")
    @describe("What became of an event, at each sink.", Trace, parameters=(ARCHIVED,))
    def traced(event_id: str) -> Response:
        return jsonify(trace(settings, connection.store, seen(connection, event_id)))

    return routes
