# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/proofs`: test events that are about to come, and which of them came."""

from __future__ import annotations

import time
from typing import TypedDict

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import NotFound

from event_listener.manage.connection import Connection
from event_listener.manage.describe import Moment, describe
from event_listener.proof_view import shown
from event_listener.proofs import Announcement, Matched, announce, announcement_of


class ShownProof(TypedDict):
    """A test event that was announced; ``received``, ``event_id`` and ``matched`` once it arrived."""

    source: str
    marker: str
    asked: Moment
    received: Moment | None
    event_id: str | None
    matched: Matched | None


class Proofs(TypedDict):
    """Those that were announced together. ``now`` is the listener's clock."""

    batch: str
    now: Moment
    proofs: list[ShownProof]


def blueprint(connection: Connection) -> Blueprint:
    """The routes."""
    routes = Blueprint("proofs", __name__, url_prefix="/api/v1/proofs")

    @routes.post("")
    @describe("Announce test events.", Proofs, statuses=(201,), body=Announcement)
    def begin() -> tuple[Response, int]:
        wanted = announcement_of(request.get_json(force=True))
        now = time.time_ns()
        proofs = announce(wanted, now)
        connection.store.proofs.announce(proofs, now)
        return jsonify(shown(proofs[0].batch, proofs)), 201

    @routes.get("/<batch>")
    @describe("Which of the announced test events arrived.", Proofs)
    def one(batch: str) -> Response:
        proofs = connection.store.proofs.batch(batch)
        if not proofs:
            raise NotFound(f"there are no proofs {batch}; they are kept for a day after they were announced")
        return jsonify(shown(batch, proofs))

    return routes
