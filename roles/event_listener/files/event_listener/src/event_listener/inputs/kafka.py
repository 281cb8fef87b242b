# SPDX-License-Identifier: GPL-3.0-or-later
"""A topic of Apache Kafka, read by a consumer group of our own; offsets are committed by hand. Needs confluent-kafka.

A new group begins at the oldest message that the topic keeps. What Kafka removed before it was taken is counted, by
the difference between what was committed and the oldest that is left.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from event_listener.inputs.base import BusError, Message
from event_listener.secrets import SecretError, read_secret
from event_listener.settings_inputs import CloudStackKafka

# The group shares its partitions out anew: who has one now reads again what wasn't committed.
_SHARED_ANEW = {KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS}
_librdkafka = logging.getLogger("event_listener.librdkafka")
_librdkafka.setLevel(logging.CRITICAL)  # the intake says once that the broker is away


class KafkaBus:
    """One consumer (inputs/base.py). Raises BusError and SecretError when made."""

    def __init__(self, settings: CloudStackKafka) -> None:
        self._settings = settings
        self.peer = str(settings.properties["bootstrap.servers"]).partition(",")[0]
        self._error = self._uncommitted = ""
        self._lost = 0
        self._offsets: dict[int, int] = {}  # the next one, by partition, of what receive() gave away
        self._held: list[Any] = []
        self._paused = False
        try:
            told = {"error_cb": self._on_error, "on_commit": self._on_commit, "logger": _librdkafka}
            self._consumer = Consumer({**properties(settings), **told})
        except (KafkaException, ValueError) as error:
            raise BusError(f"{self.peer}: {_words(error)}") from error
        try:
            self._look()
            self._consumer.subscribe([settings.topic], on_assign=self._on_assign)
        except BusError:
            self.close()
            raise

    def _look(self) -> None:
        """The topic has to be there: subscribing to one that isn't says nothing."""
        try:
            topic = self._consumer.list_topics(self._settings.topic, timeout=self._settings.timeout)
        except KafkaException as error:
            raise BusError(f"{self.peer}: {self._error or _words(error)}") from error
        problem = topic.topics[self._settings.topic].error
        if problem is not None:
            raise BusError(f"{self.peer}: the topic {self._settings.topic} can't be read: {problem.str()}")

    def receive(self, seconds: float) -> Sequence[Message]:
        """At most ``prefetch`` messages, and those that came while idle."""
        if self._paused:
            self._consumer.resume(self._consumer.assignment())
            self._paused = False
        try:
            arrived = [*self._held, *self._consumer.consume(self._settings.prefetch, seconds)]
        except (KafkaException, RuntimeError) as error:
            raise BusError(f"{self.peer}: {_words(error)}") from error
        if self._uncommitted:
            raise BusError(f"{self.peer}: {self._uncommitted}")
        self._held = []
        found = []
        for one in arrived:
            problem = one.error()
            if problem is not None:
                if problem.retriable() or problem.code() == KafkaError._PARTITION_EOF:
                    continue  # librdkafka goes on by itself
                raise BusError(f"{self.peer}: {problem.str()}")
            self._offsets[one.partition()] = one.offset() + 1
            labels = {"offset": f"{one.partition()}/{one.offset()}"}
            if key := (one.key() or b"").decode(errors="replace"):
                labels["key"] = key
            found.append(Message(one.value() or b"", "", labels))
        return found

    def confirm(self) -> None:
        """Commit the offsets of what was given away. A partition that is another's now is read again there.

        Nobody waits for the answer, which doesn't come while the broker is away: it is looked at by :meth:`receive`.
        """
        if not self._offsets:
            return
        offsets = [TopicPartition(self._settings.topic, part, offset) for part, offset in self._offsets.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            raise BusError(f"{self.peer}: {_words(error)}") from error
        self._offsets = {}

    def idle(self, seconds: float) -> None:
        """Stay a member of the group. What comes all the same, of a partition that became ours, is held."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                self._consumer.pause(self._consumer.assignment())
                self._paused = True
                message = self._consumer.poll(left)
            except (KafkaException, RuntimeError) as error:
                raise BusError(f"{self.peer}: {_words(error)}") from error
            if message is not None:
                self._held.append(message)

    def depth(self) -> int | None:
        """Messages after the last committed ones, of our partitions; None where one has no broker.

        Who can't say what was committed can't take a commit either, and is away.
        """
        assigned, waiting = self._consumer.assignment(), 0
        try:
            committed = self._consumer.committed(assigned, timeout=self._settings.timeout) if assigned else []
        except KafkaException as error:
            raise BusError(f"{self.peer}: {self._error or _words(error)}") from error
        try:
            for at in committed:
                low, high = self._consumer.get_watermark_offsets(at, timeout=self._settings.timeout)
                waiting += high - max(at.offset, low)
        except KafkaException:
            return None
        return waiting

    def lost(self) -> int:
        """Messages that Kafka removed before they were taken."""
        return self._lost

    def forget_lost(self) -> None:
        """They are told."""
        self._lost = 0

    def warnings(self) -> Sequence[str]:
        """One broker that is away is no reason to begin anew: librdkafka tries it again."""
        warning, self._error = self._error, ""
        return [f"{self.peer}: {warning}"] if warning else []

    def close(self) -> None:
        """Leave the group; what isn't committed is delivered again."""
        self._consumer.close()

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Count what is gone between the last commit and the oldest message."""
        try:
            for at in consumer.committed(partitions, timeout=self._settings.timeout):
                low, _high = consumer.get_watermark_offsets(at, timeout=self._settings.timeout)
                if 0 <= at.offset < low:
                    self._lost += low - at.offset
        except KafkaException as error:
            self._error = _words(error)

    def _on_commit(self, error: KafkaError | None, _partitions: list[TopicPartition]) -> None:
        if error is not None and error.code() not in _SHARED_ANEW:
            self._uncommitted = error.str()

    def _on_error(self, error: KafkaError) -> None:
        self._error = error.str()


def properties(settings: CloudStackKafka) -> dict[str, Any]:
    """The consumer's. Raises SecretError."""
    return {
        "client.id": "event-listener",
        "auto.offset.reset": "earliest",
        **settings.properties,
        **{name: read_secret(reference) for name, reference in settings.secrets.items()},
        "group.id": settings.group,
        "enable.auto.commit": False,
    }


def problems(settings: CloudStackKafka) -> list[str]:
    """What can't be used, found out without connecting."""
    try:
        Consumer({**properties(settings), "logger": _librdkafka}).close()
    except (KafkaException, SecretError, ValueError) as error:
        return [_words(error)]
    return []


def _words(error: Exception) -> str:
    first = error.args[0] if error.args else error
    return first.str() if isinstance(first, KafkaError) else str(error)
