# SPDX-License-Identifier: GPL-3.0-or-later
"""Opt-in for BMCs that can send no header: `/events/<source>/secret-<43 characters>`. No I/O.

The prefix is the marker by which the secret is redacted wherever a URL is shown. Only its digest is kept: 256 random
bits need no slow hash.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence

import msgspec

from event_listener.addresses import contains, parse_networks

PREFIX = "secret-"
_PATTERN = re.compile(PREFIX + r"[A-Za-z0-9_-]{32,128}")


class PathSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A secret path of one source: valid from these networks, until it is revoked."""

    id: str
    digest: str
    networks: list[str]


def generate() -> str:
    """Return a new secret, the last segment of the path."""
    return PREFIX + secrets.token_urlsafe(32)


def is_one(text: str) -> bool:
    """Whether a path segment has the form of a secret."""
    return _PATTERN.fullmatch(text) is not None


def digest(secret: str) -> str:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def match(known: Sequence[PathSecret], secret: str, peer: str) -> str:
    """Return the id of the secret that was shown from an allowed address; "" when it is none. Compares all of them."""
    shown, found = digest(secret), ""
    for one in known:
        if hmac.compare_digest(shown, one.digest) and contains(parse_networks(one.networks), peer):
            found = one.id
    return found
