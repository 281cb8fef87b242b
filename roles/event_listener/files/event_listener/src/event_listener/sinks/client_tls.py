# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS towards a destination: certificates and names are always verified."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from event_listener.settings_bus import ClientTls


def client_context(settings: ClientTls) -> ssl.SSLContext:
    """A context for connections. Read anew for each, so that renewed files count. Raises OSError with the file."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.ca is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        _load(settings.ca, lambda: context.load_verify_locations(settings.ca))
    if settings.certificate is not None:
        certificate, key = settings.certificate, settings.key
        _load(f"{certificate} with {key}", lambda: context.load_cert_chain(certificate, key))
    return context


def _load(what: str, load: Callable[[], None]) -> None:
    try:
        load()
    except OSError as error:
        raise OSError(f"TLS: {what} can't be used: {error.strerror or error}") from error


def host_and_port(text: str, default: int) -> tuple[str, int]:
    """``host:port``, ``[address]:port`` or ``host`` in two."""
    if text.startswith("["):
        host, rest = text[1:].split("]", 1)
        return host, int(rest.removeprefix(":") or default)
    host, *port = text.split(":", 1)
    return host, int(port[0]) if port else default
