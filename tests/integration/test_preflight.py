# SPDX-License-Identifier: GPL-3.0-or-later
"""Before subscribing: the playbook preflight (module destination_info), and what subscribing refuses."""

from __future__ import annotations

import yaml

from tests.integration.fleet_play import writes
from tests.integration.user_play import play, write


def test_a_fleet_is_judged_before_it_is_subscribed(fleet, listener, tmp_path):
    """A wrong clock fails the BMC that verifies; a port without TLS refuses all, and nothing is written."""
    running = listener()
    simulated = fleet(mix={"openbmc": 1, "plain": 2}, network="127.65.0.0/16")
    late = simulated.by_vendor("plain")[1]
    late.set_fault("wrong_clock", seconds=-86400 * 365 * 30)  # the test's certificates are valid from 2000 on
    inventory = tmp_path / "inventory"
    write(inventory / "bmcs.yml", yaml.safe_load(simulated.inventory_path.read_text()))

    def declare(url: str) -> None:
        destination = url + "/events/{{ inventory_hostname }}"
        subscription = {"destination": destination, "verify_certificate": True}
        write(inventory / "group_vars" / "bmcs.yml", {"event_subscription": subscription, "read_registries": False})

    declare(running.url)
    done = play("redfleet.events.preflight", inventory, "-e", f"preflight_ca={running.ca_path}")
    assert done.status != 0
    summary = done.summary()
    assert "failed" in summary[late.name]
    assert "only valid from" in summary.pop(late.name)
    assert all(line.startswith("ok") and "s off" in line and "own DNS" in line for line in summary.values()), summary
    for check in ("name", "port", "tls", "names", "dates", "chain"):
        assert f"  {check:<5}  ok " in done.output
    assert play("subscribe.yml", inventory, "-e", "preflight=true").status == 0

    before = len(writes(simulated))
    declare(running.manage_url.replace("http://", "https://"))
    refused = play("subscribe.yml", inventory, "-e", "preflight=true")
    assert refused.status != 0
    assert "answers, but not with TLS" in " ".join(refused.output.split())
    assert len(writes(simulated)) == before
