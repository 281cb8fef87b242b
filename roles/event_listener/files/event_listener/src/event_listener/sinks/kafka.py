# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kafka topic: acks=all, idempotence, delivery reports. Needs the extra ``kafka`` (confluent-kafka).

The key is the event's resource, as CloudStack's is; the partition is chosen by the source, so that a source's events
stay in order whatever resources they name, and a resource, which belongs to one source, stays in one partition.
librdkafka keeps what isn't delivered and tries it by itself; a batch that is tried again isn't given to it twice.
"""

from __future__ import annotations

import functools
import logging
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from event_listener.event import Event
from event_listener.secrets import SecretError, read_secret
from event_listener.settings_bus import KafkaSink
from event_listener.sinks.base import Ok, Outcome, Retry, UnitName, shifted
from event_listener.sinks.bodies import body_of
from event_listener.sinks.java_properties import PropertiesError, parse, translate
from event_listener.sinks.outstanding import Outstanding

logger = logging.getLogger(__name__)
_librdkafka = logging.getLogger("event_listener.librdkafka")
_librdkafka.setLevel(logging.CRITICAL)  # the lane says once that the broker is away; librdkafka says it every second

_DEFAULTS: dict[str, Any] = {
    "client.id": "event-listener",
    "acks": "all",
    "linger.ms": 5,
    # Only failures are reported one by one: whatever else left librdkafka's queue was delivered. A report for each
    # message costs as much as making it.
    "delivery.report.only.error": True,
    "delivery.timeout.ms": 0,  # for ever: the lane decides, and a message that expired would leave a hole in the order
}
_CLOUDSTACK_TOPIC = "cloudstack"
_NEVER = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG, KafkaError.INVALID_RECORD}
_PARTITIONS_SECONDS = 60.0
_AGAIN_SECONDS = 1.0


class Kafka:
    """Produces events with one idempotent producer."""

    unit: ClassVar[UnitName] = "event"

    def __init__(self, settings: KafkaSink, state_dir: str | Path) -> None:  # noqa: ARG002 - as all sinks are made
        self.name = settings.name
        self._settings = settings
        self._outstanding = Outstanding()
        self._producer: Producer | None = None
        self._topic = settings.topic
        self._partitions, self._partitions_known = 0, 0.0
        self._error = ""
        self._suspects: set[str] = set()  # refused together with others; sent alone the next time

    @staticmethod
    def problems(settings: KafkaSink) -> Iterator[str]:
        """What can't be used, found out without connecting."""
        try:
            producer_properties(settings)
        except (PropertiesError, OSError, SecretError) as error:
            yield str(error)

    def counts(self) -> Mapping[str, int]:
        """Nothing beyond what every sink counts."""
        return {}

    def send(self, batch: Sequence[Event]) -> Outcome:
        """Produce a batch; one by one when some of it was refused, to find out which."""
        if self._suspects.isdisjoint(event.id for event in batch):
            return self._send(batch)
        for index, event in enumerate(batch):
            outcome = self._send([event])
            if not isinstance(outcome, Ok):
                return shifted(outcome, index)
        return Ok()

    def _send(self, batch: Sequence[Event]) -> Outcome:
        """Produce what isn't outstanding yet, and wait for the reports."""
        try:
            producer = self._connected()
            self._look_up_partitions(producer)
        except (KafkaException, SecretError, PropertiesError, OSError) as error:
            return Retry(self._error or _words(error))
        ids = [event.id for event in batch]
        end = time.monotonic() + self._settings.timeout
        for index in self._outstanding.missing(ids):
            self._produce(producer, batch[index], end)
        if producer.flush(max(end - time.monotonic(), 0.0)) == 0:
            self._suspects.difference_update(self._outstanding.settle_all())
        if not self._outstanding.unanswered:
            reason, self._error = self._error, ""
            return self._outstanding.outcome(ids, reason, after=0.0 if self._suspects else None)
        reason = self._error or f"{self._outstanding.unanswered} messages aren't delivered yet"
        return self._outstanding.outcome(ids, reason, after=_AGAIN_SECONDS)

    def close(self) -> None:
        """Leave; what has no report comes again."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(1)
            self._producer = None
        self._outstanding.forget()

    def _connected(self) -> Producer:
        if self._producer is None:
            self._topic, properties = producer_properties(self._settings)
            self._partitions_known = 0.0
            self._producer = Producer({**properties, "error_cb": self._on_error, "logger": _librdkafka})
        return self._producer

    def _look_up_partitions(self, producer: Producer) -> None:
        """Now and then, because a topic can get more of them. Raises KafkaException."""
        if self._partitions and time.monotonic() - self._partitions_known < _PARTITIONS_SECONDS:
            return
        try:
            topic = producer.list_topics(self._topic, timeout=self._settings.timeout).topics[self._topic]
        except KafkaException:
            if self._partitions:  # the broker is away; what is known holds
                return
            raise
        if topic.error is not None:
            raise KafkaException(topic.error)
        self._partitions, self._partitions_known = len(topic.partitions), time.monotonic()

    def _produce(self, producer: Producer, event: Event, end: float) -> None:
        body = body_of(self._settings.body, event)
        headers: dict[str, str | bytes | None] = {_header(name): text for name, text in body.attributes.items()}
        headers["content-type"] = body.content_type
        while True:
            try:
                producer.produce(
                    self._topic,
                    body.data,
                    event.resource_id,
                    partition=zlib.crc32(event.source.encode()) % self._partitions,
                    on_delivery=functools.partial(self._on_delivery, event.id),
                    timestamp=event.received_ns // 1_000_000,
                    headers=headers,
                )
            except BufferError:
                if time.monotonic() < end:
                    producer.poll(0.05)  # librdkafka's queue is full
                    continue
                self._outstanding.forget([event.id])
            except KafkaException as error:
                self._on_delivery(event.id, error.args[0], None)
            return

    def _on_delivery(self, key: str, error: KafkaError | None, _message: Message | None) -> None:
        if error is None:
            return  # only where a property asks for all reports
        if error.code() in _NEVER and key in self._suspects:
            self._suspects.discard(key)
            self._outstanding.settle([key], error.str())
        elif error.code() in _NEVER:
            # The broker refuses all that travelled in one request for the one that is too large: try them one by one.
            self._error = error.str()
            self._suspects.add(key)
            self._outstanding.forget([key])
        else:
            self._error = error.str()
            self._outstanding.forget([key])

    def _on_error(self, error: KafkaError) -> None:
        """What librdkafka says about the brokers; the last one explains why nothing moves."""
        self._error = error.str()
        if error.fatal():
            logger.error("sink %s: the producer ended (%s); a new one is made", self.name, error.str())
            self._producer = None
            self._outstanding.forget()


@functools.cache  # the names of the attributes: a few
def _header(attribute: str) -> str:
    return "ce_" + attribute


def producer_properties(settings: KafkaSink) -> tuple[str, dict[str, Any]]:
    """Topic and librdkafka's properties: defaults, the file, the settings.

    Raises PropertiesError, OSError, SecretError.
    """
    topic, imported = None, dict[str, str]()
    if settings.properties_file:
        topic, imported = translate(parse(Path(settings.properties_file).read_text(encoding="utf-8")))
        topic = topic or _CLOUDSTACK_TOPIC
    given = {**imported, **settings.properties}
    given.update({name: read_secret(reference) for name, reference in settings.secrets.items()})
    properties = {**_DEFAULTS, **given}
    if "message.timeout.ms" in given:
        del properties["delivery.timeout.ms"]  # two names of one property
    properties.setdefault("enable.idempotence", _may_be_idempotent(properties))
    if "bootstrap.servers" not in properties:
        raise PropertiesError("bootstrap.servers is missing: give it in properties, or in properties_file")
    if not (settings.topic or topic):
        raise PropertiesError("topic is missing")
    return settings.topic or str(topic), properties


def _may_be_idempotent(properties: Mapping[str, Any]) -> bool:
    """Switched on unless something else that was asked for excludes it, as Java's producer does."""
    return (
        str(properties["acks"]) in ("all", "-1")
        and int(properties.get("retries", 1)) > 0
        and int(properties.get("max.in.flight.requests.per.connection", 5)) <= 5
    )


def _words(error: Exception) -> str:
    first = error.args[0] if error.args else error
    return first.str() if isinstance(first, KafkaError) else str(error)
