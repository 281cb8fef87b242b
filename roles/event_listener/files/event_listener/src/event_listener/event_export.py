# SPDX-License-Identifier: GPL-3.0-or-later
"""Events of a query as JSON, however many: read in pages, each a short transaction, and handed on page by page."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from event_listener.event import Payload, as_json
from event_listener.store import MAX_LIMIT, Query, Store

Form = Literal["ndjson", "json"]
_encode = msgspec.json.Encoder().encode


def parts(store: Store, query: Query, form: Form, *, payloads: bool = False) -> Iterator[bytes]:
    """The events as lines of JSON, or as ``{"events": [...]}``. What arrives after the beginning isn't among them.

    ``payloads`` adds to each the POST that it came in, for who may see all of it. The first page is read before this
    returns. Raises StoreUnavailableError.
    """
    head = store.log.head() + 1
    before = head if query.before is None else min(head, query.before)
    pages = _pages(store, msgspec.structs.replace(query, before=before, limit=MAX_LIMIT), payloads=payloads)
    first = next(pages, [])
    return _lines(first, pages) if form == "ndjson" else _object(first, pages)


def _pages(store: Store, query: Query, *, payloads: bool) -> Iterator[list[bytes]]:
    while True:
        page = store.queries.find(query)
        shown: list[Any] = [as_json(event) for event in page.events]
        if payloads:
            for one in shown:
                one["payload"] = _payload(store, query, one["payload_id"])
        yield list(map(_encode, shown))
        if page.next is None:
            return
        query = msgspec.structs.replace(query, **{"after" if query.order == "asc" else "before": page.next})


def _payload(store: Store, query: Query, payload_id: int) -> dict[str, Any] | None:
    """A POST; None for one that holds events of others, too."""
    whole = store.queries.is_whole(payload_id, query.scope)
    found: Payload | None = store.queries.payload(payload_id) if whole else None
    if found is None:
        return None
    body = base64.b64encode(found.body).decode()
    return {"content_type": found.content_type, "peer": found.peer, "body_base64": body}


def _lines(first: list[bytes], pages: Iterator[list[bytes]]) -> Iterator[bytes]:
    for page in itertools.chain([first], pages):
        yield b"".join(line + b"\n" for line in page)


def _object(first: list[bytes], pages: Iterator[list[bytes]]) -> Iterator[bytes]:
    yield b'{"events":['
    comma = b""
    for page in itertools.chain([first], pages):
        if page:
            yield comma + b",".join(page)
            comma = b","
    yield b"]}\n"
