# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may connect: what the firewalls are told, and what is refused."""

from __future__ import annotations

import pytest
from ansible_collections.redfleet.events.plugins.plugin_utils import _listener_firewall

GOOD = {
    "bind": ["0.0.0.0:443", "[::]:443", "192.0.2.1:8443"],
    "firewall": "nftables",
    "firewall_sources": ["192.0.2.0/24"],
    "firewall_peers": [],
    "nft": True,
    "firewalld": False,
    "systemd_running": True,
    "root": True,
}
FIREWALLD = {"firewall": "firewalld", "firewalld": True}


@pytest.mark.parametrize("changed", [{}, FIREWALLD, {**FIREWALLD, "firewall_sources": []}])
def test_good_variables_have_no_problems(changed):
    """Both kinds; firewalld may let everybody in."""
    assert _listener_firewall.problems({**GOOD, **changed}) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"firewall_sources": ["192.0.2.0/24", "bmcs.example"]}, "has 'bmcs.example', which is no network"),
        ({"firewall_sources": ["192.0.2.0/33"]}, "has '192.0.2.0/33'"),
        ({"firewall_sources": []}, "so that nobody would be kept out"),
        ({"nft": False}, "nft is not on the host"),
        ({"firewalld": True}, "but firewalld runs on the host"),
        ({"firewall": "firewalld"}, "it doesn't run on the host"),
        ({"root": False}, "takes root and systemd"),
        ({"systemd_running": False}, "takes root and systemd"),
    ],
)
def test_each_mistake_is_named(changed, said):
    """One sentence per mistake; where nothing is asked for, none."""
    found = _listener_firewall.problems({**GOOD, **changed})
    assert len(found) == 1
    assert said in found[0]
    assert _listener_firewall.problems({**GOOD, **changed, "firewall": "none"}) == []


def test_networks_don_t_overlap():
    """nftables refuses a set whose intervals overlap; addresses are networks, bits of the host don't matter."""
    sources = ["192.0.2.9/24", "192.0.2.128/25", "198.51.100.7", "2001:db8::/32", "2001:db8:1::/48"]
    assert _listener_firewall.rules({**GOOD, "firewall_sources": sources}) == {
        "ports": [443, 8443],
        "ipv4": ["192.0.2.0/24", "198.51.100.7/32"],
        "ipv6": ["2001:db8::/32"],
        "peers": [],
        "any": False,
    }


def test_listeners_behind_one_address_ask_each_other():
    """They may connect, and speak VRRP."""
    found = _listener_firewall.rules({**GOOD, "firewall_peers": ["198.51.100.12", "fd79::c"]})
    assert found["ipv4"] == ["192.0.2.0/24", "198.51.100.12/32"]
    assert found["ipv6"] == ["fd79::c/128"]
    assert found["peers"] == [
        {"family": "ipv4", "address": "198.51.100.12"},
        {"family": "ipv6", "address": "fd79::c"},
    ]
