# SPDX-License-Identifier: GPL-3.0-or-later
"""Alerts through the management application and on the command line: for administrators, each in the own subtree."""

import json

import pytest
from click.testing import CliRunner
from event_listener import policy
from event_listener.alert_rules import Rulebook
from event_listener.cli import main
from event_listener.event import Category, Level, Record
from event_listener.manage import create_app
from event_listener.policy import Action
from event_listener.settings import ApiToken, Manage, Settings
from event_listener.settings_alerts import AlertSettings
from event_listener.settings_base import Secret
from event_listener.store import Arrival, open_store
from event_listener.store.log import now_ns

from tests.api_contract import JudgedClient
from tests.unit.listener.test_manage_accounts import OWNERS, PASSWORD, ROOT, USERS, Api, principal


def failure(number, owner, turn=0):
    """An event of an owner's source that raises an alert."""
    record = Record(
        category=Category.ALERT,
        type="Vendor.FanFailed",
        level=Level.ERROR,
        resource_id="/fan",
        message="Fan",
        record={},
    )
    return Arrival(
        journal_id=f"{number}-{turn}",
        journal_seq=0,
        received_ns=now_ns(),
        source=f"s{number}",
        address="a",
        peer="",
        credential="",
        content_type="",
        body=b"{}",
        owner=owner,
        records=(record,),
    )


class Fleet:
    """A listener's state with an open alert of each owner, and its application."""

    def __init__(self, directory):
        self.directory, self.turn = directory, 0
        (directory / "token").write_text(ROOT)
        (directory / "config.yml").write_text(f"state_dir: {directory}\nuser: root\n")
        with open_store(directory) as store:
            store.alerts.reader(Rulebook(AlertSettings())).reader.begin()
        token = ApiToken(name="ci", token=Secret(file=str(directory / "token")))
        self.app = create_app(Settings(state_dir=str(directory), manage=Manage(tokens=[token])))
        self.app.test_client_class = JudgedClient
        self.root = Api(self.app, ROOT)
        for name, fields in USERS.items():
            self.root("PUT", f"/api/v1/users/{name}", 201, password=PASSWORD, **fields)
        self.asks = {
            name: Api(self.app, Api(self.app, "")("POST", "/api/v1/login", user=name, password=PASSWORD)["secret"])
            for name in USERS
        }

    def fail(self):
        """Remove all alerts, and have each source fail."""
        if self.turn:
            for more in ({}, {"archived": True}):
                self.root("POST", "/api/v1/alerts/actions", action="delete", filter={"below": "/", **more})
        self.turn += 1
        with open_store(self.directory) as store:
            store.log.add([failure(number, owner, self.turn) for number, owner in enumerate(OWNERS)])
            reader = store.alerts.reader(Rulebook(AlertSettings()))
            while reader.follow():
                pass
        return {one["source"]: one["id"] for one in self.root("GET", "/api/v1/alerts")["alerts"]}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    return Fleet(tmp_path_factory.mktemp("alerts"))


@pytest.mark.parametrize("name", USERS)
def test_administrators_see_and_change_their_own(fleet, name):
    """Users see none; what is out of reach isn't there, and a deed that names one of those does nothing."""
    ids, asks = fleet.fail(), fleet.asks[name]
    if policy.scope(principal(name), Action.READ_ALERTS).reach is policy.Reach.NOTHING:
        asks("GET", "/api/v1/alerts", 403)
        asks("GET", f"/api/v1/alerts/{ids['s0']}", 403)
        asks("POST", "/api/v1/alerts/actions", 403, action="delete", ids=list(ids.values()))
        return
    mine = {
        f"s{number}"
        for number, owner in enumerate(OWNERS)
        if policy.allowed(principal(name), Action.READ_ALERTS, owner)
    }
    for query in ("", "?below=/", "?rule=hardware&state=open"):
        assert {one["source"] for one in asks("GET", f"/api/v1/alerts{query}")["alerts"]} == mine
    for source, alert in ids.items():
        asks("GET", f"/api/v1/alerts/{alert}", 200 if source in mine else 404)
    everything = 200 if mine == set(ids) else 404
    asks("POST", "/api/v1/alerts/actions", everything, action="acknowledge", ids=list(ids.values()))
    known = {one["source"] for one in fleet.root("GET", "/api/v1/alerts?acknowledged=true")["alerts"]}
    assert known == (set(ids) if everything == 200 else set())
    done = asks("POST", "/api/v1/alerts/actions", action="archive", filter={"type": ["Vendor.FanFailed"]})
    assert done == {"affected": len(mine)}
    assert {one["source"] for one in fleet.root("GET", "/api/v1/alerts?archived=true")["alerts"]} == mine
    assert {one["source"] for one in fleet.root("GET", "/api/v1/alerts")["alerts"]} == set(ids) - mine


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"action": "delete"}, "give either ids or a filter"),
        ({"action": "delete", "filter": {"archived": False}}, "give either ids or a filter"),
        ({"action": "delete", "ids": ["x"], "filter": {"rule": ["y"]}}, "give either ids or a filter"),
        ({"action": "delete", "ids": []}, "length >= 1"),
        ({"action": "delete", "filter": {"rule": []}}, "length >= 1"),
        ({"action": "forget", "ids": ["x"]}, "Invalid enum value 'forget'"),
        ({"action": "delete", "filter": {"rules": ["x"]}}, "unknown field `rules`"),
        ({"action": "delete", "filter": {"since": "soon"}}, "since 'soon' is no time"),
        ({"action": "delete", "filter": {"below": "../"}}, "write a path"),
    ],
)
def test_what_says_nothing_deletes_nothing(fleet, body, said):
    """CloudStack's deleteAlerts and deleteEvents without a condition took everything, in some versions."""
    fleet.fail()
    assert said in fleet.root("POST", "/api/v1/alerts/actions", 400, **body)["detail"]
    assert len(fleet.root("GET", "/api/v1/alerts")["alerts"]) == len(OWNERS)


def test_a_limited_token(fleet):
    """A token for reading changes nothing."""
    ids = fleet.fail()
    asks = fleet.asks["root2"]
    reads = Api(fleet.app, asks("POST", "/api/v1/me/tokens", 201, name="x", actions=["alerts.read"])["secret"])
    assert len(reads("GET", "/api/v1/alerts")["alerts"]) == len(OWNERS)
    reads("POST", "/api/v1/alerts/actions", 403, action="resolve", ids=[ids["s1"]])


def test_who_did_it_is_told_to_whom_it_concerns(fleet):
    """An ActionEvent in the domain of the alerts; a dry run tells nothing."""
    ids = fleet.fail()
    deed = {"action": "resolve", "ids": [ids["s2"], ids["s3"]]}
    admin = fleet.asks["admin-b"]
    assert admin("POST", "/api/v1/alerts/actions", check=True, **deed) == {"affected": 2}
    assert admin("GET", "/api/v1/events?type=ALERT.RESOLVE")["events"] == []
    assert admin("POST", "/api/v1/alerts/actions", **deed) == {"affected": 2}
    assert admin("POST", "/api/v1/alerts/actions", **deed) == {"affected": 0}
    (event,) = admin("GET", "/api/v1/events?type=ALERT.RESOLVE")["events"]
    assert (event["domain"], event["message"]) == (
        "/a/b/", "resolve Alert 2 alerts by admin-b from 127.0.0.1: done"
    )  # fmt: skip
    one = admin("GET", f"/api/v1/alerts/{ids['s2']}")
    assert (one["state"], one["resolved_by"], one["important"]) == ("resolved", "admin-b", False)
    metrics = fleet.app.test_client().get("/metrics").text
    assert 'event_listener_alerts_open{level="ERROR"} 4.0' in metrics
    assert 'event_listener_alert{level="ERROR",rule="hardware",source="s0"} 1.0' in metrics
    assert 'source="s2"' not in metrics


def test_on_the_command_line(fleet):
    """As an operator types it."""
    ids = fleet.fail()

    def run(*arguments, status=0):
        done = CliRunner().invoke(main, ["--config", str(fleet.directory / "config.yml"), "alerts", *arguments])
        assert done.exit_code == status, done.output
        return done.output

    lines = run("list", "--rule", "hardware").splitlines()
    assert lines[0].split()[:5] == ["ID", "LEVEL", "STATE", "RULE", "SOURCE"]
    assert len(lines) == 1 + len(OWNERS)
    assert run("acknowledge", ids["s0"]) == "1 alerts acknowledged\n"
    assert "acknowledged" in run("list", "--source", "s0")
    assert run("delete", "--below", "/a/", "--check") == "4 alerts would be deleted\n"
    assert run("archive", "--source", "s1") == "1 alerts archived\n"
    assert [json.loads(line)["source"] for line in run("list", "--json", "--archived", "--source", "s1").splitlines()][
        :1
    ] == ["s1"]
    assert run("resolve", ids["s2"], ids["s3"]) == "2 alerts resolved\n"
    assert "there is no alert x; nothing was changed" in run("delete", ids["s0"], "x", status=1)
    assert "give either ids" in run("delete", status=2)
    assert "give either ids" in run("delete", "x", "--rule", "y", status=2)
    assert "is no time" in run("list", "--since", "soon", status=1)
