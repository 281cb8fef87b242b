# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses webhooks may be posted to. No I/O: what is known of this host and its neighbours is given.

It judges addresses, not names, and is asked with the very address that is connected to, so that a name which leads
somewhere else a moment later (DNS rebinding) changes nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable

from event_listener.addresses import Network, parse_networks

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Where clouds hand out credentials, beside those that are link-local: AWS (IPv6), Alibaba, Azure, Oracle.
METADATA = parse_networks(["fd00:ec2::254/128", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.0/24"])
_NAT64 = parse_networks(["64:ff9b::/96", "64:ff9b:1::/48"])
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")
_BMC_PREFIX_V6 = 64
EVERYWHERE = "*"  # all addresses of this host


class Guard:
    """``services`` are (address, port) of the listener, its database and brokers; ``hosts`` their hosts' addresses."""

    def __init__(
        self,
        *,
        services: Iterable[tuple[str, int]] = (),
        hosts: Iterable[str] = (),
        bmcs: Iterable[str] = (),
        bmc_prefix: int = 24,
        blocked: Iterable[str] = (),
        exempt: Iterable[str] = (),
        users: Iterable[str] = (),
        is_this_host: Callable[[str], bool] = lambda _address: False,
    ) -> None:
        self._services, self._hosts = frozenset(services), frozenset(hosts)
        self._prefix = bmc_prefix
        self._bmcs = frozenset(self._around(ipaddress.ip_address(address)) for address in bmcs)
        self._blocked, self._exempt, self._users = (parse_networks(item) for item in (blocked, exempt, users))
        self._is_this_host = is_this_host

    def refusal(self, address: str, port: int, *, trusted: bool) -> str:
        """Why nothing is posted there; empty where it may be. ``trusted``: an admin gave the URL."""
        told = ipaddress.ip_address(address)
        meanings = _meanings(told)
        if any(self._is_service(one, port) for one in meanings):
            return f"{address}:{port} is the listener's own, or its database or broker"
        if all(_within(one, self._exempt) for one in meanings):
            return ""
        for one in meanings:
            if why := self._never(one) or self._private(one, trusted=trusted):
                return f"{address} {why}"
        return ""

    def _is_service(self, address: Address, port: int) -> bool:
        if (str(address), port) in self._services:
            return True
        here = address.is_loopback or address.is_unspecified or self._is_this_host(str(address))
        return here and (EVERYWHERE, port) in self._services

    def _never(self, address: Address) -> str:
        """What nobody may post to."""
        if address.is_loopback or address.is_unspecified or address in _THIS_NETWORK:
            return "is this host"
        if address.is_link_local or _within(address, METADATA):
            return "is link-local, or hands out credentials of a cloud"
        if address.is_multicast or address.is_reserved:
            return "is no address of a host"
        if self._is_this_host(str(address)):
            return "is this host; webhook.exempt_networks allows it"
        if str(address) in self._hosts:
            return "is the host of the listener's database or broker"
        if self._around(address) in self._bmcs:
            return "is in the network of a registered BMC; webhook.exempt_networks allows it"
        if _within(address, self._blocked):
            return "is in webhook.blocklist"
        return ""

    def _private(self, address: Address, *, trusted: bool) -> str:
        if trusted or address.is_global or _within(address, self._users):
            return ""
        return "is private: an admin has to give this URL, or allow it in webhook.user_networks"

    def _around(self, address: Address) -> Network:
        prefix = self._prefix if address.version == 4 else _BMC_PREFIX_V6
        return ipaddress.ip_network(f"{str(address).partition('%')[0]}/{prefix}", strict=False)


def _within(address: Address, networks: list[Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def _meanings(address: Address) -> list[Address]:
    """The address, and those that a translator may make of it."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    low = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if _within(address, _NAT64):
        return [low]
    found: list[Address] = [address]
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found += address.teredo
    if address in _COMPATIBLE:
        found.append(low)
    return found
