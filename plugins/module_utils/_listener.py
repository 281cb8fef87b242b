# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The management API of the event listener, for modules. Needs nothing but Ansible."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

CONNECTION: dict[str, dict[str, Any]] = {
    "url": {"type": "str", "default": "http://127.0.0.1:9440"},
    "token": {"type": "str", "no_log": True},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "timeout": {"type": "int", "default": 30},
    "use_proxy": {"type": "bool", "default": False},
}


class ListenerError(Exception):
    """The listener can't be asked or refuses; the text says what, where and what to do. Never holds the token."""


class Listener:
    """A connection by a module's parameters."""

    def __init__(self, params: dict[str, Any]) -> None:
        self._params = params
        self._url = params["url"].rstrip("/")
        parts = urlsplit(self._url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ListenerError(f"url {params['url']} is not the address of an API; give http(s)://host:port")

    def get(self, path: str, query: dict[str, Any] | None = None) -> dict[str, Any]:
        """Read. Raises ListenerError."""
        return self._request("GET", path + ("?" + urlencode(query, doseq=True) if query else ""))

    def patch(self, path: str, document: dict[str, Any]) -> dict[str, Any]:
        """Change. Raises ListenerError."""
        return self._request("PATCH", path, json.dumps(document))

    def post(self, path: str, document: dict[str, Any]) -> dict[str, Any]:
        """Add. Raises ListenerError."""
        return self._request("POST", path, json.dumps(document))

    def put(self, path: str, document: dict[str, Any]) -> dict[str, Any]:
        """Store. Raises ListenerError."""
        return self._request("PUT", path, json.dumps(document))

    def delete(self, path: str) -> None:
        """Remove. Raises ListenerError."""
        self._send("DELETE", path)

    def _request(self, method: str, path: str, data: str | None = None) -> dict[str, Any]:
        return self._document(self._send(method, path, data))

    def _send(self, method: str, path: str, data: str | None = None) -> bytes:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self._params["token"]:
            headers["Authorization"] = f"Bearer {self._params['token']}"
        try:
            with open_url(
                self._url + path,
                method=method,
                data=data,
                headers=headers,
                timeout=self._params["timeout"],
                validate_certs=self._params["validate_certs"],
                ca_path=self._params["ca_path"],
                use_proxy=self._params["use_proxy"],
                # A redirect would carry the token to somebody else, and .netrc would replace it.
                follow_redirects="none",
                use_netrc=False,
            ) as answer:
                return bytes(answer.read())
        except HTTPError as error:
            raise ListenerError(f"The listener at {self._url} answers {error.code}: {_detail(error)}") from error
        except (URLError, HTTPException, OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise ListenerError(
                f"The listener at {self._url} can't be asked ({reason}); "
                "look whether it runs, and run the task where its management address can be reached"
            ) from error

    def _document(self, body: bytes) -> dict[str, Any]:
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise ListenerError(f"{self._url} doesn't answer as a listener does; check url")
        return document


Run = Callable[[dict[str, Any], Listener, bool], dict[str, Any]]
"""Takes the options, a connection and whether nothing may be changed; returns the answer. Raises ListenerError."""


def serve(argument_spec: dict[str, Any], run: Run, **rules: Any) -> None:
    """Be a module: read the options under the `rules` of AnsibleModule, run, answer, exit."""
    module = AnsibleModule(argument_spec=argument_spec, supports_check_mode=True, **rules)
    try:
        module.exit_json(**run(module.params, Listener(module.params), module.check_mode))
    except ListenerError as error:
        module.fail_json(msg=str(error))


def _detail(error: HTTPError) -> str:
    """The detail of a problem document, else the status' own words."""
    try:
        return str(json.loads(error.read())["detail"])
    except (ValueError, KeyError, TypeError, OSError):
        return str(error.reason)
