# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/webhook-deliveries`: what was sent to webhooks, and sending it again (docs/webhooks.md)."""

from __future__ import annotations

import time

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
from event_listener.policy import Action, Reach, scope
from event_listener.store import DeliveryQuery
from event_listener.webhooks.delivery_view import delivery_query, shown_attempt, shown_delivery


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
        query = delivery_query(parameters(), time.time_ns())
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
        query = delivery_query(parameters(), time.time_ns())
        if query == DeliveryQuery():
            raise BadRequest("say which: webhook, event_type, state, since, until, ...")
        return jsonify(deleted=connection.store.deliveries.remove(query, g.actor, g.scope))


def _reads_events() -> None:
    """Deliveries hold events."""
    if scope(g.principal, Action.READ_EVENTS).reach is Reach.NOTHING:
        raise Forbidden(f"{g.principal.name} may not read events, and deliveries hold them ({Action.READ_EVENTS})")


def _no_delivery(delivery_id: str) -> str:
    return f"there is no delivery {delivery_id}"
