# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach one BMC: the connection options, checked and normalised. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.redfleet.events.plugins.module_utils._errors import InvalidInputError
from ansible_collections.redfleet.events.plugins.module_utils._tls import normal_fingerprint


@dataclass(frozen=True)
class Connection:
    """How to reach one BMC. `timeout` in seconds, for connecting and for each wait for data."""

    base: str
    username: str | None
    password: str | None
    auth_token: str | None
    login_type: str
    verify: bool
    ca_path: str | None
    fingerprint: str | None
    tls_min_version: str
    tls_ciphers: str | None
    timeout: int
    retries: int
    use_proxy: bool

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> Connection:
        """Read the connection options.

        :raises InvalidInputError: no address, no credentials, or an unusable value.
        """
        pin = params["tls_fingerprint"]
        if not params["auth_token"] and not (params["username"] and params["password"]):
            raise InvalidInputError("No credentials are set.", "Give username and password, or auth_token.")
        return cls(
            base=normal_base(params["baseuri"] or ""),
            username=params["username"],
            password=params["password"],
            auth_token=params["auth_token"],
            login_type=params["login_type"],
            verify=params["validate_certs"] and not pin,
            ca_path=params["ca_path"],
            fingerprint=normal_fingerprint(pin) if pin else None,
            tls_min_version=params["tls_min_version"],
            tls_ciphers=params["tls_ciphers"],
            timeout=params["timeout"],
            retries=params["retries"],
            use_proxy=params["use_proxy"],
        )


def normal_base(baseuri: str) -> str:
    """`https://host[:port]` of a host, host:port, IPv6 address or URL.

    :raises InvalidInputError: no host, a path, or credentials inside the URL.
    """
    text = baseuri.strip()
    if text.count(":") > 1 and "://" not in text and not text.startswith("["):
        text = f"[{text}]"  # a bare IPv6 address
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        port = f":{parts.port}" if parts.port else ""
    except ValueError as error:
        raise InvalidInputError(
            f"baseuri {baseuri!r} is no address: {error}.", "Give host, host:port or a URL."
        ) from error
    if "@" in parts.netloc:
        raise InvalidInputError("baseuri holds credentials.", "Give them as username and password, never inside a URL.")
    if not parts.hostname or parts.scheme not in ("https", "http"):
        raise InvalidInputError(f"baseuri {baseuri!r} is no address.", "Give host, host:port or an https:// URL.")
    if parts.path.rstrip("/") not in ("", "/redfish", "/redfish/v1"):
        raise InvalidInputError(f"baseuri {baseuri!r} has a path.", "Give the address alone; /redfish/v1/ is added.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}"


def local_path(url: str) -> str:
    """Path and query of what a BMC calls its own URL, so that credentials go to no other host."""
    parts = urlsplit(url)
    path = "/" + parts.path.lstrip("/")
    return f"{path}?{parts.query}" if parts.query else path
