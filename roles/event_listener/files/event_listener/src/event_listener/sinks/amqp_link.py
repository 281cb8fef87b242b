# SPDX-License-Identifier: GPL-3.0-or-later
"""One connection to RabbitMQ with one confirming channel, in a thread of its own that answers heartbeats.

A link is used once: when it breaks it says why, and a new one is made. pika's objects are touched by the thread only.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pika  # type: ignore[import-untyped] # pika ships no types
from pika.exceptions import AMQPError  # type: ignore[import-untyped] # as above

from event_listener.sinks.outstanding import Outstanding


class Message(NamedTuple):
    """What is published: the event's id, its routing key, its properties (pika.BasicProperties) and its body."""

    id: str
    key: str
    properties: Any
    body: bytes


class Link(threading.Thread):
    """``ready()`` waits for the channel. ``broken`` is why it can't be used, ``blocked`` why it has to wait."""

    def __init__(
        self,
        name: str,
        parameters: Any,
        exchange: str,
        outstanding: Outstanding,
        *,
        declare: bool,
        retry_unroutable: bool,
    ) -> None:
        super().__init__(name=f"amqp-{name}", daemon=True)
        self.broken, self.blocked, self.unroutable = "", "", 0
        self._parameters, self._exchange, self._declare = parameters, exchange, declare
        self._outstanding, self._retry_unroutable = outstanding, retry_unroutable
        self._opened = threading.Event()
        self._loop = threading.Lock()  # the loop may be called from outside until it is closed
        self._tags: dict[int, str] = {}  # delivery tag -> event id, oldest first
        self._next_tag = 1
        self._returned: set[str] = set()
        self._connection: Any = None
        self._channel: Any = None

    # For the lane's thread.

    def ready(self, seconds: float) -> bool:
        """Wait until messages can be published; False when it broke or took too long."""
        return self._opened.wait(seconds) and not self.broken

    def publish(self, messages: Sequence[Message]) -> None:
        """Hand messages over; the answers arrive in ``Outstanding``."""
        self._call(lambda: self._publish(messages))

    def shut(self, seconds: float) -> None:
        """Close the connection, properly if that takes no longer than ``seconds``."""
        self._call(self._close)
        self.join(seconds)

    def _call(self, action: Callable[[], None]) -> None:
        with self._loop:
            if self._connection is not None and not self.broken:
                self._connection.ioloop.add_callback_threadsafe(action)

    # For the link's own thread.

    def run(self) -> None:
        """Connect, and serve until the connection is gone."""
        try:
            self._connection = pika.SelectConnection(
                self._parameters,
                on_open_callback=self._on_open,
                on_open_error_callback=self._on_gone,
                on_close_callback=self._on_gone,
            )
            self._connection.ioloop.start()
        except (AMQPError, OSError) as error:
            self._break(words(error))
        finally:
            self._break("the connection's thread ended")
            with self._loop:
                if self._connection is not None:
                    self._connection.ioloop.close()

    def _on_open(self, connection: Any) -> None:
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)
        connection.channel(on_open_callback=self._on_channel)

    def _on_channel(self, channel: Any) -> None:
        self._channel = channel
        channel.add_on_close_callback(self._on_channel_closed)
        channel.add_on_return_callback(self._on_return)
        channel.exchange_declare(
            self._exchange, "topic", passive=not self._declare, durable=True, callback=self._on_exchange
        )

    def _on_exchange(self, _frame: Any) -> None:
        self._channel.confirm_delivery(self._on_answer, callback=lambda _frame: self._opened.set())

    def _publish(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if self.broken:
                return
            self._tags[self._next_tag] = message.id
            self._next_tag += 1
            self._channel.basic_publish(self._exchange, message.key, message.body, message.properties, mandatory=True)

    def _on_return(self, _channel: Any, _method: Any, properties: Any, _body: bytes) -> None:
        """No queue is bound for it. The confirmation follows all the same."""
        self.unroutable += 1
        if self._retry_unroutable:
            self._returned.add(properties.message_id)

    def _on_answer(self, frame: Any) -> None:
        method = frame.method
        refused = isinstance(method, pika.spec.Basic.Nack)
        last = method.delivery_tag
        # Tags are in order, so those that a "multiple" answer covers come first.
        tags = list(itertools.takewhile(lambda tag: tag <= last, self._tags)) if method.multiple else [last]
        ids = [self._tags.pop(tag) for tag in tags]
        again = [key for key in ids if refused or key in self._returned]
        self._returned.difference_update(again)
        if again:
            self._outstanding.forget(again)
        self._outstanding.settle([key for key in ids if key not in again] if again else ids)

    def _on_blocked(self, _connection: Any, frame: Any) -> None:
        self.blocked = f"the broker blocks publishers: {frame.method.reason}"

    def _on_unblocked(self, _connection: Any, _frame: Any) -> None:
        self.blocked = ""

    def _on_channel_closed(self, _channel: Any, reason: Exception) -> None:
        self._break(words(reason))
        self._close()

    def _on_gone(self, connection: Any, reason: Exception) -> None:
        self._break(words(reason))
        connection.ioloop.stop()

    def _close(self) -> None:
        if self._connection.is_open:
            self._connection.close()

    def _break(self, reason: str) -> None:
        """The first reason is the cause. What has no answer must be sent again."""
        if not self.broken:
            self.broken = reason
            self._outstanding.forget()
        self._opened.set()


def words(error: BaseException) -> str:
    """pika wraps exceptions into each other; the innermost one says what happened."""
    within = (*getattr(error, "exceptions", ()), getattr(error, "exception", None), *error.args)
    inner = [item for item in within if isinstance(item, BaseException)]
    if inner:
        return words(inner[-1])
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(getattr(error, "reply_text", "") or str(error) or type(error).__name__)
