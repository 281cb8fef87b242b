# SPDX-License-Identifier: GPL-3.0-or-later
"""What ingest takes for a payload, within its limits. Pure; decoded by the function that the normaliser uses too."""

from __future__ import annotations

from typing import Any

from event_listener.normalise.decode import NotJSONError, document

# The arrays whose items become one record each (Event, its old iLO form, MetricReport).
RECORD_ARRAYS = ("Events", "Alerts", "MetricValues")


class MalformedError(ValueError):
    """The body isn't a payload; the text says why, without quoting the body."""


def decode(body: bytes, *, max_depth: int = 64, max_records: int = 10000) -> dict[str, Any] | list[Any] | str:
    """Return the JSON in `body`: whatever the DMTF listener logs, so neither a number nor true, false or null.

    Raises MalformedError.
    """
    if not body:
        raise MalformedError("the body is empty")
    try:
        value = document(body)
    except NotJSONError as error:
        raise MalformedError(str(error)) from error
    if not isinstance(value, (dict, list, str)):
        raise MalformedError(f"a JSON {_json_type(value)} where a Redfish Event or MetricReport is expected")
    # A depth needs an opening bracket per level, so few brackets settle it without a walk.
    if body.count(b"{") + body.count(b"[") > max_depth and _deeper_than(value, max_depth):
        raise MalformedError(f"the JSON is nested deeper than {max_depth} levels (ingest.max_depth)")
    for name, records in _record_arrays(value):
        if len(records) > max_records:
            raise MalformedError(f"{name} has {len(records)} items, more than {max_records} (ingest.max_records)")
    return value


def _record_arrays(value: dict[str, Any] | list[Any] | str) -> list[tuple[str, list[Any]]]:
    if isinstance(value, list):
        return [("the array", value)]
    if isinstance(value, str):
        return []
    return [(name, value[name]) for name in RECORD_ARRAYS if isinstance(value.get(name), list)]


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value]
    for _level in range(limit):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True


def _json_type(value: Any) -> str:
    return {bool: "boolean", int: "number", float: "number"}.get(type(value), "null")
