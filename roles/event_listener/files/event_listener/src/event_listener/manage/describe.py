# SPDX-License-Identifier: GPL-3.0-or-later
"""What an endpoint takes and answers, said once, beside its view; the OpenAPI document is made of it (ADR 21).

Types are those of msgspec: Structs for bodies (what the view decodes with), TypedDicts for answers. A parameter of the
query that isn't described is refused before the view runs, so a misspelt filter never shows everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from flask import Response, current_app, request

from event_listener.manage.problems import problem

_MARK = "described"
JSON = "application/json"
GREATEST = 2**63 - 1  # of a whole number in a database
BYTES = "application/octet-stream"

Moment = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
Place = Literal["query", "header"]
View = TypeVar("View", bound=Callable[..., Any])


class Parameter(msgspec.Struct, frozen=True):
    """Of the query string, or a header. ``repeated``: may be given more than once."""

    name: str
    text: str
    type: Any = str
    repeated: bool = False
    required: bool = False
    place: Place = "query"


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """Of one view: see :func:`describe`."""

    summary: str
    answer: Any
    statuses: tuple[int, ...]
    body: Any
    parameters: tuple[Parameter, ...]
    problems: tuple[int, ...]
    media: str


def describe(
    summary: str,
    answer: Any = None,
    *,
    statuses: Sequence[int] = (),
    body: Any = None,
    parameters: Sequence[Parameter] = (),
    problems: Sequence[int] = (),
    media: str = JSON,
) -> Callable[[View], View]:
    """Describe a view: one sentence, the type of its JSON answer (None: it answers 204, or bytes of ``media``).

    ``statuses`` are those of success, 200 (204) by default; ``body`` is the type of the JSON body; ``problems`` are
    errors beside those that every endpoint has (openapi.py adds 400, 401, 403, 404 where the path names something, 413
    where there is a body, and 503).
    """
    usual = 204 if answer is None and media == JSON else 200
    said = Description(
        summary=summary,
        answer=answer,
        statuses=tuple(statuses) or (usual,),
        body=body,
        parameters=tuple(parameters),
        problems=tuple(problems),
        media=media,
    )

    def mark(view: View) -> View:
        setattr(view, _MARK, said)
        return view

    return mark


def description(view: Callable[..., Any]) -> Description | None:
    """What was said of a view; None where nothing was."""
    found: Description | None = getattr(view, _MARK, None)
    return found


def _nowhere(value: Any) -> bool:
    """Whether no database holds this value of a path."""
    return value > GREATEST if isinstance(value, int) else "\0" in str(value)


def refuse_unknown_parameters() -> Response | None:
    """Before a request: answer 400 where the query has what the view doesn't know, or twice what it takes once."""
    if any(_nowhere(value) for value in (request.view_args or {}).values()):
        return problem(404, "nothing has such a name or number")
    said = description(current_app.view_functions[request.endpoint or ""])
    if said is None:
        return None
    known = {one.name: one for one in said.parameters if one.place == "query"}
    for name, values in request.args.lists():
        if name not in known:
            there = f"there are {', '.join(sorted(known))}" if known else "this endpoint has none"
            return problem(400, f"{name[:80]} is no parameter; {there}")
        if any("\0" in value for value in values):
            return problem(400, f"{name} has a NUL, which nothing in the event log has")
        if len(values) > 1 and not known[name].repeated:
            return problem(400, f"{name} is given {len(values)} times")
    return None
