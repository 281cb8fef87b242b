# SPDX-License-Identifier: GPL-3.0-or-later
"""A source as it is shown: what is registered about it, and what it did. Also senders that nobody registered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from event_listener.clock import cautious_ns
from event_listener.event import rfc3339
from event_listener.policy import EVERYTHING, Scope
from event_listener.refusals import Refused, refused
from event_listener.registry import Source, owner_of
from event_listener.registry import shown as shown_source
from event_listener.source_health import Health
from event_listener.source_rates import published
from event_listener.store import Activity, Store

STATUSES = ("ok", "silent", "unjudged")


class Here(msgspec.Struct, frozen=True):
    """What only this host knows: events per minute, and who was refused."""

    rates: dict[str, float] = {}
    refused: dict[str, Refused] = {}


def here(state_dir: str | Path) -> Here:
    """As the relay and ingest told last."""
    return Here(published(state_dir), refused(state_dir))


def shown(
    name: str,
    source: Source | None,
    activity: Activity | None,
    proven_ns: int | None,
    uses: dict[str, int] | None = None,
    health: Health | None = None,
    here: Here = Here(),  # noqa: B008 - frozen
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
        "events_per_minute": here.rates.get(name, 0.0),
        "refused": _refused(here.refused.get(name) or here.refused.get(fields.address or "")),
        "health": _health(source, activity, health),
        "heard_with": {credential: rfc3339(moment) for credential, moment in sorted((uses or {}).items())},
    }


def _refused(found: Refused | None) -> dict[str, Any]:
    """Attempts that this host refused since its ingest was started."""
    if found is None:
        return {"count": 0, "last": None, "reasons": {}}
    return {"count": found.count, "last": rfc3339(found.last_ns), "reasons": found.reasons}


def _health(source: Source | None, activity: Activity | None, judged: Health | None) -> dict[str, Any]:
    """``status`` is ok, silent, or unjudged where nothing says how often a source should be heard."""
    every = source.heartbeat_minutes if source is not None else None
    missed = heartbeats_missed(source, activity, cautious_ns())
    return {
        "status": "unjudged" if judged is None else "silent" if judged.silent else "ok",
        "since": rfc3339(judged.since_ns) if judged else None,
        "may_be_silent_s": judged.longest if judged else None,
        "heartbeat_minutes": every,
        "heartbeats_missed": missed,
    }


def heartbeats_missed(source: Source | None, activity: Activity | None, now_ns: int) -> int | None:
    """Heartbeats that are missing since a source was last heard; None where none are sent, or it never was."""
    if source is None or not source.heartbeat_minutes or activity is None:
        return None
    return max(0, (now_ns - activity.last_seen_ns) // (source.heartbeat_minutes * 60_000_000_000))


def view(store: Store, scope: Scope = EVERYTHING, here: Here = Here()) -> list[dict[str, Any]]:  # noqa: B008 - frozen
    """The sources of a scope by name. Raises StoreUnavailableError."""
    registered = {source.name: source for source in store.sources.list()}
    heard, uses = store.sources.activity(), store.sources.credential_uses()
    proven, health = store.proofs.last_proven(), store.health.all()
    names = [name for name in sorted(registered.keys() | heard.keys()) if scope.holds(owner_of(registered.get(name)))]
    return [
        shown(name, registered.get(name), heard.get(name), proven.get(name), uses.get(name), health.get(name), here)
        for name in names
    ]
