# SPDX-License-Identifier: GPL-3.0-or-later
"""From changes to scans of bounded size: which addresses, each once, and which changes ask for them. No I/O."""

from __future__ import annotations

import hashlib
import ipaddress
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from event_listener.event import Event
from event_listener.policy import Owner
from event_listener.scans.addresses import KEY, affected, details

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
INVALID, IPV6, OUTSIDE = "invalid_addresses", "ipv6_dropped", "outside_networks"


class Limits(Protocol):
    """The settings that choose (settings_scans.ScanSink)."""

    @property
    def name(self) -> str:
        """The sink's."""

    @property
    def networks(self) -> list[str]:
        """Where scanning is allowed."""

    @property
    def drop6(self) -> bool:
        """Whether IPv6 is left out."""

    @property
    def max_addresses(self) -> int:
        """Of one scan."""


class Wanted(msgspec.Struct, frozen=True):
    """A scan that is to be: ``causes`` as scans/addresses.py describes them."""

    id: str
    addresses: tuple[str, ...]
    causes: tuple[dict[str, Any], ...]
    owner: Owner


class Plan(msgspec.Struct, frozen=True):
    """The scans, and how many addresses were left out, by why."""

    scans: tuple[Wanted, ...] = ()
    left_out: dict[str, int] = {}


def plan(events: Sequence[Event], limits: Limits) -> Plan:
    """What to scan because of these events, oldest first. The same events give the same scans with the same ids."""
    networks = [ipaddress.ip_network(text) for text in limits.networks]
    left_out: Counter[str] = Counter()
    asked: dict[Address, list[Event]] = {}
    for event in events:
        for text in dict.fromkeys(affected(event)):
            address, why = _judged(text, networks, drop6=limits.drop6)
            if address is None:
                left_out[why] += 1
            else:
                asked.setdefault(address, []).append(event)
    ordered = sorted(asked, key=lambda address: (address.version, int(address)))
    most = limits.max_addresses
    parts = [ordered[at : at + most] for at in range(0, len(ordered), most)]
    return Plan(tuple(_wanted(limits.name, part, asked) for part in parts), dict(left_out))


def _judged(text: str, networks: Sequence[Any], *, drop6: bool) -> tuple[Address | None, str]:
    """The address, or None and why it is left out."""
    try:
        address: Address = ipaddress.ip_address(text)
    except ValueError:
        return None, INVALID
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return None, INVALID
        address = address.ipv4_mapped or address
    if address.version == 6 and drop6:
        return None, IPV6
    return (address, "") if any(address in network for network in networks) else (None, OUTSIDE)


def _wanted(sink: str, part: Sequence[Address], asked: dict[Address, list[Event]]) -> Wanted:
    events = {event.seq: event for address in part for event in asked[address]}
    causes = tuple(
        {
            "event": event.id,
            "addresses": [str(address) for address in part if any(one.seq == event.seq for one in asked[address])],
            "details": {key: value for key, value in details(event).items() if key != KEY},
        }
        for _seq, event in sorted(events.items())
    )
    owners = {Owner(event.domain, event.account) for event in events.values()}
    addresses = tuple(map(str, part))
    identity = "\n".join([sink, *(str(cause["event"]) for cause in causes), *addresses])
    # Changes of several owners in one scan are for the root's administrators alone.
    owner = owners.pop() if len(owners) == 1 else Owner()
    return Wanted(f"scan-{hashlib.sha256(identity.encode()).hexdigest()[:24]}", addresses, causes, owner)
