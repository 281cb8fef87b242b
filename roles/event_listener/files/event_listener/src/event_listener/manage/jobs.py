# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/jobs`: long-running jobs, what hangs and what didn't start."""

from __future__ import annotations

import time

import msgspec
from flask import Blueprint, Response, g, jsonify, request
from werkzeug.exceptions import NotFound

from event_listener import job_view
from event_listener.manage.access import needs
from event_listener.manage.connection import Connection
from event_listener.policy import Action


def blueprint(connection: Connection) -> Blueprint:
    """The routes."""
    routes = Blueprint("jobs", __name__, url_prefix="/api/v1")

    @routes.get("/jobs")
    @needs(Action.READ_EVENTS)
    def find() -> Response:
        now = time.time_ns()
        asked = job_view.query(request.args.to_dict(flat=False), now)
        found, more = connection.store.jobs.find(msgspec.structs.replace(asked, scope=g.scope))
        return jsonify(jobs=[job_view.shown(job, now) for job in found], next=more)

    @routes.get("/jobs/<job_id>")
    @needs(Action.READ_EVENTS)
    def one(job_id: str) -> Response:
        job = connection.store.jobs.get(job_id, g.scope)
        if job is None:
            raise NotFound(f"there is no job {job_id}")
        return jsonify(job_view.shown(job, time.time_ns()))

    return routes
