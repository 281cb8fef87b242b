# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/backfill`: entries of BMCs' logs, of which those are added that the event log lacks."""

from __future__ import annotations

import logging
from typing import TypedDict

import msgspec
from flask import Blueprint, Response, g, jsonify, request

from event_listener.backfill import Backfill, Outcome, Request, request_of
from event_listener.manage.connection import Connection
from event_listener.manage.describe import describe
from event_listener.settings import Settings

logger = logging.getLogger(__name__)


class Outcomes(TypedDict):
    """Of each source, in the order of the request."""

    sources: list[Outcome]


def blueprint(settings: Settings, connection: Connection) -> Blueprint:
    """The routes."""
    routes = Blueprint("backfill", __name__, url_prefix="/api/v1")
    backfill = Backfill(settings.state_dir)

    @routes.post("/backfill")
    @describe("Add the entries of logs that the event log lacks.", Outcomes, body=Request)
    def add() -> Response:
        wanted = request_of(request.get_json(force=True))
        outcomes = backfill.run(connection.store, wanted, g.actor)
        added = sum(outcome.added for outcome in outcomes)
        if added and not wanted.check:
            logger.info("%s backfilled %d events of %d sources", g.token, added, len(outcomes))
        return jsonify(sources=msgspec.to_builtins(outcomes))

    return routes
