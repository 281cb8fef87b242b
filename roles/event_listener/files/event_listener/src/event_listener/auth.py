# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may post: the Authorization header that a BMC sends because its subscription's HttpHeaders say so. Pure.

Missing means refused. (The DMTF listener checks credentials only if the header is there.)
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Iterable
from dataclasses import dataclass

CHALLENGE = 'Basic realm="event-listener", charset="UTF-8", Bearer realm="event-listener"'


@dataclass(frozen=True)
class Credential:
    """A credential with its secret in hand: Basic when it has a username, Bearer otherwise."""

    name: str
    secret: str
    username: str | None = None

    def presented(self) -> bytes:
        """Return the bytes that a BMC shows for it, with their kind in front."""
        if self.username is None:
            return b"bearer " + self.secret.encode()
        return b"basic " + f"{self.username}:{self.secret}".encode()


@dataclass(frozen=True)
class Verdict:
    """`name` of the credential that was shown, or the `reason` of the refusal: missing, malformed or wrong."""

    name: str = ""
    reason: str = ""


class Authenticator:
    """Compares in constant time with every credential: the time tells neither which one nor how far it agreed."""

    def __init__(self, credentials: Iterable[Credential]) -> None:
        self._key = os.urandom(32)
        self._known = [(credential.name, self._digest(credential.presented())) for credential in credentials]

    def judge(self, header: str | None) -> Verdict:
        """Return the verdict on an Authorization header (WSGI spelling: latin-1 text); None is: there is none."""
        if not header:
            return Verdict(reason="missing")
        presented = _presented(header)
        if presented is None:
            return Verdict(reason="malformed")
        digest = self._digest(presented)
        name = ""
        for known_name, known in self._known:
            if hmac.compare_digest(digest, known):
                name = known_name
        return Verdict(name=name) if name else Verdict(reason="wrong")

    def _digest(self, value: bytes) -> bytes:
        # Digests have one length whatever the secret's, and the key of this process makes them useless elsewhere.
        return hashlib.blake2b(value, key=self._key, digest_size=32).digest()


def _presented(header: str) -> bytes | None:
    scheme, _space, value = header.partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer" and value:
        return b"bearer " + value.encode("latin-1", "replace")
    if scheme.lower() != "basic":
        return None
    try:
        # Some BMCs cut the padding off.
        decoded = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return b"basic " + decoded if b":" in decoded else None
