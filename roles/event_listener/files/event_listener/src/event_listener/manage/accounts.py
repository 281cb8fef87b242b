# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/domains`, `/api/v1/accounts`, `/api/v1/users` and tokens: for administrators, each in the own subtree."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from flask import Blueprint, Response, g, jsonify, request
from werkzeug.exceptions import BadRequest, Forbidden, NotFound

from event_listener import accounts
from event_listener.accounts import Token, User, UserChange
from event_listener.event import rfc3339
from event_listener.manage.access import needs
from event_listener.manage.connection import Connection
from event_listener.policy import ROOT, Action, Owner, Role, domain_path, may_make

Document = TypeVar("Document")
YEAR = 366 * 86400


class NewDomain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What makes a domain."""

    path: str


class NewAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What makes an account."""

    name: str
    domain: str = ROOT


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What makes a token; ``expires_in`` in seconds, null for never; ``actions`` null for all that the user may."""

    name: str
    expires_in: int | None = YEAR
    actions: list[Action] | None = None


def blueprint(connection: Connection) -> Blueprint:
    """The routes."""
    routes = Blueprint("accounts", __name__, url_prefix="/api/v1")
    _domains(routes, connection)
    _accounts(routes, connection)
    _users(routes, connection)
    _tokens(routes, connection)
    return routes


def _domains(routes: Blueprint, connection: Connection) -> None:
    @routes.get("/domains")
    @needs(Action.MANAGE_ACCOUNTS)
    def domains() -> Response:
        return jsonify(domains=connection.store.tree.domains(g.scope))

    @routes.post("/domains")
    @needs(Action.MANAGE_ACCOUNTS)
    def add_domain() -> tuple[Response, int]:
        path = domain_path(body(NewDomain).path)
        _reached(Owner(path))
        made = connection.store.tree.add_domain(path, g.actor)
        return jsonify(path=path), 201 if made else 200

    @routes.delete("/domains")
    @needs(Action.MANAGE_ACCOUNTS)
    def remove_domain() -> Response:
        path = domain_path(_parameter("path"))
        _reached(Owner(path))
        if not connection.store.tree.remove_domain(path, g.actor):
            raise NotFound(f"there is no domain {path}")
        return Response(status=204)


def _accounts(routes: Blueprint, connection: Connection) -> None:
    @routes.get("/accounts")
    @needs(Action.MANAGE_ACCOUNTS)
    def find() -> Response:
        found = connection.store.tree.accounts(g.scope)
        return jsonify(accounts=[{"domain": item.domain, "name": item.account} for item in found])

    @routes.post("/accounts")
    @needs(Action.MANAGE_ACCOUNTS)
    def add_account() -> tuple[Response, int]:
        wanted = body(NewAccount)
        domain = domain_path(wanted.domain)
        _reached(Owner(domain, wanted.name))
        made = connection.store.tree.add_account(domain, wanted.name, g.actor)
        return jsonify(domain=domain, name=wanted.name), 201 if made else 200

    @routes.delete("/accounts/<name>")
    @needs(Action.MANAGE_ACCOUNTS)
    def remove_account(name: str) -> Response:
        domain = domain_path(request.args.get("domain", ROOT))
        _reached(Owner(domain, name))
        if not connection.store.tree.remove_account(domain, name, g.actor):
            raise NotFound(f"there is no account {name} in {domain}")
        return Response(status=204)


def _users(routes: Blueprint, connection: Connection) -> None:
    @routes.get("/users")
    @needs(Action.MANAGE_ACCOUNTS)
    def users() -> Response:
        return jsonify(users=[accounts.shown(user) for user in connection.store.users.find(g.scope)])

    @routes.put("/users/<name>")
    @needs(Action.MANAGE_ACCOUNTS)
    def set_user(name: str) -> tuple[Response, int]:
        document = _document()
        check = document.pop("check", False)
        if not isinstance(check, bool):
            raise BadRequest("check is true or false")
        change = converted({**document, "name": name}, UserChange)
        # Before and after: a user is moved neither out of somebody else's domain nor into it.
        before, after = connection.store.users.set(change, g.actor, check=check, allow=_may_make)
        answer = {
            "changed": before != after,
            "before": accounts.shown(before) if before else None,
            "user": accounts.shown(after),
        }
        return jsonify(answer), 201 if before is None and not check else 200

    @routes.delete("/users/<name>")
    @needs(Action.MANAGE_ACCOUNTS)
    def remove_user(name: str) -> Response:
        _may_make(_user(connection, name))
        connection.store.users.remove(name, g.actor)
        return Response(status=204)


def _tokens(routes: Blueprint, connection: Connection) -> None:
    @routes.get("/users/<name>/tokens")
    @needs(Action.MANAGE_ACCOUNTS)
    def tokens(name: str) -> Response:
        _user(connection, name)
        return jsonify(tokens=[shown_token(token) for token in connection.store.users.tokens(name)])

    @routes.post("/users/<name>/tokens")
    @needs(Action.MANAGE_ACCOUNTS)
    def add_token(name: str) -> tuple[Response, int]:
        _may_make(_user(connection, name))
        return jsonify(make_token(connection, name)), 201

    @routes.delete("/users/<name>/tokens/<token_id>")
    @needs(Action.MANAGE_ACCOUNTS)
    def remove_token(name: str, token_id: str) -> Response:
        _may_make(_user(connection, name))
        if not connection.store.users.remove_token(name, token_id, g.actor):
            raise NotFound(f"user {name} has no token {token_id}")
        return Response(status=204)


def make_token(connection: Connection, owner: str) -> dict[str, Any]:
    """A token as the request's body asks for it; the only answer that ever holds its secret."""
    wanted = body(NewToken)
    if wanted.expires_in is not None and not 60 <= wanted.expires_in <= 10 * YEAR:
        raise BadRequest(f"expires_in is null or 60 to {10 * YEAR} seconds")
    actions = None if wanted.actions is None else tuple(wanted.actions)
    users = connection.store.users
    token, secret = users.add_token(
        owner, wanted.name, g.actor, actions=actions, lifetime=wanted.expires_in, kind="token"
    )
    return {**shown_token(token), "secret": secret}


def shown_token(token: Token) -> dict[str, Any]:
    """A token as JSON, without its secret."""
    moments = {"created": token.created_ns, "expires": token.expires_ns, "used": token.used_ns}
    return {
        "id": token.id,
        "name": token.name,
        "kind": token.kind,
        "actions": None if token.actions is None else list(token.actions),
        **{name: None if moment is None else rfc3339(moment) for name, moment in moments.items()},
    }


def body(kind: type[Document]) -> Document:
    """The request's JSON object as a Struct."""
    return converted(_document(), kind)


def converted(document: Any, kind: type[Document]) -> Document:
    """Decoded JSON as a Struct."""
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise BadRequest(str(error)) from error


def _document() -> dict[str, Any]:
    document = request.get_json(force=True)
    if not isinstance(document, dict):
        raise BadRequest("send a JSON object")
    return document


def _parameter(name: str) -> str:
    if not (value := request.args.get(name)):
        raise BadRequest(f"give the parameter {name}")
    return value


def _user(connection: Connection, name: str) -> User:
    """A user of the asker's scope; whoever is out of it doesn't exist."""
    user = connection.store.users.get(name)
    if user is None or not g.scope.holds(Owner(user.domain, user.account)):
        raise NotFound(f"there is no user {name}")
    return user


def _reached(owner: Owner) -> None:
    if not may_make(g.principal, Role.USER, owner):
        raise Forbidden(f"{g.principal.name} may not change {owner.domain}")


def _may_make(user: User) -> None:
    if not may_make(g.principal, user.role, Owner(user.domain, user.account)):
        raise Forbidden(f"{g.principal.name} may not make or change a {user.role} of {user.domain}")
