# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/credentials`: what BMCs may show, by name, and who would be refused without it."""

from __future__ import annotations

import msgspec
from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import BadRequest

from event_listener.credentials import needs
from event_listener.manage.connection import Connection
from event_listener.settings import Settings


def blueprint(settings: Settings, connection: Connection) -> Blueprint:
    """The routes."""
    routes = Blueprint("credentials", __name__, url_prefix="/api/v1/credentials")

    @routes.get("")
    def accepted() -> Response:
        return jsonify(credentials=[{"name": item.name} for item in settings.ingest.credentials])

    @routes.get("/needs")
    def needed() -> Response:
        keep, heard = request.args.getlist("keep"), request.args.get("heard", "false")
        if not keep or not request.args.keys() <= {"keep", "heard"} or heard not in ("true", "false"):
            raise BadRequest("give keep=NAME once or more, and heard=true or false")
        sources = connection.store.sources
        found = needs(sources.list(), sources.credential_uses(), keep, heard=heard == "true")
        return jsonify(needs=msgspec.to_builtins(found))

    return routes
