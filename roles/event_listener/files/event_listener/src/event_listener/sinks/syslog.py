# SPDX-License-Identifier: GPL-3.0-or-later
"""Syslog (RFC 5424) over UDP (RFC 5426), TCP (RFC 6587) and TLS (RFC 5425).

Syslog has no acknowledgement. Over TCP and TLS a batch counts as taken when the peer's kernel has acknowledged every
byte of it; what a syslog server had not read from its kernel when it ended is lost there, so the last messages
(``resend``) are sent again on the next connection. Over UDP a batch counts as taken when it left this host.
"""

from __future__ import annotations

import collections
import contextlib
import fcntl
import socket
import ssl
import struct
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from event_listener.event import Event
from event_listener.settings_bus import SyslogSink
from event_listener.sinks.base import Ok, Outcome, Reject, Retry, UnitName
from event_listener.sinks.client_tls import client_context, host_and_port
from event_listener.sinks.syslog_format import TooLongError, frame, messages


class Syslog:
    """Sends events to one server."""

    unit: ClassVar[UnitName] = "event"

    def __init__(self, settings: SyslogSink, state_dir: str | Path) -> None:  # noqa: ARG002 - as all sinks are made
        self.name = settings.name
        self._settings = settings
        self._socket: socket.socket | None = None
        self._window: collections.deque[bytes] = collections.deque(maxlen=settings.resend)
        self._repeated = 0

    @staticmethod
    def problems(settings: SyslogSink) -> Iterator[str]:
        """What can't be used, found out without connecting."""
        try:
            client_context(settings.tls)
        except OSError as error:
            yield str(error)

    def counts(self) -> Mapping[str, int]:
        """``repeated``: messages that were sent again because a connection was lost."""
        return {"repeated": self._repeated}

    def send(self, batch: Sequence[Event]) -> Outcome:
        """Send a batch; a message that can't be made is rejected, those before it are sent."""
        encoded: list[bytes] = []
        problem, done = "", 0
        for event in batch:
            try:
                encoded += messages(self._settings, event)
            except TooLongError as error:
                problem = str(error)
                break
            done += 1
        try:
            if encoded:
                self._transmit(encoded)
        except (OSError, ssl.SSLError) as error:
            self.close()
            return Retry(f"{self._settings.host}: {error}")
        return Reject(problem, done=done) if problem else Ok()

    def close(self) -> None:
        """Let go of the connection."""
        if self._socket is not None:
            with contextlib.suppress(OSError):  # a peer that is gone can't be said goodbye to
                self._socket.shutdown(socket.SHUT_WR)
            self._socket.close()
            self._socket = None

    def _transmit(self, encoded: Sequence[bytes]) -> None:
        """Raises OSError."""
        if self._settings.transport == "udp":
            plain = self._socket = self._socket or self._connect()
            for one in encoded:
                plain.send(one)
            return
        frames = [frame(self._settings, one) for one in encoded]
        stream = self._stream()
        stream.sendall(b"".join(frames))
        self._wait_until_acknowledged(stream)
        self._window.extend(frames)

    def _stream(self) -> socket.socket:
        """A connection on which the last messages are known to have arrived, or have been sent again."""
        if self._socket is not None and not _is_open(self._socket):
            self.close()
        if self._socket is None:
            self._socket = self._connect()
            if self._window:
                self._socket.sendall(b"".join(self._window))
                self._repeated += len(self._window)
        return self._socket

    def _connect(self) -> socket.socket:
        settings = self._settings
        host, port = host_and_port(settings.host, 6514 if settings.transport == "tls" else 514)
        if settings.transport == "udp":
            found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            plain = socket.socket(found[0], socket.SOCK_DGRAM)
            plain.connect(found[4])  # so that "nobody listens" comes back as an error
            return plain
        stream = socket.create_connection((host, port), settings.timeout)
        try:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(settings.timeout * 1000))
            if settings.transport == "tls":
                name = settings.tls.server_name or host
                return client_context(settings.tls).wrap_socket(stream, server_hostname=name)
        except BaseException:
            stream.close()
            raise
        return stream

    def _wait_until_acknowledged(self, stream: socket.socket) -> None:
        """Until the peer's kernel has everything. Raises TimeoutError."""
        end = time.monotonic() + self._settings.timeout
        pause = 0.0001
        while _unacknowledged(stream):
            if time.monotonic() > end:
                raise TimeoutError(f"the peer took nothing for {self._settings.timeout:g} s")
            time.sleep(pause)
            pause = min(pause * 2, 0.02)


def _unacknowledged(stream: socket.socket) -> int:
    """Bytes that the peer's kernel hasn't acknowledged: SIOCOUTQ of tcp(7), which has TIOCOUTQ's number."""
    answer: int = struct.unpack("i", fcntl.ioctl(stream.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]
    return answer


def _is_open(stream: socket.socket) -> bool:
    """Whether the peer neither closed nor reset the connection while nothing was sent."""
    stream.setblocking(False)
    try:
        return stream.recv(4096) != b""  # a syslog server says nothing; what it says all the same is of no use
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    finally:
        stream.setblocking(True)
