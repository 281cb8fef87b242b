# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/webhook-deliveries`: what was sent to webhooks, and sending it again (docs/webhooks.md)."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, Response, g, jsonify
from werkzeug.exceptions import BadRequest, Forbidden, NotFound

from event_listener.manage.access import needs
from event_listener.manage.connection import Connection
from event_listener.manage.describe import describe
from event_listener.manage.webhook_documents import (
    DELIVERY_FILTERS,
    DELIVERY_PARAMETERS,
    Deleted,
    ListedDeliveries,
    ShownDelivery,
    WholeDelivery,
)
from event_listener.manage.webhooks import parameters
from event_listener.parameters import ParameterError, moment
from event_listener.policy import Action, Reach, scope
from event_listener.store import DeliveryQuery
from event_listener.store.deliveries import MAX_LIMIT
from event_listener.webhooks.delivery_view import shown_attempt, shown_delivery
from event_listener.webhooks.schedule import DELIVERED, FAILED, PENDING

_TEXTS = ("id", "webhook", "event_id", "event_type", "state", "keyword")
_MOMENTS = ("since", "until")


def blueprint(connection: Connection) -> Blueprint:
    """The routes."""
    routes = Blueprint("webhook_deliveries", __name__, url_prefix="/api/v1")
    _history(routes, connection)
    _deliveries(routes, connection)
    return routes


def _history(routes: Blueprint, connection: Connection) -> None:
    @routes.get("/webhook-deliveries")
    @needs(Action.MANAGE_WEBHOOKS)
    @describe("Deliveries, newest first.", ListedDeliveries, parameters=DELIVERY_PARAMETERS)
    def deliveries() -> Response:
        _reads_events()
        query = _query()
        found, following = connection.store.deliveries.find(query, g.scope)
        return jsonify(deliveries=[shown_delivery(item) for item in found], next=following)

    @routes.get("/webhook-deliveries/<delivery_id>")
    @needs(Action.MANAGE_WEBHOOKS)
    @describe("A delivery with its attempts.", WholeDelivery)
    def delivery(delivery_id: str) -> Response:
        _reads_events()
        found = connection.store.deliveries.get(delivery_id, g.scope)
        if found is None:
            raise NotFound(_no_delivery(delivery_id))
        return jsonify({**shown_delivery(found[0]), "tries": [shown_attempt(item) for item in found[1]]})


def _deliveries(routes: Blueprint, connection: Connection) -> None:
    @routes.post("/webhook-deliveries/<delivery_id>/redeliver")
    @needs(Action.MANAGE_WEBHOOKS)
    @describe("Deliver the same payload again, as a delivery of its own.", ShownDelivery, statuses=(202,))
    def redeliver(delivery_id: str) -> tuple[Response, int]:
        _reads_events()
        made = connection.store.deliveries.redeliver(delivery_id, g.actor, g.scope)
        if made is None:
            raise NotFound(_no_delivery(delivery_id))
        return jsonify(shown_delivery(made)), 202

    @routes.delete("/webhook-deliveries/<delivery_id>")
    @needs(Action.MANAGE_WEBHOOKS)
    @describe("Remove a delivery; what still waits isn't sent.")
    def remove_delivery(delivery_id: str) -> Response:
        if not connection.store.deliveries.remove(DeliveryQuery(id=delivery_id), g.actor, g.scope):
            raise NotFound(_no_delivery(delivery_id))
        return Response(status=204)

    @routes.delete("/webhook-deliveries")
    @needs(Action.MANAGE_WEBHOOKS)
    @describe("Remove deliveries: at least one condition is needed.", Deleted, parameters=DELIVERY_FILTERS)
    def remove_deliveries() -> Response:
        query = _query()
        if query == DeliveryQuery():
            raise BadRequest("say which: webhook, event_type, state, since, until, ...")
        return jsonify(deleted=connection.store.deliveries.remove(query, g.actor, g.scope))


def _reads_events() -> None:
    """Deliveries hold events."""
    if scope(g.principal, Action.READ_EVENTS).reach is Reach.NOTHING:
        raise Forbidden(f"{g.principal.name} may not read events, and deliveries hold them ({Action.READ_EVENTS})")


def _query() -> DeliveryQuery:
    given = parameters()
    fields: dict[str, Any] = {name: value for name, value in given.items() if name in _TEXTS}
    if (state := fields.get("state")) and state not in (PENDING, DELIVERED, FAILED):
        raise ParameterError(f"state {state!r} is none of {PENDING}, {DELIVERED}, {FAILED}")
    now = time.time_ns()
    fields |= {f"{name}_ns": moment(given[name], now, name) for name in _MOMENTS if name in given}
    for name, most in (("before", 2**63 - 1), ("limit", MAX_LIMIT)):
        if name in given:
            if not (given[name].isascii() and given[name].isdigit() and 1 <= int(given[name][:20]) <= most):
                raise ParameterError(f"{name} {given[name][:40]!r} is no whole number from 1 to {most}")
            fields[name] = int(given[name])
    return DeliveryQuery(**fields)


def _no_delivery(delivery_id: str) -> str:
    return f"there is no delivery {delivery_id}"
