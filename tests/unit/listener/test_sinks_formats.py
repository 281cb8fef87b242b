# SPDX-License-Identifier: GPL-3.0-or-later
"""What sinks put on the wire: CloudEvents, CloudStack's JSON, RFC 5424, Java properties. Pure."""

import json
import re

import pytest
from cloudevents.core.bindings import amqp as ce_amqp
from cloudevents.core.bindings import kafka as ce_kafka
from cloudevents.core.bindings import rabbitmq as ce_rabbitmq
from event_listener.event import Category, Event, Level, State, as_json
from event_listener.settings_base import Secret
from event_listener.settings_bus import KafkaSink, SyslogSink
from event_listener.sinks.base import Ok, Reject, Retry
from event_listener.sinks.bodies import body_of, to_json
from event_listener.sinks.java_properties import PropertiesError, parse, translate
from event_listener.sinks.kafka import producer_properties
from event_listener.sinks.outstanding import Outstanding
from event_listener.sinks.syslog_format import TooLongError, frame, message
from hypothesis import given
from hypothesis import strategies as st

NOON = 1_795_349_674_123_456_789  # 2026-11-22T12:14:34.123456789Z


def event(**fields):
    given = {
        "seq": 7, "id": "0123456789ab-3-1", "source": "bmc 1", "address": "192.0.2.1", "received_ns": NOON,
        "payload_id": 3, "type": "ResourceEvent.ResourceChanged", "resource_type": "Systems",
        "resource_id": "/redfish/v1/Systems/1", "message": "Grüße [1]", "severity": "OK",
        "message_args": ("a",), "record": {"EventId": "1", "Oem": {"x": [1, None, 2.5]}},
        **fields,
    }  # fmt: skip
    return Event(**given)


def test_binary_and_structured_cloudevents_are_what_the_cloudevents_package_reads():
    """The SDK is the judge: every binding that a sink uses, both modes, the same event."""
    for kind in ("cloudevents", "cloudevents-binary"):
        body = body_of(kind, event())
        plain = {name: text.encode() for name, text in body.attributes.items()}
        kafka = {**{"ce_" + name: text for name, text in plain.items()}, "content-type": body.content_type.encode()}
        rabbit = {"ce-" + name: text for name, text in body.attributes.items()}
        one = {"cloudEvents_" + name: text for name, text in body.attributes.items()}
        read = [
            ce_kafka.from_kafka_event(ce_kafka.KafkaMessage(kafka, None, body.data)),
            ce_rabbitmq.from_rabbitmq_event(ce_rabbitmq.RabbitMQMessage(rabbit, body.content_type, body.data)),
            ce_amqp.from_amqp_event(ce_amqp.AMQPMessage({"content-type": body.content_type}, one, body.data)),
        ]
        for found in read:
            assert found.get_id() == "0123456789ab-3-1"
            assert found.get_source() == "/redfleet/sources/bmc%201"
            assert found.get_type() == "events.redfleet.ResourceEvent.ResourceChanged"
            assert found.get_subject() == "/redfish/v1/Systems/1"
            assert found.get_extension("category") == "ResourceStateEvent"
            assert found.get_extension("message") == "Grüße [1]"
            assert found.get_data()["record"] == event().record


CLOUDSTACK_KEYS = {
    # The keys of CloudStack's own bodies: research of its ActionEventUtils, AlertManagerImpl, UsageEventUtils, ...
    Category.ACTION: {"user", "account", "event", "status", "entity", "entityuuid", "description", "eventDateTime"},
    Category.ALERT: {"event", "dataCenterId", "podId", "subject", "body", "eventDateTime"},
    Category.USAGE: {"account", "zone", "event", "resource", "id", "eventDateTime"},
    Category.RESOURCE_STATE: {"resource", "id", "old-state", "new-state", "status", "eventDateTime"},
    Category.ASYNC_JOB: {
        "command", "user", "account", "processStatus", "resultCode", "instanceUuid", "instanceType",
        "commandEventType", "jobId", "jobResult", "status", "eventDateTime",
    },
}  # fmt: skip


@pytest.mark.parametrize("category", list(Category))
def test_a_cloudstack_body_has_the_keys_of_its_category(category):
    body = body_of("cloudstack", event(category=category, state=State.STARTED, start_id="/tasks/1"))
    found = json.loads(body.data)
    assert found.keys() == CLOUDSTACK_KEYS[category]
    assert found["eventDateTime"] == "2026-11-22 12:14:34 +0000"
    assert body.content_type == "text/plain"


def test_the_record_is_sent_as_the_bmc_sent_it():
    assert json.loads(body_of("record", event()).data) == event().record


SYSLOG = SyslogSink(name="soc", host="h")
# RFC 5424, section 6, as one expression; written for this test from the RFC's grammar.
RFC5424 = re.compile(
    r"<(?P<pri>\d{1,3})>1 (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)) "
    r"(?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<proc>[!-~]{1,128}) (?P<msgid>[!-~]{1,32}) "
    r'(?P<sd>-|(?:\[[^\s="\]]{1,32}(?: [^\s="\]]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*\])+)(?: (?P<msg>.*))?',
    re.DOTALL,
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=60)


@given(TEXT, TEXT, TEXT.map(lambda text: text or None), st.sampled_from(list(Level)), st.sampled_from(["text", "json"]))
def test_every_syslog_message_is_rfc5424(source, type_, message_text, level, body):
    one = event(source=source, type=type_, message=message_text, level=level, resource_id=message_text)
    settings = SyslogSink(name="soc", host="h", body=body, max_size=65000)
    encoded = message(settings, one)
    found = RFC5424.fullmatch(encoded.decode())
    assert found, encoded
    assert int(found["pri"]) >> 3 == 16
    assert not re.search(r"[\x00-\x1f]", encoded.decode())
    if body == "json":
        assert json.loads(found["msg"]) == as_json(one)


@pytest.mark.parametrize(
    ("facility", "level", "severity", "expected"),
    [
        ("local0", Level.INFO, "OK", 134),
        ("local0", Level.WARN, "Warning", 132),
        ("local0", Level.ERROR, "Critical", 130),
        ("local0", Level.ERROR, None, 131),
        ("daemon", Level.INFO, None, 30),
        ("ftp", Level.INFO, None, 94),
        ("local7", Level.INFO, None, 190),
    ],
)
def test_priority_is_facility_and_severity(facility, level, severity, expected):
    settings = SyslogSink(name="soc", host="h", facility=facility)
    assert message(settings, event(level=level, severity=severity)).startswith(b"<%d>1 " % expected)


@given(st.integers(600, 3000), st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=4000))
def test_a_long_text_is_cut_between_characters(size, text):
    encoded = message(SyslogSink(name="soc", host="h", max_size=size), event(message=text))
    assert size - 3 <= len(encoded) <= size
    assert RFC5424.fullmatch(encoded.decode())


def test_long_json_goes_without_its_record_and_what_is_still_too_long_is_refused():
    settings = SyslogSink(name="soc", host="h", body="json", max_size=2000)
    found = json.loads(RFC5424.fullmatch(message(settings, event(record={"x": "y" * 3000})).decode())["msg"])
    assert (found["record"], found["truncated"], found["id"]) == (None, True, event().id)
    with pytest.raises(TooLongError, match="max_size"):
        message(settings, event(message="y" * 3000))


def test_frames():
    assert frame(SYSLOG, "ü".encode()) == b"2 \xc3\xbc"
    assert frame(SyslogSink(name="soc", host="h", framing="newline"), b"x") == b"x\n"


PROPERTIES = """\
# CloudStack's kafka.producer.properties
bootstrap.servers = kafka1:9092,\\
    kafka2:9092
! a comment
acks:1
topic   cloudstack-events
key.serializer=org.apache.kafka.common.serialization.StringSerializer
compression.type=lz4
max.request.size=2000000
security.protocol=SASL_SSL
sasl.mechanism=PLAIN
sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \\
    username="cs" password="p\\u00e4\\\\"ss";
ssl.truststore.type=PEM
ssl.truststore.location=/etc/kafka/ca.pem
buffer.memory=33554432
"""


def test_cloudstacks_properties_become_librdkafkas():
    topic, found = translate(parse(PROPERTIES))
    assert topic == "cloudstack-events"
    assert found == {
        "bootstrap.servers": "kafka1:9092,kafka2:9092",
        "acks": "1",
        "compression.type": "lz4",
        "message.max.bytes": "2000000",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "cs",
        "sasl.password": 'pä"ss',
        "ssl.ca.location": "/etc/kafka/ca.pem",
    }


@pytest.mark.parametrize("name", ["ssl.keystore.location", "ssl.truststore.location", "transactional.id"])
def test_what_librdkafka_cannot_do_is_refused_with_the_way_out(name):
    with pytest.raises(PropertiesError, match=name):
        translate({name: "x"})


def test_properties_win_over_the_file_and_both_over_the_defaults(tmp_path, monkeypatch):
    path = tmp_path / "kafka.producer.properties"
    path.write_text("bootstrap.servers=a:1\nlinger.ms=7\nclient.id=file\n")
    monkeypatch.setenv("KAFKA_PASSWORD", "secret")
    settings = KafkaSink(
        name="k",
        properties_file=str(path),
        properties={"client.id": "settings"},
        secrets={"sasl.password": Secret(env="KAFKA_PASSWORD")},
    )
    topic, found = producer_properties(settings)
    assert topic == "cloudstack"  # CloudStack's own default
    assert (found["bootstrap.servers"], found["linger.ms"], found["client.id"]) == ("a:1", "7", "settings")
    assert (found["acks"], found["enable.idempotence"], found["sasl.password"]) == ("all", True, "secret")


@pytest.mark.parametrize("given_", [{"acks": 1}, {"retries": 0}, {"max.in.flight.requests.per.connection": 9}])
def test_idempotence_gives_way_to_what_excludes_it(given_):
    settings = KafkaSink(name="k", topic="t", properties={"bootstrap.servers": "a:1", **given_})
    assert producer_properties(settings)[1]["enable.idempotence"] is False


@pytest.mark.parametrize(
    ("settings", "missing"),
    [({"topic": "t"}, "bootstrap.servers"), ({"properties": {"bootstrap.servers": "a"}}, "topic")],
)
def test_kafka_without_broker_or_topic_is_a_mistake(settings, missing):
    with pytest.raises(PropertiesError, match=missing):
        producer_properties(KafkaSink(name="k", **settings))


def test_outstanding_gives_each_event_once_and_counts_from_the_beginning():
    outstanding = Outstanding()
    assert outstanding.missing(["a", "b", "c"]) == [0, 1, 2]
    assert outstanding.missing(["a", "b", "c", "d"]) == [3]
    outstanding.settle(["c", "a"])
    assert not outstanding.wait(0.01)
    assert outstanding.outcome(["a", "b", "c", "d"], "slow") == Retry("slow", done=1)
    outstanding.settle(["b", "d"])
    assert outstanding.wait(0)
    assert outstanding.missing(["b", "c", "d"]) == []
    assert outstanding.outcome(["b", "c", "d"], "") == Ok()
    assert outstanding.missing(["b"]) == [0]


def test_outstanding_forgets_what_was_lost_and_names_what_was_refused():
    outstanding = Outstanding()
    outstanding.missing(["a", "b", "c"])
    outstanding.settle(["a"])
    outstanding.settle(["b"], "too large")
    outstanding.forget()
    assert outstanding.missing(["a", "b", "c"]) == [2]
    assert outstanding.outcome(["a", "b", "c"], "") == Reject("too large", done=1)
    assert outstanding.outcome(["c"], "lost") == Retry("lost")


def test_json_is_compact_utf8():
    assert to_json({"a": ["ü", None, 1.5]}) == '{"a":["ü",null,1.5]}'.encode()
