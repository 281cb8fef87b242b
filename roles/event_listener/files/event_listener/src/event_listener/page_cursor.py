# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the next page of a query begins, as a text that clients hand back and don't read. No I/O.

It holds the last ``seq`` and the moments that the first page's ``since=1h`` meant, and fits only the query it was
given for. What may be seen isn't in it: the scope is the asker's, each time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

import msgspec

from event_listener.store.question import Query

_OWN = ("after", "before", "limit", "scope", "since_ns", "until_ns")


class CursorError(ValueError):
    """The cursor can't be used; the text says why."""


class _Cursor(msgspec.Struct, array_like=True):
    seq: int
    since_ns: int | None
    until_ns: int | None
    query: str


def next_page(query: Query, seq: int) -> str:
    """The cursor after a page whose last event has this ``seq``."""
    held = _Cursor(seq, query.since_ns, query.until_ns, _digest(query))
    return base64.urlsafe_b64encode(msgspec.json.encode(held)).rstrip(b"=").decode()


def continued(query: Query, cursor: str) -> Query:
    """The query of the page that the cursor stands for. Raises CursorError."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        held = msgspec.json.decode(text, type=_Cursor)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise CursorError("cursor is none of ours; hand back the `cursor` of the last answer as it is") from error
    if held.query != _digest(query) or not 0 <= held.seq < 1 << 63:
        raise CursorError("cursor belongs to another query; send the same filters with it, or begin without")
    if query.order == "asc":
        query = msgspec.structs.replace(query, after=max(query.after, held.seq))
    else:
        before = held.seq if query.before is None else min(query.before, held.seq)
        query = msgspec.structs.replace(query, before=before)
    return msgspec.structs.replace(query, since_ns=held.since_ns, until_ns=held.until_ns)


def _digest(query: Query) -> str:
    filters = {name: value for name, value in msgspec.structs.asdict(query).items() if name not in _OWN}
    periods = [query.since_ns is None, query.until_ns is None]
    return hashlib.sha256(msgspec.json.encode([filters, periods])).hexdigest()[:16]
