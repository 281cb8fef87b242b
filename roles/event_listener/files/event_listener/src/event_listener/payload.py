# SPDX-License-Identifier: GPL-3.0-or-later
"""Decode what a BMC sends. Pure; ingest and the normaliser share it, so that what one accepts the other can read."""

from __future__ import annotations

import codecs
from typing import Any

import msgspec

_DECODER = msgspec.json.Decoder()
# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# The arrays whose items become one record each (Event, its old iLO form, MetricReport).
RECORD_ARRAYS = ("Events", "Alerts", "MetricValues")


class MalformedError(ValueError):
    """The body isn't a payload; the text says why, without quoting the body."""


def decode(body: bytes, *, max_depth: int = 64, max_records: int = 10000) -> dict[str, Any]:
    """Return the JSON object in `body` (UTF-8 with or without a mark, UTF-16/32 with one, else latin-1).

    Raises MalformedError.
    """
    text = _without_mark(body)
    if not text.strip():
        raise MalformedError("the body is empty")
    value = _parse(text, max_depth)
    if not isinstance(value, dict):
        raise MalformedError(f"the body is a JSON {_json_type(value)}, not an object")
    # A depth needs an opening bracket per level, so few brackets settle it without a walk.
    if text.count(b"{") + text.count(b"[") > max_depth and _deeper_than(value, max_depth):
        raise MalformedError(f"the JSON is nested deeper than {max_depth} levels (ingest.max_depth)")
    for name in RECORD_ARRAYS:
        records = value.get(name)
        if isinstance(records, list) and len(records) > max_records:
            raise MalformedError(f"{name} has {len(records)} items, more than {max_records} (ingest.max_records)")
    return value


def _without_mark(body: bytes) -> bytes:
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            rest = body[len(mark) :]
            if encoding == "utf-8":
                return rest
            try:
                return rest.decode(encoding).encode()
            except UnicodeError as error:
                raise MalformedError(f"the body is marked as {encoding} and isn't") from error
    return body


def _parse(text: bytes, max_depth: int) -> Any:
    try:
        return _DECODER.decode(_as_utf8(text))
    except RecursionError as error:
        raise MalformedError(f"the JSON is nested deeper than {max_depth} levels (ingest.max_depth)") from error
    except msgspec.DecodeError as error:
        raise MalformedError(f"not JSON: {error}") from error


def _as_utf8(text: bytes) -> bytes:
    if text.isascii():
        return text
    try:
        text.decode()
    except UnicodeDecodeError:
        # Old firmware writes latin-1 without saying so.
        return text.decode("latin-1").encode()
    return text


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
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", type(None): "null"}
    return names[type(value)]
