# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of one event: its BMC, the acknowledgement, the event log, and what became of it at each sink.

Sinks keep a cursor and no row per event, so a time is that of the batch, a second late at most. What a sink was to get
is judged by the routes and the registry as they are now.
"""

from __future__ import annotations

from typing import Any

from event_listener import sinks
from event_listener.event import Event, rfc3339
from event_listener.feed import facts_of
from event_listener.places import cursor_name
from event_listener.routes import UNKNOWN, SourceFacts, selector_for
from event_listener.settings import Settings
from event_listener.store import INDEXED, History, Store

_FILES = ("text_log", "json_lines")


def trace(settings: Settings, store: Store, event: Event) -> dict[str, Any]:
    """All that is known. Raises StoreUnavailableError."""
    payload = store.queries.payload(event.payload_id)
    indexed = store.checkpoints.history(INDEXED, event.seq)
    facts = facts_of(store).get(event.source, UNKNOWN)
    return {
        "id": event.id,
        "seq": event.seq,
        "source": event.source,
        "type": event.type,
        "archived": event.archived,
        "bmc_time": event.time,
        "peer": payload.peer if payload else None,
        "credential": payload.credential if payload else None,
        "site": event.site,
        "received": rfc3339(event.received_ns),
        # Of what a site forwarded, our own acknowledgement.
        "acknowledged": rfc3339(payload.received_ns) if payload else None,
        "indexed": rfc3339(indexed.passes[0].at_ns) if indexed and indexed.passes else None,
        "sinks": [_sink(settings, store, event, kind, section, facts) for kind, section in sinks.sections(settings)],
    }


def _sink(
    settings: Settings, store: Store, event: Event, kind: str, section: Any, facts: SourceFacts
) -> dict[str, Any]:
    name: str = getattr(section, "name", kind)
    shown: dict[str, Any] = {"sink": name, "confirmed": None, "not_before": None, "again": [], "reason": ""}
    if kind not in _FILES:
        verdict = selector_for(name, settings.routes, settings.publish).explain(event, facts)
        shown["route"] = verdict.route
        if verdict.route is None:
            return {**shown, "state": "not routed", "reason": "; ".join(verdict.reasons)}
    seq = event.payload_id if kind == "text_log" else event.seq
    key = f"{cursor_name(name)}@{store.place}" if kind in _FILES and store.place else cursor_name(name)
    history = store.checkpoints.history(key, seq) or History()
    found = _given_up(store, name, seq, history) or _confirmed(store, name, history)
    if found["state"] == "confirmed" and seq <= store.rejections.forgotten(name):
        found = {**found, "state": "passed", "reason": "whether the sink refused it isn't kept (disk.rejected)"}
    return {**shown, **found}


def _given_up(store: Store, name: str, seq: int, history: History) -> dict[str, str] | None:
    """That the sink refused the event, or skipped it with others; None where it did neither."""
    noted = store.rejections.find(name, seq)
    if noted is None:
        return None
    if not noted.is_skip:
        return {"state": "rejected", "reason": noted.reason}
    # Of those that were skipped together the last is noted; the cursor passed all of them then.
    then = any(one.after_ns <= noted.rejected_ns <= one.at_ns for one in history.passes)
    return {"state": "skipped", "reason": noted.reason} if then else None


def _confirmed(store: Store, name: str, history: History) -> dict[str, Any]:
    """How the sink's cursor stands to the event."""
    if history.began:
        return {"state": "before its time", "reason": "the sink began after this event; `sink replay` sends it"}
    if not history.passes and history.before_ns is None:
        lanes = {lane.name: f"{lane.state}: {lane.reason}".rstrip(": ") for lane in store.cursors.lanes()}
        return {"state": "waiting", "reason": lanes.get(name, "no relay runs it")}
    unroutable = store.cursors.counts().get((name, "unroutable"), 0)
    reason = f"{unroutable} messages of this sink had no queue so far; which ones isn't kept" if unroutable else ""
    if not history.passes:
        return {"state": "confirmed", "reason": f"before {rfc3339(history.before_ns or 0)}; more isn't kept"}
    first, *again = history.passes
    return {
        "state": "confirmed",
        "confirmed": rfc3339(first.at_ns),
        "not_before": rfc3339(first.after_ns),
        "again": [rfc3339(one.at_ns) for one in again],
        "reason": reason,
    }
