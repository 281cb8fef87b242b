# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody did, as an ActionEvent in the same transaction as the deed: both are there, or neither."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection

from event_listener.event import Category, Level
from event_listener.policy import Owner
from event_listener.store.log import Arrival, insert_new, now_ns
from event_listener.store.own import own_arrival

_AT_ONCE = 1000  # a fleet may be registered by one request, and a statement has only so many parameters


class Actor(msgspec.Struct, frozen=True):
    """Who did it, and from where: an address, or ``command line``."""

    name: str
    where: str


def record(connection: Connection, *deeds: Arrival) -> None:
    """Store what was :func:`told`, in the write transaction of the deeds."""
    for start in range(0, len(deeds), _AT_ONCE):
        insert_new(connection, deeds[start : start + _AT_ONCE])


def told(
    actor: Actor,
    event_type: str,
    resource: tuple[str, str],
    owner: Owner,
    *,
    failed: str = "",
    unique: str = "",
    details: Mapping[str, Any] | None = None,
) -> Arrival:
    """The event of one deed: ``DOMAIN.CREATE`` of ``("Domain", "/dc1/")``. ``failed`` says why it was refused.

    ``unique`` keeps what repeats (wrong passwords) from filling the log: the same text is told once.
    """
    kind, name = resource
    verb = event_type.rpartition(".")[2].lower()
    outcome = f"failed: {failed}" if failed else "done"
    return own_arrival(
        "ActionFailed" if failed else "ActionCompleted",
        f"{verb} {kind} {name} by {actor.name} from {actor.where}: {outcome}",
        unique=unique or secrets.token_hex(16),
        now_ns=now_ns(),
        owner=owner,
        level=Level.ERROR if failed else Level.INFO,
        category=Category.ACTION,
        event_type=event_type,
        arguments=[actor.name, actor.where, event_type, kind, name, *([failed] if failed else [])],
        details={"actor": actor.name, "from": actor.where, **(details or {})},
        resource=resource,
    )
