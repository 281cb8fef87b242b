# SPDX-License-Identifier: GPL-3.0-or-later
"""The syslog sink and a real rsyslog: its parser is the judge of what we send."""

from __future__ import annotations

import json
import time

import pytest

from tests.integration.bus.bus_harness import ALERT, RunningRelay, SyslogPeer, assert_arrived, field
from tests.services.faults import Fault, FaultProxy
from tests.services.service import wait_until


def with_settings(peer, **settings):
    sinks = peer.sinks(peer.target()[0])
    sinks["syslog"][0].update(settings)
    return sinks


@pytest.mark.parametrize("framing", ["octet-counting", "newline"])
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_rsyslog_reads_every_field(tmp_path, rsyslog, transport, framing):
    peer = SyslogPeer(rsyslog, transport)
    text = 'quote " bracket ] backslash \\ newline\n Grüße'
    with RunningRelay(tmp_path, with_settings(peer, framing=framing)) as relay:
        relay.feed(5, **{**ALERT, "Message": text})
        relay.wait_for("bus")
        logged = relay.logged()
        wait_until(lambda: len(peer.records()) == 5, "rsyslog has them")
    assert_arrived(logged, peer.received())
    record = peer.records()[0]
    assert (record["priority"], record["version"], record["input"]) == ("130", "1", transport)
    assert (record["host"], record["message_id"]) == ("bmc1", "Platform.PowerSupplyFailed")
    assert record["message"] == text.replace("\n", " ")
    assert field(record["structured_data"], "category") == "AlertEvent"
    assert 'origin ip="192.0.2.7"' in record["structured_data"]
    assert record["timestamp"].startswith(time.strftime("%Y-%m-%dT", time.gmtime()))


@pytest.mark.parametrize("body", ["json", "cloudevents"])
def test_the_body_can_be_json(tmp_path, rsyslog, body):
    peer = SyslogPeer(rsyslog, "tls")
    with RunningRelay(tmp_path, with_settings(peer, body=body)) as relay:
        relay.feed(1)
        relay.wait_for("bus")
        logged = relay.logged()
        wait_until(peer.records, "rsyslog has it")
    assert json.loads(peer.records()[0]["message"])["id"] == logged[0].id


def test_mutual_tls_needs_our_certificate(tmp_path, rsyslog):
    peer = SyslogPeer(rsyslog, "mutual")
    certificates = rsyslog.certificates
    own = {"certificate": str(certificates.client_certificate), "key": str(certificates.client_key)}
    with RunningRelay(tmp_path, with_settings(peer, tls={"ca": str(certificates.ca), **own})) as relay:
        relay.feed(2)
        relay.wait_for("bus")
        wait_until(lambda: len(peer.records()) == 2, "rsyslog has them")
    with RunningRelay(tmp_path / "without", with_settings(peer, tls={"ca": str(certificates.ca)})) as relay:
        relay.feed(2)
        wait_until(lambda: relay.state("bus")[0] == "retrying", lambda: str(relay.state("bus")))
    assert len(peer.records()) == 2


@pytest.mark.parametrize("tls", ["other_ca", "name"])
def test_a_server_that_is_not_the_right_one_gets_nothing(tmp_path, rsyslog, tls):
    peer = SyslogPeer(rsyslog, "tls")
    certificates = rsyslog.certificates
    wrong = {
        "other_ca": {"ca": str(certificates.other_ca)},
        "name": {"ca": str(certificates.ca), "server_name": "syslog.example.com"},
    }
    with RunningRelay(tmp_path, with_settings(peer, tls=wrong[tls])) as relay:
        relay.feed(1)
        wait_until(lambda: "certificate verify failed" in relay.state("bus")[1].lower(), "it says why")
    assert peer.records() == []


def test_a_closed_connection_is_found_before_anything_is_written_into_it(tmp_path, rsyslog):
    """The classic loss of plain syslog: the first write after the server's restart succeeds and vanishes."""
    peer = SyslogPeer(rsyslog, "tcp")
    with RunningRelay(tmp_path, peer.sinks(rsyslog.tcp_address)) as relay:
        for _ in range(3):
            relay.feed(20)
            relay.wait_for("bus")
            wait_until(lambda: len({item.id for item in peer.received()}) == relay.fed, "rsyslog wrote them")
            rsyslog.restart()
        relay.feed(20)
        relay.wait_for("bus")
        wait_until(lambda: len({item.id for item in peer.received()}) == 80, "all arrived")
        assert_arrived(relay.logged(), peer.received())
        assert relay.store.cursors.counts()["bus", "repeated"] > 0


@pytest.mark.slow
def test_what_a_vanished_peer_took_is_lost_but_for_the_last_window(tmp_path, rsyslog):
    """What docs/sinks/syslog.md says: a middlebox took it and lost it; `resend` messages are sent again."""
    peer = SyslogPeer(rsyslog, "tcp")
    with FaultProxy(rsyslog.tcp_address) as proxy:
        sinks = peer.sinks(proxy.address)
        sinks["syslog"][0]["resend"] = 50
        with RunningRelay(tmp_path, sinks) as relay:
            relay.feed(100)
            relay.wait_for("bus")
            wait_until(lambda: len(peer.received()) == 100, "rsyslog wrote them")
            proxy.set(Fault.HALF_OPEN)
            relay.feed(200)
            relay.wait_for("bus")
            proxy.set(Fault.NONE)
            relay.feed(10)
            relay.wait_for("bus")
            wait_until(lambda: len(peer.received()) == 160, "the last 50 and the new ones")
            logged = relay.logged()
    assert set(peer.received()) == set(logged[:100] + logged[250:])


def test_udp_to_nobody_is_noticed(tmp_path, rsyslog):
    peer = SyslogPeer(rsyslog, "udp")
    with RunningRelay(tmp_path, with_settings(peer, host="127.0.0.1:9")) as relay:
        relay.feed_for(1, 100)
        wait_until(lambda: "refused" in relay.state("bus")[1].lower(), lambda: str(relay.state("bus")))


def test_what_cannot_be_made_short_enough_is_listed_and_passed(tmp_path, rsyslog):
    peer = SyslogPeer(rsyslog, "tls")
    with RunningRelay(tmp_path, with_settings(peer, body="json", max_size=2000)) as relay:
        relay.feed(2)
        relay.feed(1, Message="x" * 5000)
        relay.feed(2)
        relay.wait_for("bus")
        assert [item.unit_seq for item in relay.store.rejections.list("bus")] == [3]
        wait_until(lambda: len(peer.records()) == 4, "the others arrived")
