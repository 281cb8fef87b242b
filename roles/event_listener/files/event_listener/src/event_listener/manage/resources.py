# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/resources`: the state of the fleet's resources, as their events said last."""

from __future__ import annotations

from typing import Any, TypedDict

import msgspec
from flask import Blueprint, Response, g, jsonify, request

from event_listener import parameters
from event_listener.event import rfc3339
from event_listener.manage.access import needs
from event_listener.manage.connection import Connection
from event_listener.manage.describe import Moment, Parameter, describe
from event_listener.manage.events import LIMIT, OneOf
from event_listener.policy import Action
from event_listener.store import ResourceState, StateQuery

_SETS = ("source", "resource_type", "resource_id", "aspect", "state")


_TEXTS = {
    "source": "Of these sources.",
    "resource_type": "Of these types.",
    "resource_id": "These resources.",
    "aspect": "These aspects: health, power, state.",
    "state": "In these states.",
}
_PARAMETERS = (
    *(Parameter(name, _TEXTS[name], OneOf, repeated=True) for name in _SETS),
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
        query = _query(request.args.to_dict(flat=False))
        found = connection.store.states.find(msgspec.structs.replace(query, limit=query.limit + 1, scope=g.scope))
        page = found[: query.limit]
        more = _token(page[-1]) if len(found) > query.limit else None
        return jsonify(resources=[shown(state) for state in page], next=more)

    return routes


def shown(state: ResourceState) -> dict[str, Any]:
    """A state as the API shows it."""
    fields: dict[str, Any] = msgspec.structs.asdict(state)
    fields["since"], fields["seen"] = rfc3339(fields.pop("since_ns")), rfc3339(fields.pop("seen_ns"))
    return fields


def _query(given: dict[str, list[str]]) -> StateQuery:
    fields: dict[str, Any] = {}
    for name, texts in given.items():
        if name in _SETS:
            fields[name] = tuple(value for text in texts for value in text.split(",") if value)
        elif name == "limit" and len(texts) == 1:
            fields[name] = parameters.query({"limit": texts}, 0).limit
        elif name == "after" and len(texts) == 1:
            fields[name] = _key(texts[0])
        else:
            names = ", ".join(sorted((*_SETS, "after", "limit")))
            raise parameters.ParameterError(f"{name} is no parameter, or given twice; there are {names}")
    return StateQuery(**fields)


def _token(state: ResourceState) -> str:
    """Where the next page begins. A source's name has no space, and an aspect none either."""
    return f"{state.source} {state.aspect} {state.resource_id}"


def _key(token: str) -> tuple[str, str, str]:
    source, _space, rest = token.partition(" ")
    aspect, space, resource_id = rest.partition(" ")
    if not space:
        raise parameters.ParameterError(f"after {token[:80]!r} isn't the `next` of a page")
    return source, resource_id, aspect
