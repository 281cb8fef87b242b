# SPDX-License-Identifier: GPL-3.0-or-later
"""The amqp sink and a real RabbitMQ: what arrives, who reads it, and what a broker can say beside yes."""

from __future__ import annotations

import json

import pika
import pytest
from cloudevents.core.bindings import rabbitmq as ce_rabbitmq

from tests.integration.bus.bus_harness import ALERT, AmqpPeer, RunningRelay, assert_arrived
from tests.services.faults import Fault, FaultProxy
from tests.services.service import wait_until


@pytest.fixture
def peer(rabbitmq):
    return AmqpPeer(rabbitmq)


def with_settings(peer, **settings):
    sinks = peer.sinks(peer.service.address)
    sinks["amqp"][0].update(settings)
    return sinks


def test_messages_are_persistent_and_say_what_they_are(tmp_path, peer):
    with RunningRelay(tmp_path, with_settings(peer)) as relay:
        relay.feed(10, **ALERT)
        relay.wait_for("bus")
        logged = relay.logged()
    messages = peer.messages()
    for item, (method, properties, body) in zip(logged, messages, strict=True):
        read = ce_rabbitmq.from_rabbitmq_event(ce_rabbitmq.RabbitMQMessage({}, properties.content_type, body))
        assert (read.get_id(), read.get_source()) == (item.id, f"/redfleet/sources/{item.source}")
        assert (properties.delivery_mode, properties.message_id) == (2, item.id)
        assert properties.headers["level"] == "ERROR"
        assert method.routing_key.startswith(f"{item.source}.AlertEvent.Platform-PowerSupplyFailed.")
        assert method.routing_key.count(".") == 4


def test_binary_cloudevents_are_what_the_cloudevents_package_reads(tmp_path, peer):
    with RunningRelay(tmp_path, with_settings(peer, body="cloudevents-binary")) as relay:
        relay.feed(3)
        relay.wait_for("bus")
        logged = relay.logged()
    for item, (_, properties, body) in zip(logged, peer.messages(), strict=True):
        message = ce_rabbitmq.RabbitMQMessage(properties.headers, properties.content_type, body)
        read = ce_rabbitmq.from_rabbitmq_event(message)
        assert (read.get_id(), read.get_extension("category")) == (item.id, "ResourceStateEvent")
        assert read.get_data()["record"]["MessageId"] == "ResourceEvent.1.3.ResourceChanged"


def test_a_consumer_of_cloudstack_understands_us(tmp_path, peer):
    """As CloudStack's own subscriber does: five words of the key, and the JSON of the category."""
    with RunningRelay(tmp_path, with_settings(peer, body="cloudstack")) as relay:
        relay.feed(1, **ALERT)
        relay.wait_for("bus")
    method, properties, body = peer.messages()[0]
    source, category, event_type, resource_type, resource_id = method.routing_key.split(".")
    assert (source, category, event_type) == ("bmc1", "AlertEvent", "Platform-PowerSupplyFailed")
    assert resource_type != "*"
    assert resource_id.startswith("/redfish")
    assert (properties.content_type, properties.delivery_mode) == ("text/plain", 2)
    assert json.loads(body)["event"] == "Platform.PowerSupplyFailed"


def test_tls_and_a_virtual_host(tmp_path, peer, rabbitmq):
    rabbitmq.control("add_vhost", "events")
    rabbitmq.control("set_permissions", "-p", "events", rabbitmq.username, ".*", ".*", ".*")
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq.url(virtual_host="events")))
    channel = connection.channel()
    channel.exchange_declare(peer.tag, "topic", durable=True)
    channel.queue_declare("all", durable=True)
    channel.queue_bind("all", peer.tag, "#")
    tls = {"ca": str(rabbitmq.certificates.ca)}
    settings = {"hosts": [str(rabbitmq.tls_address)], "virtual_host": "events", "tls": tls}
    with RunningRelay(tmp_path, with_settings(peer, **settings)) as relay:
        relay.feed(3)
        relay.wait_for("bus")
    assert channel.queue_declare("all", passive=True).method.message_count == 3
    connection.close()


def test_a_broker_with_a_foreign_certificate_gets_nothing(tmp_path, peer, rabbitmq):
    tls = {"ca": str(rabbitmq.certificates.other_ca)}
    sinks = with_settings(peer, hosts=[str(rabbitmq.tls_address)], tls=tls)
    with RunningRelay(tmp_path, sinks) as relay:
        relay.feed(1)
        wait_until(lambda: "certificate verify failed" in relay.state("bus")[1].lower(), "it says why")
    assert peer.messages() == []


def test_a_wrong_password_is_said_and_never_shown(tmp_path, peer):
    secret = tmp_path / "wrong"
    secret.write_text("hunter2-wrong")
    with RunningRelay(tmp_path, with_settings(peer, password={"file": str(secret)})) as relay:
        relay.feed(1)
        wait_until(lambda: "ACCESS_REFUSED" in relay.state("bus")[1], lambda: f"it says why: {relay.state('bus')}")
        assert "hunter2" not in relay.state("bus")[1]


def test_the_next_host_is_tried(tmp_path, peer, rabbitmq):
    with RunningRelay(tmp_path, with_settings(peer, hosts=["127.0.0.1:1", str(rabbitmq.address)])) as relay:
        relay.feed(3)
        relay.wait_for("bus")
        assert {item.id for item in peer.received()} == {item.id for item in relay.logged()}


def test_a_broker_that_blocks_gets_each_message_once(tmp_path, peer, rabbitmq):
    """Out of memory: the broker stops reading. What it was given already isn't given again."""
    with RunningRelay(tmp_path, with_settings(peer)) as relay:
        relay.feed(50)
        relay.wait_for("bus")
        rabbitmq.block()
        try:
            relay.feed(200)
            wait_until(lambda: "blocks publishers" in relay.state("bus")[1], "the block is noticed", 60)
        finally:
            rabbitmq.unblock()
        relay.wait_for("bus")
        logged = relay.logged()
    received = peer.received()
    assert_arrived(logged, received)
    assert len(received) == len(logged)


def test_unroutable_messages_are_counted(tmp_path, peer):
    connection = peer.connect()
    connection.channel().queue_unbind(peer.tag, peer.tag, "#")
    connection.close()
    with RunningRelay(tmp_path, with_settings(peer)) as relay:
        relay.feed(7)
        relay.wait_for("bus")
        assert relay.store.cursors.counts()["bus", "unroutable"] == 7
    assert peer.messages() == []


def test_unroutable_messages_can_wait_for_a_queue(tmp_path, peer):
    connection = peer.connect()
    channel = connection.channel()
    channel.queue_unbind(peer.tag, peer.tag, "#")
    with RunningRelay(tmp_path, with_settings(peer, unroutable="retry")) as relay:
        relay.feed(7)
        wait_until(lambda: "no queue is bound" in relay.state("bus")[1], "it says why")
        assert relay.cursor("bus") == 0
        channel.queue_bind(peer.tag, peer.tag, "#")
        relay.wait_for("bus")
        logged = relay.logged()
    connection.close()
    assert_arrived(logged, peer.received())


def test_a_queue_that_is_full_and_refuses_is_tried_again(tmp_path, peer):
    """x-overflow=reject-publish answers with a nack."""
    connection = peer.connect()
    channel = connection.channel()
    channel.queue_delete(peer.tag)
    limits = {"x-max-length": 3, "x-overflow": "reject-publish"}
    channel.queue_declare(peer.tag, durable=True, arguments=limits)
    channel.queue_bind(peer.tag, peer.tag, "#")
    received = []
    with RunningRelay(tmp_path, with_settings(peer)) as relay:
        relay.feed(9)
        wait_until(lambda: "refused" in relay.state("bus")[1], "the refusal is noticed")
        wait_until(lambda: received.extend(peer.received()) or relay.cursor("bus") == 9, "all are in", 60, every=0.3)
        logged = relay.logged()
    connection.close()
    assert {item.id for item in peer.received()} == {item.id for item in logged}


def test_an_exchange_that_must_exist_is_not_made(tmp_path, peer):
    sinks = with_settings(peer, exchange="nobody-made-it", declare=False)
    with RunningRelay(tmp_path, sinks) as relay:
        relay.feed(1)
        wait_until(lambda: "no exchange 'nobody-made-it'" in relay.state("bus")[1], "it says why")


def test_an_idle_connection_is_kept_and_a_lost_one_is_found_at_the_next_event(tmp_path, peer):
    """Heartbeats run while nothing is sent (4 s here), and a reset is not an outage."""
    with FaultProxy(peer.service.address) as proxy, RunningRelay(tmp_path, peer.sinks(proxy.address)) as relay:
        relay.feed(1)
        relay.wait_for("bus")
        wait_until(lambda: proxy.forwarded > 0, "connected")
        idle = proxy.forwarded
        wait_until(lambda: proxy.forwarded > idle, "a heartbeat", 10)
        assert proxy.connections == 1
        proxy.set(Fault.REFUSE)
        proxy.set(Fault.NONE)
        relay.feed(1)
        relay.wait_for("bus")
        assert proxy.connections == 2
