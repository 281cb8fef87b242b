# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way on a booted host: a fleet in its own network is subscribed, and its events are in the host's logs."""

from __future__ import annotations

import re

import pytest
import yaml
from redfish_simulator.client import Fleet

from tests.integration.hosts.deployment import CREDENTIAL

pytestmark = [pytest.mark.root, pytest.mark.slow]

MIX = "openbmc=2,plain=1,idrac9=1"


@pytest.fixture(scope="session")
def fleet_on_estate(deployment, tmp_path_factory):
    """Simulated BMCs at addresses of the estate's BMC network; they verify the listener by the fleet's authority."""
    deployment.good("listener")
    authority = f"{deployment.variables['event_listener_ca_dir']}/ca.pem"
    directory = tmp_path_factory.mktemp("fleet")
    network = deployment.estate.bmc_network
    fleet = Fleet(mix=MIX, directory=directory, network=network, port=443, listener_ca=authority)
    # Only its start, and whoever asks it something: what else this session does must not lose its own network.
    with deployment.estate.network():
        fleet.start()
    yield fleet
    fleet.stop()


@pytest.fixture(scope="session")
def site(deployment, fleet_on_estate):
    """`site` with the fleet's inventory: listener, subscriptions, proof; then `subscribe` once more."""
    address = deployment.estate.hosts[0].address
    subscription = {
        "destination": f"https://{address}/events/{{{{ inventory_hostname }}}}",
        "context": "estate",
        "verify_certificate": True,
        "http_headers": {"Authorization": "Basic {{ '" + ":".join(CREDENTIAL) + "' | b64encode }}"},
        "on_unsupported": {"verify_certificate": "drop"},
    }
    declared = deployment.directory / "subscription.yml"
    declared.write_text(yaml.safe_dump({"bmcs": {"vars": {"event_subscription": subscription}}}))
    arguments = ["-i", fleet_on_estate.inventory_path, "-i", declared]
    first = deployment.good("site", *arguments)
    again = deployment.good("subscribe", *arguments)
    return first, again


def test_every_bmc_is_proven(site):
    """`site` succeeds: each BMC is subscribed, and its test event is found at the listener."""
    first, _ = site
    assert first.recap("failed") == 0
    assert first.recap("unreachable") == 0
    assert len(re.findall(r"\bbmc\d+ +delivered\b", first.output)) == 4, first.output


def test_second_subscribe_changes_nothing(site):
    """A fleet that is as declared is left alone."""
    _, again = site
    assert again.changed_tasks == []


@pytest.mark.usefixtures("site")
def test_events_are_in_the_host_log_of_their_bmc(deployment, fleet_on_estate):
    """What a BMC sends from its own address is in the log that carries this address, exactly once, and in no other."""
    host = deployment.estate.hosts[0]
    with deployment.estate.network():
        for bmc in fleet_on_estate.bmcs:
            bmc.emit({"EventId": "1", "MessageId": "Base.1.0.Success", "Message": f"storm of {bmc.name}"})
        assert fleet_on_estate.wait_idle()
        delivered = fleet_on_estate.counters()
    assert delivered["failed"] == 0
    wanted = {bmc.address: f"storm of {bmc.name}" for bmc in fleet_on_estate.bmcs}
    for address, text in wanted.items():
        log = f"/var/log/event-listener/Events_{address}.txt"
        host.ssh(f"timeout 20 sh -c 'until grep -q \"{text}\" {log}; do sleep 0.2; done'", root=True)
        assert host.ssh(f"grep -l '{text}' /var/log/event-listener/Events_*.txt", root=True).split() == [log]
        assert host.ssh(f"grep -c '{text}' {log}", root=True).strip() == "1"


@pytest.mark.usefixtures("site")
def test_events_survive_a_power_cut_of_the_host(deployment, fleet_on_estate):
    """A host that loses power in the middle: whatever BMCs saw acknowledged is in its logs once it is back."""
    host, fleet = deployment.estate.hosts[0], fleet_on_estate
    with deployment.estate.network():
        before = fleet.counters()["delivered"]
        texts = []
        for number in range(10):
            for bmc in fleet.bmcs:
                texts.append(f"before power cut {number} of {bmc.name}.")
                bmc.emit({"EventId": "1", "MessageId": "Base.1.0.Success", "Message": texts[-1]})
        assert fleet.wait_idle()
        assert fleet.counters()["delivered"] - before >= len(texts)
    host.kill()
    host.start()
    host.wait()
    read = "cat /var/log/event-listener/Events_*.txt"
    enough = f'[ $({read} | grep -c "before power cut") -ge {len(texts)} ]'
    host.ssh(f"timeout 30 sh -c 'until {enough}; do sleep 0.2; done'", root=True)
    log = host.ssh(read, root=True)
    assert {text: log.count(text) for text in texts} == dict.fromkeys(texts, 1)
