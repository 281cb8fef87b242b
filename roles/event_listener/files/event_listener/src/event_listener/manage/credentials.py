# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/credentials`: what BMCs may show, by name, and who would be refused without it."""

from __future__ import annotations

from typing import Literal, TypedDict

import msgspec
from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import BadRequest

from event_listener.credentials import Need, needs
from event_listener.manage.connection import Connection
from event_listener.manage.describe import Parameter, describe
from event_listener.settings import Settings

_PARAMETERS = (
    Parameter("keep", "The credentials that would stay.", repeated=True, required=True),
    Parameter("heard", "Also those that were given one but not heard with it.", Literal["true", "false"]),
)


class Credential(TypedDict):
    """The name of what a BMC may show."""

    name: str


class Credentials(TypedDict):
    """Credentials of the settings."""

    credentials: list[Credential]


class Needs(TypedDict):
    """Who would be refused, and why."""

    needs: list[Need]


def blueprint(settings: Settings, connection: Connection) -> Blueprint:
    """The routes."""
    routes = Blueprint("credentials", __name__, url_prefix="/api/v1/credentials")

    @routes.get("")
    @describe("The names of what BMCs may show.", Credentials)
    def accepted() -> Response:
        return jsonify(credentials=[{"name": item.name} for item in settings.ingest.credentials])

    @routes.get("/needs")
    @describe("The sources that would be refused if only some credentials stayed.", Needs, parameters=_PARAMETERS)
    def needed() -> Response:
        keep, heard = request.args.getlist("keep"), request.args.get("heard", "false")
        if not keep or not request.args.keys() <= {"keep", "heard"} or heard not in ("true", "false"):
            raise BadRequest("give keep=NAME once or more, and heard=true or false")
        sources = connection.store.sources
        found = needs(sources.list(), sources.credential_uses(), keep, heard=heard == "true")
        return jsonify(needs=msgspec.to_builtins(found))

    return routes
