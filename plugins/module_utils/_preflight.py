# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at an event destination as a BMC will: name, port, TLS, the certificate's names, dates and chain.

A verdict is `ok`, `failed`, or `unknown` where only the BMC could tell: its DNS and its routes are its own.
"""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.redfleet.events.plugins.module_utils import _certificate as certs

OK, FAILED, UNKNOWN = "ok", "failed", "unknown"
PORTS = {"https": 443, "http": 80}
Check = dict[str, Any]


def check(name: str, verdict: str, detail: str) -> Check:
    """One line of the result."""
    return {"check": name, "verdict": verdict, "detail": detail}


def endpoint(url: str) -> tuple[str, str, int]:
    """(scheme, host, port) of a destination.

    :raises ValueError: no URL of http or https with a host.
    """
    parts = urlsplit(url.strip())
    scheme = parts.scheme.lower()
    if scheme not in PORTS or not parts.hostname:
        raise ValueError(f"{url!r} is no http or https URL")
    return scheme, parts.hostname, parts.port or PORTS[scheme]


def look(url: str, ca_path: str | None, timeout: float) -> dict[str, Any]:
    """Everything that this host can say about a destination: {"destination", "checks", "not_before", "not_after"}."""
    scheme, host, port = endpoint(url)
    result: dict[str, Any] = {
        "destination": f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}",
        "not_before": None,
        "not_after": None,
    }
    checks = [_name(host)]
    try:
        with socket.create_connection((host, port), timeout):
            checks.append(check("port", OK, f"port {port} answers here"))
    except OSError as error:
        checks.append(check("port", UNKNOWN, f"can't be reached from here ({error}); the BMCs' network may differ"))
        return {**result, "checks": checks}
    if scheme == "http":
        checks.append(check("tls", OK, "plain HTTP was asked for: nothing is encrypted"))
        return {**result, "checks": checks}
    try:
        der = _presented(host, port, timeout)
    except (OSError, ValueError) as error:
        checks.append(check("tls", FAILED, f"port {port} answers, but not with TLS ({error})"))
        return {**result, "checks": checks}
    certificate = certs.x509.load_der_x509_certificate(der)
    result.update(not_before=_moment(certificate, "before"), not_after=_moment(certificate, "after"))
    now = datetime.datetime.now(datetime.timezone.utc)
    checks += [
        check("tls", OK, "answers with TLS"),
        names(certs.names_of(certificate), host),
        dates(result["not_before"], result["not_after"], now, "this host's clock"),
        _chain(host, port, ca_path, timeout),
    ]
    return {**result, "checks": checks}


def _name(host: str) -> Check:
    if _address(host):
        return check("name", OK, "an address needs no DNS")
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        return check("name", UNKNOWN, f"this host can't resolve {host} ({error}); the BMCs' DNS may")
    return check("name", OK, f"is {', '.join(sorted({str(item[4][0]) for item in found}))} here")


def _presented(host: str, port: int, timeout: float) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    plain = socket.create_connection((host, port), timeout)
    with plain, context.wrap_socket(plain, server_hostname=host) as secure:
        der = secure.getpeercert(binary_form=True)
    if not der:
        raise ValueError("no certificate was shown")
    return der


def _chain(host: str, port: int, ca_path: str | None, timeout: float) -> Check:
    if not ca_path:
        return check("chain", UNKNOWN, "no ca_path was given, and what the BMCs trust is theirs")
    try:
        context = ssl.create_default_context(cafile=ca_path)
        context.check_hostname = False
        plain = socket.create_connection((host, port), timeout)
        with plain, context.wrap_socket(plain, server_hostname=host):
            return check("chain", OK, f"issued by a CA in {ca_path}")
    except ssl.SSLCertVerificationError as error:
        return check("chain", FAILED, f"not issued by a CA in {ca_path}: {error.verify_message}")
    except OSError as error:
        return check("chain", UNKNOWN, f"{ca_path}: {error}")


def names(sans: set[str], host: str) -> Check:
    """Whether the certificate's names cover the host: exactly, or by one wildcard on the left (RFC 6125)."""
    shown = ", ".join(sorted(sans)) or "no name at all"
    wanted = host.lower().rstrip(".")
    address = _address(host)
    if address:
        covered = address in {_address(name) for name in sans}
    else:
        known = {name.lower() for name in sans}
        covered = wanted in known or f"*.{wanted.partition('.')[2]}" in known
    if covered:
        return check("names", OK, f"the certificate is for {shown}")
    return check("names", FAILED, f"the certificate is for {shown}, not for {host}: see event_listener_tls_names")


def dates(before: str, after: str, now: datetime.datetime, clock: str) -> Check:
    """Whether a clock is within the certificate's dates (RFC 3339 texts)."""
    begin, end = (datetime.datetime.fromisoformat(text) for text in (before, after))
    if now < begin:
        return check("dates", FAILED, f"by {clock} ({now:%Y-%m-%d %H:%M}) it is only valid from {begin:%Y-%m-%d %H:%M}")
    if now > end:
        return check("dates", FAILED, f"by {clock} ({now:%Y-%m-%d %H:%M}) it expired on {end:%Y-%m-%d}")
    return check("dates", OK, f"valid until {end:%Y-%m-%d}")


def _moment(certificate: Any, which: str) -> str:
    found = getattr(certificate, f"not_valid_{which}_utc", None)  # since cryptography 42
    if found is None:
        found = getattr(certificate, f"not_valid_{which}").replace(tzinfo=datetime.timezone.utc)
    return str(found.isoformat())


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        return ""
