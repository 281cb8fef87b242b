# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of nearly every event, past Flask: a good POST to `/`, `/events/<source>` or `/events/<source>/<secret>`.

Flask's part of such a request (routes, contexts, sessions, signals) costs as much as all that is done for the event
but its TLS. What isn't clearly such a request goes to Flask, which answers it as it always did.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from flask import Response

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]

_PATH = re.compile(r"/(?:events/([^/]+)(?:/([^/]+))?)?")


class Direct:
    """A WSGI application: `receive(environ, source, secret)` for events, `otherwise` for the rest.

    `is_good(source, secret)` says whether the path names a source; `bug(error)` answers what nobody foresaw.
    """

    def __init__(
        self,
        receive: Callable[[Environ, str | None, str | None], Response],
        is_good: Callable[[str | None, str | None], bool],
        bug: Callable[[Exception], Response],
        otherwise: Application,
    ) -> None:
        self._receive, self._is_good, self._bug, self._otherwise = receive, is_good, bug, otherwise

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answer a request."""
        found = _PATH.fullmatch(environ["PATH_INFO"]) if environ["REQUEST_METHOD"] == "POST" else None
        if found is None or environ.get("SCRIPT_NAME") or not self._is_good(*found.groups()):
            return self._otherwise(environ, start_response)
        try:
            response = self._receive(environ, *found.groups())
        except Exception as error:  # noqa: BLE001 - logged there, and answered
            response = self._bug(error)
        return response(environ, start_response)


class Made(Response):
    """An answer to POSTs that is the same each time: its head is made once. It must not be changed afterwards."""

    def __init__(self, like: Response) -> None:
        super().__init__(like.get_data(), like.status, like.headers)
        _body, self._line, self._head = self.get_wsgi_response({"REQUEST_METHOD": "POST"})

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:  # noqa: ARG002 - WSGI's signature
        """Answer a request."""
        start_response(self._line, self._head)
        return [self.get_data()]
