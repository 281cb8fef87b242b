# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/webhooks`: of the own account or subtree (docs/webhooks.md)."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
from flask import Blueprint, Response, g, jsonify, request
from werkzeug.exceptions import BadRequest, Forbidden, NotFound

from event_listener.manage.access import needs
from event_listener.manage.accounts import converted
from event_listener.manage.connection import Connection
from event_listener.manage.describe import describe
from event_listener.manage.webhook_documents import (
    WEBHOOK_PARAMETERS,
    ListedWebhooks,
    NewWebhook,
    SetWebhook,
    ShownAttempt,
    Trial,
    WatchedWebhook,
    WebhookWish,
)
from event_listener.parameters import ParameterError
from event_listener.policy import Action, allowed, domain_path
from event_listener.settings import Settings as AllSettings
from event_listener.settings_webhooks import Webhooks as Settings
from event_listener.webhooks import signing
from event_listener.webhooks.delivery_view import shown_attempt
from event_listener.webhooks.model import Scope, State, Webhook, WebhookError, refusal, shown
from event_listener.webhooks.surroundings import Surroundings
from event_listener.webhooks.trials import Trials
from event_listener.webhooks.webhook_view import watched


def blueprint(everything: AllSettings, connection: Connection) -> Blueprint:
    """The routes."""
    settings = everything.webhook
    routes = Blueprint("webhooks", __name__, url_prefix="/api/v1")
    _reading(routes, connection)
    _changing(routes, settings, connection)
    _testing(routes, everything, connection)
    return routes


def _reading(routes: Blueprint, connection: Connection) -> None:
    @routes.get("/webhooks")
    @needs(Action.MANAGE_WEBHOOKS)
    @describe("Webhooks by name.", ListedWebhooks, parameters=WEBHOOK_PARAMETERS)
    def webhooks() -> Response:
        given = _filters()
        places = connection.store.webhooks.places()
        found = [item for item in connection.store.webhooks.find(g.scope) if _asked(item, given)]
        return jsonify(webhooks=[watched(item, places.get(item.id)) for item in found])

    @routes.get("/webhooks/<webhook_id>")
    @needs(Action.MANAGE_WEBHOOKS)
    @describe("One webhook.", WatchedWebhook)
    def webhook(webhook_id: str) -> Response:
        found = reached(connection, webhook_id)
        return jsonify(watched(found, connection.store.webhooks.place(webhook_id)))


def _changing(routes: Blueprint, settings: Settings, connection: Connection) -> None:
    @routes.post("/webhooks")
    @needs(Action.MANAGE_WEBHOOKS)
    @describe("Make a webhook.", SetWebhook, statuses=(200, 201), body=NewWebhook, problems=(409,))
    def add_webhook() -> tuple[Response, int]:
        return _set(settings, connection, None)

    @routes.patch("/webhooks/<webhook_id>")
    @needs(Action.MANAGE_WEBHOOKS)
    @describe("Change what is given of a webhook.", SetWebhook, body=WebhookWish, problems=(409,))
    def change_webhook(webhook_id: str) -> tuple[Response, int]:
        reached(connection, webhook_id)
        return _set(settings, connection, webhook_id)

    @routes.delete("/webhooks/<webhook_id>")
    @needs(Action.MANAGE_WEBHOOKS)
    @describe("Remove a webhook and its deliveries.")
    def remove_webhook(webhook_id: str) -> Response:
        reached(connection, webhook_id)
        if not connection.store.webhooks.remove(webhook_id, g.actor):
            raise NotFound(_missing(webhook_id))
        return Response(status=204)


def _testing(routes: Blueprint, settings: AllSettings, connection: Connection) -> None:
    trials: list[Trials] = []

    @routes.post("/webhooks/<webhook_id>/test")
    @needs(Action.MANAGE_WEBHOOKS)
    @describe("Send a test delivery and say what came of it; it isn't recorded.", ShownAttempt, body=Trial)
    def test_webhook(webhook_id: str) -> Response:
        webhook, wanted = reached(connection, webhook_id), converted(document_of(), Trial)
        may_read(webhook)
        if not trials:
            trials.append(Trials(settings.webhook.delivery, Surroundings(settings, connection.store)))
        return jsonify(shown_attempt(trials[0].send(webhook, wanted.payload)))


def _set(settings: Settings, connection: Connection, webhook_id: str | None) -> tuple[Response, int]:
    document = document_of()
    if webhook_id is None:
        document = {**_mine(document), **document}
    wanted, secret = converted(document, WebhookWish if webhook_id else NewWebhook), None
    if wanted.generate_secret:
        if wanted.secret is not msgspec.UNSET:
            raise BadRequest("give secret, or generate_secret, not both")
        secret = signing.new_secret()
        wanted = msgspec.structs.replace(wanted, secret=secret)
    refuse_plain(settings, wanted.url)
    done = connection.store.webhooks.set(
        webhook_id, wanted, g.principal, g.actor, limit=settings.limit, check=wanted.check, allow=_allow
    )
    if done is None:
        raise NotFound(_missing(webhook_id or ""))
    before, after = done
    answer = {
        "changed": before != after,
        "before": shown(before) if before else None,
        "webhook": shown(after),
        **({"secret": secret} if secret and not wanted.check else {}),
    }
    return jsonify(answer), 201 if before is None and not wanted.check else 200


def refuse_plain(settings: Settings, url: Any) -> None:
    """A new URL is https, unless the settings say otherwise. Raises WebhookError."""
    if isinstance(url, str) and url.startswith("http:") and not settings.delivery.allow_http:
        raise WebhookError("url: only https (webhook.delivery.allow_http is off): others could read and answer")


def _mine(document: dict[str, Any]) -> dict[str, Any]:
    """To whom a new webhook belongs where the request doesn't say: the asker, and wider ones to the domain."""
    local = document.get("scope", Scope.LOCAL) == Scope.LOCAL
    same = document.get("domain", g.principal.domain) == g.principal.domain
    return {"domain": g.principal.domain, "account": g.principal.account if local and same else None}


def _allow(webhook: Webhook) -> None:
    """Called with the webhook before and after: neither out of somebody else's reach nor into it."""
    if not g.scope.holds(webhook.owner):
        raise Forbidden(f"{g.principal.name} may have no webhook of {webhook.domain} {webhook.account or ''}".rstrip())
    if why := refusal(g.principal, g.scope.reach, webhook):
        raise Forbidden(why)
    may_read(webhook)


def may_read(webhook: Webhook) -> None:
    """Who may not read events may not have them sent either: a token limited to webhooks would get around it."""
    if not allowed(g.principal, Action.READ_EVENTS, webhook.owner):
        raise Forbidden(f"{g.principal.name} may not read the events of this webhook ({Action.READ_EVENTS})")


def _filters() -> dict[str, str]:
    """Which webhooks. Raises ParameterError, PolicyError."""
    given = parameters()
    for name, known in (("state", get_args(State)), ("scope", tuple(Scope))):
        if name in given and given[name] not in known:
            raise ParameterError(f"{name} {given[name][:80]!r} is none of {', '.join(known)}")
    return {**given, "domain": domain_path(given["domain"])} if "domain" in given else given


def parameters() -> dict[str, str]:
    """The request's parameters. Raises ParameterError for an empty one: it would show nothing, or everything."""
    given = request.args.to_dict()
    if empty := [name for name, value in given.items() if not value]:
        raise ParameterError(f"{empty[0]} is empty; leave it out to see all")
    return given


def _asked(webhook: Webhook, given: dict[str, str]) -> bool:
    named = {name: value for name, value in given.items() if name != "keyword"}
    if any((getattr(webhook, name) or "") != value for name, value in named.items()):
        return False
    keyword = given.get("keyword", "").lower()
    return any(keyword in text.lower() for text in (webhook.name, webhook.description, webhook.url))


def reached(connection: Connection, webhook_id: str) -> Webhook:
    """One of the asker's scope; whatever is out of it doesn't exist. Raises NotFound."""
    found = connection.store.webhooks.get(webhook_id, g.scope)
    if found is None:
        raise NotFound(_missing(webhook_id))
    return found


def document_of() -> dict[str, Any]:
    """The request's JSON object. Raises BadRequest."""
    document = request.get_json(force=True)
    if not isinstance(document, dict):
        raise BadRequest("send a JSON object")
    return document


def _missing(webhook_id: str) -> str:
    return f"there is no webhook {webhook_id}"
