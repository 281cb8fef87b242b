# SPDX-License-Identifier: GPL-3.0-or-later
"""The estate itself: hosts are real enough to deploy to, closed off, and leave nothing behind."""

from __future__ import annotations

import http.server
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.integration.hosts.estate import RELEASES, Estate, EstateUnavailable, remove_stale, tree
from tests.integration.hosts.estate.namespaces import cgroup_root

ROOT = Path(__file__).parents[3]


def test_host_is_booted_by_systemd_without_failed_units(host, estate):
    """A host is what its release says, with systemd as process 1 and every unit started."""
    assert host.ssh("cat /proc/1/comm").strip() == "systemd"
    assert host.ssh("systemctl is-system-running").strip() == "running"
    assert f"VERSION_CODENAME={estate.release}" in host.ssh("cat /etc/os-release")
    assert host.ssh("hostname").strip() == host.name


def test_ansible_reaches_the_host_over_ssh_and_becomes_root(estate, host):
    """The inventory alone is enough for Ansible: connection, verified host key, sudo."""
    command = [Path(sys.executable).with_name("ansible"), "all", "-i", estate.inventory_path, "-b", "-o"]
    wanted = "filter=ansible_distribution*,ansible_service_mgr,ansible_user_id"
    facts = estate.run([*command, "-m", "setup", "-a", wanted])
    assert facts.returncode == 0, facts.stdout
    name, _, result = facts.stdout.strip().splitlines()[-1].partition(" | SUCCESS => ")
    assert name == host.name
    found = json.loads(result)["ansible_facts"]
    assert f"Debian {found['ansible_distribution_major_version']}" == RELEASES[estate.release]
    assert found["ansible_service_mgr"] == "systemd"
    assert found["ansible_user_id"] == "root"


def test_no_way_leads_out_of_the_estate(estate, host):
    """Neither hosts nor controller reach the machine's networks, so no test can touch a foreign BMC."""
    probe = "import socket; socket.create_connection(('192.0.2.2', 22), 3)"
    assert "Network is unreachable" in estate.run([sys.executable, "-c", probe]).stdout
    assert not host.succeeds(f'python3 -c "{probe}"')
    assert estate.run(["ip", "route", "show", "default"]).stdout == ""


def test_hosts_and_bmc_addresses_reach_each_other(estate, host):
    """Any address of the BMC network can listen without set-up, and what it sends comes from that address."""
    bmc = "10.79.200.7"
    with estate.network():
        server = http.server.HTTPServer((bmc, 0), http.server.SimpleHTTPRequestHandler)
        peer = socket.create_connection((host.address, 22), source_address=(bmc, 0))
    with server, peer:
        threading.Thread(target=server.handle_request, daemon=True).start()
        url = f"http://{bmc}:{server.server_port}/"
        fetch = f"import urllib.request; print(urllib.request.urlopen('{url}').status)"
        assert host.ssh(f'python3 -c "{fetch}"').strip() == "200"
        assert f"{bmc}:{peer.getsockname()[1]}" in host.ssh("ss -tn")


@pytest.mark.parametrize(("method", "orderly"), [("kill", False), ("stop", True)])
def test_disk_survives_switching_off(host, method, orderly):
    """`stop` lets services end in order, `kill` gives them no moment; either way the disk is there at the next boot."""
    host.ssh("rm -f /root/ended; systemd-run --property=ExecStop='touch /root/ended' sleep infinity; sync", root=True)
    machine = host.ssh("cat /etc/machine-id; echo kept >note; sync note")
    getattr(host, method)()
    assert not host.running
    host.start()
    host.wait()
    assert host.ssh("cat /etc/machine-id note") == f"{machine}kept\n"
    assert host.succeeds("test -e /root/ended", root=True) is orderly
    assert "Welcome to" in host.console


OWNER = """
import time
from tests.integration.hosts.estate import Estate
with Estate(release="bookworm", progress=lambda line: None) as estate:
    print(estate.directory.name, estate.namespaces.pid, flush=True)
    time.sleep(600)
"""


@pytest.mark.usefixtures("estate")  # skips where there are no hosts
def test_killed_owner_leaves_nothing():
    """`kill -9` of the owner ends its hosts, and the next run (or `cleanup`) removes their directory and groups."""
    owner = subprocess.Popen([sys.executable, "-c", OWNER], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with owner:
        name, keeper = owner.stdout.readline().split()
        group = cgroup_root() / name
        assert "populated 1" in (group / "cgroup.events").read_text()
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    deadline = time.monotonic() + 10
    while "populated 1" in (group / "cgroup.events").read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path("/proc", keeper).exists()
    assert name in remove_stale()
    assert not group.exists()
    assert not Path("/var/tmp", name).exists()


def test_what_is_missing_is_said():
    """A machine or a wish that can't be met gives a reason one can act on."""
    with pytest.raises(EstateUnavailable, match="known are bookworm, trixie"):
        tree("sarge")
    # Imported before root is given up: a checkout may be in a folder that nobody else may enter.
    program = (
        "import os, sys; from tests.integration.hosts.estate.__main__ import main; "
        "os.geteuid() or os.setuid(65534); sys.argv = ['estate', 'build']; sys.exit(main())"
    )
    refused = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert refused.returncode == 1
    assert refused.stderr.startswith("estate: Booting hosts takes root")


def test_two_hosts_reach_each_other_by_name(progress, estate):
    """Hosts of one estate share a network; estates don't, even at the same time with the same addresses."""
    with Estate(count=2, release=estate.release, progress=progress) as pair:
        first, second = pair.hosts
        assert first.succeeds(f"timeout 3 bash -c '</dev/tcp/{second.name}/22'")
        assert estate.hosts[0].address == first.address
        assert not estate.hosts[0].succeeds(f"timeout 3 bash -c '</dev/tcp/{second.address}/22'")
