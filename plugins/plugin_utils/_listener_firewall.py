# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may connect to a listener, from the role's variables. Pure: plain data in, plain data out."""

from __future__ import annotations

import ipaddress


def networks(sources):
    """Return {4: [...], 6: [...]}: CIDR networks, none inside of another. ValueError names the wrong one."""
    found = {4: [], 6: []}
    for source in sources:
        network = ipaddress.ip_network(str(source).strip(), strict=False)
        found[network.version].append(network)
    return {version: [str(one) for one in ipaddress.collapse_addresses(each)] for version, each in found.items()}


def wrong_networks(sources):
    """Return those of the sources that are no networks."""
    return [str(source) for source in sources if not is_network(source)]


def is_network(source):
    """Return whether it is a network, or an address."""
    try:
        networks([source])
    except ValueError:
        return False
    return True


def problems(variables):
    """Return why the host's firewall can't be told who may connect, one sentence each that says what to do.

    variables has firewall (none, nftables or firewalld), firewall_sources, and of the host nft, firewalld (whether it
    runs), systemd_running and root.
    """
    kind = variables["firewall"]
    if kind == "none":
        return []
    found = [
        f"event_listener_firewall_sources has {source!r}, which is no network. Write 192.0.2.0/24 or 2001:db8::/32."
        for source in wrong_networks(variables["firewall_sources"])
    ]
    if not (variables["root"] and variables["systemd_running"]):
        found.append(
            f"event_listener_firewall is {kind}, which takes root and systemd. Run the role with become, or use none."
        )
    elif kind == "firewalld" and not variables["firewalld"]:
        found.append("event_listener_firewall is firewalld, but it doesn't run on the host. Start it, or use nftables.")
    return found + (nftables_problems(variables) if kind == "nftables" else [])


def nftables_problems(variables):
    """Return what is in the way of a table of our own."""
    found = []
    if not variables["nft"]:
        found.append("event_listener_firewall is nftables, but nft is not on the host. Install the package nftables.")
    if variables["firewalld"]:
        found.append(
            "event_listener_firewall is nftables, but firewalld runs on the host and refuses what it doesn't know, "
            "whatever a table of ours allows. Use firewalld."
        )
    if not variables["firewall_sources"]:
        found.append(
            "event_listener_firewall is nftables, but event_listener_firewall_sources is empty, so that nobody would "
            "be kept out. Name the networks of BMCs."
        )
    return found


def rules(variables):
    """Return {"ports", "ipv4", "ipv6", "peers", "any"}: who may connect to which TCP ports.

    peers are the other listeners behind one address, which ask each other for it: [{"family": "ipv4", "address":
    "192.0.2.12"}]. any: everybody may connect.
    """
    peers = [ipaddress.ip_address(peer) for peer in variables["firewall_peers"]]
    allowed = networks([*variables["firewall_sources"], *peers])
    ports = {int(bind.rpartition(":")[2]) for bind in variables["bind"]}
    return {
        "ports": sorted(ports),
        "ipv4": allowed[4],
        "ipv6": allowed[6],
        "peers": [{"family": f"ipv{peer.version}", "address": str(peer)} for peer in sorted(peers, key=str)],
        "any": not variables["firewall_sources"],
    }
