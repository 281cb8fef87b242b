# SPDX-License-Identifier: GPL-3.0-or-later
"""The TLS context of an ingest worker: one for all its connections, and renewed in place."""

from __future__ import annotations

import logging
import os

import gevent
from gevent import ssl

from event_listener.settings import Tls

logger = logging.getLogger(__name__)

RENEWAL_SECONDS = 5.0
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class TlsError(Exception):
    """The TLS files can't be used; the text names the file and what to do."""


def server_context(settings: Tls) -> ssl.SSLContext:
    """Return a context for the settings. Raises TlsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[settings.min_version]
    # Renegotiation is of use to attackers only.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        if settings.ciphers:
            context.set_ciphers(settings.ciphers)
        if settings.client_ca is not None:
            context.load_verify_locations(cafile=settings.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as error:
        raise TlsError(f"ingest.tls.ciphers or ingest.tls.client_ca ({settings.client_ca}): {error}") from error
    _load_chain(context, settings)
    return context


def _load_chain(context: ssl.SSLContext, settings: Tls) -> None:
    for name, path in (("certificate", settings.certificate), ("key", settings.key)):
        if not os.access(path, os.R_OK):
            raise TlsError(
                f"ingest.tls.{name}: {path} can't be read by {_whoami()}; check that it exists and its owner"
            )
    try:
        # A password callback that gives none: OpenSSL would ask the terminal for the one of an encrypted key.
        context.load_cert_chain(settings.certificate, settings.key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise TlsError(
            f"ingest.tls: {settings.certificate} and {settings.key} don't make a certificate and its unencrypted key: "
            f"{error}"
        ) from error


def _whoami() -> str:
    return f"uid {os.geteuid()}"


def _stamp(settings: Tls) -> tuple[tuple[int, int], ...]:
    found = []
    for path in (settings.certificate, settings.key):
        try:
            status = os.stat(path)
        except OSError:
            return ()
        found.append((status.st_mtime_ns, status.st_ino))
    return tuple(found)


def renew_forever(context: ssl.SSLContext, settings: Tls) -> None:
    """Load a changed certificate into the live context: new handshakes get it, connections go on. A greenlet."""
    seen = _stamp(settings)
    while True:
        gevent.sleep(RENEWAL_SECONDS)
        stamp = _stamp(settings)
        if stamp in (seen, ()):
            continue
        seen = stamp
        try:
            # On trial in a new context first: half-replaced files must not break the live one.
            server_context(settings)
            _load_chain(context, settings)
        except TlsError as error:
            logger.error("the renewed certificate is not used, the old one stays: %s", error)  # noqa: TRY400 - no trace
        else:
            logger.info("loaded the renewed certificate %s", settings.certificate)
