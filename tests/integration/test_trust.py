# SPDX-License-Identifier: GPL-3.0-or-later
"""BMCs that verify the listener: before they trust its CA nothing arrives, afterwards it does."""

from __future__ import annotations

import pytest
import trustme
import yaml

from tests.integration.fleet_play import ADAPTERS, Runner, writes
from tests.integration.listener_process import wait_for
from tests.integration.user_play import play, write

MIX = {"plain-verifies": 1, "ilo5": 1, "ami-verifies": 1, "openbmc": 1, "idrac9": 1}
PLACES = {"plain-verifies": "subscription", "ilo5": "hpe", "ami-verifies": "ami"}
MUTUAL = {"Oem": {"Hpe": {"MutualAuthenticationEnabled": True}}}
MODULE = "event_destination_certificate"


@pytest.fixture(scope="module")
def running(listener):
    return listener()


@pytest.fixture
def verifying(fleet, running, tmp_path):
    """Subscribed BMCs that know no CA of the listener; iLO verifies where its own switch says so."""
    simulated = fleet(mix=MIX, time_scale=0.02, network="127.63.0.0/16")
    for bmc in simulated.bmcs:
        bmc.seed_subscriptions(
            {
                "Destination": f"{running.url}/events/{bmc.name}",
                "DeliveryRetryPolicy": "RetryForever",
                "HttpHeaders": [{"Authorization": f"Bearer {running.token}"}],
                **(MUTUAL if bmc.vendor == "ilo5" else {"VerifyCertificate": True}),
            }
        )
    return Runner(simulated, tmp_path)


def delivers(fleet, vendor: str) -> bool:
    """Whether a new event of this BMC reaches the listener."""
    (bmc,) = fleet.by_vendor(vendor)
    before = bmc.counters()
    bmc.emit(kind="Alert")
    wait_for(lambda: bmc.counters()["delivered"] + bmc.counters()["failed_attempts"] > before["delivered"]
             + before["failed_attempts"], 60)  # fmt: skip
    return bmc.counters()["delivered"] > before["delivered"]


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_ca_is_installed_and_removed_alone(verifying, running, adapter):
    """Check mode, for real, again; a second CA beside it; what is removed is only what was declared."""
    pem, other = running.ca_path.read_text(), trustme.CA().cert_pem.bytes().decode()
    able = [bmc for bmc in verifying.fleet.bmcs if bmc.vendor in PLACES]
    assert [delivers(verifying.fleet, vendor) for vendor in PLACES] == [False] * len(PLACES)

    def task(name: str, check: bool = False, **more) -> dict:
        environment = {"environment": {"REDFLEET_ADAPTER": "module"}} if adapter == "module" else {}
        options = {"destination": running.url + "/events/{{ inventory_hostname }}", "certificates": [pem], **more}
        errors = {"ignore_errors": True, "check_mode": check}
        return {"name": name, f"redfleet.events.{MODULE}": options, **errors, **environment}

    run = verifying.play(
        [
            task("checked", check=True),
            task("done"),
            task("both", certificates=[pem + other]),
            task("gone", certificates=[other], state="absent"),
            task("again"),
        ]
    ).by_task
    for bmc in able:
        checked, done = run["checked"][bmc.name], run["done"][bmc.name]
        assert (checked["changed"], done["changed"]) == (True, True), done
        assert checked["diff"] == done["diff"]
        assert done["place"] == PLACES[bmc.vendor]
        # The roll-over: both are there, none twice; then the other one goes, and this one stays.
        assert len(run["both"][bmc.name]["diff"]["after"]["certificates"]) == 1
        assert (run["gone"][bmc.name]["changed"], run["again"][bmc.name]["changed"]) == (True, False)
        posts = [one for one in writes(verifying.fleet) if (one["bmc"], one["method"]) == (bmc.name, "POST")]
        assert len(posts) == 2
    assert verifying.fleet.wait_idle(60)
    assert all(delivers(verifying.fleet, vendor) for vendor in PLACES)


def test_a_replacement_keeps_the_ca(verifying, running):
    """What belongs to the subscription that is replaced, or deleted for want of room, belongs to its successor."""
    (bmc,) = verifying.fleet.by_vendor("plain-verifies")
    url = f"{running.url}/events/{bmc.name}"
    verifying.task(MODULE, hosts=bmc.name, destination=url, certificates=[running.ca_path.read_text()])
    declared = {"destination": url, "verify_certificate": True, "delivery_retry_policy": "RetryForever"}
    headers = {"http_headers": {"Authorization": f"Bearer {running.token}"}}
    for replaced, room in ((["OK"], True), (["Critical"], False)):
        if not room:
            bmc.set_faults({"kind": "subscription_limit", "times": 1})
        done = verifying.task("event_destination", hosts=bmc.name, severities=replaced, **declared, **headers)
        assert (done[bmc.name]["action"], done[bmc.name].get("warnings")) == ("replace", None), done[bmc.name]
        assert (done[bmc.name]["gap"] is None) is room
        (shown,) = bmc.inside()["subscriptions"]
        assert len(shown["Authorities"]) == 1


def test_where_there_is_no_place_the_reason_is_told(verifying, running):
    """OpenBMC's store of users' CAs is left alone, of iDRACs nothing is known, and what is no CA is refused."""
    options = {"destination": running.url + "/events/{{ inventory_hostname }}"}
    done = verifying.task(MODULE, **options, certificates=[running.ca_path.read_text()])
    by_vendor = {bmc.vendor: done[bmc.name] for bmc in verifying.fleet.bmcs}
    assert "holds the CAs of users who log in" in by_vendor["openbmc"]["msg"]
    assert "No public source" in by_vendor["idrac9"]["msg"]
    assert {by_vendor[vendor]["reason"] for vendor in ("openbmc", "idrac9")} == {"unsupported"}
    before = len(writes(verifying.fleet))
    leaf = trustme.CA().issue_cert("listener").cert_chain_pems[0].bytes().decode()
    refused = verifying.task(MODULE, **options, certificates=[leaf])
    assert all("is no CA certificate" in refused[bmc.name]["msg"] for bmc in verifying.fleet.bmcs)
    unknown = verifying.task(MODULE, destination="https://elsewhere/", certificates=[running.ca_path.read_text()])
    (plain,) = verifying.fleet.by_vendor("plain-verifies")
    assert "subscribe first" in unknown[plain.name]["msg"]
    assert len(writes(verifying.fleet)) - before == 0  # iLO's and AMI's have it already


def test_the_playbook_names_who_can_and_who_cannot(verifying, running, tmp_path):
    """Over the fleet: a line per BMC, an exit status that is not 0 while some can't."""
    inventory = tmp_path / "inventory"
    write(inventory / "bmcs.yml", yaml.safe_load(verifying.fleet.inventory_path.read_text()))
    write(
        inventory / "group_vars" / "all.yml",
        {
            "event_subscription": {"destination": running.url + "/events/{{ inventory_hostname }}"},
            "trust_certificates": [str(running.ca_path)],
        },
    )
    done = play("redfleet.events.trust", inventory)
    assert done.status != 0
    verdicts = {bmc.vendor: done.summary()[bmc.name].split()[0] for bmc in verifying.fleet.bmcs}
    assert verdicts == {**dict.fromkeys(PLACES, "changed"), "openbmc": "unsupported", "idrac9": "unsupported"}
    assert verifying.fleet.wait_idle(60)
    assert all(delivers(verifying.fleet, vendor) for vendor in PLACES)
    again = play("redfleet.events.trust", inventory)
    assert again.changed() == 0, again.output
    assert {again.summary()[bmc.name].split()[0] for bmc in verifying.fleet.bmcs} == {"ok", "unsupported"}
