# SPDX-License-Identifier: GPL-3.0-or-later
"""One POST to an endpoint that isn't ours: guarded, without redirects, bounded in time and size whatever it does."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from typing import Any

from event_listener.webhooks.guard import Guard
from event_listener.webhooks.model import Webhook, url_parts
from event_listener.webhooks.schedule import Attempt

_SHOWN = 1024  # bytes of a response's header that are kept
_MOST_HEADERS = 50


class RefusedError(OSError):
    """The guard lets nothing be posted there."""


class _Deadline:
    """When an attempt is over. Sockets ask it before each step: a timeout of their own would begin anew each time."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left. Raises TimeoutError when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("no whole answer within webhook.delivery.timeout")
        return left


class _PlainSocket(socket.socket):
    deadline: _Deadline

    def recv_into(self, *arguments: Any, **named: Any) -> int:
        self.settimeout(self.deadline.left())
        return super().recv_into(*arguments, **named)

    def sendall(self, *arguments: Any, **named: Any) -> None:
        self.settimeout(self.deadline.left())
        super().sendall(*arguments, **named)


class _TlsSocket(ssl.SSLSocket):
    deadline: _Deadline

    def recv_into(self, *arguments: Any, **named: Any) -> int:
        self.settimeout(self.deadline.left())
        return super().recv_into(*arguments, **named)

    def send(self, *arguments: Any, **named: Any) -> int:
        self.settimeout(self.deadline.left())
        return super().send(*arguments, **named)


class _Connection(http.client.HTTPConnection):
    """Connects to an address that the guard was asked about, and to no other."""

    def __init__(self, webhook: Webhook, guard: Guard) -> None:
        parts = url_parts(webhook.url)
        self._webhook, self._guard = webhook, guard
        self.default_port = 443 if parts.scheme == "https" else 80
        super().__init__(parts.hostname or "", parts.port or self.default_port)
        self._context = _context(webhook) if parts.scheme == "https" else None
        self.deadline = _Deadline(0)
        self.address = ""

    def connect(self) -> None:
        """Resolve, ask, connect. Raises OSError."""
        plain = self._plain()
        self.sock = plain
        if self._context is None:
            return
        plain.settimeout(self.deadline.left())
        wrapped: Any = self._context.wrap_socket(plain, server_hostname=self.host)
        wrapped.deadline = self.deadline
        self.sock = wrapped

    def _plain(self) -> _PlainSocket:
        problem: OSError = RefusedError(f"{self.host} has no address")
        refusals = []
        for family, kind, protocol, _name, place in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM):
            why = self._guard.refusal(str(place[0]), self.port, trusted=self._webhook.trusted)
            if why:
                refusals.append(why)
                continue
            try:
                return self._connected(_PlainSocket(family, kind, protocol), place)
            except OSError as error:
                problem = error
        raise RefusedError(f"not allowed: {'; '.join(dict.fromkeys(refusals))}") if refusals else problem

    def _connected(self, made: _PlainSocket, place: Any) -> _PlainSocket:
        try:
            made.deadline = self.deadline
            made.settimeout(self.deadline.left())
            made.connect(place)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            made.close()
            raise
        self.address = str(place[0])
        return made

    def use(self, deadline: _Deadline) -> None:
        """Let the next request end by then."""
        self.deadline = deadline
        if self.sock is not None:
            kept: Any = self.sock  # of ours, see connect()
            kept.deadline = deadline


class Endpoint:
    """A webhook's endpoint; its connection is kept from one attempt to the next, until :meth:`close`."""

    def __init__(self, webhook: Webhook, guard: Guard, timeout: float, response_limit: int) -> None:
        self._webhook, self._guard = webhook, guard
        self._timeout, self._limit = timeout, response_limit
        self._connection: _Connection | None = None

    def post(self, headers: dict[str, str], payload: bytes) -> Attempt:
        """Post once; whatever comes of it is in the answer."""
        started, begun = time.time_ns(), time.monotonic()
        deadline = _Deadline(self._timeout)
        try:
            found = self._post(headers, payload, deadline)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            found = {"error": _sentence(error)}
        return Attempt(
            started_ns=started,
            duration_ms=round((time.monotonic() - begun) * 1000),
            request_headers=headers,
            **found,
        )

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, headers: dict[str, str], payload: bytes, deadline: _Deadline) -> dict[str, Any]:
        kept = self._connection is not None
        try:
            return self._exchange(headers, payload, deadline)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self.close()
            if not kept:
                raise
            return self._exchange(headers, payload, deadline)

    def _exchange(self, headers: dict[str, str], payload: bytes, deadline: _Deadline) -> dict[str, Any]:
        if self._connection is None:
            self._connection = _Connection(self._webhook, self._guard)
        connection, parts = self._connection, url_parts(self._webhook.url)
        connection.use(deadline)
        connection.request("POST", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), payload, headers)
        response = connection.getresponse()
        text, whole = self._read(response)
        found = {
            "address": connection.address,
            "status": response.status,
            "response_headers": {
                _clean(name.lower()): _clean(value[:_SHOWN]) for name, value in response.getheaders()[:_MOST_HEADERS]
            },
            "response": _clean(text.decode(errors="replace")),
        }
        if not whole:
            self.close()
        return found

    def _read(self, response: http.client.HTTPResponse) -> tuple[bytes, bool]:
        """What is kept of a body, and whether the connection can be used again. The status is known: that counts."""
        try:
            text = response.read(self._limit + 1)
        except http.client.IncompleteRead as error:
            return error.partial[: self._limit], False
        except (OSError, http.client.HTTPException, ValueError):
            return b"", False
        return text[: self._limit], response.isclosed() or response.length == 0


def _context(webhook: Webhook) -> ssl.SSLContext:
    """TLS to the endpoint, verified with its own CA where it has one. ``tls_verify`` off: with anybody."""
    context = ssl.create_default_context(cadata=webhook.ca or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _TlsSocket
    if not webhook.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _sentence(error: Exception) -> str:
    """What happened, in words for who owns the webhook."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the endpoint's certificate isn't trusted ({error.verify_message}): give its CA in ca"
    if isinstance(error, socket.gaierror):
        return f"the host of the URL can't be resolved: {error.strerror}"
    if isinstance(error, TimeoutError):
        return "no whole answer within webhook.delivery.timeout"
    return _clean(str(error) or type(error).__name__)[:_SHOWN]


def _clean(text: str) -> str:
    """Without what a database's text can't hold."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
