# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/upkeep` and `/api/v1/coverage`: what playbooks that keep a fleet whole have to know and to tell."""

from __future__ import annotations

import time
from typing import TypedDict

import msgspec
from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import BadRequest, NotFound

from event_listener.event import rfc3339
from event_listener.manage.connection import Connection
from event_listener.manage.describe import Moment, describe
from event_listener.upkeep import Cared, Coverage, changes, coverage_of
from event_listener.upkeep_view import shown


class ShownOutage(TypedDict):
    """A time without ingest."""

    listener: str
    began: Moment
    ended: Moment
    seconds: float


class ShownCare(TypedDict):
    """What was done for a source; null where it never happened."""

    registered: Moment
    complete: Moment | None
    repaired: Moment | None
    checked: Moment | None
    verdict: str
    last_proven: Moment | None
    last_asked: Moment | None


class Upkeep(TypedDict):
    """Outages of the last 90 days, and each registered source by name."""

    now: Moment
    outages: list[ShownOutage]
    sources: dict[str, ShownCare]


class UpkeepReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was done."""

    sources: list[Cared]


class ShownCoverage(TypedDict):
    """What a look at the whole fleet found, and when."""

    asked: int
    findings: dict[str, list[str]]
    free_slots: int
    at: Moment


def blueprint(connection: Connection) -> Blueprint:
    """The routes."""
    routes = Blueprint("upkeep", __name__, url_prefix="/api/v1")

    @routes.get("/upkeep")
    @describe("What is known of the upkeep of the fleet.", Upkeep)
    def show() -> Response:
        return jsonify(shown(connection.store))

    @routes.post("/upkeep")
    @describe("Tell what was done for sources.", Upkeep, body=UpkeepReport)
    def tell() -> Response:
        document = request.get_json(force=True)
        if not isinstance(document, dict) or document.keys() != {"sources"}:
            raise BadRequest('send {"sources": [{"name": ..., "verdict": ..., "repaired": ..., "complete": ...}, ...]}')
        connection.store.upkeep.take_care(changes(document["sources"], time.time_ns()))
        return jsonify(shown(connection.store))

    @routes.post("/coverage")
    @describe("Replace what the last look at the whole fleet found.", Coverage, body=Coverage)
    def report() -> Response:
        found = coverage_of(request.get_json(force=True))
        connection.store.upkeep.report_coverage(msgspec.to_builtins(found), time.time_ns())
        return jsonify(msgspec.to_builtins(found))

    @routes.get("/coverage")
    @describe("What the last look at the whole fleet found.", ShownCoverage, problems=(404,))
    def coverage() -> Response:
        found = connection.store.upkeep.coverage()
        if found is None:
            raise NotFound("nobody looked at the whole fleet yet; run the playbook redfleet.events.coverage")
        document, at_ns = found
        return jsonify(**document, at=rfc3339(at_ns))

    return routes
