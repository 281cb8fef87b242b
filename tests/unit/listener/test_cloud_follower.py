# SPDX-License-Identifier: GPL-3.0-or-later
"""Security group changes: whom they affect, told once, whatever Neutron and Keystone do meanwhile."""

import threading
import time

import pytest
from event_listener.cloud.changes import TYPES, Before, changes
from event_listener.cloud.follower import Follower
from event_listener.cloud.neutron import CloudError, Neutron
from event_listener.event import Record
from event_listener.scans.addresses import affected, details
from event_listener.settings_inputs import Enrich
from event_listener.store import Arrival, Given

from tests.services.openstack_api import OpenStackApi, port
from tests.unit.listener.lane_harness import store, until

__all__ = ["store"]  # a fixture
# openstacksdk warns of what it does itself.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]
RULE = {"id": "r1", "security_group_id": "g1", "direction": "ingress", "protocol": "tcp", "port_range_min": 22,
        "port_range_max": 22, "remote_ip_prefix": "0.0.0.0/0", "project_id": "p1"}  # fmt: skip


@pytest.fixture
def api():
    with OpenStackApi() as started:
        started.ports = [
            port("p1", ["g1"], "10.0.0.1", "2001:db8::1", server="s1"),
            port("p2", ["g1", "g2"], "10.0.0.2"),
            port("p3", ["g2"], "10.0.0.3"),
        ]
        started.floating = [{"id": "f1", "port_id": "p1", "floating_ip_address": "192.0.2.1"}]
        started.servers = {"s1": "web1"}
        yield started


@pytest.fixture
def follow(api, store, tmp_path):
    """Makes followers, as restarts of the process do."""
    opened = []

    def made(**more):
        account = Enrich(clouds_file=str(api.clouds_yaml(tmp_path)), cloud="tests", requests_per_second=1000, **more)
        opened.append(Neutron(account))
        follower = Follower(store.cloud("openstack", TYPES), opened[-1], threading.Event())
        follower.step()
        return follower

    yield made
    for one in opened:
        one.close()


class Notify:
    """Stores notifications as the indexer does."""

    def __init__(self, store):
        self.store, self.sent = store, 0

    def __call__(self, event_type, payload, **context):
        self.sent += 1
        record = {"event_type": event_type, "payload": payload, "context": context, "publisher_id": "network.c1"}
        arrival = Arrival(
            journal_id="0123456789ab", journal_seq=self.sent, received_ns=time.time_ns(), source="openstack",
            address="openstack", peer="", credential="input:openstack:openstack", content_type="", body=b"{}",
            records=(Record(type=event_type, record=record, time="2026-11-22T10:00:00.000000Z"),),
            given=(Given(id=f"openstack-m{self.sent}-0", source="openstack", address="openstack",
                         received_ns=time.time_ns()),),
        )  # fmt: skip
        self.store.log.write([arrival], "journal:0123456789ab", self.sent)


@pytest.fixture
def notify(store):
    return Notify(store)


def told(store):
    events = store.log.read_events_after(0, 1000)
    return [event for event in events if event.type == "RedfleetEvents.SecurityGroupChanged"]


def test_a_rule_affects_all_ports_of_its_group(follow, notify, store):
    """Fixed and floating addresses of every port of the group, on every page; and of no other group."""
    follower = follow()
    notify("security_group_rule.create.end", {"security_group_rule": RULE}, user_name="alice", request_id="req-1")
    follower.step()
    (event,) = told(store)
    assert affected(event) == ("10.0.0.1", "10.0.0.2", "192.0.2.1", "2001:db8::1")
    found = details(event)
    assert found["change_type"] == "sg_rule_add"
    assert found["security_group_rule"]["remote_ip_prefix"] == "0.0.0.0/0"
    assert found["who"] == {"user": "alice", "request_id": "req-1"}
    assert (found["time"], found["cause"]) == ("2026-11-22T10:00:00.000000Z", "openstack-m1-0")
    assert found["ports"][0] == {
        "id": "p1", "fixed": ["10.0.0.1", "2001:db8::1"], "floating": ["192.0.2.1"],
        "server_id": "s1", "server": "web1",
    }  # fmt: skip
    assert (event.resource_type, event.resource_id) == ("security_group", "g1")
    assert "a rule was added by alice; 4 addresses are affected" in event.message


def test_osel_defect_5_removals_are_told_though_they_carry_only_an_id(follow, notify, store, api):
    """From our own create event, and, for rules older than we are, from what Neutron said at the start."""
    api.rules = [{**RULE, "id": f"old{number}", "security_group_id": "g2"} for number in range(5)]
    follower = follow()
    api.rules = []
    notify("security_group_rule.create.end", {"security_group_rule": RULE})
    notify("security_group_rule.delete.end", {"security_group_rule_id": "r1"})
    notify("security_group_rule.delete.end", {"security_group_rule_id": "old4"})
    notify("security_group_rule.delete.end", {"security_group_rule_id": "never-seen"})
    follower.step()
    found = [(details(event)["change_type"], event.resource_id, affected(event)) for event in told(store)]
    assert found[1] == ("sg_rule_del", "g1", ("10.0.0.1", "10.0.0.2", "192.0.2.1", "2001:db8::1"))
    assert found[2] == ("sg_rule_del", "g2", ("10.0.0.2", "10.0.0.3"))
    assert found[3] == ("sg_rule_del", "", ())  # told all the same
    assert details(told(store)[1])["security_group_rule"]["port_range_min"] == 22


def test_ports_that_gain_and_lose_groups(follow, notify, store):
    follower = follow()
    notify("port.create.end", {"port": port("p9", ["g1"], "10.0.0.9")})
    notify("port.update.end", {"port": port("p9", ["g1"], "10.0.0.9")})  # something else of it changed
    notify("port.update.end", {"port": port("p9", ["g2"], "10.0.0.9")})
    notify("port.delete.end", {"port_id": "p9"})
    notify("port.create.end", {"port": port("p10", [], "10.0.0.10")})
    follower.step()
    found = [(details(event)["change_type"], event.resource_id, affected(event)) for event in told(store)]
    assert found == [
        ("port_sg_add", "g1", ("10.0.0.9",)),
        ("port_sg_add", "g2", ("10.0.0.9",)),
        ("port_sg_del", "g1", ("10.0.0.9",)),
        ("port_sg_del", "g2", ("10.0.0.9",)),
    ]


@pytest.mark.parametrize("trouble", [{"fail": 503}, {"delay": 6.0}], ids=["unreachable", "slow"])
def test_an_unreachable_keystone_delays_and_drops_nothing(follow, notify, store, api, trouble):
    """Also over a restart; what can't be asked now is asked again, in order, and told once."""
    follower = follow(timeout=2.0)
    for name, value in trouble.items():
        setattr(api, name, value)
    for number in range(3):
        rule = {**RULE, "id": f"r{number}"}
        notify("security_group_rule.create.end", {"security_group_rule": rule})
    with pytest.raises(CloudError, match="the cloud tests"):
        follower.step()
    assert told(store) == []
    api.fail, api.delay = 0, 0.0
    second = follow()  # a restart
    until(lambda: not second.step())
    assert [details(event)["security_group_rule"]["id"] for event in told(store)] == ["r0", "r1", "r2"]


def test_a_storm_of_changes_asks_once(follow, notify, store, api):
    """Answers that are newer than the change hold for it too."""
    follower = follow()
    for number in range(50):
        notify("security_group_rule.create.end", {"security_group_rule": {**RULE, "id": f"r{number}"}})
    before = len(api.asked)
    follower.step()
    assert len(told(store)) == 50
    lists = [one for one in api.asked[before:] if "/ports" in one]
    assert len(lists) == 2, lists  # two pages of one answer


def test_a_name_that_nova_could_not_tell_is_asked_again_soon(api, tmp_path, monkeypatch):
    """A 503 isn't kept as long as a name, or as that there is no such server; a name is kept through it."""
    cloud = Neutron(Enrich(clouds_file=str(api.clouds_yaml(tmp_path)), cloud="tests", requests_per_second=1000))
    passed = 0.0
    clock = time.monotonic
    monkeypatch.setattr("event_listener.cloud.neutron.time.monotonic", lambda: clock() + passed)

    def names(group):
        return [port.server for port in cloud.ports_of(group, time.time_ns()) if port.id in ("p1", "p4")]

    api.ports.append(port("p4", ["g4"], "10.0.0.4", server="gone"))
    api.nova_fail = 503
    assert names("g1") == [""]
    api.nova_fail = 0
    assert names("g1") == [""], "asked again at once"
    passed += 11
    assert names("g1") == ["web1"]
    assert names("g4") == [""]
    api.servers["gone"] = "back"
    passed += 11
    assert names("g4") == [""], "asked again for a server that Nova doesn't know"
    passed += 300
    api.nova_fail = 503
    assert names("g1") == ["web1"], "forgot a name because of an error"
    cloud.close()


def test_neutron_without_the_filter(follow, notify, store, api):
    """It ignores what it doesn't know, and shows every port."""
    api.filters = False
    follower = follow()
    notify("security_group_rule.create.end", {"security_group_rule": {**RULE, "security_group_id": "g2"}})
    follower.step()
    assert affected(told(store)[0]) == ("10.0.0.2", "10.0.0.3")


def test_osel_defect_4_ipv6_and_ipv4_are_both_told(follow, notify, store):
    """osel filled its list of IPv4 only when it dropped IPv6. What is scanned is for the scanner to choose."""
    follower = follow()
    notify("security_group_rule.create.end", {"security_group_rule": RULE})
    follower.step()
    assert {":" in address for address in affected(told(store)[0])} == {True, False}


def test_a_change_without_addresses_is_told(follow, notify, store):
    follower = follow()
    notify("security_group.create.end", {"security_group": {"id": "g7", "name": "new", "security_group_rules": [
        {"id": "first", "security_group_id": "g7", "direction": "egress"}]}})  # fmt: skip
    notify("security_group_rule.delete.end", {"security_group_rule_id": "first"})
    notify("security_group.delete.end", {"security_group_id": "g7"})
    follower.step()
    assert [(details(event)["change_type"], event.resource_id) for event in told(store)] == [
        ("sg_add", "g7"), ("sg_rule_del", "g7"), ("sg_del", "g7"),
    ]  # fmt: skip
    assert all(affected(event) == () and "addresses" in details(event) for event in told(store))


def test_what_the_cloud_told_later_than_it_happened_is_rather_told_twice():
    """A port that was primed after its update was sent shows the group already."""
    now = {"port": port("p1", ["g1"], "10.0.0.1")}
    primed = Before({"groups": ["g1"], "fixed": [], "id": "p1"}, primed=True)
    assert [one.type for one in changes("port.update.end", now, lambda *_: primed)[0]] == ["port_sg_add"]
    known = Before({"groups": ["g1"], "fixed": [], "id": "p1"})
    assert changes("port.update.end", now, lambda *_: known)[0] == []


@pytest.mark.parametrize("payload", [None, [], {}, {"port": 5}, {"port": {}}, {"port": {"id": "x", "fixed_ips": [5]}},
                                     {"ports": [5, {"id": "y"}]}, {"port_id": 5}])  # fmt: skip
def test_payloads_of_any_shape(payload):
    """Whatever it is, no change of a rule is made up of it, and nothing is known of what has no id."""
    for event_type in TYPES:
        found, seen = changes(event_type, payload, lambda *_: None)
        assert not [one for one in found if one.type.startswith("sg_rule")]
        assert "" not in [one.id for one in seen]


def test_rules_made_in_bulk():
    payload = {"security_group_rules": [RULE, {**RULE, "id": "r2"}]}
    found, seen = changes("security_group_rule.create.end", payload, lambda *_: None)
    assert [one.rule["id"] for one in found] == [one.id for one in seen] == ["r1", "r2"]
