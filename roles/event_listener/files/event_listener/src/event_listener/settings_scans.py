# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the sinks that have the addresses of a change scanned for vulnerabilities."""

from __future__ import annotations

import ipaddress
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, field

from event_listener.settings_base import Secret
from event_listener.settings_bus import BatchInterval, BusSink, ClientTls

_HERE = ("localhost", "127.0.0.1", "::1")


class ScanSink(BusSink, frozen=True, kw_only=True):
    """What all scanners have. Nothing is scanned that isn't in `networks`."""

    url: str
    networks: Annotated[
        list[str],
        Meta(
            description="CIDR networks whose addresses may be scanned. None: nothing is. Tenants may use any address, "
            "and strangers aren't scanned."
        ),
    ] = field(default_factory=list)
    drop6: Annotated[bool, Meta(description="Leave IPv6 addresses out.")] = True
    dry_run: Annotated[bool, Meta(description="Record what would be scanned; the scanner is never asked.")] = False
    max_addresses: Annotated[int, Meta(ge=1, le=65536, description="Most addresses of one scan; more are several.")] = (
        256
    )
    max_scans_per_day: Annotated[
        int, Meta(ge=1, le=100000, description="Most scans launched within 24 hours; others wait for their turn.")
    ] = 24
    poll_interval: Annotated[
        float,
        Meta(
            ge=0.05,
            le=86400,
            description="Seconds between looks at how a scan is, and before a launch whose answer got lost is looked "
            "for. Each look is a call of the scanner's limit.",
        ),
    ] = 600.0
    batch_interval: BatchInterval = 60.0
    timeout: Annotated[float, Meta(gt=0, le=60, description="Seconds to wait for an answer of the scanner.")] = 30.0
    proxy: Annotated[
        str,
        Meta(
            pattern=r"^(http://[^\s/@]+)?/?$", description="`http://host:port` of a proxy on the way; no credentials."
        ),
    ] = ""
    proxy_username: Annotated[str, Meta(description="User name at the proxy.")] = ""
    proxy_password: Annotated[Secret | None, Meta(description="Password at the proxy.")] = None
    tls: Annotated[ClientTls, Meta(description="For https; certificates are verified.")] = field(
        default_factory=ClientTls
    )

    def __post_init__(self) -> None:
        for network in self.networks:
            ipaddress.ip_network(network)  # its ValueError says what is wrong
        try:
            parts = urlsplit(self.url)
            parts.port  # noqa: B018 - raises ValueError for what is none
        except ValueError:
            parts = urlsplit("")
        if not parts.hostname or "@" in parts.netloc:
            msg = "url: give https://host/path, without credentials"
            raise ValueError(msg)
        if parts.scheme != "https" and parts.hostname not in _HERE:
            msg = "url: credentials and addresses go over https, unless the scanner is this host"
            raise ValueError(msg)
        if (self.proxy_username != "") != (self.proxy_password is not None):
            msg = "give proxy_username and proxy_password, or neither"
            raise ValueError(msg)


Url = Annotated[str, Meta(pattern=r"^https?://[^\s]+$")]


class QualysSink(ScanSink, frozen=True, kw_only=True):
    """Qualys VM scans, by its API version 2."""

    url: Annotated[Url, Meta(description="The scan API of your platform.")] = (
        "https://qualysapi.qualys.com/api/2.0/fo/scan/"
    )
    username: Annotated[str, Meta(min_length=1, description="User of the API, by HTTP Basic authentication.")]
    password: Annotated[Secret, Meta(description="Its password.")]
    option_profile: Annotated[str, Meta(min_length=1, description="Title of the option profile to scan with.")]
    scanner_name: Annotated[
        str, Meta(min_length=1, description="Scanner appliances, joined by commas; `External` is Qualys' own.")
    ] = "External"
    title: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9 ._-]{1,100}$", description="Begins the title of each scan; an id of ours follows it."
        ),
    ] = "redfleet"
    min_remaining: Annotated[
        int,
        Meta(ge=0, description="Calls of the subscription's limit (X-RateLimit-Remaining) that are left to others."),
    ] = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        if ":" in self.username:
            msg = "a Basic username can't hold a colon (RFC 7617)"
            raise ValueError(msg)


class HttpScanSink(ScanSink, frozen=True, kw_only=True):
    """Any scanner behind HTTP: it gets the list of addresses as JSON."""

    url: Annotated[Url, Meta(description="Where to POST the addresses. https, unless it is this host.")]
    token: Annotated[Secret | None, Meta(description="Token of `Authorization: Bearer`.")] = None
    username: Annotated[str, Meta(description="User name of Basic authentication.")] = ""
    password: Annotated[Secret | None, Meta(description="Password of Basic authentication.")] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.username != "") != (self.password is not None) or (self.token is not None and self.username):
            msg = "give username and password (Basic), or token (Bearer), or neither"
            raise ValueError(msg)
