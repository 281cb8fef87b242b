# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions that schemathesis makes of our OpenAPI document, and what no answer may be."""

from __future__ import annotations

from typing import Any

import schemathesis
from event_listener.manage import create_app, openapi
from event_listener.settings import Settings
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.openapi import from_dict
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_schema_conformance,
    status_code_conformance,
)

Question = tuple[schemathesis.APIOperation, GenerationMode]

# A stream doesn't end; tests/integration/test_stream.py asks it.
ENDLESS = "/api/v1/events/stream"
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
# Right by their schema, and yet refused by a rule that no schema can say.
RULED = {
    "POST /api/v1/alerts/actions": "one of two ways to choose",
    "POST /api/v1/coverage": "to JSON Schema 521.0 is an integer",
    "DELETE /api/v1/domains": "the root stays",
    "GET /api/v1/events": "a cursor is one that was given",
    "POST /api/v1/events/archive": "never everything by an empty choice",
    "POST /api/v1/events/delete": "never everything by an empty choice",
    "PUT /api/v1/message-registries": "sources are registered first",
    "GET /api/v1/resources": "a place in the pages is one that was given",
    "PATCH /api/v1/sources": "names of sources fit into paths of files",
    "POST /api/v1/upkeep": "a time is written as RFC 3339 has it",
    "PUT /api/v1/users/{name}": "a new one needs a role, and what goes with it",
    "DELETE /api/v1/webhook-deliveries": "never everything by an empty choice",
    "POST /api/v1/webhooks": "a URL is one, and what goes with a scope",
}


def questions() -> list[Question]:
    """Each endpoint with what its schema allows and, where there is something to get wrong, with what it doesn't."""
    schema = from_dict(openapi.document(create_app(Settings()))).exclude(path=ENDLESS)
    schema.config.generation.update(allow_x00=False)  # refused everywhere, which no schema can say
    found = []
    for result in schema.get_all_operations():
        operation = result.ok()
        found.append((operation, GenerationMode.POSITIVE))
        if list(operation.iter_parameters()) or operation.body:
            found.append((operation, GenerationMode.NEGATIVE))
    return found


def label(question: Question) -> str:
    """For people."""
    return f"{question[0].label} {question[1].value}"


def ask(url: str, token: str, question: Question, *, examples: int, derandomize: bool) -> None:
    """Ask one endpoint; fails on what the document doesn't promise."""
    operation, mode = question

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=derandomize,
        database=None,
        phases=[Phase.generate],  # a smaller example isn't worth the minutes that it takes
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def one(case: schemathesis.Case) -> None:
        answer = case.call(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60)
        _judge(case, answer)

    one()


def _judge(case: schemathesis.Case, answer: Any) -> None:
    assert answer.status_code != 500, answer.text
    if answer.status_code == 414:
        return  # gunicorn's own answer to a request line above its limit
    checks = list(CHECKS)
    if case.operation.label not in RULED:
        checks.append(positive_data_acceptance)
    if not _may_be_right(case):
        checks.append(negative_data_rejection)
    case.validate_response(answer, checks=checks)


def _may_be_right(case: schemathesis.Case) -> bool:
    """Whether a query that was to be wrong may be right as its URL says it.

    There everything is a text, no text is the text "null", a list of one is what it holds, and one of none isn't there.
    """
    kinds = {one.name: one.definition.get("schema", {}).get("type") for one in case.operation.query}
    return any(
        value in ("null", []) or _becomes_right(value, kinds.get(name)) for name, value in (case.query or {}).items()
    )


def _becomes_right(value: Any, kind: str | None) -> bool:
    if kind == "array":
        return not isinstance(value, list) or not all(isinstance(one, str) for one in value)
    return kind in ("string", None) and not isinstance(value, str)
