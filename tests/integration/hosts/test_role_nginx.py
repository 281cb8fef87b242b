# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx in front of the listener on a booted host: its units, what they may do, an event on its way through them."""

from __future__ import annotations

import pytest

from tests.integration.hosts.deployment import SERVICES
from tests.integration.hosts.on_host import exposure, post, properties, stored, wait_active

pytestmark = [pytest.mark.root, pytest.mark.slow]

FRONTED = {"event_listener_settings": {"nginx": {"enabled": True}}}
UNITS = ("event-listener-nginx.socket", "event-listener-nginx.service")
# One release: the units are the same, and the other one is deployed by test_role_systemd.py.
ONE_RELEASE = pytest.mark.parametrize("estate", ["bookworm"], indirect=True)


@ONE_RELEASE
def test_nginx_in_front(deployed, progress):
    """Without root nginx holds the port; events go through it, also after kill -9 and a reboot; then it goes again."""
    host, play = deployed.host, deployed.deployment
    play.good("listener", **FRONTED)
    for unit in UNITS:
        assert host.ssh(f"systemctl is-active {unit}", check=False).strip() == "active", unit
    for name in (*SERVICES, "nginx"):
        figure, report = exposure(host, f"event-listener-{name}.service")
        progress(f"{host.name}: exposure of {name}, nginx in front: {figure}")
        assert figure <= 2.0, report
    group, pid = properties(host, UNITS[1], "ControlGroup", "MainPID")
    processes = host.ssh(f"ps -o user:32=,comm= -p $(paste -sd, /sys/fs/cgroup{group}/cgroup.procs)")
    assert {line.split()[0] for line in processes.splitlines()} == {"event-listener"}
    assert "nginx" in processes
    assert host.ssh("systemctl is-enabled nginx.service", check=False).strip() == "disabled"
    with play.estate.network():
        assert post(host.address, "through-nginx") == 200
        assert post(host.address6, "through-nginx-6") == 200
    host.ssh(f"kill -9 {pid}", root=True)
    wait_active(host, UNITS[1], previous=pid)
    host.stop()
    host.start()
    host.wait()
    with play.estate.network():
        assert post(host.address, "through-nginx-again") == 200
    again = play.good("listener", **FRONTED)
    assert again.changed_tasks == []
    assert again.recap("ok") <= 30

    play.good("listener")
    assert "nginx" not in host.ssh("ls /etc/systemd/system")
    with play.estate.network():
        assert post(host.address, "after-nginx") == 200
    markers = {"through-nginx", "through-nginx-6", "through-nginx-again", "after-nginx"}
    assert stored(host, markers) == markers
