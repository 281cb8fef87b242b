# SPDX-License-Identifier: GPL-3.0-or-later
"""What docs/least-privilege.md says an account needs is enough on simulated BMCs, and less is not."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.request

import pytest

from tests.integration.fleet_play import Runner

ROLES = ("ReadOnly", "Operator", "Administrator")
PASSWORD = "an-example-of-a-password"
DESTINATION = "https://192.0.2.1/events/{{ inventory_hostname }}"
# Module and options, and the roles that are enough by DMTF's privilege registry.
ENOUGH = {
    "event_destination_info": ({}, set(ROLES)),
    "event_destination": ({"destination": DESTINATION, "identify": "never"}, {"Operator", "Administrator"}),
    "submit_test_event": ({"destination": DESTINATION}, {"Administrator"}),
    "event_service": ({"delivery_retry_attempts": 2}, {"Administrator"}),
}


@pytest.fixture(scope="module")
def runner(fleet, tmp_path_factory):
    """BMCs with an account of each standard role."""
    simulated = fleet(mix={"plain": 1, "idrac9": 1}, time_scale=0.02, network="127.66.0.0/16")
    for bmc in simulated.bmcs:
        pair = base64.b64encode(f"{bmc.username}:{bmc.password}".encode()).decode()
        for role in ROLES:
            body = json.dumps({"UserName": role.lower(), "Password": PASSWORD, "RoleId": role}).encode()
            headers = {"Authorization": f"Basic {pair}", "Content-Type": "application/json"}
            request = urllib.request.Request(f"{bmc.baseuri}/redfish/v1/AccountService/Accounts", body, headers)
            unverified = ssl._create_unverified_context()  # noqa: S323 - a simulated BMC on loopback
            assert urllib.request.urlopen(request, timeout=30, context=unverified).status == 201
    return Runner(simulated, tmp_path_factory.mktemp("least"))


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_enough_or_refused(runner, role):
    """403 is `forbidden`, with the privilege in the advice; what the table says is enough works, session and all."""
    tasks = [
        {"name": module, f"redfleet.events.{module}": options, "ignore_errors": True}
        for module, (options, _roles) in ENOUGH.items()
    ]
    account = {"username": role.lower(), "password": PASSWORD}
    found = runner.play(tasks, _connection=account).by_task
    (plain,), (dell,) = runner.fleet.by_vendor("plain"), runner.fleet.by_vendor("idrac9")
    for module, (_options, roles) in ENOUGH.items():
        result = found[module][plain.name]
        assert ("reason" in result) is (role not in roles), result
        if role not in roles:
            assert (result["reason"], result["status"]) == ("forbidden", 403)
            assert "ConfigureManager" in result["msg"]
    # Dell wants ConfigureManager to subscribe, too.
    assert ("reason" in found["event_destination"][dell.name]) is (role != "Administrator")
    # What an account made, it may take away.
    if role == "Operator":
        gone = runner.task("event_destination", destination=DESTINATION, state="absent", _connection=account)
        assert gone[plain.name]["changed"]
        assert plain.subscriptions() == []
