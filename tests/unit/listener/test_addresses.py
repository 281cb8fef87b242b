# SPDX-License-Identifier: GPL-3.0-or-later
"""One BMC has one name, however its address is spelt, and no client can choose its own."""

from __future__ import annotations

import pytest
from event_listener.addresses import PeerResolver, canonical_address, contains, parse_networks


@pytest.mark.parametrize(
    ("spelt", "canonical"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("BMC-1.example", "bmc-1.example"),
    ],
)
def test_one_spelling(spelt: str, canonical: str):
    """The text log's file name depends on it."""
    assert canonical_address(spelt) == canonical


@pytest.mark.parametrize(
    ("proxies", "remote", "header", "peer"),
    [
        ([], "10.0.0.9", "1.2.3.4", "10.0.0.9"),
        (["10.0.0.0/8"], "192.0.2.1", "1.2.3.4", "192.0.2.1"),
        (["10.0.0.0/8"], "10.0.0.9", "1.2.3.4", "1.2.3.4"),
        (["10.0.0.0/8"], "::ffff:10.0.0.9", "::ffff:1.2.3.4", "1.2.3.4"),
        # The client wrote the left one itself; only what our proxy saw counts.
        (["10.0.0.0/8"], "10.0.0.9", "6.6.6.6, 1.2.3.4", "1.2.3.4"),
        (["10.0.0.0/8"], "10.0.0.9", "1.2.3.4, 10.0.0.8", "1.2.3.4"),
        (["10.0.0.0/8"], "10.0.0.9", "../../etc/passwd", "10.0.0.9"),
        (["10.0.0.0/8"], "10.0.0.9", "", "10.0.0.9"),
        (["unix"], "", "2001:db8::1%eth0", "2001:db8::1"),
        ([], "", "1.2.3.4", "unix"),
    ],
)
def test_only_trusted_proxies_are_believed(proxies: list[str], remote: str, header: str, peer: str):
    """X-Forwarded-For from anybody else is ignored."""
    assert PeerResolver(proxies).resolve(remote, header) == peer


def test_networks():
    """Host bits may be set, as people write them; what isn't an address is in no network."""
    networks = parse_networks(["10.1.2.3/8", "2001:db8::/32", "unix"])
    assert contains(networks, "10.9.9.9")
    assert contains(networks, "2001:db8::5")
    assert not contains(networks, "11.0.0.1")
    assert not contains(networks, "unix")
