# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of resources as the API and the command line ask for and show it. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from event_listener import parameters
from event_listener.event import rfc3339
from event_listener.store import ResourceState, StateQuery

TEXTS = {
    "source": "Of these sources.",
    "resource_type": "Of these types.",
    "resource_id": "These resources.",
    "aspect": "These aspects: health, power, state.",
    "state": "In these states.",
}


def shown(state: ResourceState) -> dict[str, Any]:
    """A state as the API shows it."""
    fields: dict[str, Any] = msgspec.structs.asdict(state)
    fields["since"], fields["seen"] = rfc3339(fields.pop("since_ns")), rfc3339(fields.pop("seen_ns"))
    return fields


def query(given: Mapping[str, Sequence[str]]) -> StateQuery:
    """The query that parameters ask for. Raises ParameterError."""
    fields: dict[str, Any] = {}
    for name, texts in given.items():
        if name in TEXTS:
            fields[name] = parameters.values(name, texts)
        elif name == "limit" and len(texts) == 1:
            fields[name] = parameters.query({"limit": texts}, 0).limit
        elif name == "after" and len(texts) == 1:
            fields[name] = _key(texts[0])
        else:
            names = ", ".join(sorted((*TEXTS, "after", "limit")))
            raise parameters.ParameterError(f"{name} is no parameter, or given twice; there are {names}")
    return StateQuery(**fields)


def token(state: ResourceState) -> str:
    """Where the next page begins. A source's name has no space, and an aspect none either."""
    return f"{state.source} {state.aspect} {state.resource_id}"


def _key(token: str) -> tuple[str, str, str]:
    source, _space, rest = token.partition(" ")
    aspect, space, resource_id = rest.partition(" ")
    if not space:
        raise parameters.ParameterError(f"after {token[:80]!r} isn't the `next` of a page")
    return source, resource_id, aspect
