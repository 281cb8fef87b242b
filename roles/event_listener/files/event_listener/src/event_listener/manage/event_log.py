# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/events/types`, `/export`, `/archive` and `/delete`: many events at once."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec
from flask import Blueprint, Response, g, jsonify, request

from event_listener.event import EventDocument
from event_listener.event_export import Form, parts
from event_listener.manage.access import needs, reached
from event_listener.manage.accounts import body
from event_listener.manage.connection import Connection
from event_listener.manage.describe import JSON, Parameter, describe
from event_listener.manage.events import EVENT_PARAMETERS, FILTERS, asked_for
from event_listener.manage.problems import RETRY_AFTER, problem
from event_listener.policy import Action, Owner
from event_listener.store import Deed, Query

_EXPORTS = 2  # at once; each keeps a thread for as long as its client takes
NDJSON = "application/x-ndjson"
_EXPORT = (
    *FILTERS,
    *(one for one in EVENT_PARAMETERS if one.name == "order"),
    Parameter("payload", "`true`: with the POST that each came in.", Literal["true", "false"]),
)
_Text = Annotated[str, msgspec.Meta(min_length=1)]
# An empty list would be no condition, and so mean more than whoever made it empty wanted.
Texts = Annotated[list[_Text], msgspec.Meta(min_length=1, description="Any of these values.")] | msgspec.UnsetType


class TypeCount(TypedDict):
    """A type, and how many events there are of it."""

    type: str
    count: int


class Types(TypedDict):
    """By name."""

    types: list[TypeCount]


class Post(TypedDict):
    """What an event came in."""

    content_type: str
    peer: str
    body_base64: str


class ExportedEvent(EventDocument):
    """With ``payload=true`` also the POST; null where it holds events of others, too."""

    payload: NotRequired[Post | None]


class Exported(TypedDict):
    """All of them."""

    events: list[ExportedEvent]


class Chosen(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Which events: the filters of a query, at least one. Without ``archived`` only those that aren't."""

    id: Texts = msgspec.UNSET
    source: Texts = msgspec.UNSET
    category: Texts = msgspec.UNSET
    type: Texts = msgspec.UNSET
    level: Texts = msgspec.UNSET
    state: Texts = msgspec.UNSET
    origin: Texts = msgspec.UNSET
    site: Texts = msgspec.UNSET
    resource_type: Texts = msgspec.UNSET
    resource_id: Texts = msgspec.UNSET
    start_id: Texts = msgspec.UNSET
    domain: Texts = msgspec.UNSET
    account: Texts = msgspec.UNSET
    below: _Text | None = None
    keyword: _Text | None = None
    since: _Text | None = None
    until: _Text | None = None
    archived: Literal["false", "true", "all"] | None = None
    dry_run: bool = False


class Affected(TypedDict):
    """How many events were changed, or would be with ``dry_run``."""

    affected: int
    dry_run: bool


def blueprint(connection: Connection, timeout: float) -> Blueprint:
    """The routes. ``timeout``: seconds after which an export whose client takes nothing ends."""
    routes = Blueprint("event_log", __name__, url_prefix="/api/v1")
    exports = threading.BoundedSemaphore(_EXPORTS)

    @routes.get("/events/types")
    @needs(Action.READ_EVENTS)
    @describe("The types of the events that fit, and how many there are of each.", Types, parameters=FILTERS)
    def types() -> Response:
        found = connection.store.queries.types(asked_for(request.args.to_dict(flat=False)))
        return jsonify(types=[{"type": name, "count": count} for name, count in found])

    def exported(form: Form) -> Response:
        given = request.args.to_dict(flat=False)
        payloads = given.pop("payload", ["false"]) == ["true"]
        found = parts(connection.store, asked_for(given), form, payloads=payloads)
        if not exports.acquire(blocking=False):
            detail = f"{_EXPORTS} exports run, as many as may; try later"
            return problem(503, detail, {"Retry-After": RETRY_AFTER})
        if (client := request.environ.get("gunicorn.socket")) is not None:
            client.settimeout(timeout)
        answer = Response(found, content_type=NDJSON if form == "ndjson" else JSON)
        answer.call_on_close(exports.release)
        return answer

    @routes.get("/events/export")
    @needs(Action.READ_EVENTS)
    @describe("All events that fit, however many: one in each line.", media=NDJSON, parameters=_EXPORT)
    def export() -> Response:
        return exported("ndjson")

    @routes.get("/events/export/json")
    @needs(Action.READ_EVENTS)
    @describe("All events that fit, however many, as one JSON object.", Exported, parameters=_EXPORT)
    def export_json() -> Response:
        return exported("json")

    @routes.post("/events/archive")
    @needs(Action.MANAGE_EVENTS)
    @describe("Archive events: all that are meant, or none.", Affected, body=Chosen, problems=(404,))
    def archive() -> Response:
        return _done(connection, Deed.ARCHIVE)

    @routes.post("/events/delete")
    @needs(Action.MANAGE_EVENTS)
    @describe("Delete events: all that are meant, or none.", Affected, body=Chosen, problems=(404,))
    def delete() -> Response:
        return _done(connection, Deed.DELETE)

    return routes


def _done(connection: Connection, deed: Deed) -> Response:
    chosen = body(Chosen)
    owner = Owner(g.principal.domain, g.principal.account)
    count = connection.store.deeds.do(deed, _query(chosen), g.actor, owner, dry_run=chosen.dry_run)
    return jsonify(affected=count, dry_run=chosen.dry_run)


def _query(chosen: Chosen) -> Query:
    """Raises ParameterError."""
    given: Mapping[str, str | list[str]] = {
        name: value
        for name, value in msgspec.structs.asdict(chosen).items()
        if name != "dry_run" and value not in (None, msgspec.UNSET)
    }
    texts = {name: value if isinstance(value, list) else [value] for name, value in given.items()}
    return msgspec.structs.replace(asked_for(texts), scope=reached(Action.MANAGE_EVENTS))
