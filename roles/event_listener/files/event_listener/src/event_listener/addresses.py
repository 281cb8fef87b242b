# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is it? The address of a peer in one spelling, looked through trusted proxies. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# The peer of a Unix socket has no address; "unix" in trusted_proxies stands for it.
UNIX_PEER = "unix"


def canonical_address(address: str) -> str:
    """Return the one spelling of an IP address: zone id cut, IPv4-mapped IPv6 as IPv4, compressed, lower case.

    What isn't an address (a host name in the registry) comes back in lower case.
    """
    bare = address.strip().partition("%")[0].strip("[]")
    return _spelled(bare) or bare.lower()


# Every request asks, and parsing costs as much as reading its JSON; as many as a large fleet has are remembered.
@lru_cache(maxsize=16384)
def _spelled(address: str) -> str | None:
    """Return the one spelling of an IP address; None for what isn't one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def parse_networks(networks: Iterable[str]) -> list[Network]:
    """Return the networks; "unix" is left out. Raises ValueError for what isn't one (host bits may be set)."""
    return [ipaddress.ip_network(network, strict=False) for network in networks if network != UNIX_PEER]


def contains(networks: Sequence[Network], address: str) -> bool:
    """Return whether a canonical address is in one of the networks."""
    if not networks:
        return False
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


class PeerResolver:
    """Finds the BMC's address behind reverse proxies that the operator trusts; nobody else's header is believed."""

    def __init__(self, trusted_proxies: Sequence[str]) -> None:
        self._networks = parse_networks(trusted_proxies)
        self._unix = UNIX_PEER in trusted_proxies

    def resolve(self, remote: str, forwarded_for: str) -> str:
        """Return the canonical address; `remote` is "" for a Unix socket, `forwarded_for` the X-Forwarded-For header.

        The list is read from the right, the end our own proxy wrote, up to the first address that isn't a proxy.
        """
        peer = canonical_address(remote) if remote else UNIX_PEER
        for hop in reversed(forwarded_for.split(",") if forwarded_for else []):
            if not self.is_proxy(peer):
                break
            spelled = _spelled(hop.strip().partition("%")[0])
            if spelled is None:
                break
            peer = spelled
        return peer

    def is_proxy(self, peer: str) -> bool:
        """Whether a canonical address (or "unix") is a proxy's: then it stands for many."""
        return self._unix if peer == UNIX_PEER else contains(self._networks, peer)
