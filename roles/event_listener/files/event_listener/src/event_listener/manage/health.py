# SPDX-License-Identifier: GPL-3.0-or-later
"""`/health/live`: this process answers. `/health/ready`: the listener does its work, or why not.

`/health/receiving`: BMCs are acknowledged here, whatever else is down; asked by what gives a host their address.
"""

from __future__ import annotations

from typing import Literal, TypedDict

import msgspec
from flask import Blueprint, Response, jsonify

from event_listener import status
from event_listener.certificate import certificates
from event_listener.manage.connection import Connection
from event_listener.manage.describe import describe
from event_listener.probe import events_binds, ingest_answers
from event_listener.settings import Settings
from event_listener.status import Check, Verdict
from event_listener.store import StoreUnavailableError


class Live(TypedDict):
    """It answers."""

    status: Literal["live"]


class Readiness(TypedDict):
    """The worst of the checks, and all of them."""

    status: Verdict
    checks: list[Check]


def blueprint(settings: Settings, connection: Connection) -> Blueprint:
    """The routes."""
    routes = Blueprint("health", __name__, url_prefix="/health")

    @routes.get("/live")
    @describe("This process answers.", Live)
    def live() -> Response:
        return jsonify(status="live")

    @routes.get("/ready")
    @describe("The listener does its work, or why not.", Readiness, statuses=(200, 503))
    def ready() -> tuple[Response, int]:
        # A sink that is down makes it degraded, never unready: taking the listener away would help nobody.
        return _answer([_ingest(settings), *_certificates(settings), *_checks(settings, connection)])

    @routes.get("/receiving")
    @describe("This host acknowledges events, whatever else is down, or why not.", Readiness, statuses=(200, 503))
    def receiving() -> tuple[Response, int]:
        return _answer([_ingest(settings), *status.receiving(settings.state_dir)])

    return routes


def _answer(found: list[Check]) -> tuple[Response, int]:
    verdict = status.verdict(found)
    answer = jsonify(status=verdict, checks=[msgspec.structs.asdict(check) for check in found])
    return answer, 503 if verdict == "unready" else 200


def _checks(settings: Settings, connection: Connection) -> list[Check]:
    try:
        return status.checks(settings.state_dir, connection.store)
    except StoreUnavailableError as error:
        return [Check("event log", "unready", str(error))]


def _certificates(settings: Settings) -> list[Check]:
    # Degraded even when it is out of date: BMCs that don't verify it go on sending.
    return [
        Check("certificate", "ready" if one.state == "good" else "degraded", "" if one.state == "good" else one.text)
        for one in certificates(settings)
    ]


def _ingest(settings: Settings) -> Check:
    if ingest_answers(settings):
        return Check("ingest", "ready")
    return Check("ingest", "unready", f"ingest doesn't answer at {events_binds(settings)[0]}; look at its log")
