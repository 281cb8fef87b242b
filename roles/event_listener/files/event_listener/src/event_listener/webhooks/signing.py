# SPDX-License-Identifier: GPL-3.0-or-later
"""The headers of a delivery: CloudStack's, and beside them those of Standard Webhooks 1.0. No I/O.

CloudStack signs the payload alone: base64(HMAC-SHA256(utf8(secret), payload)). Standard Webhooks
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md) signs
``id.timestamp.payload``, so that an old delivery can't be replayed, and allows several signatures, so that a secret can
be changed without a gap.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Sequence
from urllib.parse import quote

PREFIX = "whsec_"
AGENT = "CS-Hookshot"


def new_secret() -> str:
    """A secret as Standard Webhooks writes them: 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def key_of(secret: str) -> bytes:
    """What Standard Webhooks signs with: the bytes that ``whsec_`` stands for, else the text itself.

    Raises ValueError where base64 should follow ``whsec_`` and doesn't.
    """
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(f"what follows {PREFIX} in a secret is base64") from error


def cloudstack_signature(secret: str, payload: bytes) -> str:
    """``X-CS-Signature``: with the secret's text, whatever it looks like."""
    return base64.b64encode(hmac.digest(secret.encode(), payload, "sha256")).decode()


def standard_signature(secret: str, message_id: str, timestamp: int, payload: bytes) -> str:
    """One signature of ``webhook-signature``."""
    signed = f"{message_id}.{timestamp}.".encode() + payload
    return "v1," + base64.b64encode(hmac.digest(key_of(secret), signed, "sha256")).decode()


def headers(
    *,
    message_id: str,
    timestamp: int,
    event_id: str,
    event_type: str,
    owner: str,
    payload: bytes,
    content_type: str,
    secrets: Sequence[str],
) -> dict[str, str]:
    """All headers. Of ``secrets`` the first is the current one; without any nothing is signed."""
    found = {
        "Content-Type": content_type,
        "User-Agent": f"{AGENT}/{_plain(owner)}",
        "X-CS-Event-ID": _plain(event_id),
        "X-CS-Event": _plain(event_type),
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
    }
    if secrets:
        found["X-CS-Signature"] = cloudstack_signature(secrets[0], payload)
        signatures = (standard_signature(secret, message_id, timestamp, payload) for secret in secrets)
        found["webhook-signature"] = " ".join(signatures)
    return found


def _plain(text: str) -> str:
    """What a BMC says, as a header may hold it: printable ASCII, everything else percent-encoded."""
    return quote(text, safe="/!#$&'()*+,:;=?@[]^`{|}~ ", errors="replace")[:500]
