# SPDX-License-Identifier: GPL-3.0-or-later
"""Is this the test event that somebody announced? Pure; docs/reports.md says what a proof is.

Whoever wants a proof announces it first and gets a marker for each source, which the BMC is asked to put into its test
event. Many BMCs drop it: then the first event of that source with one of the announced messages counts, received
between the announcement and its end. Some of those messages are real alerts (Dell has no others for a test), so only
the announcement tells that this one is a test.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

import msgspec

from event_listener.event import Origin, Record
from event_listener.normalise.redfish import TEST_MARKER
from event_listener.settings import SOURCE_ID_PATTERN

Matched = Literal["marker", "sequence"]
MOST_SOURCES = 20_000


class InvalidProofError(ValueError):
    """An announcement that can't be taken; the text says why."""


class Announcement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Test events that are about to be caused. ``seconds``: how long they are waited for."""

    sources: Annotated[
        list[Annotated[str, msgspec.Meta(pattern=SOURCE_ID_PATTERN)]],
        msgspec.Meta(min_length=1, max_length=MOST_SOURCES),
    ]
    message_keys: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=1, max_length=255)]], msgspec.Meta(max_length=50)
    ] = []
    seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 600.0


class Proof(msgspec.Struct, frozen=True):
    """One announced test event, and what came of it: ``received_ns`` and ``event_id`` once it arrived."""

    marker: str
    batch: str
    source: str
    message_keys: tuple[str, ...]
    asked_ns: int
    expires_ns: int
    received_ns: int | None = None
    event_id: str | None = None
    matched: Matched | None = None


class Found(msgspec.Struct, frozen=True):
    """An announced test event that arrived: position of its record in the payload."""

    marker: str
    index: int
    matched: Matched


def announcement_of(document: Any) -> Announcement:
    """An announcement from decoded JSON. Raises InvalidProofError."""
    try:
        return msgspec.convert(document, Announcement)
    except msgspec.ValidationError as error:
        raise InvalidProofError(f"proofs: {error}") from error


def announce(wanted: Announcement, now_ns: int) -> list[Proof]:
    """One proof per source, each with a marker that nobody can guess."""
    batch, expires = secrets.token_hex(8), now_ns + int(wanted.seconds * 1e9)
    keys = tuple(dict.fromkeys(wanted.message_keys))
    return [
        Proof(TEST_MARKER + secrets.token_hex(8), batch, source, keys, now_ns, expires)
        for source in dict.fromkeys(wanted.sources)
    ]


def settle(
    records: Sequence[Record], waiting: Iterable[Proof], received_ns: int
) -> tuple[tuple[Record, ...], list[Found]]:
    """The records of one payload with the announced test events among them marked, and which those are.

    ``waiting`` are open announcements for the payload's source, oldest first. One record settles one announcement.
    """
    marked, found = list(records), []
    open_ = list(waiting)
    for index, record in enumerate(records):
        proof, matched = _announced(record, open_, received_ns)
        if proof is None or matched is None:
            continue
        open_.remove(proof)
        found.append(Found(proof.marker, index, matched))
        if record.origin is Origin.LIVE:
            marked[index] = msgspec.structs.replace(record, origin=Origin.TEST)
    return tuple(marked), found


def _announced(record: Record, waiting: Sequence[Proof], received_ns: int) -> tuple[Proof | None, Matched | None]:
    """A marker says which it is, whatever the clocks do meanwhile; a message has to come in time."""
    texts = [text for text in (record.event_id, record.message, *record.message_args) if text]
    for proof in waiting:
        if any(proof.marker in text for text in texts):
            return proof, "marker"
    if any(TEST_MARKER in text for text in texts):
        return None, None  # the test event of another announcement
    key = (record.message_id or "").rpartition(".")[2]
    for proof in waiting:
        if key and key in proof.message_keys and proof.asked_ns <= received_ns <= proof.expires_ns:
            return proof, "sequence"
    return None, None
