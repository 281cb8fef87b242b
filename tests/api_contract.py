# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenAPI document as a judge: is this an answer that it promises? Stricter than a client: with no field more."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from typing import Any

import jsonschema
import requests
from event_listener.manage import create_app, openapi
from event_listener.settings import Settings
from flask.testing import FlaskClient

JSON = ("application/json", "application/problem+json")


class Contract:
    """One document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._components = _closed(document["components"])
        # What is written out goes before what a variable would match.
        paths = sorted(document["paths"], key=lambda path: (path.count("{"), path))
        self._paths = [(re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)) + "/?"), path) for path in paths]

    def check(self, method: str, path: str, status: int, headers: Mapping[str, str], body: bytes | None) -> None:
        """Fail unless the document has this answer; None: a body that isn't looked at. Other paths are nobody's."""
        operation = self._operation("GET" if method == "HEAD" else method, path.partition("?")[0])
        if operation is None:
            return
        where = f"{method} {path} -> {status}"
        assert str(status) in operation["responses"], f"{where} is not in the OpenAPI document"
        answer = self._resolved(operation["responses"][str(status)])
        content, kind = answer.get("content", {}), headers.get("Content-Type", "").partition(";")[0]
        if not content or method == "HEAD":
            assert not body, f"{where} has a body"
            return
        assert kind in content, f"{where} is {kind}, not {', '.join(content)}"
        if kind in JSON and body is not None and "schema" in content[kind]:
            schema = {**_closed(content[kind]["schema"]), "components": self._components}
            jsonschema.Draft202012Validator(schema).validate(json.loads(body))

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        known = [name for pattern, name in self._paths if pattern.fullmatch(path)]
        operations = [self.document["paths"][name].get(method.lower()) for name in known]
        return next(filter(None, operations), None)

    def _resolved(self, answer: dict[str, Any]) -> dict[str, Any]:
        name = answer.get("$ref", "").removeprefix("#/components/responses/")
        return self.document["components"]["responses"][name] if name else answer


def _closed(schema: Any) -> Any:
    """The schema, with objects that hold nothing but what they say."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if closed.get("type") == "object" and isinstance(closed.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed


@functools.cache
def _usual() -> Contract:
    return Contract(openapi.document(create_app(Settings())))


def judged(answer: requests.Response, *_arguments: Any, **_options: Any) -> None:
    """A response hook of requests: `requests.get(..., hooks={"response": judged})`. Streams aren't read."""
    body = answer.content if answer.headers.get("Content-Type") in JSON else None
    _usual().check(str(answer.request.method), answer.request.path_url, answer.status_code, answer.headers, body)


class JudgedClient(FlaskClient):
    """A test client whose every answer has to be in the document."""

    def open(self, *arguments: Any, **options: Any) -> Any:
        answer = super().open(*arguments, **options)
        judge = self.application.extensions.get("judge")
        if judge is None:
            judge = self.application.extensions["judge"] = Contract(openapi.document(self.application))
        judge.check(answer.request.method, answer.request.path, answer.status_code, answer.headers, answer.data)
        return answer
