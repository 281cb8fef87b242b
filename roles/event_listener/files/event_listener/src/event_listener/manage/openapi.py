# SPDX-License-Identifier: GPL-3.0-or-later
"""`/api/v1/openapi.json`: the API as an OpenAPI 3.1 document, made of what stands beside each view (describe.py).

It needs no token: it says what every installation of this version says, so tools can read it before they have one.
"""

from __future__ import annotations

import http
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from flask import Blueprint, Flask, Response, current_app
from werkzeug.routing import Rule

from event_listener.manage.access import action_of, is_guarded
from event_listener.manage.describe import GREATEST, JSON, Description, Parameter, describe, description
from event_listener.manage.problems import MEDIA, Problem

_METHODS = ("GET", "PUT", "POST", "PATCH", "DELETE")
_REFERENCE = "#/components/schemas/{name}"
_VARIABLE = re.compile(r"<(?:(?P<kind>[a-z]+):)?(?P<name>[a-z_]+)>")
_CACHE = "openapi"
_PROBLEM: dict[str, Any] = {
    "description": "An error; `status` and `detail` say which, and what to do next.",
    "content": {MEDIA: {"schema": {"$ref": _REFERENCE.format(name=Problem.__name__)}}},
}


def blueprint() -> Blueprint:
    """The route."""
    routes = Blueprint("openapi", __name__, url_prefix="/api/v1")

    @routes.get("/openapi.json")
    @describe("This document.", dict[str, Any])
    def openapi() -> Response:
        found = current_app.extensions.get(_CACHE)
        if found is None:
            found = current_app.extensions[_CACHE] = msgspec.json.encode(document(current_app))
        return Response(found, content_type=JSON)

    return routes


def document(app: Flask) -> dict[str, Any]:
    """The whole document. Views that nobody described are left out; a test finds them."""
    described = list(_described(app))
    types: dict[int, Any] = {id(kind): kind for _rule, _method, said in described for kind in _types(said)}
    types[id(Problem)] = Problem
    schemas, components = msgspec.json.schema_components(types.values(), ref_template=_REFERENCE)
    schema_of = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for rule, method, said in described:
        paths.setdefault(path_of(rule), {})[method.lower()] = _operation(app, rule, method, said, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "redfleet.events listener",
            "version": "1",
            "description": "Management API of the event listener; docs/api.md says more in words.",
            "license": {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"},
        },
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": components,
            "responses": {"Problem": _PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def path_of(rule: Rule) -> str:
    """A route as OpenAPI writes it: ``/api/v1/users/{name}``."""
    return _VARIABLE.sub(r"{\g<name>}", rule.rule)


def _described(app: Flask) -> Iterator[tuple[Rule, str, Description]]:
    for rule in app.url_map.iter_rules():
        said = description(app.view_functions[rule.endpoint])
        if said is not None:
            for method in _METHODS:
                if method in (rule.methods or ()):
                    yield rule, method, said


def _types(said: Description) -> Iterator[Any]:
    yield from (kind for kind in (said.answer, said.body) if kind is not None)
    yield from (one.type for one in said.parameters)


def _operation(app: Flask, rule: Rule, method: str, said: Description, schema_of: dict[int, Any]) -> dict[str, Any]:
    view, guarded = app.view_functions[rule.endpoint], is_guarded(app, rule.endpoint)
    operation: dict[str, Any] = {
        # Some views have two routes.
        "operationId": f"{method.lower()}_{re.sub(r'[^a-z0-9]+', '_', rule.rule.lower()).strip('_')}",
        "summary": said.summary,
        "tags": [rule.endpoint.partition(".")[0]],
        "parameters": [*_path_parameters(rule), *(_parameter(one, schema_of) for one in said.parameters)],
        "responses": {str(status): answer for status, answer in _answers(rule, said, guarded, schema_of)},
        "security": [{"token": []}] if guarded else [],
    }
    if guarded:
        operation["x-action"] = action_of(view).value
        operation["description"] = f"Needs the right `{action_of(view).value}`."
    if said.body is not None:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": schema_of[id(said.body)]}}}
    return operation


def _path_parameters(rule: Rule) -> Iterator[dict[str, Any]]:
    for found in _VARIABLE.finditer(rule.rule):
        schema: dict[str, Any] = {"type": "string", "minLength": 1}
        if found["kind"] == "int":
            schema = {"type": "integer", "minimum": 0, "maximum": GREATEST}
        yield {"name": found["name"], "in": "path", "required": True, "schema": schema}


def _parameter(one: Parameter, schema_of: dict[int, Any]) -> dict[str, Any]:
    schema = schema_of[id(one.type)]
    return {
        "name": one.name,
        "in": one.place,
        "description": one.text,
        "required": one.required,
        "schema": {"type": "array", "items": schema, "minItems": 1} if one.repeated else schema,
    }


def _answers(
    rule: Rule, said: Description, guarded: bool, schema_of: dict[int, Any]
) -> Iterator[tuple[int, dict[str, Any]]]:
    good: dict[str, Any] = {"schema": schema_of[id(said.answer)]} if said.answer is not None else {}
    shown = {said.media: good} if said.answer is not None or said.media != JSON else {}
    for status in sorted({*said.statuses, *_problems(rule, said, guarded)}):
        if status not in said.statuses:
            yield status, {"$ref": "#/components/responses/Problem"}
            continue
        # Readiness is the one whose 503 is an answer, and may be a problem, too.
        content = {**shown, **(_PROBLEM["content"] if status >= 400 else {})}
        yield status, {"description": http.HTTPStatus(status).phrase, **({"content": content} if content else {})}


def _problems(rule: Rule, said: Description, guarded: bool) -> set[int]:
    """Those that an endpoint of this kind has anyway, and its own."""
    found = {400, *said.problems}
    if guarded:
        found |= {401, 403, 503}
    if _VARIABLE.search(rule.rule):
        found.add(404)
    if said.body is not None:
        found |= {413, 503}
    return found


def undescribed(app: Flask) -> list[str]:
    """The routes whose view says nothing of itself."""
    views: dict[str, Callable[..., Any]] = app.view_functions
    return sorted(str(rule) for rule in app.url_map.iter_rules() if description(views[rule.endpoint]) is None)
