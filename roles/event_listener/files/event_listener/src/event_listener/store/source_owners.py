# SPDX-License-Identifier: GPL-3.0-or-later
"""To whom registered sources belong is in the tree of domains and accounts."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from event_listener.registry import Source, owner_of
from event_listener.store.accounts import ensure_account, ensure_domain
from event_listener.store.actions import Actor


def ensure_owners(connection: Connection, actor: Actor, sources: Iterable[Source]) -> None:
    """Make the domains and accounts of these sources that aren't there, in the transaction that stores them."""
    for owner in {owner_of(source): None for source in sources}:
        if owner.account is not None:
            ensure_account(connection, owner.domain, owner.account, actor)
        else:
            ensure_domain(connection, owner.domain, actor)
