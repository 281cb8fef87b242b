# SPDX-License-Identifier: GPL-3.0-or-later
"""A source as it is shown: what is registered about it, and what it did. Also senders that nobody registered."""

from __future__ import annotations

import time
from typing import Any

from event_listener.event import rfc3339
from event_listener.policy import EVERYTHING, Scope
from event_listener.registry import Source, owner_of
from event_listener.registry import shown as shown_source
from event_listener.source_health import Health
from event_listener.store import Activity, Store

STATUSES = ("ok", "silent", "unjudged")


def shown(
    name: str,
    source: Source | None,
    activity: Activity | None,
    proven_ns: int | None,
    uses: dict[str, int] | None = None,
    health: Health | None = None,
) -> dict[str, Any]:
    """One source; ``uses`` says when it last showed which credential (ns)."""
    fields = source or Source(name=name, address=activity.address if activity else None)
    return {
        **shown_source(fields),
        "registered": source is not None,
        "last_seen": rfc3339(activity.last_seen_ns) if activity else None,
        "last_proven": rfc3339(proven_ns) if proven_ns else None,
        "payloads": activity.payloads if activity else 0,
        "events": activity.events if activity else 0,
        "quarantined": activity.quarantined if activity else 0,
        "health": _health(source, activity, health),
        "heard_with": {credential: rfc3339(moment) for credential, moment in sorted((uses or {}).items())},
    }


def _health(source: Source | None, activity: Activity | None, judged: Health | None) -> dict[str, Any]:
    """``status`` is ok, silent, or unjudged where nothing says how often a source should be heard."""
    every = source.heartbeat_minutes if source is not None else None
    missed = None
    if every and activity is not None:
        missed = max(0, (time.time_ns() - activity.last_seen_ns) // (every * 60_000_000_000))
    return {
        "status": "unjudged" if judged is None else "silent" if judged.silent else "ok",
        "since": rfc3339(judged.since_ns) if judged else None,
        "may_be_silent_s": judged.longest if judged else None,
        "heartbeat_minutes": every,
        "heartbeats_missed": missed,
    }


def view(store: Store, scope: Scope = EVERYTHING) -> list[dict[str, Any]]:
    """The sources of a scope by name. Raises StoreUnavailableError."""
    registered = {source.name: source for source in store.sources.list()}
    heard, uses = store.sources.activity(), store.sources.credential_uses()
    proven, health = store.proofs.last_proven(), store.health.all()
    names = [name for name in sorted(registered.keys() | heard.keys()) if scope.holds(owner_of(registered.get(name)))]
    return [
        shown(name, registered.get(name), heard.get(name), proven.get(name), uses.get(name), health.get(name))
        for name in names
    ]
