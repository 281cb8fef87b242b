# SPDX-License-Identifier: GPL-3.0-or-later
"""Small builders for what many routes answer."""

from __future__ import annotations

from collections.abc import Iterable

from .answer import Json, problem
from .call import Call

ROOT = "/redfish/v1"


def link(uri: str) -> Json:
    """A reference."""
    return {"@odata.id": uri}


def collection(uri: str, kind: str, members: Iterable[Json]) -> Json:
    """A resource collection; `kind` is that of its members, as ComputerSystem."""
    listed = list(members)
    return {
        "@odata.id": uri,
        "@odata.type": f"#{kind}Collection.{kind}Collection",
        "Name": f"{kind} Collection",
        "Members": listed,
        "Members@odata.count": len(listed),
    }


def number(call: Call, name: str, default: int) -> int:
    """A whole number from the query. Raises RedfishProblem (400)."""
    value = call.query.get(name, str(default))
    if not value.isdigit():
        raise problem(400, "QueryParameterValueFormatError", value, name)
    return int(value)
