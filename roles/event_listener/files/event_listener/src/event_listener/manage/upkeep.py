# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/upkeep` and `/api/v1/coverage`: what playbooks that keep a fleet whole have to know and to tell."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import BadRequest, NotFound

from event_listener.event import rfc3339
from event_listener.manage.connection import Connection
from event_listener.store import Care, Outage, Store
from event_listener.upkeep import changes, coverage_of


def blueprint(connection: Connection) -> Blueprint:
    """The routes."""
    routes = Blueprint("upkeep", __name__, url_prefix="/api/v1")

    @routes.get("/upkeep")
    def show() -> Response:
        return _answer(connection.store)

    @routes.post("/upkeep")
    def tell() -> Response:
        document = request.get_json(force=True)
        if not isinstance(document, dict) or document.keys() != {"sources"}:
            raise BadRequest('send {"sources": [{"name": ..., "verdict": ..., "repaired": ..., "complete": ...}, ...]}')
        connection.store.upkeep.take_care(changes(document["sources"], time.time_ns()))
        return _answer(connection.store)

    @routes.post("/coverage")
    def report() -> Response:
        found = coverage_of(request.get_json(force=True))
        connection.store.upkeep.report_coverage(msgspec.to_builtins(found), time.time_ns())
        return jsonify(msgspec.to_builtins(found))

    @routes.get("/coverage")
    def coverage() -> Response:
        found = connection.store.upkeep.coverage()
        if found is None:
            raise NotFound("nobody looked at the whole fleet yet; run the playbook redfleet.events.coverage")
        document, at_ns = found
        return jsonify(**document, at=rfc3339(at_ns))

    return routes


def _answer(store: Store) -> Response:
    care, proven, asked = store.upkeep.care(), store.proofs.last_proven(), store.proofs.last_asked()
    sources = {
        name: {
            "registered": rfc3339(registered_ns),
            **_care(care.get(name, Care(name))),
            "last_proven": _time(proven.get(name, 0)),
            "last_asked": _time(asked.get(name, 0)),
        }
        for name, registered_ns in store.sources.registered().items()
    }
    outages = [_outage(one) for one in store.upkeep.outages()]
    return jsonify(now=rfc3339(time.time_ns()), outages=outages, sources=sources)


def _care(care: Care) -> dict[str, Any]:
    return {
        "complete": _time(care.complete_ns),
        "repaired": _time(care.repaired_ns),
        "checked": _time(care.checked_ns),
        "verdict": care.verdict,
    }


def _outage(outage: Outage) -> dict[str, Any]:
    return {
        "listener": outage.place,
        "began": rfc3339(outage.began_ns),
        "ended": rfc3339(outage.ended_ns),
        "seconds": round((outage.ended_ns - outage.began_ns) / 1e9, 3),
    }


def _time(moment_ns: int) -> str | None:
    return rfc3339(moment_ns) if moment_ns else None
