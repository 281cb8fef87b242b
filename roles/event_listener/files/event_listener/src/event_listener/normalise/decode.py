# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes to JSON, as leniently as BMCs need it. No I/O."""

from __future__ import annotations

import codecs
import json
import math
from typing import Any

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class NotJSONError(Exception):
    """The body is no JSON document; the text says why."""


def text(body: bytes) -> str:
    """The body as text: a byte order mark decides, else UTF-8, else latin-1 (which knows every byte)."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return body.decode(encoding, errors="replace")
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body.decode("latin-1")


def document(body: bytes) -> Any:
    """The JSON document. Raises NotJSONError, and nothing else, for whatever isn't one."""
    try:
        return json.loads(text(body))
    except RecursionError:
        raise NotJSONError("the JSON is nested too deeply") from None
    except ValueError as error:
        raise NotJSONError(f"not JSON: {error}") from None


def storable(value: str, limit: int) -> str:
    """At most ``limit`` characters that every database takes: no NUL, no lone surrogates (both become U+FFFD)."""
    clean = value[:limit].replace("\x00", "\ufffd")
    return clean if clean.isascii() else _whole(clean)


def _whole(value: str) -> str:
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def strict(value: Any) -> Any:
    """The same JSON without what UTF-8 and RFC 8259 lack: NaN and infinities become text, lone surrogates U+FFFD."""
    try:
        # Nearly every record is fine, and the encoder written in C knows it five times faster than the walk below.
        if "\\ud" not in json.dumps(value, allow_nan=False):
            return value
    except ValueError:
        return _strict(value)
    return _strict(value)


def _strict(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else _whole(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {_strict(key): _strict(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_strict(item) for item in value]
    return value
