# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/events/<id>/trace`: what became of an event."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify
from werkzeug.exceptions import NotFound

from event_listener.manage.connection import Connection
from event_listener.settings import Settings
from event_listener.trace import trace


def blueprint(settings: Settings, connection: Connection) -> Blueprint:
    """The route."""
    routes = Blueprint("trace", __name__, url_prefix="/api/v1")

    @routes.get("/events/<event_id>/trace")
    def traced(event_id: str) -> Response:
        event = connection.store.queries.get(event_id)
        if event is None:
            raise NotFound(f"there is no event {event_id}")
        return jsonify(trace(settings, connection.store, event))

    return routes
