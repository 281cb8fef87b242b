# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/events/types`: the event log as a whole."""

from __future__ import annotations

from typing import TypedDict

from flask import Blueprint, Response, jsonify, request

from event_listener.manage.access import needs
from event_listener.manage.connection import Connection
from event_listener.manage.describe import describe
from event_listener.manage.events import FILTERS, asked_for
from event_listener.policy import Action


class TypeCount(TypedDict):
    """A type, and how many events there are of it."""

    type: str
    count: int


class Types(TypedDict):
    """By name."""

    types: list[TypeCount]


def blueprint(connection: Connection) -> Blueprint:
    """The routes."""
    routes = Blueprint("event_log", __name__, url_prefix="/api/v1")

    @routes.get("/events/types")
    @needs(Action.READ_EVENTS)
    @describe("The types of the events that fit, and how many there are of each.", Types, parameters=FILTERS)
    def types() -> Response:
        found = connection.store.queries.types(asked_for(request.args.to_dict(flat=False)))
        return jsonify(types=[{"type": name, "count": count} for name, count in found])

    return routes
