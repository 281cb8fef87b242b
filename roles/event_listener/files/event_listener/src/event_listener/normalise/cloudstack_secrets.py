# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in what CloudStack publishes, taken out before anything is stored. No I/O, total.

A job's ``cmdInfo`` holds the parameters of the API call as they were sent: session key, signature, passwords, user
data (apache/cloudstack#782). It is JSON in a text in JSON, and ``jobResult`` may be ``<class>/null/{...}``. The list is
in docs/cloudstack.md; a body that holds none of it is stored byte for byte.
"""

from __future__ import annotations

import json
import re
from typing import Any

from event_listener.redact import MARK, NAMES, cleaned

_ENDS = ("password", "passwd", "secret", "secretkey", "privatekey", "sessionkey", "apikey", "token")
_WHOLE = NAMES | {"signature", "userdata", "userdatadetails", "jsessionid"}
_DEEPEST = 8  # texts in texts
_DECODER = json.JSONDecoder()
_NAMED = re.compile(
    r'(?i)((\\*")[a-z_.-]*(?:password|passwd|secret|key|token|signature|userdata)\\*"\s*:\s*\\*")[^"\\]*'
)


def clean(body: bytes) -> bytes:
    """The body without secrets; the same object where it holds none."""
    try:
        text = body.decode()
        found = json.loads(text)
        secretless = _value(found, 0)
    except UnicodeDecodeError:
        return _roughly(body.decode("latin-1"), body, "latin-1")
    except (ValueError, RecursionError):  # it goes to quarantine, and is stored there
        return _roughly(body.decode(), body, "utf-8")
    return (
        body
        if secretless is found
        else json.dumps(secretless, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    )


def _roughly(text: str, body: bytes, encoding: str) -> bytes:
    """What isn't JSON can't be understood; what looks like a named secret is taken out."""
    without = cleaned(_NAMED.sub(rf"\g<1>{MARK}", text))
    return body if without == text else without.encode(encoding, "surrogatepass")


def _is_secret(name: str) -> bool:
    plain = name.lower().replace("-", "").replace("_", "")
    last = plain.rpartition(".")[2].rpartition("[")[0] or plain.rpartition(".")[2]
    return last in _WHOLE or last.endswith(_ENDS)


def _value(value: Any, depth: int) -> Any:
    """The same without secrets; the same object where there are none."""
    if isinstance(value, str):
        return _text(value, depth)
    if isinstance(value, dict):
        items = {name: _member(name, item, depth) for name, item in value.items()}
        return value if all(items[name] is item for name, item in value.items()) else items
    if isinstance(value, list):
        items_ = [_value(item, depth) for item in value]
        return value if all(new is old for new, old in zip(items_, value, strict=True)) else items_
    return value


def _member(name: str, value: Any, depth: int) -> Any:
    if _is_secret(name) and value not in (None, "", [], {}, True, False, MARK):
        return MARK
    return _value(value, depth)


def _text(text: str, depth: int) -> str:
    """JSON within a text, and behind what comes first in it; the rest as any published text."""
    start = text.find("{")
    if start >= 0 and depth < _DEEPEST:
        try:
            inner, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            return _unlike_json(text)
        secretless = _value(inner, depth + 1)
        if secretless is inner:
            return _plain(text)
        made = json.dumps(secretless, ensure_ascii=False, separators=(",", ":"))
        return _plain(text[:start]) + made + _plain(text[end:])
    return _plain(text)


def _unlike_json(text: str) -> str:
    without = _NAMED.sub(rf"\g<1>{MARK}", text)
    return _plain(text if without == text else without)


def _plain(text: str) -> str:
    """Query strings, URLs with credentials, Authorization headers."""
    return cleaned(text)
