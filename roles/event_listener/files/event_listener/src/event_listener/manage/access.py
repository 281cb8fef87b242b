# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks, and may they? Tokens of the configuration are root's; others are users' (docs/users.md).

Every endpoint of a guarded blueprint is root's alone unless its view says with :func:`needs` what it is. Views then
take what the asker reaches from ``g.scope``, and who it is from ``g.principal`` and ``g.actor``.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from flask import Blueprint, Flask, Response, current_app, g, request
from werkzeug.exceptions import Forbidden

from event_listener.accounts import principal
from event_listener.manage.connection import Connection
from event_listener.manage.describe import refuse_unknown_parameters
from event_listener.manage.problems import problem
from event_listener.policy import Action, Principal, Reach, Role, Scope, scope
from event_listener.secrets import read_secret
from event_listener.settings import Manage
from event_listener.store import Actor

_ADVICE = "send Authorization: Bearer with a token of manage.tokens, or of a user"
_MARK = "needed_action"

View = TypeVar("View", bound=Callable[..., Any])


def tokens(settings: Manage) -> dict[str, bytes]:
    """The tokens by name. Raises SecretError."""
    return {item.name: read_secret(item.token).encode() for item in settings.tokens}


def needs(action: Action) -> Callable[[View], View]:
    """Mark a view as doing this; what isn't marked is ``Action.OPERATE``."""

    def mark(view: View) -> View:
        setattr(view, _MARK, action)
        return view

    return mark


def action_of(view: Callable[..., Any]) -> Action:
    """What a view is marked as."""
    action: Action = getattr(view, _MARK, Action.OPERATE)
    return action


def is_guarded(app: Flask, endpoint: str) -> bool:
    """Whether an endpoint needs a token."""
    checks = app.before_request_funcs.get(endpoint.rpartition(".")[0], ())
    return any(isinstance(getattr(check, "__self__", None), Access) for check in checks)


def reached(action: Action) -> Scope:
    """What the asker reaches with a further action. Ends the request with 403 where that is nothing."""
    found = scope(g.principal, action)
    if found.reach is Reach.NOTHING:
        raise Forbidden(f"{g.principal.name} may not do this ({action})")
    return found


class Access:
    """Decides for requests."""

    def __init__(self, known: dict[str, bytes], connection: Connection) -> None:
        self._known = known
        self._connection = connection

    def guard(self, blueprint: Blueprint, *, public: bool = False) -> Blueprint:
        """Have a blueprint answer only those who may, unless it is public."""
        if not public:
            blueprint.before_request(self._refuse)
        blueprint.before_request(refuse_unknown_parameters)
        return blueprint

    def principal(self, header: str) -> Principal | None:
        """Whose token an Authorization header shows. Raises StoreUnavailableError."""
        scheme, _space, shown = header.partition(" ")
        shown = shown.strip()
        if scheme.lower() != "bearer" or not shown:
            return None
        matches = _equal(self._known.items(), shown.encode("utf-8", "surrogateescape"))
        if matches:
            return Principal(name=f"token:{matches[0]}", role=Role.ROOT_ADMIN)
        found = self._connection.store.users.by_token(shown)
        if found is None:
            return None
        user, token = found
        g.token_id = token.id
        return principal(user, token.actions)

    def _refuse(self) -> Response | None:
        header = request.headers.get("Authorization", "")
        asks = self.principal(header)
        if asks is None:
            what = "the token isn't known" if header else "a token is needed"
            return problem(401, f"{what}; {_ADVICE}", {"WWW-Authenticate": 'Bearer realm="event-listener"'})
        action = action_of(current_app.view_functions[request.endpoint or ""])
        g.principal, g.token = asks, asks.name
        g.actor, g.scope = Actor(asks.name, request.remote_addr or "local"), scope(asks, action)
        if g.scope.reach is not Reach.NOTHING:
            return None
        limited = asks.actions is not None and action not in asks.actions
        why = "the token isn't for that" if limited else f"a {asks.role} may not"
        return problem(403, f"{asks.name} may not do this ({action}): {why}")


def _equal(known: Iterable[tuple[str, bytes]], shown: bytes) -> list[str]:
    # No early end: how long it takes must not tell which token nearly matched.
    return [name for name, token in known if hmac.compare_digest(token, shown)]
