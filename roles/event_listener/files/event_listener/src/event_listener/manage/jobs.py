# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/jobs`: long-running jobs, what hangs and what didn't start."""

from __future__ import annotations

import time
from typing import TypedDict

import msgspec
from flask import Blueprint, Response, g, jsonify, request
from werkzeug.exceptions import NotFound

from event_listener import job_view
from event_listener.event import Level
from event_listener.jobs import JobState
from event_listener.manage.access import needs
from event_listener.manage.connection import Connection
from event_listener.manage.describe import Moment, Parameter, describe
from event_listener.manage.events import OneOf
from event_listener.policy import Action
from event_listener.store.jobs import SETS

_PARAMETERS = tuple(
    Parameter(name, text, job_view.TYPES.get(name, OneOf), repeated=name in SETS)
    for name, text in job_view.TEXTS.items()
)


class ShownJob(TypedDict):
    """A job. Times are by the listener's clock; ``seconds``: how long it lasts, or lasted, since its start."""

    id: str
    source: str
    site: str | None
    domain: str
    account: str | None
    start_id: str
    operation: str
    state: JobState
    type: str
    level: Level
    resource_type: str | None
    resource_id: str | None
    message: str | None
    percent: int | None
    steps: int
    first_event: str
    last_event: str
    scheduled: Moment | None
    started: Moment | None
    ended: Moment | None
    seen: Moment
    hanging_since: Moment | None
    seconds: float | None


class ShownJobs(TypedDict):
    """A page, newest first; ``next`` is null on the last one."""

    jobs: list[ShownJob]
    next: int | None


def blueprint(connection: Connection) -> Blueprint:
    """The routes."""
    routes = Blueprint("jobs", __name__, url_prefix="/api/v1")

    @routes.get("/jobs")
    @needs(Action.READ_EVENTS)
    @describe("Long-running jobs, newest first.", ShownJobs, parameters=_PARAMETERS)
    def find() -> Response:
        now = time.time_ns()
        asked = job_view.query(request.args.to_dict(flat=False), now)
        found, more = connection.store.jobs.find(msgspec.structs.replace(asked, scope=g.scope))
        return jsonify(jobs=[job_view.shown(job, now) for job in found], next=more)

    @routes.get("/jobs/<job_id>")
    @needs(Action.READ_EVENTS)
    @describe("One job.", ShownJob)
    def one(job_id: str) -> Response:
        job = connection.store.jobs.get(job_id, g.scope)
        if job is None:
            raise NotFound(f"there is no job {job_id}")
        return jsonify(job_view.shown(job, time.time_ns()))

    return routes
