# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/login`, `/api/v1/logout` and `/api/v1/me`: what everybody may do for the own user."""

from __future__ import annotations

from typing import TypedDict

import msgspec
from flask import Blueprint, Response, g, jsonify, request
from werkzeug.exceptions import Conflict, Forbidden, NotFound

from event_listener import accounts
from event_listener.accounts import User, UserChange
from event_listener.manage.access import needs
from event_listener.manage.accounts import MadeToken, NewToken, Tokens, body, make_token, shown_token
from event_listener.manage.connection import Connection
from event_listener.manage.describe import describe
from event_listener.manage.problems import problem
from event_listener.policy import Action, Role
from event_listener.store import Actor

SESSION_SECONDS = 12 * 3600


class PasswordLogin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person logs in with."""

    user: str
    password: str


class NewPassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What changes the own password."""

    old: str
    new: str


class Me(TypedDict):
    """Who asks. ``actions`` null: all that the role may."""

    name: str
    role: Role
    domain: str
    account: str | None
    actions: list[Action] | None


def public(connection: Connection) -> Blueprint:
    """What needs no token yet."""
    routes = Blueprint("login", __name__, url_prefix="/api/v1")

    @routes.post("/login")
    @describe("A session for the right password.", MadeToken, body=PasswordLogin, problems=(401, 429))
    def log_in() -> Response:
        given = body(PasswordLogin)
        actor = Actor(given.user, request.remote_addr or "local")
        found = connection.store.users.log_in(given.user, given.password, actor, SESSION_SECONDS)
        if isinstance(found, int):
            later = {"Retry-After": str(found)} if found else None
            wait = f"; too many wrong ones, try again in {found} s" if found else ""
            return problem(429 if found else 401, f"user or password is wrong{wait}", later)
        token, secret = found
        return jsonify({**shown_token(token), "secret": secret})

    return routes


def own(connection: Connection) -> Blueprint:
    """What a user does for itself. Reading events is what every role may, so it stands for having a token at all."""
    routes = Blueprint("me", __name__, url_prefix="/api/v1")

    @routes.get("/me")
    @needs(Action.READ_EVENTS)
    @describe("Who asks.", Me)
    def me() -> Response:
        asks = g.principal
        limit = None if asks.actions is None else sorted(asks.actions)
        answer = {"name": asks.name, "role": asks.role, "domain": asks.domain, "account": asks.account}
        return jsonify({**answer, "actions": limit})

    @routes.post("/logout")
    @needs(Action.READ_EVENTS)
    @describe("End this session, or revoke this token.", problems=(409,))
    def log_out() -> Response:
        connection.store.users.remove_token(_me(connection).name, g.token_id, g.actor)
        return Response(status=204)

    @routes.put("/me/password")
    @needs(Action.READ_EVENTS)
    @describe("Change the own password.", body=NewPassword, problems=(409,))
    def password() -> Response:
        given, user = body(NewPassword), _unlimited(_me(connection))
        if not accounts.is_password(user, given.old):
            raise Forbidden("the old password is wrong")
        connection.store.users.set(UserChange(name=user.name, password=given.new), g.actor)
        return Response(status=204)

    @routes.get("/me/tokens")
    @needs(Action.READ_EVENTS)
    @describe("The own tokens.", Tokens, problems=(409,))
    def tokens() -> Response:
        return jsonify(tokens=[shown_token(token) for token in connection.store.users.tokens(_me(connection).name)])

    @routes.post("/me/tokens")
    @needs(Action.READ_EVENTS)
    @describe(
        "A token for oneself; its secret is shown this once.",
        MadeToken,
        statuses=(201,),
        body=NewToken,
        problems=(409,),
    )
    def add_token() -> tuple[Response, int]:
        return jsonify(make_token(connection, _unlimited(_me(connection)).name)), 201

    @routes.delete("/me/tokens/<token_id>")
    @needs(Action.READ_EVENTS)
    @describe("Revoke one of the own tokens.", problems=(409,))
    def remove_token(token_id: str) -> Response:
        user = _unlimited(_me(connection))
        if not connection.store.users.remove_token(user.name, token_id, g.actor):
            raise NotFound(f"you have no token {token_id}")
        return Response(status=204)

    return routes


def _me(connection: Connection) -> User:
    user = connection.store.users.get(g.principal.name)
    if user is None:
        raise Conflict(f"{g.principal.name} is a token of the configuration, not a user")
    return user


def _unlimited(user: User) -> User:
    """A limited token makes no other tokens, which could do more than itself."""
    if g.principal.actions is not None:
        raise Forbidden("a token that is limited to some actions can't change its user")
    return user
