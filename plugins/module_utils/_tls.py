# Copyright (c) 2026 redfleet.events contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS towards BMCs: what is trusted, and SSL contexts that are made once per process and inherited by forks.

Loading the system's CA bundle costs 18 ms of CPU, most of what a task on a BMC costs; a shared context costs nothing.
"""

from __future__ import annotations

import os
import re
import ssl
import warnings
from functools import lru_cache

from ansible_collections.redfleet.events.plugins.module_utils._errors import InvalidInputError

VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
# Named in Python from 3.12 on. BMCs older than RFC 5746 need it: "unsafe legacy renegotiation disabled".
_OP_LEGACY_SERVER_CONNECT = getattr(ssl, "OP_LEGACY_SERVER_CONNECT", 0x4)
_PREFIX = re.compile(r"^sha-?256[:=]")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def normal_fingerprint(text: str) -> str:
    """Lower case hex of `sha256:<hex>`, colons and prefix optional.

    :raises InvalidInputError: when it is no SHA-256.
    """
    plain = _PREFIX.sub("", text.strip().lower()).replace(":", "").replace(" ", "")
    if not _SHA256.fullmatch(plain):
        raise InvalidInputError(
            f"tls_fingerprint {text!r} is no SHA-256 fingerprint.",
            "Give 'sha256:' and the 64 hex digits of the certificate (DER), as playbooks/pin.yml collects them.",
        )
    return plain


@lru_cache(maxsize=32)
def shared_context(verify: bool, ca_path: str | None, min_version: str, ciphers: str | None) -> ssl.SSLContext:
    """The process's SSL context for these settings.

    urllib3 writes verify_mode and check_hostname into a context it is given, so verifying and not verifying
    connections must not share one: `verify` is part of the key.

    :raises InvalidInputError: unreadable CA file, unknown ciphers.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if verify:
        _load_authorities(context, ca_path)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    with warnings.catch_warnings():
        # Python warns about TLS 1.0 and 1.1; the user asked for them by name.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = VERSIONS[min_version]
    if min_version in ("1.0", "1.1"):
        # OpenSSL 3 offers these versions at security level 0 only.
        ciphers = ciphers or "DEFAULT:@SECLEVEL=0"
        context.options |= _OP_LEGACY_SERVER_CONNECT
    if ciphers:
        try:
            context.set_ciphers(ciphers)
        except ssl.SSLError as error:
            raise InvalidInputError(
                f"tls_ciphers {ciphers!r} selects no cipher: {error}.",
                "Use OpenSSL's cipher list format, for example DEFAULT:@SECLEVEL=1.",
            ) from error
    return context


def _load_authorities(context: ssl.SSLContext, ca_path: str | None) -> None:
    if not ca_path:
        context.load_default_certs()
        return
    path = os.path.expanduser(ca_path)
    try:
        context.load_verify_locations(**{"capath" if os.path.isdir(path) else "cafile": path})
    except (OSError, ssl.SSLError) as error:
        raise InvalidInputError(
            f"ca_path {ca_path!r} cannot be used: {error}.",
            "Give a readable PEM file, or a directory prepared with `openssl rehash`.",
        ) from error


def prepare() -> None:
    """Make the usual contexts now, so that processes forked from this one inherit them."""
    shared_context(True, None, "1.2", None)
    shared_context(False, None, "1.2", None)
