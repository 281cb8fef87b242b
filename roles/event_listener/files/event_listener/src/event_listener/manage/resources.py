# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/resources`: the state of the fleet's resources, as their events said last."""

from __future__ import annotations

from typing import TypedDict

import msgspec
from flask import Blueprint, Response, g, jsonify, request

from event_listener.manage.access import needs
from event_listener.manage.connection import Connection
from event_listener.manage.describe import Moment, Parameter, describe
from event_listener.manage.events import LIMIT, OneOf
from event_listener.policy import Action
from event_listener.resource_view import TEXTS, query, shown, token

_PARAMETERS = (
    *(Parameter(name, text, OneOf, repeated=True) for name, text in TEXTS.items()),
    Parameter("after", "The `next` of the page before."),
    LIMIT,
)


class Resource(TypedDict):
    """An aspect of a resource: as it is, since when, as it was."""

    source: str
    resource_id: str
    aspect: str
    resource_type: str | None
    state: str
    previous: str | None
    since: Moment
    seen: Moment
    event_id: str


class Resources(TypedDict):
    """A page; ``next`` is null on the last one."""

    resources: list[Resource]
    next: str | None


def blueprint(connection: Connection) -> Blueprint:
    """The route."""
    routes = Blueprint("resources", __name__, url_prefix="/api/v1")

    @routes.get("/resources")
    @needs(Action.READ_SOURCES)
    @describe("The state of resources, as their events said last.", Resources, parameters=_PARAMETERS)
    def find() -> Response:
        asked = query(request.args.to_dict(flat=False))
        found = connection.store.states.find(msgspec.structs.replace(asked, limit=asked.limit + 1, scope=g.scope))
        page = found[: asked.limit]
        more = token(page[-1]) if len(found) > asked.limit else None
        return jsonify(resources=[shown(state) for state in page], next=more)

    return routes
