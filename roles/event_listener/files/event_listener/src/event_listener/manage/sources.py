# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/sources`: the registry."""

from __future__ import annotations

import logging

import msgspec
from flask import Blueprint, Response, g, jsonify, request
from werkzeug.exceptions import BadRequest, NotFound

from event_listener import registry
from event_listener.manage.access import needs
from event_listener.manage.connection import Connection
from event_listener.policy import Action
from event_listener.source_view import STATUSES, shown, view

logger = logging.getLogger(__name__)


def blueprint(connection: Connection) -> Blueprint:
    """The routes."""
    routes = Blueprint("sources", __name__, url_prefix="/api/v1/sources")

    @routes.get("")
    @needs(Action.READ_SOURCES)
    def all_sources() -> Response:
        wanted = _status(request.args.get("health"))
        found = view(connection.store, g.scope)
        return jsonify(sources=[one for one in found if wanted in (None, one["health"]["status"])])

    @routes.get("/<name>")
    @needs(Action.READ_SOURCES)
    def one(name: str) -> Response:
        known = connection.store.sources
        source, activity = known.get(name), known.activity_of(name)
        if (source is None and activity is None) or not g.scope.holds(registry.owner_of(source)):
            raise NotFound(f"source {name} is neither registered nor was it ever heard")
        proven, uses = connection.store.proofs.last_proven().get(name), known.credential_uses(name).get(name)
        health = connection.store.health.all().get(name)
        return jsonify(shown(name, source, activity, proven, uses, health))

    @routes.patch("")
    def upsert() -> Response:
        document = request.get_json(force=True)
        if not isinstance(document, dict) or not document.keys() <= {"sources", "check"} or "sources" not in document:
            raise BadRequest('send {"sources": [{"name": ...}, ...], "check": false}')
        check = document.get("check", False)
        if not isinstance(check, bool):
            raise BadRequest("check is true or false")
        plan = connection.store.sources.upsert(registry.changes(document["sources"]), check=check)
        if not check and plan.write:
            logger.info("%s registered %d sources and changed %d", g.token, len(plan.created), len(plan.updated))
        answer = {"created": plan.created, "updated": plan.updated, "unchanged": plan.unchanged}
        return jsonify(**answer, diff=msgspec.to_builtins(plan.diff))

    @routes.delete("/<name>")
    def delete(name: str) -> Response:
        if not connection.store.sources.delete(name):
            raise NotFound(f"source {name} isn't registered")
        logger.info("%s removed source %s", g.token, name)
        return Response(status=204)

    return routes


def _status(wanted: str | None) -> str | None:
    if wanted is not None and wanted not in STATUSES:
        raise BadRequest(f"health {wanted[:40]!r} is none of {', '.join(STATUSES)}")
    return wanted
