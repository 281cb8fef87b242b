# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of TLS towards the BMCs."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from event_listener.settings_base import Section


class Tls(Section, frozen=True):
    """Server side TLS of the ingest socket."""

    certificate: Annotated[str, Meta(description="PEM file: the listener's certificate, then its chain.")] = (
        "/etc/event-listener/tls/listener.pem"
    )
    key: Annotated[str, Meta(description="PEM file: the private key, readable by the service user only.")] = (
        "/etc/event-listener/tls/listener.key"
    )
    second_certificate: Annotated[
        str,
        Meta(
            description="PEM file of a certificate with the other kind of key, RSA beside ECDSA: each client gets the "
            "one that it can use. Empty: none."
        ),
    ] = ""
    second_key: Annotated[str, Meta(description="PEM file: its private key.")] = ""
    min_version: Annotated[
        str, Meta(pattern=r"^1\.[23]$", description='Oldest TLS version that is spoken: "1.2" or "1.3".')
    ] = "1.2"
    ciphers: Annotated[
        str, Meta(description="OpenSSL cipher list for TLS 1.2; empty is OpenSSL's own choice. For old BMCs.")
    ] = ""
    client_ca: Annotated[
        str | None, Meta(description="PEM file of CAs; when set, a BMC must show a certificate of one of them.")
    ] = None
    expiry_warning: Annotated[
        int,
        Meta(
            ge=1,
            le=365,
            description="Days before a certificate ends from which `/health/ready` is degraded and the doctor says so.",
        ),
    ] = 21
    handshake_timeout: Annotated[
        int, Meta(ge=1, le=120, description="Seconds a client has to finish the TLS handshake.")
    ] = 10

    def __post_init__(self) -> None:
        if bool(self.second_certificate) != bool(self.second_key):
            msg = "give second_certificate and second_key together"
            raise ValueError(msg)

    def pairs(self) -> list[tuple[str, str]]:
        """The files of certificate and key, one pair or two."""
        second = [(self.second_certificate, self.second_key)] if self.second_certificate else []
        return [(self.certificate, self.key), *second]
