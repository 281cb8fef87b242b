# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/sources`: the registry."""

from __future__ import annotations

import logging
from typing import Literal, TypedDict

import msgspec
from flask import Blueprint, Response, g, jsonify, request
from werkzeug.exceptions import BadRequest, NotFound

from event_listener import registry
from event_listener.manage.access import needs
from event_listener.manage.connection import Connection
from event_listener.manage.describe import Moment, Parameter, describe
from event_listener.policy import Action
from event_listener.source_view import STATUSES, here, shown, view

logger = logging.getLogger(__name__)


HealthStatus = Literal["ok", "silent", "unjudged"]
_HEALTH = Parameter("health", "Only sources of this health.", HealthStatus)


class ShownPathSecret(TypedDict):
    """A secret path, without the secret."""

    id: str
    networks: list[str]
    fingerprint: str


class Registered(TypedDict):
    """What is registered about a source; null: not known."""

    name: str
    address: str | None
    uuid: str | None
    serial: str | None
    model: str | None
    firmware: str | None
    manufacturer: str | None
    service: str | None
    labels: dict[str, str]
    domain: str | None
    account: str | None
    state: registry.SourceState
    response_status: registry.ResponseStatus | None
    heartbeat_minutes: registry.HeartbeatMinutes | None
    path_secrets: list[ShownPathSecret]
    credential: str | None
    credential_given: Moment | None


class ShownHealth(TypedDict):
    """Whether it is heard as often as it should be."""

    status: HealthStatus
    since: Moment | None
    may_be_silent_s: float | None
    heartbeat_minutes: int | None
    heartbeats_missed: int | None


class ShownRefused(TypedDict):
    """Attempts that this host refused since its ingest was started, by reason."""

    count: int
    last: Moment | None
    reasons: dict[str, int]


class ShownSource(Registered):
    """A source, and what it did. ``heard_with``: when it last showed which credential.

    ``events_per_minute``: lately, as a load average of five minutes.
    """

    registered: bool
    last_seen: Moment | None
    last_proven: Moment | None
    payloads: int
    events: int
    quarantined: int
    events_per_minute: float
    refused: ShownRefused
    health: ShownHealth
    heard_with: dict[str, Moment]


class Sources(TypedDict):
    """Sources by name."""

    sources: list[ShownSource]


class SourcesWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sources as they shall be. With ``check`` nothing is written."""

    sources: list[registry.SourceChange]
    check: bool = False


class Difference(TypedDict):
    """One source before (null: it is new) and after."""

    name: str
    before: Registered | None
    after: Registered


class Upserted(TypedDict):
    """Names by what happened to them."""

    created: list[str]
    updated: list[str]
    unchanged: list[str]
    diff: list[Difference]


def blueprint(connection: Connection, state_dir: str) -> Blueprint:
    """The routes."""
    routes = Blueprint("sources", __name__, url_prefix="/api/v1/sources")

    @routes.get("")
    @needs(Action.READ_SOURCES)
    @describe("Registered sources, and senders that nobody registered.", Sources, parameters=(_HEALTH,))
    def all_sources() -> Response:
        wanted = _status(request.args.get("health"))
        found = view(connection.store, g.scope, here(state_dir))
        return jsonify(sources=[one for one in found if wanted in (None, one["health"]["status"])])

    @routes.get("/<name>")
    @needs(Action.READ_SOURCES)
    @describe("One source.", ShownSource)
    def one(name: str) -> Response:
        known = connection.store.sources
        source, activity = known.get(name), known.activity_of(name)
        if (source is None and activity is None) or not g.scope.holds(registry.owner_of(source)):
            raise NotFound(f"source {name} is neither registered nor was it ever heard")
        proven, uses = connection.store.proofs.last_proven().get(name), known.credential_uses(name).get(name)
        health = connection.store.health.all().get(name)
        return jsonify(shown(name, source, activity, proven, uses, health, here(state_dir)))

    @routes.patch("")
    @describe("Register or change many sources, all or none.", Upserted, body=SourcesWish)
    def upsert() -> Response:
        document = request.get_json(force=True)
        if not isinstance(document, dict) or not document.keys() <= {"sources", "check"} or "sources" not in document:
            raise BadRequest('send {"sources": [{"name": ...}, ...], "check": false}')
        check = document.get("check", False)
        if not isinstance(check, bool):
            raise BadRequest("check is true or false")
        plan = connection.store.sources.upsert(registry.changes(document["sources"]), check=check, actor=g.actor)
        if not check and plan.write:
            logger.info("%s registered %d sources and changed %d", g.token, len(plan.created), len(plan.updated))
        answer = {"created": plan.created, "updated": plan.updated, "unchanged": plan.unchanged}
        return jsonify(**answer, diff=msgspec.to_builtins(plan.diff))

    @routes.delete("/<name>")
    @describe("Forget a registration; its events stay.")
    def delete(name: str) -> Response:
        if not connection.store.sources.delete(name, g.actor):
            raise NotFound(f"source {name} isn't registered")
        logger.info("%s removed source %s", g.token, name)
        return Response(status=204)

    return routes


def _status(wanted: str | None) -> str | None:
    if wanted is not None and wanted not in STATUSES:
        raise BadRequest(f"health {wanted[:40]!r} is none of {', '.join(STATUSES)}")
    return wanted
