# SPDX-License-Identifier: GPL-3.0-or-later
"""Security group changes in osel's schema, and the defects of osel that end in its lines."""

import json
import re
import socket
import time
from pathlib import Path

from event_listener.cloud.changes import Change
from event_listener.cloud.follower import told
from event_listener.cloud.neutron import Port
from event_listener.event import Category, Event, Level
from event_listener.settings_bus import SyslogSink
from event_listener.sinks.base import Ok, Retry
from event_listener.sinks.osel import lines
from event_listener.sinks.syslog import Syslog
from event_listener.sinks.syslog_format import messages
from event_listener.store.own import own_arrival

RULE = {"id": "r1", "security_group_id": "g1", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
        "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "0.0.0.0/0", "remote_group_id": None,
        "tenant_id": "p1", "project_id": "p1"}  # fmt: skip
OSEL = {
    "affected_ip_address", "change_type", "qualys_scan_id", "qualys_scan_error", "security_group_rule", "source_type",
    "source_message_bus",
}  # fmt: skip


def event_of(arrival, seq=1):
    (record,) = arrival.records
    fields = {name: getattr(record, name) for name in record.__struct_fields__}
    return Event(**fields, seq=seq, id=f"{arrival.journal_id}-0-0", source=arrival.source, address=arrival.address,
                 received_ns=arrival.received_ns, payload_id=1)  # fmt: skip


def notification(event_type="security_group_rule.create.end"):
    context = {"user_name": "alice", "user_id": "u1", "project_id": "p1", "request_id": "req-1"}
    return Event(
        type=event_type, category=Category.ACTION, time="2026-11-22T10:00:00.000000Z", seq=1, id="openstack-m1-0",
        source="openstack", address="openstack", received_ns=time.time_ns(), payload_id=1,
        record={"event_type": event_type, "context": context, "publisher_id": "network.c1", "payload": {}},
    )  # fmt: skip


def change(*addresses, type_="sg_rule_add", rule=RULE):
    ports = [Port("p1", addresses, ())] if addresses else []
    return event_of(told(notification(), 0, Change(type=type_, group="g1", rule=rule), ports))


def scan_event(key, cause, **scan):
    found = {"id": "scan-1", "sink": "qualys", "reference": "", "error": "", "dry_run": False, **scan}
    redfleet = cause.record["Oem"]["redfleet"]
    found["causes"] = [{"event": cause.id, "addresses": redfleet["addresses"], "details": redfleet}]
    return event_of(own_arrival(key, key, unique=key, now_ns=1, about="openstack", level=Level.INFO,
                                details={"scan": found}))  # fmt: skip


def test_one_line_per_address_in_osels_schema_and_who_and_when():
    found = list(lines(change("192.0.2.1", "2001:db8::1"), "osel1.1"))
    assert [line["affected_ip_address"] for line in found] == ["192.0.2.1", "2001:db8::1"]
    line = found[0]
    assert set(line) >= OSEL
    assert line["security_group_rule"] == {
        "remote_group_id": None, "direction": "ingress", "protocol": "tcp", "remote_ip_prefix": "0.0.0.0/0",
        "port_range_max": 22, "rule_direction": "ingress", "security_group_id": "g1", "tenant_id": "p1",
        "port_range_min": 22, "ethertype": "IPv4", "id": "r1",
    }  # fmt: skip
    assert (line["change_type"], line["source_type"], line["source_message_bus"]) == (
        "sg_rule_add", "osel1.1", "openstack",
    )  # fmt: skip
    assert (line["user"], line["user_id"], line["project_id"]) == ("alice", "u1", "p1")
    assert (line["request_id"], line["time"]) == ("req-1", "2026-11-22T10:00:00.000000Z")


def test_osel_defect_5_a_removal_and_a_change_without_addresses_have_a_line():
    """osel returned early where no address was affected, so removals were never logged."""
    (line,) = lines(change(type_="sg_rule_del"), "osel1.1")
    assert (line["affected_ip_address"], line["change_type"]) == ("", "sg_rule_del")
    (unknown,) = lines(change(type_="sg_rule_del", rule={"id": "r1"}), "osel1.1")
    assert unknown["security_group_rule"]["id"] == "r1"


def test_osel_defect_6_a_scans_id_and_its_error_are_in_their_own_fields():
    """osel wrote "New vm scan launched" into qualys_scan_error at every success."""
    cause = change("192.0.2.1")
    (line,) = lines(scan_event("ScanStarted", cause, reference="scan/1.2"), "osel1.1")
    assert (line["qualys_scan_id"], line["qualys_scan_error"]) == ("scan/1.2", "")
    assert (line["affected_ip_address"], line["event_id"], line["user"]) == ("192.0.2.1", cause.id, "alice")
    (failed,) = lines(scan_event("ScanCompleted", cause, error="409: too many scans"), "osel1.1")
    assert (failed["qualys_scan_id"], failed["qualys_scan_error"]) == ("", "409: too many scans")
    assert list(lines(scan_event("ScanCompleted", cause, reference="scan/1.2"), "osel1.1")) == []
    assert list(lines(scan_event("ScanScheduled", cause), "osel1.1")) == []


def test_osel_defect_3_what_is_no_change_has_no_line_and_breaks_nothing():
    """An ignored notification in osel's batch made the whole batch panic."""
    settings = SyslogSink(name="soc", host="h", body="osel", source_type="osel1.2")
    batch = [notification("port.create.end"), change("192.0.2.1"), notification("identity.user.created")]
    found = [one for event in batch for one in messages(settings, event)]
    assert len(found) == 1
    assert json.loads(found[0].partition(b'"] {')[2].join([b"{", b""]))["source_type"] == "osel1.2"


def test_only_our_own_events_are_believed():
    """Who can send notifications, or is a BMC, writes no lines of osel."""
    forged = change("192.0.2.1")
    fields = {name: getattr(forged, name) for name in forged.__struct_fields__}
    assert list(lines(Event(**{**fields, "id": "openstack-x-0"}), "osel1.1")) == []


def test_osel_defect_7_a_syslog_server_that_is_away_is_waited_for(tmp_path):
    """osel tried again without a pause, and ended with an error once it had succeeded."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    settings = SyslogSink(name="soc", host=address, transport="tcp", body="osel", framing="newline")
    sink = Syslog(settings, tmp_path)
    outcome = sink.send([change("192.0.2.1")])
    assert isinstance(outcome, Retry)
    assert outcome.after is None  # the lane's own back-off, with growing waits
    host, port = address.split(":")
    with socket.create_server((host, int(port))) as server:
        assert sink.send([notification(), change("192.0.2.1"), change("192.0.2.2", "192.0.2.3")]) == Ok()
        sink.close()
        with server.accept()[0] as peer, peer.makefile() as stream:
            found = [json.loads(line[line.index("] {") + 2 :]) for line in stream]
    assert [line["affected_ip_address"] for line in found] == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]


def test_osel_defect_9_each_defect_has_a_test_that_runs():
    """osel's Makefile had its tests commented out. docs/openstack.md names one per defect."""
    root = Path(__file__).resolve().parents[3]
    files = [*(root / "tests/unit").rglob("test_*.py"), *(root / "tests/integration").rglob("test_*.py")]
    found = set(re.findall(r"def (test_osel_defect_\d)", "".join(file.read_text() for file in files)))
    assert found == {f"test_osel_defect_{number}" for number in range(1, 10)}
