# SPDX-License-Identifier: GPL-3.0-or-later
"""The upkeep of a fleet as the API and the command line show it."""

from __future__ import annotations

import time
from typing import Any

from event_listener.event import rfc3339
from event_listener.store import Care, Outage, Store


def shown(store: Store) -> dict[str, Any]:
    """Outages of the last 90 days, and each registered source by name. Raises StoreUnavailableError."""
    care, proven, asked = store.upkeep.care(), store.proofs.last_proven(), store.proofs.last_asked()
    sources = {
        name: {
            "registered": rfc3339(registered_ns),
            **_care(care.get(name, Care(name))),
            "last_proven": _time(proven.get(name, 0)),
            "last_asked": _time(asked.get(name, 0)),
        }
        for name, registered_ns in store.sources.registered().items()
    }
    outages = [_outage(one) for one in store.upkeep.outages()]
    return {"now": rfc3339(time.time_ns()), "outages": outages, "sources": sources}


def _care(care: Care) -> dict[str, Any]:
    return {
        "complete": _time(care.complete_ns),
        "repaired": _time(care.repaired_ns),
        "checked": _time(care.checked_ns),
        "verdict": care.verdict,
    }


def _outage(outage: Outage) -> dict[str, Any]:
    return {
        "listener": outage.place,
        "began": rfc3339(outage.began_ns),
        "ended": rfc3339(outage.ended_ns),
        "seconds": round((outage.ended_ns - outage.began_ns) / 1e9, 3),
    }


def _time(moment_ns: int) -> str | None:
    return rfc3339(moment_ns) if moment_ns else None
