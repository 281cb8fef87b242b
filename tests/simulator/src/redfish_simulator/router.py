# SPDX-License-Identifier: GPL-3.0-or-later
"""From path and method to a handler. One router per personality, made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from .answer import Answer
from .call import Call
from .personalities import PERSONALITIES
from .personality import Personality

Handler = Callable[[Call], Answer]
Methods = Mapping[str, Handler]
Routes = Mapping[str, Methods]
"""Path template → method → handler; `{name}` captures one segment."""


class Router:
    """Looks a path up: whole ones in a dictionary, templates by their number of segments."""

    def __init__(self, routes: Routes) -> None:
        self._exact = {path: methods for path, methods in routes.items() if "{" not in path}
        self._templates: dict[int, list[tuple[list[str], Methods]]] = {}
        for path, methods in routes.items():
            if "{" in path:
                segments = path.split("/")
                self._templates.setdefault(len(segments), []).append((segments, methods))

    def find(self, path: str) -> tuple[Methods, dict[str, str]] | None:
        """The methods of a path and what its template captured; None where there is no such resource."""
        exact = self._exact.get(path)
        if exact is not None:
            return exact, {}
        segments = path.split("/")
        for template, methods in self._templates.get(len(segments), ()):
            captured = _match(template, segments)
            if captured is not None:
                return methods, captured
        return None


def _match(template: list[str], segments: list[str]) -> dict[str, str] | None:
    captured: dict[str, str] = {}
    for expected, actual in zip(template, segments, strict=True):
        if expected.startswith("{"):
            captured[expected[1:-1]] = actual
        elif expected != actual:
            return None
    return captured


@cache
def router_for(name: str) -> Router:
    """The router of a personality."""
    from .routes import all_routes  # the routes' modules import this one

    return Router(all_routes(PERSONALITIES[name]))


RouteMaker = Callable[[Personality], dict[str, dict[str, Handler]]]
