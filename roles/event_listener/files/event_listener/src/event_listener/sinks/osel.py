# SPDX-License-Identifier: GPL-3.0-or-later
"""Security group changes as osel wrote them to syslog: one JSON object per affected address. No I/O.

The keys are osel's 1.1, and what it left out: who and when. A change that affects no address is one line too, with an
empty ``affected_ip_address``. What isn't about a security group has no line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from event_listener.event import Event
from event_listener.scans.addresses import KEY, affected, details

_RULE = (
    "remote_group_id", "direction", "protocol", "remote_ip_prefix", "port_range_max", "rule_direction",
    "security_group_id", "tenant_id", "port_range_min", "ethertype", "id",
)  # fmt: skip
_WHO = ("user", "user_id", "project", "project_id", "request_id")


def lines(event: Event, source_type: str) -> Iterator[dict[str, Any]]:
    """The objects, in order: of a change, of a scan that was started for changes, of one that failed."""
    told = details(event)
    if "change_type" in told:
        for address in affected(event) or ("",):
            yield _line(event, source_type, told, address, {}, event.id)
    scan = told.get("scan")
    if isinstance(scan, dict) and (event.type.endswith(".ScanStarted") or scan.get("error")):
        yield from _of_scan(event, source_type, scan)


def _of_scan(event: Event, source_type: str, scan: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for cause in scan.get("causes", ()):
        if "change_type" in (change := cause.get("details") or {}):
            for address in cause.get(KEY, ()):
                yield _line(event, source_type, change, address, scan, str(cause.get("event", "")))


def _line(
    event: Event, source_type: str, change: Mapping[str, Any], address: str, scan: Mapping[str, Any], change_id: str
) -> dict[str, Any]:
    rule = change.get("security_group_rule") or {}
    group = change.get("security_group") or None
    shown = {name: rule.get(name) for name in _RULE}
    shown |= {"rule_direction": rule.get("direction"), "security_group_id": rule.get("security_group_id") or group}
    who = change.get("who") or {}
    return {
        "affected_ip_address": address,
        "change_type": change["change_type"],
        "qualys_scan_id": str(scan.get("reference", "")),
        "qualys_scan_error": str(scan.get("error", "")),
        "security_group_rule": shown,
        "source_type": source_type,
        "source_message_bus": event.source,
        "time": change.get("time"),
        **{name: who.get(name, "") for name in _WHO},
        "event_id": change_id,
    }
