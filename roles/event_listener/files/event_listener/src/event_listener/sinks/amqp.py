# SPDX-License-Identifier: GPL-3.0-or-later
"""A RabbitMQ topic exchange: persistent messages, publisher confirms, ``mandatory``. Needs the extra ``amqp`` (pika).

What has no confirmation stays outstanding: a batch that is tried again on the same connection isn't published again,
so a broker that blocks for an hour gets each message once.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pika  # type: ignore[import-untyped] # pika ships no types

from event_listener import __version__
from event_listener.event import Event
from event_listener.routes import key_of
from event_listener.secrets import SecretError, read_secret
from event_listener.settings_bus import AmqpSink, ClientTls
from event_listener.sinks.amqp_link import Link, Message
from event_listener.sinks.base import Outcome, Retry, UnitName
from event_listener.sinks.bodies import body_of
from event_listener.sinks.client_tls import client_context, host_and_port
from event_listener.sinks.outstanding import Outstanding

_PERSISTENT = 2
_SHUT_SECONDS = 2.0
_BLOCKED_SECONDS = 1.0  # how soon to look again whether the broker takes messages

logging.getLogger("pika").setLevel(logging.CRITICAL)  # it logs each failed attempt with traces; the lane says it once


class Amqp:
    """Publishes events; one connection, one channel, so that their order stays."""

    unit: ClassVar[UnitName] = "event"

    def __init__(self, settings: AmqpSink, state_dir: str | Path) -> None:  # noqa: ARG002 - as all sinks are made
        self.name = settings.name
        self._settings = settings
        self._outstanding = Outstanding()
        self._link: Link | None = None
        self._hosts = itertools.cycle(settings.hosts)
        self._unroutable = 0

    @staticmethod
    def problems(settings: AmqpSink) -> Iterator[str]:
        """What can't be used, found out without connecting."""
        try:
            client_context(settings.tls or ClientTls())
        except OSError as error:
            yield str(error)

    def counts(self) -> Mapping[str, int]:
        """``unroutable``: messages that no queue was bound for."""
        return {"unroutable": self._unroutable + (self._link.unroutable if self._link else 0)}

    def send(self, batch: Sequence[Event]) -> Outcome:
        """Publish what isn't outstanding yet, and wait for the confirmations."""
        try:
            link = self._linked()
        except (OSError, SecretError) as error:
            return Retry(str(error))
        if not link.ready(self._settings.timeout):
            return self._lost(link, "no answer to the connection in time")
        ids = [event.id for event in batch]
        link.publish([self._message(batch[index]) for index in self._outstanding.missing(ids)])
        answered = self._outstanding.wait(self._settings.timeout)
        if link.broken:
            return self._outstanding.outcome(ids, self._drop(link))
        if link.blocked:
            return self._outstanding.outcome(ids, link.blocked, after=_BLOCKED_SECONDS)
        if not answered:
            waiting = self._outstanding.unanswered
            return self._outstanding.outcome(ids, f"{waiting} messages aren't confirmed yet", after=0.0)
        return self._outstanding.outcome(
            ids, f"the broker refused a message, or no queue is bound for {batch[0].source}"
        )

    def close(self) -> None:
        """Leave; what isn't confirmed comes again."""
        if self._link is not None:
            self._drop(self._link)

    def _linked(self) -> Link:
        if self._link is not None and self._link.broken:
            self._drop(self._link)
        if self._link is None:
            self._link = Link(
                self.name,
                self._parameters(next(self._hosts)),
                self._settings.exchange,
                self._outstanding,
                declare=self._settings.declare,
                retry_unroutable=self._settings.unroutable == "retry",
            )
            self._link.start()
        return self._link

    def _lost(self, link: Link, reason: str) -> Retry:
        return Retry(link.broken or reason if self._drop(link) else reason)

    def _drop(self, link: Link) -> str:
        """Forget the link; returns why it broke."""
        reason = link.broken
        link.shut(_SHUT_SECONDS)
        self._unroutable += link.unroutable
        self._outstanding.forget()
        self._link = None
        return reason

    def _parameters(self, where: str) -> Any:
        settings, tls = self._settings, self._settings.tls
        host, port = host_and_port(where, 5671 if tls else 5672)
        password = read_secret(settings.password) if settings.password else "guest"
        options = pika.SSLOptions(client_context(tls), tls.server_name or host) if tls else None
        return pika.ConnectionParameters(
            host,
            port,
            settings.virtual_host,
            pika.PlainCredentials(settings.username, password),
            heartbeat=settings.heartbeat,
            ssl_options=options,
            socket_timeout=settings.timeout,
            stack_timeout=settings.timeout,
            client_properties={"connection_name": f"event-listener {settings.name}", "version": __version__},
        )

    def _message(self, event: Event) -> Message:
        body = body_of(self._settings.body, event)
        prefix = self._settings.header_prefix
        headers: dict[str, Any] = {prefix + name: value for name, value in body.attributes.items()}
        headers.update(id=event.id, source=event.source, category=event.category.value, type=event.type)
        headers.update(level=event.level.value, sequence=event.seq, origin=event.origin.value)
        properties = pika.BasicProperties(
            content_type=body.content_type,
            content_encoding="utf-8",
            delivery_mode=_PERSISTENT,
            message_id=event.id,
            timestamp=event.received_ns // 1_000_000_000,
            type=event.type[:255],
            app_id="event-listener",
            headers=headers,
        )
        return Message(event.id, key_of(event), properties, body.data)
