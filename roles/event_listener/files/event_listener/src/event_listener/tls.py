# SPDX-License-Identifier: GPL-3.0-or-later
"""The TLS context of ingest: one for all its connections, made before its workers are forked, renewed in each.

Made before the fork, its keys for session tickets are the same in all workers: a session that began at one is resumed
at any (TLS 1.2 tickets and TLS 1.3). They are new with each start and reload. Session ids of TLS 1.2 clients without
tickets are known to one worker only; Python's ssl can't share them.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import gevent
from gevent import ssl

from event_listener.settings_tls import Tls

logger = logging.getLogger(__name__)

RENEWAL_SECONDS = 5.0
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
# What a certificate with an RSA key holds (1.2.840.113549.1.1.1, rsaEncryption), whoever signed it. In DER.
_RSA_KEY = bytes.fromhex("06092a864886f70d010101")
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
    kinds = [_load_pair(context, *pair, which) for pair, which in zip(settings.pairs(), ("", "second_"), strict=False)]
    if len(kinds) > len(set(kinds)):
        raise TlsError(
            f"ingest.tls: {settings.certificate} and {settings.second_certificate} have the same kind of key, and only "
            "the second would be served; give one with an ECDSA and one with an RSA key"
        )


def _load_pair(context: ssl.SSLContext, certificate: str, key: str, which: str) -> bool:
    """Load a certificate and its key; returns whether it is an RSA key. Raises TlsError. `which` begins their names."""
    for name, path in (("certificate", certificate), ("key", key)):
        if not os.access(path, os.R_OK):
            raise TlsError(
                f"ingest.tls.{which}{name}: {path} can't be read by {_whoami()}; check that it exists and its owner"
            )
    try:
        # A password callback that gives none: OpenSSL would ask the terminal for the one of an encrypted key.
        context.load_cert_chain(certificate, key, password=lambda: "")
        pem = Path(certificate).read_text(encoding="ascii", errors="replace")
        first = pem[pem.index(_BEGIN) : pem.index(_END) + len(_END)]
        return _RSA_KEY in ssl.PEM_cert_to_DER_cert(first)
    except (OSError, ValueError) as error:
        raise TlsError(
            f"ingest.tls: {certificate} and {key} don't make a certificate and its unencrypted key: {error}"
        ) from error


def _whoami() -> str:
    return f"uid {os.geteuid()}"


Stamp = tuple[tuple[int, int], ...]


def stamp(settings: Tls) -> Stamp:
    """Return what changes when a file is replaced; () while one is missing."""
    found = []
    for path in (path for pair in settings.pairs() for path in pair):
        try:
            status = os.stat(path)
        except OSError:
            return ()
        found.append((status.st_mtime_ns, status.st_ino))
    return tuple(found)


def renew_forever(context: ssl.SSLContext, settings: Tls, seen: Stamp) -> None:
    """Load a changed certificate into the live context: new handshakes get it, connections go on. A greenlet.

    `seen` is the stamp of what the context has: a worker that is forked later may find newer files at once.
    """
    while True:
        found = stamp(settings)
        if found not in (seen, ()):
            seen = found
            _renew(context, settings)
        gevent.sleep(RENEWAL_SECONDS)


def _renew(context: ssl.SSLContext, settings: Tls) -> None:
    try:
        # On trial in a new context first: half-replaced files must not break the live one.
        server_context(settings)
        _load_chain(context, settings)
    except TlsError as error:
        logger.error("the renewed certificate is not used, the old one stays: %s", error)  # noqa: TRY400 - no trace
    else:
        logger.info("loaded the renewed certificate %s", settings.certificate)
