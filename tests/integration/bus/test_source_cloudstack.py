# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudStack's bus as a source: what it publishes to RabbitMQ or Kafka is in the event log once, without secrets."""

from __future__ import annotations

import contextlib
import json
import secrets

import pika
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from event_listener.event import Category, State
from pika.exceptions import AMQPError

from tests.integration.bus.source_harness import RunningSource
from tests.services.service import wait_until
from tests.unit.listener.test_normalise_cloudstack import ASYNC, BODIES, JOB, KEYS, SECRET, VM


@pytest.fixture
def make(tmp_path):
    """Makes sources and closes what they leave open."""
    made = []

    def source(kind, settings):
        made.append(RunningSource(tmp_path, kind, settings))
        return made[-1]

    yield source
    for one in made:
        one.close()


class Bus:
    """CloudStack's RabbitMQEventBus: a durable topic exchange, persistent text, nothing but a routing key."""

    def __init__(self, rabbitmq, directory):
        self.tag = f"cs{secrets.token_hex(4)}"
        password = directory / "rabbitmq-password"
        password.write_text(rabbitmq.password)
        self.settings = {
            "hosts": [str(rabbitmq.address)], "username": rabbitmq.username, "password": {"file": str(password)},
            "queue": self.tag, "exchange": f"{self.tag}.events",
        }  # fmt: skip
        self.url, self.connection = rabbitmq.url(), None
        self.connect()
        self.channel.exchange_declare(self.settings["exchange"], "topic", durable=True)

    def connect(self):
        """Also after a crash of RabbitMQ."""
        if self.connection is not None:
            with contextlib.suppress(AMQPError):
                self.connection.close()
        self.connection = pika.BlockingConnection(pika.URLParameters(self.url))
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()

    def publish(self, body, key):
        plain = pika.BasicProperties(content_type="text/plain", delivery_mode=2, priority=0)
        self.channel.basic_publish(self.settings["exchange"], key, json.dumps(body).encode(), plain)


@pytest.fixture
def bus(rabbitmq, tmp_path):
    made = Bus(rabbitmq, tmp_path)
    yield made
    for queue in (made.tag, f"{made.tag}.dropped"):
        made.channel.queue_delete(queue)
    made.channel.exchange_delete(made.settings["exchange"])
    made.connection.close()


def jobs():
    """The events of one job, with the caller's session in them."""
    info = json.dumps({"sessionkey": SECRET, "id": VM})
    steps = (("submit", "IN_PROGRESS"), ("update", "IN_PROGRESS"), ("complete", "SUCCEEDED"))
    return [(event, {**ASYNC, "cmdInfo": info, "status": status}) for event, status in steps]


def test_all_categories_arrive_once_and_without_the_session_key(bus, make):
    """From its exchange into a queue of our own; a message that comes again, after a crash say, adds nothing."""
    source = make("cloudstack", bus.settings)
    with source:
        source.wait_up()
        for _ in range(2):
            for category, body in BODIES.items():
                bus.publish(body, KEYS[category])
        for event, body in jobs():
            bus.publish(body, f"management-server.AsyncJobEvent.{event}.VirtualMachine.{VM}")
        found = source.wait_for(8)
    assert [event.category for event in found[:5]] == list(BODIES)
    assert {event.source for event in found} == {"cloudstack"}
    mine = [event for event in found if event.start_id == JOB]
    assert [event.state for event in mine[1:]] == [State.SCHEDULED, State.STARTED, State.COMPLETED]
    stored = json.dumps([event.record for event in found]) + str(
        [source.store.queries.payload(event.payload_id).body for event in found]
    )
    assert SECRET not in stored
    assert "***" in stored


def test_only_what_is_bound_is_taken(bus, make):
    source = make("cloudstack", {**bus.settings, "keys": ["*.AlertEvent.#"], "name": "cloud1"})
    with source:
        source.wait_up()
        for category in (Category.ACTION, Category.ALERT):
            bus.publish(BODIES[category], KEYS[category])
        (found,) = source.wait_for(1)
    assert (found.category, found.source) == (Category.ALERT, "cloud1")


def alerts(first, count):
    """Numbered alerts."""
    return [{**BODIES[Category.ALERT], "subject": f"alert {number}"} for number in range(first, first + count)]


def killed_in_the_middle(peer, source):
    """End the peer as a crash does, while the source is taking what waits for it, and start it again."""
    wait_until(source.events, "nothing arrives", 60)
    peer.kill()
    wait_until(lambda: not source.report.up, "the lost connection isn't noticed", 60)
    peer.start()


def test_a_crash_of_rabbitmq_in_the_middle_loses_nothing(rabbitmq, bus, make):
    """Our queue is durable: what was confirmed to the sender is stored once, though part of it was delivered twice."""
    source = make("cloudstack", {**bus.settings, "prefetch": 10})
    with source:  # makes the queue
        source.wait_up()
    for body in alerts(0, 1000):
        bus.publish(body, KEYS[Category.ALERT])
    # What was declared is only buffered until the next dump.
    rabbitmq.control("eval", "mnesia:sync_log().")
    with source:
        killed_in_the_middle(rabbitmq, source)
        bus.connect()
        for body in alerts(1000, 100):
            bus.publish(body, KEYS[Category.ALERT])
        found = source.wait_for(1100)
        wait_until(lambda: bus.channel.queue_declare(bus.tag, passive=True).method.message_count == 0, "some are left")
    assert sorted(event.message for event in found) == sorted(one["subject"] for one in alerts(0, 1100))


@pytest.fixture
def topic(kafka):
    return made_topic(kafka, f"cs{secrets.token_hex(4)}")


def made_topic(kafka, name, partitions=2):
    admin = AdminClient({"bootstrap.servers": str(kafka.address)})  # kept: its end would break the answer off
    admin.create_topics([NewTopic(name, partitions, 1)])[name].result(60)
    return name


def produce(kafka, topic, *bodies):
    """As KafkaEventBus does: the resource's id as key, no headers."""
    producer = Producer({"bootstrap.servers": str(kafka.address)})
    for body in bodies:
        producer.produce(topic, json.dumps(body).encode(), body.get("id") or body.get("entityuuid"))
    assert producer.flush(60) == 0


def test_kafka_is_read_from_the_beginning_and_committed_after_the_store(kafka, topic, make):
    """Nothing is committed that isn't stored, so a source that begins again goes on where it was, and loses nothing."""
    settings = {"topic": topic, "group": topic, "properties": {"bootstrap.servers": str(kafka.address)}}
    produce(kafka, topic, *BODIES.values())
    source = make("cloudstack_kafka", settings)
    with source:
        source.wait_up()
        found = source.wait_for(5)
        assert {event.category for event in found} == set(BODIES)
    produce(kafka, topic, {**BODIES[Category.ALERT], "subject": "later"})
    with source:
        found = source.wait_for(6)
    assert [event.message for event in found[5:]] == ["later"]
    assert source.report.lost == 0


def test_a_crash_of_kafka_in_the_middle_loses_nothing(kafka, topic, make):
    """Offsets are committed after the store, and a message is known by its place: each is stored once."""
    servers = {"bootstrap.servers": str(kafka.address), "session.timeout.ms": 6000}
    settings = {"topic": topic, "group": topic, "properties": servers, "prefetch": 10, "timeout": 2}
    source = make("cloudstack_kafka", settings)
    produce(kafka, topic, *alerts(0, 1000))
    with source:
        killed_in_the_middle(kafka, source)
        produce(kafka, topic, *alerts(1000, 100))
        found = source.wait_for(1100, 120)
        wait_until(lambda: source.report.depth == 0, lambda: f"not committed: {source.report}", 60)
    assert sorted(event.message for event in found) == sorted(one["subject"] for one in alerts(0, 1100))
    assert source.report.lost == 0


def test_two_sources_share_a_topic(kafka, topic, make, tmp_path):
    """A second one of the same group takes part of the partitions; nobody begins anew for it, and nothing is missed."""
    settings = {"topic": topic, "group": topic, "properties": {"bootstrap.servers": str(kafka.address)}, "prefetch": 10}
    first = make("cloudstack_kafka", settings)
    (tmp_path / "second").mkdir()
    second = RunningSource(tmp_path / "second", "cloudstack_kafka", settings)
    produce(kafka, topic, *alerts(0, 500))
    with first:
        wait_until(first.events, "nothing arrives", 60)
        with second:
            second.wait_up()
            sent = 500

            def has_its_part():
                nonlocal sent
                produce(kafka, topic, *alerts(sent, 20))
                sent += 20
                return second.events()

            wait_until(has_its_part, "the second one gets nothing", 60, 0.5)
            wanted = {one["subject"] for one in alerts(0, sent)}
            wait_until(
                lambda: {event.message for event in [*first.events(), *second.events()]} == wanted,
                "some are missing", 60,
            )  # fmt: skip
            assert first.report.up
            assert second.report.up
    second.close()


def test_what_kafka_removed_before_it_was_taken_is_told(kafka, make):
    """A source that was away for longer than the topic keeps messages: how many it missed is an alert."""
    name = made_topic(kafka, f"cs{secrets.token_hex(4)}", 1)
    servers = {"bootstrap.servers": str(kafka.address)}
    source = make("cloudstack_kafka", {"topic": name, "group": name, "properties": servers})
    produce(kafka, name, BODIES[Category.ALERT])
    with source:
        source.wait_for(1)
    produce(kafka, name, *BODIES.values())
    admin = AdminClient(servers)
    removed = admin.delete_records([TopicPartition(name, 0, 4)])
    for future in removed.values():
        future.result(60)
    with source:
        found = source.wait_for(4)  # the first, the two that are left, and the alert
    (alert,) = [event for event in found if event.type == "RedfleetEvents.MessagesLost"]
    assert alert.message_args == (name, "3")
    assert (alert.source, source.report.lost) == ("cloudstack-kafka", 3)


def test_a_topic_that_isnt_there_is_said_and_waited_for(kafka, make):
    name = f"none{secrets.token_hex(4)}"
    servers = {"bootstrap.servers": str(kafka.address), "allow.auto.create.topics": False}
    source = make("cloudstack_kafka", {"topic": name, "group": name, "properties": servers})
    with source:
        wait_until(lambda: source.report and name in source.report.reason, "said", 60)
        made_topic(kafka, name)
        produce(kafka, name, BODIES[Category.ALERT])
        assert len(source.wait_for(1)) == 1
