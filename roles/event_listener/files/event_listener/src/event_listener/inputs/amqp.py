# SPDX-License-Identifier: GPL-3.0-or-later
"""A bounded queue of our own at RabbitMQ, bound to exchanges of others. Needs pika.

Nothing of others is touched: exchanges are declared passively only (the first to declare one with wrong flags breaks
the service that owns it), and nobody else's queue is read. What the bounded queue drops, RabbitMQ moves to a second,
small one (``<queue>.dropped``), where it is counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pika  # type: ignore[import-untyped] # pika ships no types
from pika.exceptions import AMQPError, ChannelClosedByBroker  # type: ignore[import-untyped] # as above

from event_listener import __version__
from event_listener.inputs.base import BusError, Message
from event_listener.secrets import read_secret
from event_listener.settings_bus import ClientTls
from event_listener.settings_inputs import AmqpInput
from event_listener.sinks.amqp_link import words
from event_listener.sinks.client_tls import client_context, host_and_port

COUNTED = 10_000  # dropped messages that are counted one by one; of more it is known that they were more
_NOT_FOUND, _REFUSED, _OTHER = 404, 403, 406
# Between looks at the exchanges. RabbitMQ logs each look for one that isn't there, so those that never were there are
# looked for seldom. One that isn't durable is gone after a restart of RabbitMQ, and comes back with its service.
BIND_SECONDS, BIND_AGAIN_SECONDS = 60.0, 1.0
_AGAIN_FOR_SECONDS = 600.0  # after connecting
_MORE_SECONDS = 0.005  # for the rest of a batch, once its first message is here


class Binding(NamedTuple):
    """An exchange of others, and the routing keys (patterns) that are wanted of it."""

    exchange: str
    keys: tuple[str, ...]


class AmqpBus:
    """One connection, one channel, one consumer (inputs/base.py). Raises BusError and SecretError when made."""

    def __init__(
        self,
        settings: AmqpInput,
        where: str,
        bindings: Sequence[Binding],
        labels: Callable[[Any], dict[str, str]],
        known: set[str],
    ) -> None:
        """``known``: exchanges that were there once; for all connections of an input."""
        self._settings, self._bindings, self._labels, self._known = settings, list(bindings), labels, known
        self._parameters, self.peer = _parameters(settings, where)
        self._arrived: list[tuple[int, Message]] = []
        self._taken = 0  # the delivery tag up to which receive() gave messages away
        self._cancelled = ""
        self._uncounted = 0
        self._missing: dict[str, str] = {}
        self._bound_at = self._bound_again_at = self._began = time.monotonic()
        try:
            self._connection = pika.BlockingConnection(self._parameters)
        except (AMQPError, OSError) as error:
            raise BusError(f"{self.peer}: {words(error)}") from error
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        settings = self._settings
        self._channel = self._connection.channel()
        self._declare(f"{settings.queue}.dropped", {"x-max-length": COUNTED})
        kind: dict[str, Any] = {"x-queue-type": "quorum"} if settings.queue_type == "quorum" else {}
        bound = {"x-max-length": settings.max_length, "x-overflow": "drop-head"}
        dropped = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": f"{settings.queue}.dropped"}
        self._declare(settings.queue, kind | bound | dropped)
        self._bind()
        self._call(lambda: self._channel.basic_qos(prefetch_count=settings.prefetch))
        self._channel.add_on_cancel_callback(self._on_cancel)
        self._call(lambda: self._channel.basic_consume(settings.queue, self._on_message))

    def _declare(self, queue: str, arguments: dict[str, Any]) -> None:
        try:
            self._channel.queue_declare(queue, durable=True, arguments=arguments)
        except ChannelClosedByBroker as error:
            text = f"{self.peer}: the queue {queue} can't be made: {error.reply_text}"
            if error.reply_code == _OTHER:
                text += "; it exists with other properties: delete it once it is empty, or set another queue"
            raise BusError(text) from error
        except (AMQPError, OSError) as error:
            raise BusError(f"{self.peer}: {words(error)}") from error

    def _bind(self, *, again: bool = False) -> None:
        """Bind the queue to the exchanges that are there; ``again``: only to those that were there once, and went."""
        self._bound_again_at = time.monotonic()
        if not again:
            self._bound_at = self._bound_again_at
        for binding in self._bindings:
            if again and binding.exchange not in self._gone():
                continue
            problem = self._bind_one(binding)
            self._missing.pop(binding.exchange, None)
            if problem:
                self._missing[binding.exchange] = problem
            else:
                self._known.add(binding.exchange)

    def _keep_bound(self) -> None:
        """See to the exchanges from time to time: one that was made anew has no binding of ours."""
        now = time.monotonic()
        if now - self._bound_at > BIND_SECONDS:
            self._bind()
        elif (
            now - self._bound_again_at > BIND_AGAIN_SECONDS and self._gone() and now - self._began < _AGAIN_FOR_SECONDS
        ):
            self._bind(again=True)

    def _gone(self) -> set[str]:
        return self._known & self._missing.keys()

    def _bind_one(self, binding: Binding) -> str:
        # A channel of its own: the broker closes it over an exchange that isn't there.
        try:
            channel = self._connection.channel()
            channel.exchange_declare(binding.exchange, passive=True)
            for key in binding.keys:
                channel.queue_bind(self._settings.queue, binding.exchange, key)
            channel.close()
        except ChannelClosedByBroker as error:
            if error.reply_code not in (_NOT_FOUND, _REFUSED):
                raise BusError(f"{self.peer}: {error.reply_text}") from error
            what = "isn't there yet" if error.reply_code == _NOT_FOUND else f"refuses us: {error.reply_text}"
            return f"the exchange {binding.exchange} {what}; it is looked for again"
        except (AMQPError, OSError) as error:
            raise BusError(f"{self.peer}: {words(error)}") from error
        return ""

    def _on_message(self, _channel: Any, method: Any, properties: Any, body: bytes) -> None:
        message = Message(body, properties.content_type or "", self._labels(method))
        self._arrived.append((method.delivery_tag, message))

    def _on_cancel(self, _frame: Any) -> None:
        self._cancelled = f"the queue {self._settings.queue} was deleted, or its node went"

    def receive(self, seconds: float) -> Sequence[Message]:
        """At most ``prefetch`` messages."""
        self._keep_bound()
        if not self._arrived:
            self._call(lambda: self._connection.process_data_events(seconds))
        if self._arrived:
            self._call(lambda: self._connection.process_data_events(_MORE_SECONDS))
        if self._cancelled:
            raise BusError(f"{self.peer}: {self._cancelled}")
        messages, self._arrived = self._arrived, []
        self._taken = messages[-1][0] if messages else 0
        return [message for _tag, message in messages]

    def confirm(self) -> None:
        """Acknowledge them all at once."""
        if self._taken:
            self._call(lambda: self._channel.basic_ack(self._taken, multiple=True))
            self._taken = 0

    def idle(self, seconds: float) -> None:
        """Answer heartbeats; what arrives meanwhile is no more than ``prefetch``."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._call(lambda left=left: self._connection.process_data_events(left))  # type: ignore[misc] # mypy: a default of a lambda

    def depth(self) -> int:
        """Messages that wait, without those that were taken and aren't acknowledged."""
        return self._waiting(self._settings.queue)

    def lost(self) -> int:
        """Messages that the bounded queue dropped: at least so many where it is COUNTED."""
        return self._uncounted + self._waiting(f"{self._settings.queue}.dropped")

    def forget_lost(self) -> None:
        """Empty the second queue; what came into it since it was counted is told next time."""
        told = self._waiting(f"{self._settings.queue}.dropped")
        answer = self._call(lambda: self._channel.queue_purge(f"{self._settings.queue}.dropped"))
        self._uncounted = max(0, int(answer.method.message_count) - told)

    def _waiting(self, queue: str) -> int:
        answer = self._call(lambda: self._channel.queue_declare(queue, passive=True))
        return int(answer.method.message_count)

    def warnings(self) -> Sequence[str]:
        """Exchanges that aren't there."""
        return list(self._missing.values())

    def close(self) -> None:
        """Leave; what isn't acknowledged is delivered again."""
        try:
            if self._connection.is_open:
                self._connection.close()
        except (AMQPError, OSError):
            return  # it is gone already

    def _call(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except (AMQPError, OSError) as error:
            raise BusError(f"{self.peer}: {words(error)}") from error


def _parameters(settings: AmqpInput, where: str) -> tuple[Any, str]:
    tls = settings.tls
    host, port = host_and_port(where, 5671 if tls else 5672)
    password = read_secret(settings.password) if settings.password else "guest"
    parameters = pika.ConnectionParameters(
        host,
        port,
        settings.virtual_host,
        pika.PlainCredentials(settings.username, password),
        heartbeat=settings.heartbeat,
        ssl_options=pika.SSLOptions(client_context(tls), tls.server_name or host) if tls else None,
        socket_timeout=settings.timeout,
        stack_timeout=settings.timeout,
        blocked_connection_timeout=settings.timeout,
        client_properties={"connection_name": f"event-listener {settings.queue}", "version": __version__},
    )
    return parameters, f"{host}:{port}"


def problems(tls: ClientTls | None) -> list[str]:
    """What can't be used, found out without connecting."""
    try:
        client_context(tls or ClientTls())
    except OSError as error:
        return [str(error)]
    return []
