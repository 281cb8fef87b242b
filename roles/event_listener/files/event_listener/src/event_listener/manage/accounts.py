# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/domains`, `/api/v1/accounts`, `/api/v1/users` and tokens: for administrators, each in the own subtree."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict, TypeVar

import msgspec
from flask import Blueprint, Response, g, jsonify, request
from werkzeug.exceptions import BadRequest, Forbidden, NotFound

from event_listener import accounts
from event_listener.accounts import Kind, Token, User, UserChange, UserState
from event_listener.event import rfc3339
from event_listener.manage.access import needs
from event_listener.manage.connection import Connection
from event_listener.manage.describe import Moment, Parameter, describe
from event_listener.policy import ROOT, Action, DomainPath, Name, Owner, Role, domain_path, may_make

Document = TypeVar("Document")
YEAR = 366 * 86400


class NewDomain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What makes a domain."""

    path: DomainPath


class NewAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What makes an account."""

    name: Name
    domain: DomainPath = ROOT


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What makes a token; ``expires_in`` in seconds, null for never; ``actions`` null for all that the user may."""

    name: str
    expires_in: Annotated[int, msgspec.Meta(ge=60, le=10 * YEAR)] | None = YEAR
    actions: list[Action] | None = None


class UserWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What shall hold of a user; what isn't given stays. With ``check`` nothing is written."""

    role: Role | msgspec.UnsetType = msgspec.UNSET
    domain: DomainPath | msgspec.UnsetType = msgspec.UNSET
    account: Name | msgspec.UnsetType | None = msgspec.UNSET
    state: UserState | msgspec.UnsetType = msgspec.UNSET
    password: str | msgspec.UnsetType | None = msgspec.UNSET
    check: bool = False


class Domains(TypedDict):
    """Paths, the root's first."""

    domains: list[str]


class Domain(TypedDict):
    """A domain of the tree."""

    path: str


class Account(TypedDict):
    """An account of a domain."""

    domain: str
    name: str


class Accounts(TypedDict):
    """Accounts by domain and name."""

    accounts: list[Account]


class ShownUser(TypedDict):
    """A user, without anything secret."""

    name: str
    role: Role
    domain: str
    account: str | None
    state: UserState
    has_password: bool


class Users(TypedDict):
    """Users by name."""

    users: list[ShownUser]


class SetUser(TypedDict):
    """A user before and after a change."""

    changed: bool
    before: ShownUser | None
    user: ShownUser


class ShownToken(TypedDict):
    """A token without its secret. ``actions`` null: all that its user may."""

    id: str
    name: str
    kind: Kind
    actions: list[Action] | None
    created: Moment
    expires: Moment | None
    used: Moment | None


class Tokens(TypedDict):
    """The tokens of one user."""

    tokens: list[ShownToken]


class MadeToken(ShownToken):
    """A new token, with its secret; it is shown this once."""

    secret: str


_PATH = Parameter("path", "The domain.", DomainPath, required=True)
_DOMAIN = Parameter("domain", "The account's domain, / by default.", DomainPath)


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
    @describe("The domains that the asker reaches.", Domains)
    def domains() -> Response:
        return jsonify(domains=connection.store.tree.domains(g.scope))

    @routes.post("/domains")
    @needs(Action.MANAGE_ACCOUNTS)
    @describe("Make a domain, and those above it; 200 where it is there.", Domain, statuses=(200, 201), body=NewDomain)
    def add_domain() -> tuple[Response, int]:
        path = domain_path(body(NewDomain).path)
        _reached(Owner(path))
        made = connection.store.tree.add_domain(path, g.actor)
        return jsonify(path=path), 201 if made else 200

    @routes.delete("/domains")
    @needs(Action.MANAGE_ACCOUNTS)
    @describe("Remove an empty domain.", parameters=(_PATH,), problems=(404,))
    def remove_domain() -> Response:
        path = domain_path(_parameter("path"))
        _reached(Owner(path))
        if not connection.store.tree.remove_domain(path, g.actor):
            raise NotFound(f"there is no domain {path}")
        return Response(status=204)


def _accounts(routes: Blueprint, connection: Connection) -> None:
    @routes.get("/accounts")
    @needs(Action.MANAGE_ACCOUNTS)
    @describe("The accounts that the asker reaches.", Accounts)
    def find() -> Response:
        found = connection.store.tree.accounts(g.scope)
        return jsonify(accounts=[{"domain": item.domain, "name": item.account} for item in found])

    @routes.post("/accounts")
    @needs(Action.MANAGE_ACCOUNTS)
    @describe("Make an account, and its domain; 200 where it is there.", Account, statuses=(200, 201), body=NewAccount)
    def add_account() -> tuple[Response, int]:
        wanted = body(NewAccount)
        domain = domain_path(wanted.domain)
        _reached(Owner(domain, wanted.name))
        made = connection.store.tree.add_account(domain, wanted.name, g.actor)
        return jsonify(domain=domain, name=wanted.name), 201 if made else 200

    @routes.delete("/accounts/<name>")
    @needs(Action.MANAGE_ACCOUNTS)
    @describe("Remove an account that has neither users nor sources.", parameters=(_DOMAIN,))
    def remove_account(name: str) -> Response:
        domain = domain_path(request.args.get("domain", ROOT))
        _reached(Owner(domain, name))
        if not connection.store.tree.remove_account(domain, name, g.actor):
            raise NotFound(f"there is no account {name} in {domain}")
        return Response(status=204)


def _users(routes: Blueprint, connection: Connection) -> None:
    @routes.get("/users")
    @needs(Action.MANAGE_ACCOUNTS)
    @describe("The users that the asker reaches.", Users)
    def users() -> Response:
        return jsonify(users=[accounts.shown(user) for user in connection.store.users.find(g.scope)])

    @routes.put("/users/<name>")
    @needs(Action.MANAGE_ACCOUNTS)
    @describe("Make a user, or change what is given.", SetUser, statuses=(200, 201), body=UserWish)
    def set_user(name: str) -> tuple[Response, int]:
        wanted = msgspec.structs.asdict(body(UserWish))
        check = wanted.pop("check")
        change = UserChange(name=name, **wanted)
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
    @describe("Remove a user and all tokens.")
    def remove_user(name: str) -> Response:
        _may_make(_user(connection, name))
        connection.store.users.remove(name, g.actor)
        return Response(status=204)


def _tokens(routes: Blueprint, connection: Connection) -> None:
    @routes.get("/users/<name>/tokens")
    @needs(Action.MANAGE_ACCOUNTS)
    @describe("The tokens of a user.", Tokens)
    def tokens(name: str) -> Response:
        _user(connection, name)
        return jsonify(tokens=[shown_token(token) for token in connection.store.users.tokens(name)])

    @routes.post("/users/<name>/tokens")
    @needs(Action.MANAGE_ACCOUNTS)
    @describe("Give a user a token; its secret is shown this once.", MadeToken, statuses=(201,), body=NewToken)
    def add_token(name: str) -> tuple[Response, int]:
        _may_make(_user(connection, name))
        return jsonify(make_token(connection, name)), 201

    @routes.delete("/users/<name>/tokens/<token_id>")
    @needs(Action.MANAGE_ACCOUNTS)
    @describe("Revoke a token.")
    def remove_token(name: str, token_id: str) -> Response:
        _may_make(_user(connection, name))
        if not connection.store.users.remove_token(name, token_id, g.actor):
            raise NotFound(f"user {name} has no token {token_id}")
        return Response(status=204)


def make_token(connection: Connection, owner: str) -> dict[str, Any]:
    """A token as the request's body asks for it; the only answer that ever holds its secret."""
    wanted = body(NewToken)
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
