# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may use the management API: whoever shows one of its tokens. Compared in constant time, all of them always."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from flask import Blueprint, Response, g, request

from event_listener.manage.problems import problem
from event_listener.secrets import read_secret
from event_listener.settings import Manage

_ADVICE = "send Authorization: Bearer with a token of manage.tokens"


def tokens(settings: Manage) -> dict[str, bytes]:
    """The tokens by name. Raises SecretError."""
    return {item.name: read_secret(item.token).encode() for item in settings.tokens}


class Access:
    """Decides for requests."""

    def __init__(self, known: dict[str, bytes]) -> None:
        self._known = known

    def guard(self, blueprint: Blueprint, *, public: bool = False) -> Blueprint:
        """Have a blueprint answer only those who may, unless it is public."""
        if not public:
            blueprint.before_request(self._refuse)
        return blueprint

    def name(self, header: str) -> str | None:
        """The name of the token in an Authorization header."""
        scheme, _space, shown = header.partition(" ")
        matches = _equal(self._known.items(), shown.strip().encode("utf-8", "surrogateescape"))
        return matches[0] if scheme.lower() == "bearer" and matches else None

    def _refuse(self) -> Response | None:
        header = request.headers.get("Authorization", "")
        g.token = self.name(header)
        if g.token is not None:
            return None
        what = "the token isn't known" if header else "a token is needed"
        return problem(401, f"{what}; {_ADVICE}", {"WWW-Authenticate": 'Bearer realm="event-listener"'})


def _equal(known: Iterable[tuple[str, bytes]], shown: bytes) -> list[str]:
    # No early end: how long it takes must not tell which token nearly matched.
    return [name for name, token in known if hmac.compare_digest(token, shown)]
