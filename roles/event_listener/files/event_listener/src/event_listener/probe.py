# SPDX-License-Identifier: GPL-3.0-or-later
"""Do the servers answer? Asked by `run` to say that it is ready."""

from __future__ import annotations

import http.client
import socket
import ssl

from event_listener.settings import Settings
from event_listener.sockets import split_bind

_SECONDS = 2.0
_LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a wildcard is reached


def ingest_answers(settings: Settings) -> bool:
    """Whether ingest answers a GET with its 405, or asks for a certificate, at its first address; nginx too."""
    try:
        if _status(settings.ingest.bind[0], "/", tls=not settings.ingest.plain_http) != 405:
            return False
    except _CertificateWantedError:
        return True
    # nginx answers 400 to who shows no certificate.
    return not settings.nginx.enabled or _status(settings.nginx.bind[0], "/", tls=True) in (405, 400)


def events_binds(settings: Settings) -> list[str]:
    """Return the addresses that BMCs post to."""
    return settings.nginx.bind if settings.nginx.enabled else settings.ingest.bind


def manage_answers(settings: Settings) -> bool:
    """Whether the management server says that it is alive."""
    return _status(settings.manage.bind, "/health/live", tls=False) in (200, 401)


class _CertificateWantedError(Exception):
    """A worker took the connection and wants a client's certificate (ingest.tls.client_ca)."""


def _status(bind: str, path: str, *, tls: bool) -> int | None:
    try:
        connection = _UnixOrTcp(bind, tls=tls)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()
    except ssl.SSLError as error:
        # We have none to show; with TLS 1.3 the alert comes with the first read.
        if "CERTIFICATE_REQUIRED" in str(error) or "HANDSHAKE_FAILURE" in str(error):
            raise _CertificateWantedError from error
        return None
    except (OSError, http.client.HTTPException):
        return None


class _UnixOrTcp(http.client.HTTPConnection):
    def __init__(self, bind: str, *, tls: bool) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._bind = bind
        self._tls = tls

    def connect(self) -> None:
        if self._bind.startswith("unix:"):
            raw = socket.socket(socket.AF_UNIX)
            raw.settimeout(_SECONDS)
            raw.connect(self._bind[5:])
        else:
            host, port = split_bind(self._bind)
            raw = socket.create_connection((_LOOPBACK.get(host, host), port), timeout=_SECONDS)
        self.sock = _insecure().wrap_socket(raw) if self._tls else raw


def _insecure() -> ssl.SSLContext:
    # It asks whether somebody answers on our own port, and sends nothing worth protecting.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
