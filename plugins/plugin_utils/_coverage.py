# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who sends, who doesn't, and to whom: inventory, subscriptions found and senders heard. Pure."""

from __future__ import annotations

from ansible_collections.redfleet.events.plugins.module_utils._redact import masked
from ansible_collections.redfleet.events.plugins.module_utils._subscription import normal_destination
from ansible_collections.redfleet.events.plugins.plugin_utils import _fleet
from ansible_collections.redfleet.events.plugins.plugin_utils._upkeep import age

RECENT = "24h"


def coverage(found, declared, heard, recent=RECENT):
    """Return the report, with "sections", "findings" and "free_slots" besides.

    found is {host: event_destination_info's result}, declared {host: destination or None}, heard listener_source_info's
    result. A retired source still sends when it was heard within recent, an age, before the listener's newest event.
    """
    senders = {source["name"]: source for source in heard["sources"] if source["name"] != "event-listener"}
    held = {host: _held(result, declared.get(host)) for host, result in found.items()}
    rows = [_row(host, result, held[host], senders.get(host)) for host, result in found.items()]
    foreign: dict[str, list[str]] = {}
    for host, (_ours, others) in held.items():
        for destination in others:
            foreign.setdefault(destination, []).append(host)
    strangers = [one for name, one in senders.items() if name not in found and one["last_seen"]]
    unknown = [one for one in strangers if one["state"] != "retired"]
    retired = [one for one in _recent(senders.values(), recent) if one["state"] == "retired"]
    slots = {host: result.get("free_slots") for host, result in found.items() if (result or {}).get("free_slots")}
    findings = {
        "never_sent": [host for host in found if not _was_heard(senders.get(host))],
        "unknown_sender": [one["name"] for one in unknown],
        "retired_sends": [one["name"] for one in retired],
        "not_subscribed": [row["host"] for row in rows if row["verdict"] == "drifted"],
        "foreign_destination": sorted(foreign),
        "unread": [row["host"] for row in rows if row["verdict"] not in (*_fleet.GOOD, "drifted", "never sent")],
    }
    return {
        **_fleet.report(rows),
        "findings": findings,
        "free_slots": sum(slots.values()),
        "asked": len(found) - len(findings["unread"]),
        "sections": _sections(foreign, unknown, retired, slots),
    }


def _held(result, declared):
    """Return whether a BMC holds a subscription to the declared destination, and the destinations of others."""
    ours = normal_destination(masked(str(declared))) if declared else None
    destinations = [str(one.get("Destination") or "") for one in (result or {}).get("subscriptions") or []]
    normal = [normal_destination(each) for each in destinations if each]
    return ours in normal, sorted({each for each in normal if each != ours})


def _row(host, result, held, sender):
    name, detail = _fleet.verdict(result)
    ours, others = held
    if name != "ok":
        return {"host": host, "verdict": name, "detail": detail}
    told = [f"also sends to {len(others)} other destinations"] if others else []
    if not ours:
        name, told = "drifted", ["holds no subscription to its declared destination", *told]
    elif not _was_heard(sender):
        name, told = "never sent", ["the listener never heard it", *told]
    return {"host": host, "verdict": name, "detail": "; ".join(told)}


def _was_heard(sender):
    return bool(sender and sender["last_seen"])


def _recent(senders, recent):
    """The senders heard within this age; now is when the listener last heard anybody."""
    heard = [(_fleet.moment(one["last_seen"]), one) for one in senders if one["last_seen"]]
    newest = max((time for time, _one in heard), default=None)
    return [one for time, one in heard if newest is not None and newest - time <= age(recent)]


def _sections(foreign, unknown, retired, slots):
    names = ["sender", "address", "last heard", "events"]
    return [
        {
            "title": "Who else receives events of the fleet",
            "explanation": "Destinations that are not declared here. They may be somebody's on purpose.",
            "columns": ["destination", "BMCs", "which"],
            "rows": [[destination, len(hosts), _few(hosts)] for destination, hosts in sorted(foreign.items())],
        },
        {
            "title": "Senders that the inventory doesn't know",
            "explanation": "The listener heard them, and no host of the group bmcs has this name.",
            "columns": names,
            "rows": [_sender(one) for one in unknown],
        },
        {
            "title": "Retired BMCs that still send",
            "explanation": "Registered as retired, and heard within the last day. Unsubscribe them.",
            "columns": names,
            "rows": [_sender(one) for one in retired],
        },
        {
            "title": "Free slots",
            "explanation": "BMCs with a fixed number of subscriptions that have room for more.",
            "columns": ["BMC", "free slots"],
            "rows": [[host, count] for host, count in sorted(slots.items())],
        },
    ]


def _sender(one):
    return [one["name"], one.get("address") or "", one["last_seen"], one.get("events", "")]


def _few(hosts, most=10):
    shown = ", ".join(sorted(hosts)[:most])
    return shown if len(hosts) <= most else f"{shown} and {len(hosts) - most} more"
