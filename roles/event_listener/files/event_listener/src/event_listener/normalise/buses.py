# SPDX-License-Identifier: GPL-3.0-or-later
"""A message of a bus to records, each with an id of the message's own: the table of kinds. No I/O, total."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

import msgspec

from event_listener.event import Record
from event_listener.normalise import cloudstack, openstack

INPUT = "input:"  # begins the credential of what a bus delivered; no other credential does
_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")


class Understood(msgspec.Struct, frozen=True):
    """A message's records, or the reason why there are none (then it belongs in quarantine).

    ``message_id`` names the message on its bus, so that it is stored once however often it is delivered; empty where
    the bus gives none.
    """

    records: tuple[Record, ...] = ()
    message_id: str = ""
    problem: str = ""


# By the kind of input (inputs/__init__.py): the body and the content type with its labels (labels.py) to records, the
# message's id and the problem, one of the first and the last.
Normaliser = Callable[[bytes, str], tuple[tuple[Record, ...], str, str]]
NORMALISERS: dict[str, Normaliser] = {
    "openstack": openstack.normalise,
    "cloudstack": cloudstack.normalise,
    "cloudstack_kafka": cloudstack.normalise,
}


def credential_of(kind: str, name: str) -> str:
    """What the journal's entries of an input have as their credential."""
    return f"{INPUT}{kind}:{name}"


def understand(kind: str, body: bytes, content_type: str) -> Understood:
    """What a message says."""
    if kind not in NORMALISERS:  # of a newer version, before a downgrade
        return Understood(problem=f"messages of kind {kind!r} aren't known to this version")
    return Understood(*NORMALISERS[kind](body, content_type))


def event_id(source: str, message_id: str, index: int) -> str:
    """The id of a message's event: the same each time it is delivered."""
    text = message_id if _ID.fullmatch(message_id) else hashlib.sha256(message_id.encode()).hexdigest()[:32]
    return f"{source}-{text}-{index}"
