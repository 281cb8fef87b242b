# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/proofs`: test events that are about to come, and which of them came."""

from __future__ import annotations

import time
from typing import Any, TypedDict

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import NotFound

from event_listener.event import rfc3339
from event_listener.manage.connection import Connection
from event_listener.manage.describe import Moment, describe
from event_listener.proofs import Announcement, Matched, Proof, announce, announcement_of


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
        return _answer(proofs[0].batch, proofs), 201

    @routes.get("/<batch>")
    @describe("Which of the announced test events arrived.", Proofs)
    def one(batch: str) -> Response:
        proofs = connection.store.proofs.batch(batch)
        if not proofs:
            raise NotFound(f"there are no proofs {batch}; they are kept for a day after they were announced")
        return _answer(batch, proofs)

    return routes


def _answer(batch: str, proofs: list[Proof]) -> Response:
    return jsonify(batch=batch, now=rfc3339(time.time_ns()), proofs=[_shown(proof) for proof in proofs])


def _shown(proof: Proof) -> dict[str, Any]:
    return {
        "source": proof.source,
        "marker": proof.marker,
        "asked": rfc3339(proof.asked_ns),
        "received": None if proof.received_ns is None else rfc3339(proof.received_ns),
        "event_id": proof.event_id,
        "matched": proof.matched,
    }
