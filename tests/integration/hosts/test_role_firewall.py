# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's firewall on a booted host: BMCs of the named networks connect, others don't, whatever else is loaded.

The tests follow each other: the second goes from one kind of firewall to the other, and takes it back.
"""

from __future__ import annotations

import socket

import pytest

from tests.integration.hosts.estate.estate import CONTROLLER
from tests.integration.hosts.on_host import exposure

# One release: firewalld is on this one alone.
pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.parametrize("estate", ["bookworm"], indirect=True)]

INSIDE, OUTSIDE, OTHER = "10.79.200.7", "10.79.201.7", "10.79.202.7"
INGEST = {"allowed_networks": ["10.79.200.0/24", "fd79::/64"]}
UNIT = "event-listener-firewall.service"
NFTABLES = {"event_listener_firewall": "nftables", "event_listener_settings": {"ingest": INGEST}}
FIREWALLD = {"event_listener_firewall": "firewalld", "event_listener_firewall_sources": ["10.79.200.0/24", "fd79::/64"]}


def connects(play, source: str, address: str = "", port: int = 443) -> bool:
    """Whether a BMC with this address gets a connection to the host's port."""
    with play.estate.network():
        try:
            with socket.create_connection((address or play.estate.hosts[0].address, port), 5, (source, 0)):
                return True
        except OSError:
            return False


def judged(play) -> None:
    """Those inside alone, by IPv4 and IPv6; what isn't the listener's is as it was."""
    assert [connects(play, source) for source in (INSIDE, OUTSIDE, CONTROLLER)] == [True, False, False]
    assert connects(play, "fd79::1", play.estate.hosts[0].address6)
    assert connects(play, OUTSIDE, port=22)
    assert not connects(play, INSIDE, port=9440)


def unchanged(play, variables) -> None:
    """A second run finds all of it."""
    again = play.good("listener", **variables)
    assert (again.recap("changed"), again.changed_tasks) == (0, []), again.output
    assert again.recap("ok") <= 30


def test_nftables(deployed, progress):
    """A table beside others': it is there after theirs were loaded and after a boot, and is put back when flushed."""
    host, play = deployed.host, deployed.deployment
    assert connects(play, OUTSIDE)
    before = host.ssh("nft list tables", root=True)
    announced = play.good("listener", "--check", **NFTABLES)
    assert "Rules about who may connect" in announced.changed_tasks
    assert "10.79.200.0/24" in announced.output  # the difference, shown before it is made
    assert host.ssh("nft list tables", root=True) == before
    play.good("listener", **NFTABLES)
    judged(play)
    unchanged(play, NFTABLES)
    figure, report = exposure(host, UNIT)
    progress(f"{host.name}: exposure of {UNIT}: {figure}")
    assert figure <= 2.0, report
    assert "event-listener" not in host.ssh(f"systemd-analyze verify /etc/systemd/system/{UNIT} 2>&1", root=True)

    # Debian's own rules begin with "flush ruleset".
    for action in ("start", "reload", "restart"):
        host.ssh(f"systemctl {action} nftables", root=True)
        assert "event_listener" in host.ssh("nft list tables", root=True), action
    host.ssh("systemctl stop nftables; nft add table inet others", root=True)
    assert connects(play, OUTSIDE)
    other = {**NFTABLES, "event_listener_firewall_sources": ["10.79.202.0/24", "10.79.202.128/25"]}
    assert "The table is loaded now and after a reboot" in play.good("listener", **other).changed_tasks
    assert "table inet others" in host.ssh("nft list tables", root=True)
    host.stop()
    host.start()
    host.wait()
    assert [connects(play, source) for source in (INSIDE, OTHER)] == [False, True]


def test_firewalld_then_none(deployed):
    """The other kind instead of the first, with what its zones refuse; then none of either is left."""
    host, play = deployed.host, deployed.deployment
    host.ssh("systemctl start firewalld", root=True)
    try:
        play.good("listener", **FIREWALLD)
        judged(play)
        assert "event_listener" not in host.ssh("nft list tables", root=True)
        unchanged(play, FIREWALLD)
        # A zone that lets everything in doesn't let others to the listener.
        host.ssh("firewall-cmd --zone=trusted --add-source=10.79.201.0/24", root=True)
        judged(play)
        host.ssh("firewall-cmd --reload", root=True)
        judged(play)
        play.good("listener")
        assert not connects(play, INSIDE)  # as its zone has it
        assert "event-listener" not in host.ssh("firewall-cmd --list-all-policies", root=True)
    finally:
        host.ssh("systemctl stop firewalld", root=True)
    assert connects(play, OUTSIDE)
    files = host.ssh(
        "ls /etc/systemd/system /etc/systemd/system/*.wants /etc/firewalld/policies /etc/event-listener", root=True
    )
    assert "firewall" not in files.replace("/etc/firewalld/policies", "").replace("firewalld.service", "")
    assert host.ssh(f"systemctl list-units --all --no-legend {UNIT}").strip() == ""
