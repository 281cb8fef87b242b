# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guard has to know: the listener's own ports, where its database and brokers are, and the BMCs."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from event_listener.settings import Settings
from event_listener.sinks.client_tls import host_and_port
from event_listener.sockets import BindError, split_bind
from event_listener.store import Store
from event_listener.webhooks.guard import EVERYWHERE, Guard

REFRESH_SECONDS = 60.0
_POSTGRESQL, _AMQP, _KAFKA = 5432, 5672, 9092


class Surroundings:
    """Makes guards; for many threads. One is good for a minute, or until a source is registered."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store
        self._lock = threading.Lock()
        self._guard: Guard | None = None
        self._version, self._made = -1, 0.0

    def guard(self) -> Guard:
        """The guard as of now. Raises StoreUnavailableError."""
        version = self._store.sources.version()
        with self._lock:
            fresh = time.monotonic() - self._made < REFRESH_SECONDS
            if self._guard is None or version != self._version or not fresh:
                self._guard, self._version, self._made = self._make(), version, time.monotonic()
            return self._guard

    def _make(self) -> Guard:
        told = self._settings.webhook
        peers = {pair for host, port in _peers(self._settings) for pair in _resolved(host, port)}
        return Guard(
            services={*peers, *_binds(self._settings)},
            hosts={address for address, _port in peers},
            bmcs={address for source in self._store.sources.list() for address in _literal(source.address)},
            bmc_prefix=told.bmc_prefix,
            blocked=told.blocklist,
            exempt=told.exempt_networks,
            users=told.user_networks,
            is_this_host=is_this_host,
        )


def is_this_host(address: str) -> bool:
    """Whether it is an address of this host: only those can be bound to."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _literal(address: str | None) -> Iterator[str]:
    """The address of a source; host names of BMCs aren't resolved (webhook.blocklist is for them)."""
    with contextlib.suppress(ValueError):
        yield str(ipaddress.ip_address(address or ""))


def _peers(settings: Settings) -> Iterator[tuple[str, int]]:
    """Database and brokers."""
    if settings.event_log.url:
        parts = urlsplit(settings.event_log.url)
        hosts = [part for part in parts.netloc.rpartition("@")[2].split(",") if part]
        hosts += [host for text in parse_qs(parts.query).get("host", []) for host in text.split(",")]
        yield from (host_and_port(host, _POSTGRESQL) for host in hosts if not host.startswith("/"))
    for amqp in settings.sinks.amqp:
        yield from (host_and_port(host, _AMQP if amqp.tls is None else _AMQP - 1) for host in amqp.hosts)
    for kafka in settings.sinks.kafka:
        servers = str(kafka.properties.get("bootstrap.servers", "")).split(",")
        yield from (host_and_port(server.strip(), _KAFKA) for server in servers if server.strip())


def _binds(settings: Settings) -> Iterator[tuple[str, int]]:
    """The listener's own ports, a wildcard as what it stands for."""
    for bind in (*settings.ingest.bind, settings.manage.bind, *settings.nginx.bind):
        with contextlib.suppress(BindError, ValueError):
            host, port = split_bind(bind)
            if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound
                yield EVERYWHERE, port
            else:
                yield from _resolved(host, port)


def _resolved(host: str, port: int) -> Iterator[tuple[str, int]]:
    """The addresses of a host; none where its name can't be resolved now."""
    with contextlib.suppress(OSError, UnicodeError):
        for *_kind, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            yield str(ipaddress.ip_address(str(place[0]))), port
