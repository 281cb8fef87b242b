# SPDX-License-Identifier: GPL-3.0-or-later
"""The kafka sink and a real Kafka: keys, partitions, headers, TLS, CloudStack's properties, what is refused."""

from __future__ import annotations

import pytest
from cloudevents.core.bindings import kafka as ce_kafka
from confluent_kafka.admin import AdminClient, NewTopic

from tests.integration.bus.bus_harness import KafkaPeer, RunningRelay
from tests.services.service import wait_until


@pytest.fixture
def peer(kafka):
    return KafkaPeer(kafka)


def with_settings(peer, **settings):
    sinks = peer.sinks(peer.service.address)
    sinks["kafka"][0].update(settings)
    return sinks


def test_records_have_resource_keys_headers_and_one_partition_per_source(tmp_path, peer):
    with RunningRelay(tmp_path, with_settings(peer)) as relay:
        relay.feed(60)
        relay.wait_for("bus")
        logged = relay.logged()
    messages = peer.messages()
    read = []
    partitions = {}
    for message in messages:
        headers = dict(message.headers())
        event = ce_kafka.from_kafka_event(ce_kafka.KafkaMessage(headers, message.key(), message.value()))
        resource = event.get_data()["record"]["OriginOfCondition"]["@odata.id"]
        assert message.key().decode() == event.get_subject() == resource
        partitions.setdefault(event.get_source(), set()).add(message.partition())
        read.append((event.get_source().rpartition("/")[2], event.get_id()))
    assert sorted(read) == sorted(logged)
    assert len(partitions) == 5
    assert all(len(found) == 1 for found in partitions.values())


def test_tls(tmp_path, peer, kafka):
    properties = {
        "bootstrap.servers": str(kafka.tls_address),
        "security.protocol": "ssl",
        "ssl.ca.location": str(kafka.certificates.ca),
    }
    with RunningRelay(tmp_path, with_settings(peer, properties=properties)) as relay:
        relay.feed(3)
        relay.wait_for("bus")
    assert len(peer.messages()) == 3


def test_cloudstacks_properties_work_as_they_are(tmp_path, peer, kafka):
    path = tmp_path / "kafka.producer.properties"
    path.write_text(
        f"""\
bootstrap.servers={kafka.address}
acks=all
topic={peer.tag}
key.serializer=org.apache.kafka.common.serialization.StringSerializer
value.serializer=org.apache.kafka.common.serialization.StringSerializer
retries=3
linger.ms=1
buffer.memory=33554432
"""
    )
    sinks = with_settings(peer, properties={}, topic="", properties_file=str(path), body="cloudstack")
    with RunningRelay(tmp_path, sinks) as relay:
        relay.feed(2)
        relay.wait_for("bus")
    messages = peer.messages()
    assert len(messages) == 2
    assert all(b'"resource":' in message.value() for message in messages)


def test_a_record_that_is_too_large_is_quarantined_and_the_others_arrive(tmp_path, peer, kafka):
    admin = AdminClient({"bootstrap.servers": str(kafka.address)})
    topic = NewTopic(peer.tag, 1, config={"max.message.bytes": "5000"})
    admin.create_topics([topic])[peer.tag].result(10)
    with RunningRelay(tmp_path, with_settings(peer)) as relay:
        relay.feed(3)
        relay.feed(1, Message="x" * 9000)
        relay.feed(3)
        relay.wait_for("bus")
        logged = relay.logged()
        rejected = relay.store.rejections.list("bus")
        assert [(item.unit_seq, "too large" in item.reason.lower()) for item in rejected] == [(4, True)]
    expected = {item.id for item in logged[:3] + logged[4:]}
    assert {item.id for item in peer.received()} == expected


def test_a_topic_that_does_not_exist_is_said(tmp_path, peer):
    properties = {**peer.settings(peer.service.address)["properties"], "allow.auto.create.topics": False}
    with RunningRelay(tmp_path, with_settings(peer, topic="no-such-topic.1", properties=properties)) as relay:
        relay.feed(1)
        wait_until(lambda: "unknown topic" in relay.state("bus")[1].lower(), lambda: str(relay.state("bus")))
