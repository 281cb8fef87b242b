# SPDX-License-Identifier: GPL-3.0-or-later
"""BMCs that take a subscription and send nothing: the reason is told, and where asked, it is repaired."""

from __future__ import annotations

import pytest
import yaml

from tests.integration.fleet_play import ADAPTERS, Runner, writes
from tests.integration.user_play import play, write

MIX = {"idrac9-mute": 1, "idrac8": 1, "cisco": 1, "openbmc": 1}
ALERTS = "IPMILan.1.AlertEnable"


@pytest.fixture(scope="module")
def running(listener):
    return listener()


@pytest.fixture
def runner(fleet, tmp_path):
    """A fleet of which only OpenBMC and the iDRAC 8 would send; it knows no CA of the listener."""
    simulated = fleet(mix=MIX, time_scale=0.02, network="127.64.0.0/16")
    return Runner(simulated, tmp_path)


def subscription(running) -> dict:
    return {
        "destination": running.url + "/events/{{ inventory_hostname }}",
        "http_headers": {"Authorization": f"Bearer {running.token}"},
        "verify_certificate": False,
        "on_unsupported": {"http_headers": "drop"},
    }


def by_vendor(runner, outcome) -> dict:
    return {bmc.vendor: outcome[bmc.name] for bmc in runner.fleet.bmcs}


def emitted(runner, vendor: str) -> bool:
    """Whether an event of this BMC leaves it."""
    (bmc,) = runner.fleet.by_vendor(vendor)
    before = bmc.counters()
    bmc.emit(kind="Alert")
    runner.fleet.wait_idle(2)
    after = bmc.counters()
    return after["delivered"] + after["failed_attempts"] > before["delivered"] + before["failed_attempts"]


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_silent_bmc_says_why_and_is_repaired(runner, running, adapter):
    """Without repair no event comes, with it one does; in check mode nothing is written; again is no change."""
    found = by_vendor(runner, runner.task("event_destination", adapter, **subscription(running)))
    assert [ALERTS in why for why in found["idrac9-mute"]["silent"]] == [True]
    assert ["EventService is disabled" in why for why in found["cisco"]["silent"]] == [True]
    assert found["openbmc"]["silent"] == []
    # The system says who manages it; the manager's attributes tell its firmware, and why it would be silent.
    (mute,) = runner.fleet.by_vendor("idrac9-mute")
    assert found["idrac9-mute"]["service"]["firmware"] == mute.firmware
    of_mute = [one["path"] for one in mute.requests()]
    assert [
        sum(path.rstrip("/").startswith(f"/redfish/v1/{name}") for path in of_mute) for name in ("Systems", "Managers")
    ] == [1, 1]
    assert [emitted(runner, vendor) for vendor in ("idrac9-mute", "cisco")] == [False, False]

    before = len(writes(runner.fleet))
    asked = {"service_enabled": True, "alert_enable": True}
    checked = by_vendor(runner, runner.task("event_service", adapter, **asked, _check=True))
    assert len(writes(runner.fleet)) == before
    done = by_vendor(runner, runner.task("event_service", adapter, **asked))
    for results in (checked, done):
        assert {name for name, result in results.items() if result["changed"]} == {"idrac9-mute", "cisco"}
    assert done["idrac9-mute"]["diff"] == {"before": {ALERTS: "Disabled"}, "after": {ALERTS: "Enabled"}}
    assert [emitted(runner, vendor) for vendor in ("idrac9-mute", "cisco")] == [True, True]
    again = by_vendor(runner, runner.task("event_service", adapter, **asked))
    assert not any(result["changed"] for result in again.values())


def test_switches_of_idracs(runner, running):
    """What others haven't got is no error where it changes nothing, and one where it would."""
    refused = by_vendor(runner, runner.task("event_service", ignore_certificate_errors=True))
    assert {vendor for vendor, result in refused.items() if result.get("reason") == "unsupported"} == {
        "cisco",
        "openbmc",
    }
    assert refused["idrac8"]["changed"]
    # An iDRAC 8 checks the listener's certificate unless told not to; without HttpHeaders it is refused, but heard.
    runner.task("event_destination", **subscription(running))
    assert emitted(runner, "idrac8")


def test_filters_that_let_nothing_through_are_told(runner, running):
    """bmcweb's log events have no resource type: a filter by it is taken, and silences them."""
    filtered = {**subscription(running), "resource_types": ["Task"]}
    (bmc,) = runner.fleet.by_vendor("openbmc")
    filtered["on_unsupported"] = {"default": "drop"}
    done = runner.task("event_destination", **filtered)
    assert any("no resource type" in why for why in done[bmc.name]["silent"])
    assert not emitted(runner, "openbmc")


def test_the_playbooks_warn_and_repair(runner, running, tmp_path):
    """The summary of subscribing names who stays silent; after `repair` nobody does."""
    inventory = tmp_path / "inventory"
    write(inventory / "bmcs.yml", yaml.safe_load(runner.fleet.inventory_path.read_text()))
    write(
        inventory / "group_vars" / "bmcs.yml", {"event_subscription": subscription(running), "read_registries": False}
    )
    summary = play("subscribe.yml", inventory).summary()
    silent = {bmc.vendor for bmc in runner.fleet.bmcs if "STAYS SILENT" in summary[bmc.name]}
    assert silent == {"idrac9-mute", "cisco"}
    done = play("redfleet.events.repair", inventory)
    assert done.status == 0, done.output
    again = play("redfleet.events.repair", inventory)
    assert (again.status, again.changed()) == (0, 0), again.output
    assert not any("STAYS SILENT" in line for line in play("subscribe.yml", inventory).summary().values())
