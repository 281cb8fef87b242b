# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place where an event says which addresses a change affects. No I/O.

Whoever enriches a change (ports of a security group, say) tells of it by an event of our own, and gives the addresses
as ``own_arrival(..., details={KEY: stated(addresses), ...})``; they stand in the event's record then::

    {"Oem": {"redfleet": {"addresses": ["192.0.2.7", "2001:db8::7"], "security_group_rule": {...}, ...}}}

``addresses`` is there and empty where a change affects none. What else is in the details is handed on: each event of a
scan (``RedfleetEvents.ScanScheduled``, ``ScanStarted``, ``ScanCompleted``) has, in its own details, under ``scan``::

    {"id": "scan-...", "sink": "qualys", "reference": "scan/1736361211.27337" or "", "error": "", "dry_run": false,
     "addresses": ["192.0.2.7"],
     "causes": [{"event": "own-...-0-0", "addresses": ["192.0.2.7"], "details": {"security_group_rule": {...}}}]}

so that a line about a change that names the scan (osel's ``qualys_scan_id`` and ``qualys_scan_error``) can be made of
that event alone: ``reference`` is the former, ``error`` the latter, each cause is a change, of which ``details`` are
what its event said, without the addresses. No such event has ``addresses`` at its top: a scan never causes another.

Only events that this listener made itself are believed: a BMC, or a site, could send a record of the same shape and
have strangers scanned.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

from event_listener.event import Event

KEY = "addresses"
_OWN_ID = re.compile(r"own-[0-9a-f]{24}-0-0")  # and this address: of what this listener made (store/own.py)
_OWN_ADDRESS = "event-listener"


def stated(addresses: Iterable[str]) -> list[str]:
    """Addresses as they stand in the details: each once, in their shortest form, in order.

    Raises ValueError for what is no IP address.
    """
    return [str(address) for address in sorted(set(map(ipaddress.ip_address, addresses)), key=_order)]


def details(event: Event) -> Mapping[str, Any]:
    """The details of an event of our own; empty for any other event."""
    own = _OWN_ID.fullmatch(event.id) and event.address == _OWN_ADDRESS and event.site is None
    if not own or not isinstance(event.record, dict):
        return {}
    oem = event.record.get("Oem")
    found = oem.get("redfleet") if isinstance(oem, dict) else None
    return found if isinstance(found, dict) else {}


def affected(event: Event) -> tuple[str, ...]:
    """The addresses that a change affects, as its event states them; () where it states none."""
    found = details(event).get(KEY)
    return tuple(item for item in found if isinstance(item, str)) if isinstance(found, list) else ()


def _order(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> tuple[int, int]:
    return address.version, int(address)
