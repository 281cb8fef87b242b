# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP request to a scanner, through a proxy where there is one. TLS is verified, redirects aren't followed."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

import msgspec

from event_listener.redact import cleaned
from event_listener.secrets import SecretError, read_secret
from event_listener.settings_base import Secret
from event_listener.settings_scans import ScanSink
from event_listener.sinks.client_tls import client_context

_MOST = 4 << 20  # bytes of an answer
_SHOWN = 200


class NotSentError(Exception):
    """The scanner got nothing; the text says why."""


class LostError(Exception):
    """The request went out and no answer came: the scanner may have acted on it."""


class Reply(msgspec.Struct, frozen=True):
    """An answer. Names of headers are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def shown(self) -> str:
        """What it said, short and without secrets, for messages."""
        return cleaned(" ".join(self.body[: _SHOWN * 4].decode(errors="replace").split()))[:_SHOWN]

    def number(self, header: str) -> float | None:
        """A header that is a number of something; None where it isn't there or is none."""
        text = self.headers.get(header, "").strip()
        return float(text) if text.isascii() and text.isdigit() else None


def basic(username: str, password: Secret) -> str:
    """The value of an Authorization header. Raises NotSentError."""
    return "Basic " + base64.b64encode(f"{username}:{secret(password)}".encode()).decode()


def secret(reference: Secret) -> str:
    """A secret, read anew each time. Raises NotSentError."""
    try:
        return read_secret(reference)
    except SecretError as error:
        raise NotSentError(str(error)) from error


def request(settings: ScanSink, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Reply:
    """The scanner's answer. Raises NotSentError, LostError."""
    parts = urlsplit(url)
    try:
        connection, target = _connection(settings, parts)
        if settings.proxy and parts.scheme == "http":
            headers = {**headers, **_proxy_headers(settings)}
        connection.connect()
    except (OSError, http.client.HTTPException) as error:
        raise NotSentError(f"{parts.netloc}: {error or type(error).__name__}") from error
    try:
        connection.request(method, target, body, dict(headers))
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, found, answer.read(_MOST))
    except (OSError, http.client.HTTPException) as error:
        raise LostError(f"{parts.netloc}: {error or type(error).__name__}") from error
    finally:
        connection.close()


def _connection(settings: ScanSink, parts: SplitResult) -> tuple[http.client.HTTPConnection, str]:
    """A connection that isn't open yet, and what to ask for on it."""
    host, port, timeout = parts.hostname or "", parts.port, settings.timeout
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    proxy = urlsplit(settings.proxy)
    if parts.scheme == "http":
        if not settings.proxy:
            return http.client.HTTPConnection(host, port, timeout=timeout), target
        whole = f"http://{parts.netloc}{target}"
        return http.client.HTTPConnection(proxy.hostname or "", proxy.port or 8080, timeout=timeout), whole
    context = client_context(settings.tls)
    if not settings.proxy:
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=context), target
    tunnel = http.client.HTTPSConnection(proxy.hostname or "", proxy.port or 8080, timeout=timeout, context=context)
    tunnel.set_tunnel(host, port or 443, _proxy_headers(settings))
    return tunnel, target


def _proxy_headers(settings: ScanSink) -> dict[str, str]:
    if settings.proxy_password is None:
        return {}
    return {"Proxy-Authorization": basic(settings.proxy_username, settings.proxy_password)}
