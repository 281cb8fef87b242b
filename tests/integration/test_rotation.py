# SPDX-License-Identifier: GPL-3.0-or-later
"""New credentials for a fleet that goes on sending: no event is lost, and the old one goes last."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading

import pytest
import yaml

from tests.integration.fleet_play import writes
from tests.integration.listener_process import wait_for
from tests.integration.user_play import play, write

OLD = {"name": "bmcs-1", "username": "bmc", "password": "the-0ld-secret-of-the-bmcs"}
NEW = {"name": "bmcs-2", "username": "bmc", "password": "the-n3w-secret-of-the-bmcs"}
AUTHORIZATION = "Basic {{ (account.username ~ ':' ~ account.password) | b64encode }}"


class Estate:
    """A fleet of BMCs that take headers by PATCH, by a second subscription, or only in its place; and a listener."""

    def __init__(self, directory, fleet, listener):
        self.directory, self.inventory = directory, directory / "inventory"
        accepted = []
        for account in (OLD, NEW):
            secret = directory / account["name"]
            secret.write_text(account["password"])
            accepted.append({"name": account["name"], "username": "bmc", "password": {"file": str(secret)}})
        self.listener = listener({"ingest": {"credentials": accepted}})
        mix = {"openbmc": 2, "ilo5": 1, "idrac9": 1, "ami": 1, "plain": 2}
        self.fleet = fleet(mix=mix, time_scale=0.02, network="127.62.0.0/16")
        self.fleet.trust(self.listener.ca_path.read_text())
        write(self.inventory / "bmcs.yml", yaml.safe_load(self.fleet.inventory_path.read_text()))
        local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        write(self.inventory / "listeners.yml", {"event_listeners": {"hosts": {"listener1": local}}})
        subscription = {
            "destination": "{{ event_listener_url }}/events/{{ inventory_hostname }}",
            "delivery_retry_policy": "RetryForever",
            "credential": "{{ event_listener_credentials[0].name }}",
            "http_headers": {"Authorization": AUTHORIZATION.replace("account", "event_listener_credentials[0]")},
        }
        write(self.inventory / "group_vars" / "bmcs.yml", {"event_subscription": subscription})

    def play(self, playbook, credentials, *arguments):
        """Run a playbook with these credentials declared."""
        everywhere = {
            "event_listener_url": self.listener.url,
            "event_listener_credentials": credentials,
            "event_listener_tokens": [{"name": "playbooks", "token": self.listener.api_token}],
            "event_listener_manage_bind": self.listener.manage_url.removeprefix("http://"),
            "redfish_retries": 0,
            "redfish_timeout": 10,
            "rotate_deploy": False,  # the listener of this test accepts both
        }
        write(self.inventory / "group_vars" / "all.yml", everywhere)
        return play(playbook, self.inventory, *arguments)

    def sources(self):
        """What the listener knows, by name."""
        return {one["name"]: one for one in self.listener.api("/api/v1/sources").json()["sources"]}

    def needs(self):
        """Who would be refused without the old credential."""
        return [
            one["source"] for one in self.listener.api("/api/v1/credentials/needs", keep=NEW["name"]).json()["needs"]
        ]

    def received(self):
        """Numbers of the traffic's events in the log, by source."""
        found, after = {}, 0
        while page := self.listener.api("/api/v1/events", after=after, order="asc", limit=1000).json()["events"]:
            after = page[-1]["seq"]
            for event in page:
                if str(event["message"]).startswith("number "):
                    found.setdefault(event["source"], set()).add(int(event["message"].split()[1]))
        return found


class Traffic:
    """Every BMC notes a numbered event again and again, until it is stopped."""

    def __init__(self, fleet):
        self.fleet, self.sent = fleet, {bmc.name: set() for bmc in fleet.bmcs}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    def _run(self):
        for number in itertools.count():
            for bmc in self.fleet.bmcs:
                record = {"MessageId": "ResourceEvent.1.3.0.ResourceChanged", "Message": f"number {number}"}
                bmc.emit(record)
                self.sent[bmc.name].add(number)
            if self._done.wait(0.1):
                return


@pytest.fixture(scope="module")
def estate(tmp_path_factory, fleet, listener):
    """The fleet, subscribed with the old credential."""
    made = Estate(tmp_path_factory.mktemp("rotation"), fleet, listener)
    done = made.play("subscribe.yml", [OLD])
    assert done.status == 0, done.output
    return made


def test_an_ordinary_create_records_the_credential(estate):
    assert {one["credential"] for one in estate.sources().values()} == {OLD["name"]}
    assert all(one["credential_given"] for one in estate.sources().values())
    assert sorted(estate.needs()) == sorted(bmc.name for bmc in estate.fleet.bmcs)


@pytest.mark.slow
def test_a_wrong_password_ends_the_rotation_in_its_first_wave(estate):
    """Nobody is given anything, and the BMCs of the second wave aren't asked."""
    before, needed = fleet_end(estate), estate.needs()
    wrong = {"redfish_password": "wrong", "max_refused": 0, "rollout": [2, "100%"]}
    done = estate.play("redfleet.events.rotate_credentials", [NEW, OLD], "-e", json.dumps(wrong))
    assert done.status != 0
    assert "Too many BMCs refuse the credentials" in done.output
    assert len({request["bmc"] for request in estate.fleet.requests(before)}) == 2
    assert estate.needs() == needed


@pytest.mark.slow
def test_a_fleet_is_rotated_while_it_sends(estate):
    """One BMC is down meanwhile. Nothing is lost, nothing is told, who has it is left alone, the last one ends it."""
    fleet = estate.fleet
    down = fleet.by_vendor("openbmc")[1]
    down.set_fault("unreachable")
    in_place = fleet.by_vendor("ilo5")[0]
    in_place.set_fault("slow", seconds=1, path="/redfish/v1/EventService/Subscriptions", methods=["POST"])
    with Traffic(fleet) as traffic:
        done = estate.play("redfleet.events.rotate_credentials", [NEW, OLD], "-vvv", "-e", '{"rollout": [2, "100%"]}')
    assert fleet.wait_idle(60)
    assert done.status != 0
    assert [secret for secret in (OLD["password"], NEW["password"]) if secret in done.output] == []
    summary = done.summary()
    assert summary.pop(down.name).startswith(f"unreachable  stays on {OLD['name']}")
    assert all(verdict.startswith("changed") for verdict in summary.values()), done.output
    assert "s without a subscription" in summary[in_place.name]
    assert estate.needs() == [down.name]
    wait_for(lambda: all(estate.received().get(name, set()) >= sent for name, sent in traffic.sent.items()), 60)

    # Who has it isn't asked again; the other one, back again, is given it.
    down.clear_faults()
    in_place.clear_faults()
    before = fleet.requests()[-1]["seq"]
    done = estate.play("redfleet.events.rotate_credentials", [NEW, OLD])
    assert done.status == 0, done.output
    assert {request["bmc"] for request in fleet.requests(before)} == {down.name}
    assert f"Take {OLD['name']} out" in done.output
    assert estate.needs() == []
    assert all(NEW["name"] in one["heard_with"] for one in estate.sources().values())

    # And once more: nothing to do.
    count = len(writes(fleet))
    done = estate.play("redfleet.events.rotate_credentials", [NEW, OLD])
    assert (done.status, done.changed(), len(writes(fleet))) == (0, 0, count), done.output
    assert all(
        verdict.startswith("ok") and f"has {NEW['name']} since" in verdict for verdict in done.summary().values()
    )


@pytest.mark.slow
def test_what_is_no_rotation_is_refused(estate):
    """One credential alone, or a header that isn't made of the new one: an error before any BMC is asked."""
    before = fleet_end(estate)
    for credentials, message in (
        ([NEW], "in front of event_listener_credentials"),
        ([OLD | {"name": "x"}, NEW], "does not accept x"),
    ):
        done = estate.play("redfleet.events.rotate_credentials", credentials)
        assert done.status != 0
        assert message in " ".join(done.output.split())
    assert fleet_end(estate) == before


def fleet_end(estate):
    return estate.fleet.requests()[-1]["seq"]


def test_the_command_refuses_what_would_lock_out(estate):
    """`credentials check` names who would be refused; keeping all of them is always fine."""

    def run(*arguments):
        command = [sys.executable, "-m", "event_listener", "credentials", arguments[0], "--config",
                   str(estate.listener.config_path), *arguments[1:]]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    everything = run("check", "--keep", OLD["name"], "--keep", NEW["name"])
    assert everything.returncode == 0, everything.stderr
    refused = run("check", "--keep", "another")
    assert refused.returncode == 1
    assert refused.stdout.count("\n") == len(estate.fleet.bmcs)
    listed = run("list").stdout
    assert OLD["name"] in listed
    assert OLD["password"] not in listed
