# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenStack as a source: oslo.messaging sends, RabbitMQ delivers, the event log has each notification once."""

from __future__ import annotations

import json
import logging

import pika
import pytest
from event_listener.event import Category
from event_listener.inputs import amqp, intake, opener
from event_listener.journal import Entry
from event_listener.normalise.buses import credential_of

from tests.integration.bus.source_harness import Cloud, RunningSource, rabbit_url
from tests.services.faults import Fault, FaultProxy
from tests.services.oslo_sender import OsloSender
from tests.services.service import free_address, wait_until

RULE = {"id": "r1", "security_group_id": "g1", "direction": "ingress", "protocol": "tcp"}


@pytest.fixture(scope="module")
def sender(rabbitmq):
    """One process for all: starting oslo.messaging takes seconds."""
    with OsloSender(rabbit_url(rabbitmq)) as started:
        yield started


@pytest.fixture
def cloud(rabbitmq, tmp_path):
    return Cloud(rabbitmq, tmp_path)


@pytest.fixture
def make(tmp_path):
    """Makes sources and closes what they leave open."""
    made = []

    def source(settings, **others):
        made.append(RunningSource(tmp_path, "openstack", settings, **others))
        return made[-1]

    yield source
    for one in made:
        one.close()


def test_osel_defect_1_each_notification_is_an_event_and_ceilometer_keeps_its_own(cloud, sender, make):
    """Both envelopes, several services, who asked; the default queue, which osel emptied, still has every message."""
    source = make(cloud.settings("neutron", "nova"))
    who = {"user_id": "u1", "project_id": "p1", "request_id": "req-1"}
    # The services come first: their exchanges are there, made with the services' own flags.
    sender.notify("noise.before", {}, **cloud.order())
    sender.notify("noise.before", {}, **cloud.order("nova"))
    with source:
        source.wait_up()
        rule = {"security_group_rule": RULE}
        sender.notify("security_group_rule.create.end", rule, context=who, **cloud.order())
        sender.notify("security_group_rule.delete.end", {"security_group_rule_id": "r1"},
                      context=who, driver="messaging", **cloud.order())  # fmt: skip
        sender.notify("compute.instance.create.error", {"instance_id": "i1", "exception": "No valid host"},
                      priority="error", publisher="compute.h1", context=who, **cloud.order("nova"))  # fmt: skip
        events = source.wait_for(3)
    assert [event.type for event in events] == [
        "security_group_rule.create.end", "security_group_rule.delete.end", "compute.instance.create.error",
    ]  # fmt: skip
    assert {(event.source, event.address) for event in events} == {("openstack", "openstack")}
    assert [event.category for event in events] == [Category.ACTION, Category.ACTION, Category.ASYNC_JOB]
    assert events[0].start_id == "req-1:security_group_rule.create"
    assert "by user u1, in project p1" in events[0].message  # oslo.context names them otherwise than payloads do
    for event in events:
        assert event.id == f"openstack-{event.record['message_id']}-0"
    payload = source.store.log.read_payloads_after(0, 10)[0]
    assert json.loads(payload.body)["oslo.version"] == "2.0"  # as it arrived
    assert payload.content_type == f'application/json; routing-key="{cloud.topic}.info"'
    assert cloud.count(f"{cloud.topic}.info") == 4
    assert cloud.count(f"{cloud.topic}.error") == 1
    assert cloud.count(cloud.tag) == 0


def test_osel_defect_8_what_was_stored_and_not_acknowledged_is_stored_once(cloud, sender, make):
    """Killed between the journal's sync and the acknowledgement: RabbitMQ delivers again, the event log knows it."""
    source = make(cloud.settings())
    sender.notify("noise.before", {}, **cloud.order())
    opened = opener("openstack")(source.section)
    bus = opened.connect()
    sender.notify("port.create.end", {"port": {"id": "p"}}, count=20, **cloud.order())
    messages = []
    while len(messages) < 20:
        messages += bus.receive(1)
    credential = credential_of("openstack", "openstack")
    source.journal.append(
        [Entry(1, "openstack", "", credential, "application/json", "ok", "", message.body) for message in messages]
    )
    bus.close()  # and here the process died
    with source:
        sender.notify("port.create.end", {"port": {"id": "last"}}, **cloud.order())
        events = source.wait_for(21)
    assert len(events) == len({event.event_id for event in events}) == 21
    wait_until(lambda: cloud.count(cloud.tag) == 0, "messages are left")


def test_osel_defect_2_a_cut_connection_loses_nothing_and_is_one_line(cloud, sender, make, caplog, monkeypatch):
    """osel read empty messages from a closed connection as fast as it could, and logged each."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(logging.getLogger("event_listener"), "propagate", True)
    with FaultProxy(cloud.rabbitmq.address) as proxy:
        sender.notify("noise.before", {}, **cloud.order())
        source = make(cloud.settings(hosts=[str(proxy.address)], prefetch=7))
        with source:
            source.wait_up()
            for turn in range(4):
                sender.notify("port.update.end", {"port": {"id": "p"}}, count=50, first=turn * 50, **cloud.order())
                proxy.reset()
            proxy.set(Fault.REFUSE)
            sender.notify("port.update.end", {"port": {"id": "p"}}, count=50, first=200, **cloud.order())
            wait_until(lambda: not source.report.up, "the lost connection isn't noticed")
            assert str(proxy.address) in source.report.reason
            proxy.set(Fault.NONE)
            events = source.wait_for(250)
    assert sorted(event.record["payload"]["number"] for event in events) == list(range(250))
    assert len([one for one in caplog.records if "inputs" in one.name]) < 30
    assert source.report.received >= 250


def test_a_full_queue_is_counted_and_told(cloud, sender, make):
    """The bounded queue drops its oldest, holds nobody up, and an alert says how many."""
    source = make(cloud.settings(max_length=100))
    sender.notify("noise.before", {}, **cloud.order())
    with source:  # makes the queue
        source.wait_up()
    sender.notify("port.update.end", {"port": {"id": "p"}}, count=130, **cloud.order())
    wait_until(lambda: cloud.count(f"{cloud.tag}.dropped") == 30, "the dropped ones aren't kept apart")
    with source:
        events = source.wait_for(101)
    numbers = [event.record["payload"]["number"] for event in events if event.type == "port.update.end"]
    assert numbers == list(range(30, 130))
    (alert,) = [event for event in events if event.type == "RedfleetEvents.MessagesLost"]
    assert (alert.source, alert.category, alert.level.value) == ("openstack", Category.ALERT, "ERROR")
    assert "at least 30 of its oldest messages were dropped" in alert.message
    assert source.report.lost == 30
    assert cloud.count(f"{cloud.tag}.dropped") == 0


def test_exchanges_are_never_made_and_found_later(cloud, sender, make, monkeypatch, caplog):
    """Who declares a service's exchange with wrong flags breaks the service: it is looked for until it is there."""
    monkeypatch.setattr(amqp, "BIND_SECONDS", 0.1)
    monkeypatch.setattr(intake, "LOOK_SECONDS", 0.1)
    source = make(cloud.settings("neutron", "nova"))
    with caplog.at_level(logging.WARNING), source:
        monkeypatch.setattr(logging.getLogger("event_listener"), "propagate", True)
        source.wait_up()
        wait_until(lambda: len(source.report.warnings) == 2, "what is missing isn't told")
        assert f"the exchange {cloud.tag}.nova isn't there yet" in source.report.warnings[1]
        assert cloud.tag not in cloud.rabbitmq.control("list_exchanges", "name").replace(f"{cloud.tag}.dropped", "")
        sender.notify("noise.before", {}, **cloud.order())  # neutron starts, and makes it as it likes
        wait_until(lambda: len(source.report.warnings) == 1, "the exchange isn't found", 60)
        sender.notify("port.create.end", {"port": {"id": "p"}}, **cloud.order())
        assert [event.type for event in source.wait_for(1)] == ["port.create.end"]


def test_an_exchange_that_went_with_a_restart_is_bound_again_within_seconds(cloud, sender, make, monkeypatch):
    """By default they aren't durable, and what is sent before they are bound is lost. A dead node is passed over."""
    monkeypatch.setattr(amqp, "BIND_SECONDS", 3600)
    monkeypatch.setattr(intake, "LOOK_SECONDS", 0.1)
    exchange, channel = f"{cloud.tag}.neutron", cloud.channel()
    sender.notify("noise.before", {}, **cloud.order())
    with FaultProxy(cloud.rabbitmq.address) as proxy:
        source = make(cloud.settings("neutron", "nova", hosts=[str(free_address()), str(proxy.address)]))
        with source:
            source.wait_up()
            wait_until(lambda: len(source.report.warnings) == 1, "nova isn't missed")
            channel.exchange_delete(exchange)
            proxy.reset()
            wait_until(lambda: len(source.report.warnings) == 2, lambda: f"not missed: {source.report}", 60)
            channel.exchange_declare(exchange, "topic")  # as the service does once it is connected again
            wait_until(lambda: len(source.report.warnings) == 1, lambda: f"not bound: {source.report}", 60)
            message = {"message_id": "m1", "event_type": "port.create.end", "payload": {}}
            channel.basic_publish(exchange, f"{cloud.topic}.info", json.dumps(message).encode())
            assert [event.type for event in source.wait_for(1)] == ["port.create.end"]
    channel.connection.close()


def test_poison_goes_to_quarantine_and_stops_nobody(cloud, sender, make):
    source = make(cloud.settings())
    with source:
        sender.notify("noise.before", {}, **cloud.order())
    channel = cloud.channel()
    bodies = [b"\xff\xfe", b"{}", b'{"oslo.version": "2.0", "oslo.message": "{"}', b"[" * 100_000]
    with source:
        source.wait_up()
        for body in bodies:
            channel.basic_publish(f"{cloud.tag}.neutron", f"{cloud.topic}.info", body, pika.BasicProperties())
        sender.notify("port.create.end", {"port": {"id": "p"}}, **cloud.order())
        source.wait_for(1)
    channel.connection.close()
    held = source.store.quarantine.list()
    assert [source.store.quarantine.body(item.seq) for item in held] == bodies
    assert held[1].reason == "not a notification of OpenStack: it has no event_type"
    assert cloud.count(cloud.tag) == 0


def test_nothing_is_acknowledged_while_the_journal_is_away(cloud, sender, make):
    """No disk, no acknowledgement: RabbitMQ keeps what arrives, and heartbeats are answered meanwhile."""
    source = make(cloud.settings(heartbeat=2))
    directory = source.journal._file.directory
    away = directory.with_name("away")
    with source:
        sender.notify("noise.before", {}, **cloud.order())
    with source:
        source.wait_up()
        directory.rename(away)
        sender.notify("port.create.end", {"port": {"id": "p"}}, count=5, **cloud.order())
        wait_until(lambda: not source.report.up, "it isn't noticed")
        assert "journal" in source.report.reason
        away.rename(directory)
        # What came before is stored or not: its queue may have been there, or not yet.
        wait_until(
            lambda: len([one for one in source.events() if one.type == "port.create.end"]) == 5, "not all stored"
        )
    assert cloud.count(cloud.tag) == 0


def test_tls_and_a_queue_with_other_properties(cloud, make):
    """Over TLS, verified; and a queue that somebody made otherwise is said to be in the way."""
    peer = cloud.rabbitmq
    tls = {"hosts": [str(peer.tls_address)], "tls": {"ca": str(peer.certificates.ca)}}
    source = make(cloud.settings(**tls))
    with source:
        source.wait_up()
    other = make(cloud.settings(**tls, max_length=555))
    with other:
        wait_until(lambda: other.report is not None and "other properties" in other.report.reason, "not told")
    stranger = make(cloud.settings(hosts=tls["hosts"], tls={"ca": str(peer.certificates.other_ca)}))
    with stranger:
        wait_until(lambda: "certificate" in stranger.report.reason.lower(), lambda: str(stranger.report))
