# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/alerts`: what administrators should do something about, and what they did."""

from __future__ import annotations

import time
from typing import Annotated, TypedDict

import msgspec
from flask import Blueprint, Response, g, jsonify, request
from werkzeug.exceptions import BadRequest, NotFound

from event_listener import alert_view
from event_listener.event import Level
from event_listener.manage.access import needs
from event_listener.manage.accounts import body
from event_listener.manage.connection import Connection
from event_listener.manage.describe import Moment, Parameter, describe
from event_listener.manage.events import OneOf
from event_listener.policy import Action
from event_listener.store import AlertsRefusedError
from event_listener.store.alerts import MOST, SETS, Deed

_PARAMETERS = tuple(
    Parameter(name, text, alert_view.TYPES.get(name, OneOf), repeated=name in SETS)
    for name, text in alert_view.TEXTS.items()
)
Text = Annotated[str, msgspec.Meta(min_length=1, extra_json_schema={"pattern": "^[^,\\x00]+$"})]
Texts = Annotated[list[Text], msgspec.Meta(min_length=1, max_length=1000)]


class AlertFilter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which alerts, as the parameters of a query say it; at least one has to be given."""

    rule: Texts | None = None
    source: Texts | None = None
    level: Annotated[list[Level], msgspec.Meta(min_length=1)] | None = None
    state: Annotated[list[alert_view.State], msgspec.Meta(min_length=1)] | None = None
    type: Texts | None = None
    resource_id: Texts | None = None
    below: str | None = None
    since: str | None = None
    until: str | None = None
    archived: bool = False


class AlertDeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to do with which alerts: either ``ids`` or a ``filter``. With ``check`` it is only counted."""

    action: Deed
    ids: Annotated[list[Text], msgspec.Meta(min_length=1, max_length=MOST)] | None = None
    filter: AlertFilter | None = None
    check: bool = False


class Affected(TypedDict):
    """How many alerts were, or with ``check`` would be, changed."""

    affected: int


class ShownAlert(TypedDict):
    """One incident. ``sent``: how often an event told that it is open."""

    id: str
    rule: str
    source: str
    site: str | None
    domain: str
    account: str | None
    level: Level
    type: str
    resource_type: str | None
    resource_id: str | None
    message: str | None
    state: alert_view.State
    important: bool
    count: int
    sent: int
    fingerprint: str
    first_event: str
    last_event: str
    first_seen: Moment
    last_seen: Moment
    acknowledged: Moment | None
    acknowledged_by: str | None
    resolved: Moment | None
    resolved_by: str | None
    archived: Moment | None


class ShownAlerts(TypedDict):
    """A page, newest first; ``next`` is null on the last one."""

    alerts: list[ShownAlert]
    next: int | None


def blueprint(connection: Connection) -> Blueprint:
    """The routes."""
    routes = Blueprint("alerts", __name__, url_prefix="/api/v1")

    @routes.get("/alerts")
    @needs(Action.READ_ALERTS)
    @describe("Alerts, newest first; without archived ones.", ShownAlerts, parameters=_PARAMETERS)
    def find() -> Response:
        asked = alert_view.query(request.args.to_dict(flat=False), time.time_ns())
        found, more = connection.store.alerts.find(msgspec.structs.replace(asked, scope=g.scope))
        return jsonify(alerts=[alert_view.shown(alert) for alert in found], next=more)

    @routes.get("/alerts/<alert_id>")
    @needs(Action.READ_ALERTS)
    @describe("One alert, archived or not.", ShownAlert)
    def one(alert_id: str) -> Response:
        alert = connection.store.alerts.get(alert_id, g.scope)
        if alert is None:
            raise NotFound(f"there is no alert {alert_id}")
        return jsonify(alert_view.shown(alert))

    @routes.post("/alerts/actions")
    @needs(Action.MANAGE_ALERTS)
    @describe(
        "Acknowledge, resolve, archive or delete alerts: all of them or none.",
        Affected,
        body=AlertDeed,
        problems=(404,),
    )
    def act() -> Response:
        wanted = body(AlertDeed)
        asked = alert_view.query(_given(wanted), time.time_ns())
        try:
            affected = connection.store.alerts.act(
                wanted.action, msgspec.structs.replace(asked, scope=g.scope), g.actor, check=wanted.check
            )
        except AlertsRefusedError as error:
            raise NotFound(str(error)) from error
        return jsonify(affected=affected)

    return routes


def _given(wanted: AlertDeed) -> dict[str, list[str]]:
    """The parameters of the query. What says nothing is refused: it would be every alert."""
    given = {} if wanted.filter is None else msgspec.to_builtins(wanted.filter)
    if (wanted.ids is None) == (not given):
        raise BadRequest("give either ids or a filter that says something")
    if wanted.ids is not None:
        return {"id": list(wanted.ids)}
    return {
        name: value if isinstance(value, list) else ["true" if value is True else value]
        for name, value in given.items()
    }
